"""Ticks come on absolute deadlines; late ones are skipped and counted."""

from __future__ import annotations

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
