"""Which platform is made next: one of each group, few a day, none while making them fails."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foureyes_actors.forgewright.queue import AGAIN_AFTER, DAY, FAILURES, MAX_WAITING, PAUSE, Known, Queue, Wanted

NOW = 1_800_000_000.0


def wanted(group: str = "a", record: str = "r1") -> Wanted:
    return Wanted(group, record, "capture", NOW)


def test_one_of_each_group_the_newest_record() -> None:
    queue = Queue(10)
    for record in ("r1", "r2", "r3"):
        assert queue.offer(wanted("a", record), NOW)
    queue.offer(wanted("b", "r9"), NOW)
    assert [(each.group, each.record) for each in queue.waiting] == [("a", "r3"), ("b", "r9")]
    first = queue.next(NOW)
    assert first == wanted("a", "r3")
    queue.finished(first, NOW, confirmed=True)
    assert not queue.offer(wanted("a", "r4"), NOW + 100 * DAY), "confirmed once is enough"
    assert queue.next(NOW) == wanted("b", "r9")


def test_what_has_no_record_gets_no_platform() -> None:
    assert not Queue(10).offer(wanted("a", ""), NOW)


def test_what_was_not_confirmed_has_another_try_a_day_later_with_another_record() -> None:
    queue = Queue(10)
    queue.offer(wanted(), NOW)
    queue.finished(wanted(), NOW, confirmed=False)
    assert not queue.offer(wanted("a", "r2"), NOW + AGAIN_AFTER - 1)
    assert not queue.offer(wanted("a", "r1"), NOW + AGAIN_AFTER)
    assert queue.offer(wanted("a", "r2"), NOW + AGAIN_AFTER)


def test_so_many_in_any_day() -> None:
    queue = Queue(2)
    for number, group in enumerate("abc"):
        queue.offer(wanted(group), NOW)
        if number < 2:
            queue.finished(wanted(group), NOW + number, confirmed=True)
    assert queue.next(NOW + 2) is None and queue.hindrance(NOW + 2) == "2 platforms were made in 24 hours"
    assert queue.next(NOW + DAY - 0.5) is None
    assert queue.next(NOW + DAY) == wanted("c"), "it has waited"


def test_none_at_all() -> None:
    queue = Queue(0)
    assert not queue.offer(wanted(), NOW) and queue.next(NOW) is None


def test_an_earlier_run_counts() -> None:
    queue = Queue(2)
    queue.remember("a", Known("r1", NOW - 10, confirmed=True))
    queue.remember("b", Known("r2", NOW - DAY - 10, confirmed=True))
    assert not queue.offer(wanted("a", "r7"), NOW) and not queue.offer(wanted("b", "r8"), NOW)
    queue.offer(wanted("c"), NOW)
    queue.finished(wanted("c"), NOW, confirmed=True)
    assert queue.made_today == 3 and queue.hindrance(NOW)
    assert queue.made_today == 2, "what is older than a day is forgotten"


def test_a_failing_making_has_a_pause() -> None:
    queue = Queue(10)
    for number in range(FAILURES):
        assert queue.hindrance(NOW) == ""
        queue.offer(wanted(f"g{number}"), NOW)
        queue.failed(wanted(f"g{number}"), NOW)
    queue.offer(wanted("next"), NOW)
    assert queue.next(NOW + PAUSE - 1) is None and "failed several times" in queue.hindrance(NOW + PAUSE - 1)
    assert queue.next(NOW + PAUSE) == wanted("next")
    assert queue.made_today == 0


def test_one_that_works_breaks_the_row_of_failures() -> None:
    queue = Queue(100)
    for number in range(FAILURES * 3):
        queue.offer(wanted(f"g{number}"), NOW)
        if number % FAILURES:
            queue.failed(wanted(f"g{number}"), NOW)
        else:
            queue.finished(wanted(f"g{number}"), NOW, confirmed=False)
    assert queue.hindrance(NOW) == ""


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 500)), max_size=200))
def test_a_flood_is_bounded_and_each_group_waits_once(faults: list[tuple[str, int]]) -> None:
    queue = Queue(10)
    for letter, number in faults:
        queue.offer(wanted(f"{letter}{number}", f"r{number}"), NOW)
    groups = [each.group for each in queue.waiting]
    assert len(groups) == len(set(groups)) <= MAX_WAITING
    assert queue.dropped == 0 or len(groups) == MAX_WAITING


@pytest.mark.parametrize("times", [1, 5])
def test_who_is_postponed_comes_last(times: int) -> None:
    queue = Queue(10)
    for group in "abc":
        queue.offer(wanted(group), NOW)
    for _ in range(times):
        first = queue.next(NOW)
        assert first is not None
        queue.postpone(first)
    assert queue.waiting[-1] == first and len(queue.waiting) == 3
