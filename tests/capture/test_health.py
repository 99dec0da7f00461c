"""Stream health on a scripted clock: each edge once."""

from __future__ import annotations

import pytest

from foureyes_actors.capture.health import (
    GoodFrame,
    HealthLimits,
    NoFrame,
    StreamHealth,
    StreamSight,
    limits_for,
    observe,
)
from foureyes_actors.messages import StreamCondition
from foureyes_actors.settings import HealthSettings, SourceSettings

STARTING, HEALTHY, DOWN, FROZEN, BLACK = (
    StreamCondition.STARTING,
    StreamCondition.HEALTHY,
    StreamCondition.DOWN,
    StreamCondition.FROZEN,
    StreamCondition.BLACK,
)
LIMITS = HealthLimits(down_after=5.0, frozen_after=30.0)
Script = list[tuple[float, StreamSight]]
Edges = list[tuple[float, StreamCondition, StreamCondition]]


def edges(script: Script, limits: HealthLimits = LIMITS) -> Edges:
    health, seen = StreamHealth(100.0), []
    for at, sight in script:
        health, change = observe(health, 100.0 + at, sight, limits)
        if change is not None:
            seen.append((at, change.before, change.after))
            assert change.reason
    return seen


def moving(start: float, end: float, black: bool | None = None) -> Script:
    """Three frames a second, each another picture."""
    return [(start + n / 3, GoodFrame(f"{start}/{n}", black)) for n in range(round((end - start) * 3))]


def still(start: float, end: float, digest: str = "same", black: bool | None = None) -> Script:
    return [(start + n / 3, GoodFrame(digest, black)) for n in range(round((end - start) * 3) + 1)]


def nothing(start: float, end: float) -> Script:
    return [(start + n / 2, NoFrame("nobody there")) for n in range(round((end - start) * 2) + 1)]


def test_the_first_frame_makes_it_healthy_and_frames_keep_it_so() -> None:
    assert edges(moving(1, 120)) == [(1, STARTING, HEALTHY)]


def test_a_source_that_never_gives_a_frame_is_down_after_five_seconds() -> None:
    assert edges(nothing(0, 60)) == [(5.5, STARTING, DOWN)]


def test_exactly_five_seconds_are_not_more_than_five() -> None:
    assert edges([(0, GoodFrame("a")), (5.0, NoFrame("x"))]) == [(0, STARTING, HEALTHY)]
    assert edges([(0, GoodFrame("a")), (5.001, NoFrame("x"))])[1:] == [(5.001, HEALTHY, DOWN)]


def test_down_once_and_back_once() -> None:
    script = moving(0, 10) + nothing(10, 30) + moving(31, 40)
    assert edges(script) == [(0, STARTING, HEALTHY), (15.0, HEALTHY, DOWN), (31, DOWN, HEALTHY)]


def test_a_short_gap_is_no_edge() -> None:
    assert edges(moving(0, 10) + nothing(10, 14) + moving(14, 20)) == [(0, STARTING, HEALTHY)]


def test_frozen_once_and_back_once() -> None:
    script = moving(0, 10) + still(10, 60) + moving(61, 70)
    [_, frozen, back] = edges(script)
    assert frozen[1:] == (HEALTHY, FROZEN) and 40 < frozen[0] < 40.5
    assert back == (61, FROZEN, HEALTHY)


def test_exactly_thirty_seconds_are_not_more_than_thirty() -> None:
    assert edges([(0, GoodFrame("a")), (30.0, GoodFrame("a"))]) == [(0, STARTING, HEALTHY)]
    assert edges([(0, GoodFrame("a")), (30.001, GoodFrame("a"))])[1:] == [(30.001, HEALTHY, FROZEN)]


def test_a_picture_that_comes_again_after_another_is_not_frozen() -> None:
    script: Script = [(n, GoodFrame("ab"[n % 2])) for n in range(100)]
    assert edges(script) == [(0, STARTING, HEALTHY)]


def test_a_failed_grab_does_not_unfreeze() -> None:
    script = [*still(0, 31), (32.0, NoFrame("x")), *still(33, 40)]
    assert [after for _, _, after in edges(script)] == [HEALTHY, FROZEN]


def test_a_frozen_stream_goes_down_and_comes_back_frozen_with_the_same_picture() -> None:
    script = still(0, 31) + nothing(32, 40) + still(41, 42)
    assert [after for _, _, after in edges(script)] == [HEALTHY, FROZEN, DOWN, FROZEN]


def test_black_after_a_second_of_black_and_back_with_the_first_look_at_something_else() -> None:
    script: Script = [
        (0.0, GoodFrame("a", False)),
        (1.0, GoodFrame("b", True)),
        (1.5, GoodFrame("c", None)),
        (2.0, GoodFrame("d", True)),
        (2.5, GoodFrame("e", None)),
        (3.0, GoodFrame("f", False)),
    ]
    assert edges(script) == [(0.0, STARTING, HEALTHY), (2.0, HEALTHY, BLACK), (3.0, BLACK, HEALTHY)]


def test_a_fade_through_black_is_no_edge() -> None:
    looks = [(0.0, False), (1.0, True), (1.9, True), (2.1, False), (3.0, True), (3.5, None), (4.5, None), (5.0, False)]
    script: Script = [(at, GoodFrame(f"{at}", black)) for at, black in looks]
    assert edges(script) == [(0.0, STARTING, HEALTHY)]


def test_a_black_picture_that_never_changes_stays_black() -> None:
    assert [after for _, _, after in edges(still(0, 90, black=True))] == [HEALTHY, BLACK]


def test_black_goes_down_when_frames_stop() -> None:
    assert [after for _, _, after in edges(still(0, 5, black=True) + nothing(6, 20))] == [HEALTHY, BLACK, DOWN]


def test_a_change_tells_why() -> None:
    health, _ = observe(StreamHealth(0.0), 1.0, GoodFrame("a"), LIMITS)
    _, change = observe(health, 8.0, NoFrame("OBS at host:4455: nobody listens there"), LIMITS)
    assert change is not None and change.reason == "no frame for 7.0 s: OBS at host:4455: nobody listens there"
    _, change = observe(health, 40.0, GoodFrame("a"), LIMITS)
    assert change is not None and change.reason == "the same picture for 39.0 s"


@pytest.mark.parametrize(("rate", "down_after"), [(3.0, 5.0), (0.1, 30.0), (0.5, 6.0)])
def test_a_slow_source_is_not_down_between_two_of_its_frames(rate: float, down_after: float) -> None:
    assert limits_for(SourceSettings(rate=rate)).down_after == pytest.approx(down_after)


def test_the_limits_are_the_users() -> None:
    settings = SourceSettings(health=HealthSettings(down_after=9, frozen_after=12))
    assert limits_for(settings) == HealthLimits(9, 12)
