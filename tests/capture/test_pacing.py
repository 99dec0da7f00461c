"""The pace's bookkeeping."""

from __future__ import annotations

import pytest

from foureyes_actors.capture.pacing import GRAB_WINDOW, Pace


def test_skipped_deadlines_are_those_whose_number_never_came() -> None:
    pace = Pace(0.0)
    for number in (1, 2, 5, 6, 10):
        pace.tick(number)
    assert pace.skipped == 5


def test_a_tick_left_over_from_an_earlier_incarnation_skips_nothing() -> None:
    pace = Pace(0.0)
    for number in (500, 1, 2, 3):
        pace.tick(number)
    assert pace.skipped == 0


def test_of_the_ticks_that_find_the_source_at_work_one_is_owed_and_the_others_are_dropped() -> None:
    pace = Pace(0.0)
    for _ in range(4):
        pace.found_busy()
    assert (pace.late, pace.dropped, pace.owed) == (4, 3, True)


def test_the_rate_is_that_of_the_last_thirty_seconds() -> None:
    pace = Pace(0.0)
    assert pace.rate(0.0) == 0.0
    for n in range(1, 301):
        pace.frame(n / 3)
    assert pace.rate(100.0) == pytest.approx(3.0)
    assert pace.rate(115.0) == pytest.approx(1.5)
    assert pace.rate(200.0) == 0.0
    assert pace.frames == 300
    assert pace.last_frame_at == 100.0


def test_the_rate_of_a_young_run_is_over_its_age() -> None:
    pace = Pace(50.0)
    for n in range(6):
        pace.frame(50 + n / 3)
    assert pace.rate(52.0) == pytest.approx(3.0)


def test_grab_times_are_of_the_last_grabs() -> None:
    pace = Pace(0.0)
    assert pace.grab_times() is None
    pace.grabbed(9.0)
    for _ in range(GRAB_WINDOW - 1):
        pace.grabbed(0.1)
    assert pace.grab_times() == (0.1, 9.0)
    pace.grabbed(0.3)
    assert pace.grab_times() == (0.1, 0.3)
