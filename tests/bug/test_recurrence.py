"""When a group of failures recurs, and how well the whole is: functions of moments, with a clock by hand."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from foureyes_actors.bug.condition import condition
from foureyes_actors.bug.known import Known
from foureyes_actors.bug.recurrence import History, milliseconds, recurrence, recurs
from foureyes_actors.bug.severity import Severity
from foureyes_actors.ports.error_history import KEPT_DAYS, RECENT, merged
from foureyes_actors.settings.bug import BugSettings, ConditionSettings, RecurrenceSettings

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
RULES = RecurrenceSettings()
BUG = BugSettings()


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def history(times: Iterable[datetime]) -> History:
    made = History()
    for at in times:
        made.add(at)
    return made


@pytest.mark.parametrize(
    ("minutes", "why"),
    [
        ([9.9, 5, 0], "3 in 10 min"),
        ([10, 5, 0], ""),  # the first is no longer within
        ([5, 0], ""),
        ([0, 0, 0], "3 in 10 min"),
        ([-1, 0, 0], ""),  # one of a clock that was ahead does not count yet
    ],
)
def test_several_in_ten_minutes(minutes: list[float], why: str) -> None:
    assert recurrence(history(ago(minutes=each) for each in minutes), NOW, RULES) == why


@pytest.mark.parametrize(
    ("days", "why"),
    [
        ([29, 29, 0], "3 on 2 of 30 days"),
        ([20, 10, 1], "3 on 3 of 30 days"),
        ([30, 30, 0], ""),  # two of them too long ago
        ([3, 3, 3], ""),  # on one day
        ([3, 0], ""),
    ],
)
def test_several_on_several_days(days: list[int], why: str) -> None:
    spread = [ago(days=day) - timedelta(hours=number) for number, day in enumerate(days)]
    assert recurrence(history(spread), NOW, RULES) == why


def a_day(count: int, back: int) -> list[datetime]:
    return [ago(days=back) - timedelta(minutes=11 * number) for number in range(count)]


@pytest.mark.parametrize(
    ("first", "today", "why"),
    [(20, 3, "3 today, usual are 1.0 a day"), (20, 1, ""), (13, 3, "")],
    ids=["above", "as usual", "too short a baseline"],
)
def test_more_than_usual(first: int, today: int, why: str) -> None:
    """The other two rules are out of the way."""
    rules = RecurrenceSettings(events=64, day_events=64, within_days=1, days=1)
    times = [at for back in range(1, first + 1) for at in a_day(1, back)]
    assert recurrence(history([*reversed(times), *a_day(today, 0)]), NOW, rules) == why


def test_days_without_a_failure_belong_to_the_usual() -> None:
    rules = RecurrenceSettings(events=64, day_events=64, within_days=1, days=1)
    rare = history([*a_day(2, 40), *a_day(2, 0)])
    assert recurrence(rare, NOW, rules) == "2 today, usual are 0.1 a day"  # one day of forty had as many
    assert recurrence(rare, NOW, RecurrenceSettings(**{**rules.model_dump(), "sigma": 8.0})) == ""


moments = st.lists(st.integers(0, 40 * 24 * 60), max_size=60).map(lambda found: [ago(minutes=each) for each in found])


@settings(max_examples=60, deadline=None)
@given(moments, st.randoms())
def test_the_order_in_which_they_are_told_and_a_restart_make_no_difference(
    times: list[datetime], random: object
) -> None:
    """Told in two parts, of which one comes from the store, it is the same."""
    expected = recurrence(history(sorted(times)), NOW, RULES)
    half = len(times) // 2
    assert recurrence(history(sorted(times[:half])).merge(history(sorted(times[half:])).form()), NOW, RULES) == expected
    assert recurrence(History(history(sorted(times)).form()), NOW, RULES) == expected
    assert recurs(reversed(times), NOW, RULES) == bool(expected)


@settings(max_examples=60, deadline=None)
@given(moments)
def test_by_the_definition_of_the_first_rule(times: list[datetime]) -> None:
    wide = RecurrenceSettings(day_events=64, days=1, within_days=1, baseline_days=KEPT_DAYS - 1)
    assert recurs(times, NOW, wide) == (sum(1 for at in times if NOW - at < timedelta(minutes=10)) >= 3)


def test_it_stays_small() -> None:
    made = History()
    for number in range(5000):
        made.add(NOW + timedelta(hours=number))
    found = made.form()
    assert len(found["recent"]) == RECENT and len(found["days"]) == KEPT_DAYS
    assert sum(merged(found, found)["days"].values()) == 2 * sum(found["days"].values())


@pytest.mark.parametrize(
    "broken",
    [None, 3, {}, {"recent": 3, "days": []}, {"recent": ["x", None, True], "days": {"x": 1, "3": "y", "4": -1}}],
)
def test_what_is_no_history_is_none(broken: object) -> None:
    assert History(broken).form() == {"recent": [], "days": {}}


def test_what_a_run_before_saw_counts() -> None:
    known = Known(BUG)
    known.count("g", NOW, Severity.HIGH)
    assert known.recurrence("g", NOW) == ""
    known.load({"g": history([ago(minutes=3), ago(minutes=2)]).form(), "other": {}}, NOW)
    assert known.recurrence("g", NOW) == "3 in 10 min" and known.recurring == 1
    assert known.unsent("g") == history([NOW]).form()  # the store gets what it does not have, once


def test_what_the_store_got_from_this_run_is_not_counted_twice() -> None:
    known = Known(BUG)
    known.count("g", ago(minutes=1), Severity.HIGH)
    known.sent("g")
    known.count("g", NOW, Severity.HIGH)
    known.load({"g": history([ago(minutes=1)]).form()}, NOW)
    assert known.recurrence("g", NOW) == "" and known.unsent("g") == history([NOW]).form()


@pytest.mark.parametrize(
    ("errors", "critical", "level"),
    [
        (0, 0, "healthy"),
        (10, 0, "healthy"),
        (11, 0, "warning"),
        (20, 0, "warning"),
        (21, 0, "degraded"),
        (1, 1, "critical"),
    ],
)
def test_the_condition(errors: int, critical: int, level: str) -> None:
    times = [milliseconds(ago(seconds=number)) for number in range(errors)]
    found = condition(times, times[:critical], NOW, ConditionSettings())
    assert (found.level, found.errors, found.critical) == (level, errors, critical)


def test_the_condition_is_of_the_last_minutes_alone() -> None:
    old = [milliseconds(ago(seconds=300))]
    assert condition(old, old, NOW, ConditionSettings()).level == "healthy"
    young = [milliseconds(ago(seconds=299))]
    assert str(condition(young, young, NOW, ConditionSettings())) == (
        "critical: 1 failure in the last 5 min, 1 of them critical"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"recurrence": {"days": 31}},
        {"recurrence": {"events": 65}},
        {"recurrence": {"within": 0}},
        {"condition": {"warning_above": 21}},
    ],
)
def test_settings_that_could_never_be(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        BugSettings.model_validate(wrong)
