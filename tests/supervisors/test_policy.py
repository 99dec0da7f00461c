"""The window, the backoff, groups, and who comes back."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisors.policy import NO_BACKOFF, Backoff, Restart, Strategy, Window, comes_back, group, middle
from supervisors.specs import Flags
from tests.supervisors.simulation import Sim, spec
from tests.supervisors.vices import hangs_in_start

PAUSES = st.one_of(
    st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0, 5.0]), st.floats(0, 10, allow_nan=False, allow_infinity=False)
)


@settings(max_examples=2000)
@given(
    intensity=st.integers(0, 6),
    period=st.one_of(st.sampled_from([0.5, 1.0, 2.0, 5.0]), st.floats(0.01, 10)),
    pauses=st.lists(PAUSES, max_size=12),
    start=st.floats(0, 1e6),
)
def test_window_is_the_naive_count(intensity: int, period: float, pauses: list[float], start: float) -> None:
    """A naive model keeps every event for ever and counts those that are not older than the period."""
    window, now, all_events = Window(intensity, period), start, list[float]()
    for pause in pauses:
        now += pause
        all_events.append(now)
        window, too_many = window.hit(now)
        count = sum(1 for event in all_events if now - event <= period)
        assert too_many == (count > intensity)
        assert len(window.marks) == count


def test_window_is_a_value() -> None:
    empty = Window(1, 5.0)
    once, too_many = empty.hit(1.0)
    assert (empty.marks, once.marks, too_many) == ((), (1.0,), False)
    assert once.hit(6.0) == (Window(1, 5.0, (1.0, 6.0)), True)  # exactly a period old: still counts
    assert once.hit(6.001) == (Window(1, 5.0, (6.001,)), False)


def test_backoff_grows_from_none_to_the_longest() -> None:
    backoff = Backoff(first=0.5, longest=3.0)
    assert [backoff.delay(failures) for failures in range(6)] == [0.0, 0.5, 1.0, 2.0, 3.0, 3.0]
    assert backoff.delay(10**9) == 3.0
    assert [NO_BACKOFF.delay(failures) for failures in (0, 1, 50)] == [0.0, 0.0, 0.0]


@given(
    first=st.floats(0.001, 10),
    factor=st.floats(1, 1000),
    jitter=st.floats(0, 1),
    failures=st.integers(1, 100),
    chance=st.floats(0, 1, exclude_max=True),
)
def test_jitter_stays_within_its_share(
    first: float, factor: float, jitter: float, failures: int, chance: float
) -> None:
    backoff = Backoff(first=first, longest=first * factor, jitter=jitter)
    plain = min(first * factor, first * 2.0 ** (failures - 1))
    delay = backoff.delay(failures, lambda: chance)
    assert plain * (1 - jitter) * (1 - 1e-9) <= delay <= plain * (1 + jitter) * (1 + 1e-9)
    assert backoff.delay(failures, middle) == plain


def test_jitter_uses_the_whole_of_its_share() -> None:
    backoff, chances = Backoff(first=1.0, jitter=0.2), random.Random(1)
    delays = [backoff.delay(1, chances.random) for _ in range(1000)]
    assert min(delays) < 0.81
    assert max(delays) > 1.19


def test_who_has_been_stable_has_no_history() -> None:
    """The moments of its starts: each pause is longer, until it has stayed up for ``stable_after``."""
    backoff = Backoff(first=1.0, longest=4.0, stable_after=10.0, jitter=0.0)
    sim = Sim([spec("a", backoff=backoff)], Flags(intensity=100))

    def pause_after(uptime: float) -> float:
        sim.advance(uptime)
        crashed, before = sim.now, sim.starts["a"]
        sim.crash("a")
        while sim.starts["a"] == before:
            assert sim.world.step()
        seconds = sim.now - crashed
        sim.settle()
        return seconds

    assert [pause_after(9.0) for _ in range(5)] == [0.0, 1.0, 2.0, 4.0, 4.0]
    assert [pause_after(10.0), pause_after(1.0), pause_after(1.0), pause_after(11.0)] == [0.0, 1.0, 2.0, 0.0]


def test_a_failed_start_is_no_time_of_being_up() -> None:
    backoff = Backoff(first=1.0, longest=4.0, stable_after=0.5, jitter=0.0)
    hangs = hangs_in_start().after(good=1)
    sim = Sim([spec("a", backoff=backoff, start_timeout=2.0)], Flags(intensity=100), {"a": hangs})
    sim.crash("a")
    sim.advance(12.9)  # starts at 0, 2+1, 5+2, 9+4
    assert sim.starts["a"] == 4
    sim.advance(0.1)
    assert sim.starts["a"] == 5


@pytest.mark.parametrize(
    ("strategy", "failed", "together"),
    [
        (Strategy.ONE_FOR_ONE, "b", ("b",)),
        (Strategy.ONE_FOR_ALL, "b", ("a", "b", "c")),
        (Strategy.REST_FOR_ONE, "a", ("a", "b", "c")),
        (Strategy.REST_FOR_ONE, "b", ("b", "c")),
        (Strategy.REST_FOR_ONE, "c", ("c",)),
    ],
)
def test_group(strategy: Strategy, failed: str, together: tuple[str, ...]) -> None:
    assert group(strategy, ("a", "b", "c"), failed) == together
    assert group(strategy, ["a", "b", "c"], failed) == together


@pytest.mark.parametrize(
    ("restart", "failed", "expected"),
    [
        (Restart.PERMANENT, True, True),
        (Restart.PERMANENT, False, True),
        (Restart.TRANSIENT, True, True),
        (Restart.TRANSIENT, False, False),
        (Restart.TEMPORARY, True, False),
        (Restart.TEMPORARY, False, False),
    ],
)
def test_comes_back(restart: Restart, failed: bool, expected: bool) -> None:
    assert comes_back(restart, failed=failed) is expected
