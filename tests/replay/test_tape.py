"""The tape's end: the clock goes on and stands still, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from foureyes_actors.replay.tape import MOST_BEYOND, Playback, Played, TapeDivergence

CLOCK = Played("clock", "monotonic", None, 7.0, None)
EARLIER = Played("clock", "monotonic", None, 6.0, None)
HTTP = Played("http", "exchange", None, "reply", None)


def playing(*tape: Played) -> tuple[Playback, Any, Any]:
    playback = Playback(tape, lambda _call: None)
    return playback, playback.port("clock"), playback.port("http")


def test_after_the_end_the_clock_tells_what_it_told_last() -> None:
    playback, clock, http = playing(EARLIER, CLOCK, HTTP)
    assert [clock.monotonic(), clock.monotonic(), http.exchange("x")] == [6.0, 7.0, "reply"]
    assert [clock.monotonic() for _ in range(MOST_BEYOND)] == [7.0] * MOST_BEYOND
    assert not playback.diverged


def test_a_loop_that_waits_for_time_diverges() -> None:
    playback, clock, _ = playing(CLOCK)
    began = clock.monotonic()
    with pytest.raises(TapeDivergence, match="time stands still"):
        while clock.monotonic() - began < 0.5:
            pass
    assert "more than 16 times" in playback.diverged


@pytest.mark.parametrize(
    ("tape", "ask"),
    [
        ((CLOCK, HTTP), lambda clock, http: (clock.monotonic(), clock.monotonic())),  # not at the end
        ((CLOCK, HTTP), lambda clock, http: (clock.monotonic(), http.exchange(1), clock.utc_now())),  # never told
        ((CLOCK, HTTP), lambda clock, http: (clock.monotonic(), http.exchange(1), http.exchange(1))),
        ((HTTP,), lambda clock, http: (http.exchange(1), clock.monotonic())),
        ((), lambda clock, http: clock.monotonic()),
    ],
)
def test_whatever_else_is_not_on_the_tape_diverges(tape: tuple[Played, ...], ask: Callable[[Any, Any], Any]) -> None:
    playback, clock, http = playing(*tape)
    with pytest.raises(TapeDivergence):
        ask(clock, http)
    assert playback.diverged


def test_a_clock_that_failed_tells_nothing_later() -> None:
    playback, clock, _ = playing(Played("clock", "monotonic", None, None, ValueError("x")))
    with pytest.raises(ValueError, match="x"):
        clock.monotonic()
    with pytest.raises(TapeDivergence, match="not on the tape"):
        clock.monotonic()
    assert playback.diverged


def test_another_question_to_the_clock_diverges() -> None:
    playback = Playback((CLOCK,), lambda call: list(call.args) or None)
    clock = playback.port("clock")
    assert clock.monotonic() == 7.0
    with pytest.raises(TapeDivergence, match="not on the tape"):
        clock.monotonic("of another place")
