"""Ticks come on absolute deadlines; late ones are skipped and counted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from supervisors.schedule import Schedule, next_deadline


def test_deadlines_are_absolute() -> None:
    assert next_deadline(10.0, 0.5, 10.0) == (1, 10.5)
    assert next_deadline(10.0, 0.5, 10.49) == (1, 10.5)
    assert next_deadline(10.0, 0.5, 12.6) == (6, 13.0)


def test_a_late_thread_skips_what_has_passed_and_keeps_the_grid() -> None:
    now, numbers = [0.0], []
    schedule = Schedule(lambda: now[0])
    schedule.every(1.0, lambda number: numbers.append(number) or True)  # type: ignore[func-returns-value]
    for now[0] in (1.0, 2.0, 5.7, 6.0):
        schedule.run_due()
    assert numbers == [1, 2, 3, 6]
    assert schedule.skipped == 2


def test_once_fires_once_and_false_ends_an_entry() -> None:
    now, fired = [0.0], []
    schedule = Schedule(lambda: now[0])
    schedule.after(0.5, lambda number: fired.append("once") or True)  # type: ignore[func-returns-value]
    schedule.every(1.0, lambda number: bool(fired.append("every")))  # type: ignore[func-returns-value]
    for now[0] in (1.0, 2.0, 3.0):
        schedule.run_due()
    assert fired == ["once", "every"]


def test_an_interval_that_is_not_positive_is_refused() -> None:
    with pytest.raises(ValueError, match="must be positive, not 0"):
        Schedule().every(0, lambda number: True)


def test_who_may_come_early_comes_with_another_and_never_alone() -> None:
    now, fired = [0.0], list[tuple[str, int, float]]()
    schedule = Schedule(lambda: now[0])

    def note(name: str) -> Callable[[int], bool]:
        return lambda number: fired.append((name, number, now[0])) or True  # type: ignore[func-returns-value]

    schedule.every(1.0, note("exact"))
    schedule.every(2.5, note("rough"), early=0.5)
    schedule.after(2.9, note("once"), early=0.2)
    for now[0] in (1.0, 1.9, 2.0, 2.6, 3.0, 4.0, 5.0):
        schedule.run_due()
    assert [each for each in fired if each[0] == "exact"] == [("exact", n, float(n)) for n in range(1, 6)]
    assert [each for each in fired if each[0] == "rough"] == [("rough", 1, 2.0), ("rough", 2, 5.0)]
    assert [each for each in fired if each[0] == "once"] == [("once", 1, 3.0)]
    assert schedule.skipped == 0


def test_early_ones_keep_their_grid() -> None:
    now, fired = [0.0], list[int]()
    schedule = Schedule(lambda: now[0])
    schedule.every(0.3, lambda number: True)
    schedule.every(1.0, lambda number: fired.append(number) or True, early=0.3)  # type: ignore[func-returns-value]
    for step in range(1, 101):
        now[0] = step * 0.3
        schedule.run_due()
    assert fired == list(range(1, len(fired) + 1)) and 29 <= len(fired) <= 31
