"""An error storm: what is recorded, what is counted, and that nothing is lost from the count."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from foureyes_actors.bug import storm
from foureyes_actors.bug.storm import Storm
from tests.bug.make import a_fault

FAULT = a_fault()


def test_a_few_of_a_group_each_second_then_the_rest_is_counted() -> None:
    subject = Storm()
    admitted = [subject.admit("a", FAULT, 0.1) for _ in range(10_000)]
    assert admitted == [True] * storm.PER_GROUP + [False] * (10_000 - storm.PER_GROUP)
    assert subject.group("a").seen == 10_000 and subject.group("a").suppressed == 10_000 - storm.PER_GROUP
    assert subject.admit("a", FAULT, 1.1), "the next second"


def test_the_newest_that_was_held_back_goes_out_with_the_next_seconds_flush() -> None:
    subject = Storm()
    faults = [a_fault() for _ in range(storm.PER_GROUP + 3)]
    for fault in faults:
        subject.admit("a", fault, 0.0)
    assert subject.flush(0.5) == [], "the same second"
    assert subject.flush(1.0) == [("a", faults[-1])]
    assert subject.flush(2.0) == [] and subject.suppressed == 2


def test_first_occurrences_keep_their_order_also_when_they_had_to_wait() -> None:
    subject = Storm()
    names = [f"g{i}" for i in range(250)]
    out = [name for name in names if subject.admit(name, FAULT, 0.0)]
    for name in reversed(names):
        subject.admit(name, FAULT, 0.0)
    for second in (1.0, 2.0, 3.0):
        out += [name for name, _ in subject.flush(second)]
    assert out[:250] == names[:100] + names[100:250]


def test_many_groups_are_bounded_and_the_count_stays() -> None:
    subject = Storm()
    for i in range(5000):
        subject.admit(f"g{i}", FAULT, 0.0)
    assert subject.groups == storm.MAX_GROUPS and subject.waiting <= storm.MAX_GROUPS
    assert subject.forgotten == 4000
    assert subject.suppressed == 5000 - storm.PER_SECOND


def test_what_could_not_be_delivered_waits_unless_a_newer_one_does() -> None:
    subject = Storm()
    old, new = a_fault(), a_fault()
    assert subject.admit("a", old, 0.0)
    subject.give_back("a", old)
    assert subject.flush(1.0) == [("a", old)]
    subject.give_back("a", old)
    assert subject.admit("a", new, 1.5) and subject.flush(2.5) == [], "a newer one has gone out instead"


Step = tuple[str, float]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 1.5)), max_size=60))
def test_seen_is_always_recorded_plus_suppressed_and_at_the_end_nothing_waits(steps: list[Step]) -> None:
    subject, now, recorded = Storm(), 0.0, 0
    for name, pause in steps:
        now += pause
        recorded += subject.admit(name, FAULT, now)
        recorded += len(subject.flush(now)) if pause > 1 else 0
        assert recorded + subject.suppressed <= len(steps)
    recorded += len(subject.flush(now + 2))
    assert recorded + subject.suppressed == len(steps) and subject.waiting == 0
