"""The machine's pressure: a scripted hour with every edge, and each rule by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise

import pytest

from foureyes_actors.messages import PressureLevel, ResourceSample
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.resource.pressure import (
    ALL_LEVELS,
    LONGEST,
    Levels,
    Pressure,
    Seen,
    Switch,
    advance,
    seen_of,
)
from foureyes_actors.settings.pressure import PressureSettings

RULES = PressureSettings()
NORMAL, SMALLER, SLOWER = PressureLevel.NORMAL, PressureLevel.SMALLER, PressureLevel.SLOWER
WELL = Seen(30.0, 4000.0)
Script = Callable[[int], Seen]
Told = tuple[int, PressureLevel, PressureLevel, Switch]


def play(
    script: Script, seconds: int, *, every: int = 5, rules: PressureSettings = RULES, levels: Levels = ALL_LEVELS
) -> list[Told]:
    """A look each ``every`` seconds: second, before, after."""
    pressure, told = Pressure(), []
    for second in range(0, seconds + 1, every):
        pressure, switch = advance(pressure, script(second), float(second), rules, levels)
        if switch is not None:
            assert switch.before is not switch.after is pressure.level
            told.append((second, switch.before, switch.after, switch))
    return told


def edges(told: Iterable[Told]) -> list[tuple[int, PressureLevel, PressureLevel]]:
    return [each[:3] for each in told]


def between(*parts: tuple[int, int, Seen]) -> Script:
    """``(first, last, seen)``, both included; what is in none of them is well."""
    return lambda second: next((seen for first, last, seen in parts if first <= second <= last), WELL)


HOUR = between(
    (300, 305, Seen(99.0, 4000.0)),  # a spike that is over before it counts
    (600, 635, Seen(96.0, 4000.0)),  # counts at 610, and is over when the step has had its time
    (1000, 1040, Seen(40.0, 400.0)),  # low memory counts at once; at 1030 the step had its time and did not help
    (1045, 1100, Seen(40.0, 800.0)),  # no longer low, not yet enough
    (2400, 2415, Seen(95.0, 4000.0)),
    (2420, 2500, Seen(None, 4000.0)),  # the sensor that told of the trouble tells nothing: it is not well
    (3000, 3050, Seen(90.0, 500.0)),  # both exactly at their marks
    *((second, second, Seen(95.0, 4000.0)) for second in range(3100, 3200, 10)),  # every other look
    (3300, 3600, Seen(None, None)),
)


def test_a_scripted_hour_each_switch_once_at_the_right_moment_and_back() -> None:
    told = play(HOUR, 3600)
    assert edges(told) == [
        (610, NORMAL, SMALLER),
        (700, SMALLER, NORMAL),  # calm since 640
        (1000, NORMAL, SMALLER),  # 300 s after a step back: that one was too early, so the next takes twice as long
        (1030, SMALLER, SLOWER),
        (1225, SLOWER, SMALLER),  # calm since 1105
        (1345, SMALLER, NORMAL),
        (2410, NORMAL, SMALLER),  # long after: the patience is the first one again
        (2565, SMALLER, NORMAL),  # known to be calm since 2505
    ]
    reasons = [switch.reason for *_, switch in told]
    assert reasons[0] == "CPU 96 %, above 90 for 10 s"
    assert reasons[1] == "CPU 30 %, below 70; 4000 MB of memory available, at least 1000; for 60 s"
    assert reasons[2] == reasons[3] == "400 MB of memory available, less than 500"
    assert reasons[4].endswith("for 120 s")
    assert dict(told[0][3].figures) == {"cpu_percent": 96.0, "free_memory_mb": 4000.0}


def test_the_same_hour_by_the_seconds_of_a_clock_that_does_not_begin_at_zero() -> None:
    clock, pressure, told = ManualClock(), Pressure(), []
    start = clock.monotonic()
    for second in range(0, 3601, 5):
        pressure, switch = advance(pressure, HOUR(second), clock.monotonic(), RULES)
        told += [round(clock.monotonic() - start)] if switch else []
        clock.advance(5.0)
    assert told == [610, 700, 1000, 1030, 1225, 1345, 2410, 2565]


def test_without_smaller_models_the_rhythm_is_lowered_at_once() -> None:
    told = play(between((100, 200, Seen(99.0, 4000.0))), 400, levels=(NORMAL, SLOWER))
    assert edges(told) == [(110, NORMAL, SLOWER), (265, SLOWER, NORMAL)]


def test_both_reasons_are_told() -> None:
    ((_, _, _, switch), *_) = play(between((0, 500, Seen(97.0, 450.0))), 0)
    assert switch.reason == "450 MB of memory available, less than 500"
    told = play(between((0, 500, Seen(97.0, 450.0))), 500)
    assert told[1][3].reason == "450 MB of memory available, less than 500; CPU 97 %, above 90 for 30 s"
    assert len(told) == 2, "there is no level below the last"


@pytest.mark.parametrize(
    "seen",
    [
        Seen(None, None),
        Seen(None, 4000.0),
        Seen(50.0, None),
        Seen(90.0, 500.0),
        Seen(89.9, 999.0),
        Seen(70.0, 500.0),
    ],
    ids=str,
)
def test_what_is_not_known_and_what_is_at_a_mark_starts_nothing(seen: Seen) -> None:
    assert play(lambda _: seen, 3600) == []


@pytest.mark.parametrize(
    ("cause", "after", "back"),
    [
        (Seen(99.0, None), Seen(20.0, None), True),  # a sensor that never told holds nothing up
        (Seen(99.0, 4000.0), Seen(20.0, None), True),
        (Seen(99.0, 4000.0), Seen(None, 4000.0), False),  # the cause is not known to be gone
        (Seen(None, 100.0), Seen(None, 2000.0), True),
        (Seen(30.0, 100.0), Seen(30.0, None), False),
        (Seen(30.0, 100.0), Seen(None, None), False),
        (Seen(30.0, 100.0), Seen(70.0, 2000.0), False),  # not below the mark
        (Seen(30.0, 100.0), Seen(69.9, 1000.0), True),
        (Seen(30.0, 100.0), Seen(30.0, 999.9), False),
        (Seen(99.0, 4000.0), Seen(80.0, 4000.0), False),  # between the marks it stays where it is
    ],
    ids=str,
)
def test_the_way_back_needs_the_cause_to_be_seen_gone(cause: Seen, after: Seen, back: bool) -> None:
    rules = RULES.model_copy(update={"step_after": 3000.0})
    told = play(lambda second: cause if second <= 10 else after, 2000, rules=rules)
    assert [each[2] for each in told] == ([SMALLER, NORMAL] if back else [SMALLER])
    if back:
        assert told[1][0] == 75


def test_one_unknown_look_begins_the_times_anew() -> None:
    high, unknown = Seen(95.0, 4000.0), Seen(None, 4000.0)
    never = play(lambda second: unknown if second % 10 else high, 600)
    assert never == []
    script = between((0, 10, high), (50, 50, unknown))
    assert edges(play(script, 600)) == [(10, NORMAL, SMALLER), (115, SMALLER, NORMAL)]


@pytest.mark.parametrize("period", [5, 10])
def test_input_that_flaps_faster_than_it_counts_switches_nothing(period: int) -> None:
    script: Script = lambda second: Seen(99.0, 4000.0) if second // period % 2 else Seen(10.0, 4000.0)  # noqa: E731
    assert play(script, 3600) == []


def test_memory_that_flaps_about_its_mark_switches_once() -> None:
    told = play(lambda second: Seen(30.0, 499.0 if second // 5 % 2 else 501.0), 3600)
    assert edges(told) == [(5, NORMAL, SMALLER), (35, SMALLER, SLOWER)]


def test_a_load_that_comes_back_with_each_step_back_is_met_less_and_less_often() -> None:
    """What the step takes away comes back with the step back: the machine's own oscillation."""
    pressure, ups = Pressure(), []
    for second in range(0, 8 * 3600, 5):
        seen = Seen(99.0, 4000.0) if pressure.level is NORMAL else WELL
        pressure, switch = advance(pressure, seen, float(second), RULES)
        if switch is not None and switch.after is NORMAL:
            ups.append(second)
    waits = [later - sooner for sooner, later in pairwise(ups)]
    assert waits[:3] == [140, 260, 500]  # 15 s until it counts, 5 s to the first calm look, then 120, 240, 480 s
    assert set(waits[3:]) == {int(LONGEST) * 60 + 20}


def test_it_goes_down_again_only_after_the_step_had_its_time() -> None:
    rules = RULES.model_copy(update={"step_after": 120.0})
    told = play(lambda _: Seen(99.0, 100.0), 3600, rules=rules)
    assert edges(told) == [(0, NORMAL, SMALLER), (120, SMALLER, SLOWER)]


def test_a_sample_becomes_a_look_and_none_stays_none() -> None:
    sample = ResourceSample(ManualClock().utc_now(), 12.0, 2_500_000_000, None, None, None, None)
    assert seen_of(sample) == Seen(12.0, 2500.0)
    assert seen_of(None) == Seen(None, None)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"calm_cpu": 90.0}, "calm_cpu 90 must be less than high_cpu 90"),
        ({"low_memory": 1000.0}, "enough_memory 1000 must be more than low_memory 1000"),
    ],
)
def test_one_mark_for_both_ways_is_refused(values: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        PressureSettings.model_validate(values)
