"""Joining models' answers: order, completeness, deadlines, late answers; and what contradicts the state."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foureyes_actors.messages import Field, TaskAnswer
from foureyes_actors.readings.fusion import MAX_OPEN, Join, Joined, Part, add, conflicts, expect, expire, flush, order
from foureyes_actors.readings.observe import observe
from tests.readings.support import frame, motion, ocr, popup, state


class Table:
    """A join that is fed by hand; remembers everything that came out."""

    def __init__(self, *models: str, timeout: float = 10.0) -> None:
        self.join, self.out = Join(models, timeout), list[Joined]()

    def add(self, number: int, model: str, now: float = 0.0) -> list[tuple[int, int, bool]]:
        self.join, joined = add(self.join, frame(number), Part(model), now)
        self.out += joined
        return [(j.frame.sequence, j.supplement, j.late) for j in joined]

    def expire(self, now: float) -> list[int]:
        self.join, joined = expire(self.join, now)
        self.out += joined
        return [j.frame.sequence for j in joined]


def test_one_model_joins_at_once() -> None:
    table = Table("a")
    assert [table.add(n, "a") for n in (1, 2, 5)] == [[(1, 0, False)], [(2, 0, False)], [(5, 0, False)]]


def test_two_models_of_one_frame_come_out_together() -> None:
    table = Table("a", "b")
    assert table.add(1, "a") == []
    assert table.add(1, "b") == [(1, 0, False)]
    assert [p.model for p in table.out[0].parts] == ["a", "b"]


def test_a_model_that_has_gone_on_is_not_waited_for() -> None:
    """The slow one skips frames; its answer about 4 says that it will never answer about 2 and 3."""
    table = Table("fast", "slow")
    assert [table.add(n, "fast") for n in (1, 2, 3, 4)] == [[], [], [], []]
    assert table.add(1, "slow") == [(1, 0, False)]
    assert table.add(4, "slow") == [(2, 0, False), (3, 0, False), (4, 0, False)]


def test_an_older_frame_that_opens_later_still_comes_out_first() -> None:
    table = Table("fast", "slow")
    table.add(5, "fast")
    assert table.add(3, "slow") == [(3, 0, False)]
    assert table.add(5, "slow") == [(5, 0, False)]


def test_after_the_timeout_a_frame_comes_out_with_what_is_there() -> None:
    table = Table("a", "b")
    table.add(1, "a", now=0.0)
    table.add(2, "a", now=1.0)
    assert table.expire(9.9) == []
    assert table.expire(10.0) == [1]
    assert table.expire(11.0) == [2]
    assert table.join.waiting == ()


def test_an_overdue_frame_takes_the_older_ones_with_it() -> None:
    table = Table("a", "b", "c")
    table.add(5, "a", now=0.0)
    table.add(3, "b", now=8.0)  # c may still answer about it
    assert table.expire(10.0) == [3, 5]


def test_an_answer_about_a_frame_that_came_out_is_a_supplement() -> None:
    table = Table("a", "b", "c")
    table.add(1, "a")
    assert table.expire(10.0) == [1]
    assert table.add(1, "b") == [(1, 1, False)]
    table.add(2, "a")
    table.expire(99.0)
    assert table.add(1, "c") == [(1, 2, True)]
    assert [p.model for p in table.out[-1].parts] == ["c"]


def test_an_older_frame_that_never_came_out_is_late_but_not_lost() -> None:
    table = Table("a", "b")
    table.add(4, "a")
    table.expire(10.0)
    assert table.add(3, "b") == [(3, 0, True)]


def test_an_answer_by_an_unexpected_model_is_kept_but_not_waited_for() -> None:
    table = Table("a")
    assert table.add(1, "x") == []
    assert table.add(1, "a") == [(1, 0, False)]
    assert [p.model for p in table.out[0].parts] == ["x", "a"]


def test_the_number_of_waiting_frames_is_bounded() -> None:
    table = Table("a", "b")
    for number in range(1, MAX_OPEN + 3):
        table.add(number, "a")
    assert len(table.join.waiting) == MAX_OPEN
    assert [j.frame.sequence for j in table.out] == [1, 2]


def test_the_end_brings_out_what_waits() -> None:
    table = Table("a", "b")
    table.add(2, "a")
    table.add(1, "a")
    join, joined = flush(table.join)
    assert [j.frame.sequence for j in joined] == [1, 2]
    assert join.waiting == ()


ARRIVALS = st.tuples(st.integers(1, 12), st.sampled_from("abc"), st.floats(0, 3))  # frame, model, seconds


@given(st.lists(ARRIVALS, max_size=60, unique_by=lambda t: t[:2]), st.sets(st.sampled_from("abc"), min_size=1))
def test_nothing_is_lost_and_nothing_comes_out_of_order(
    arrivals: list[tuple[int, str, float]], models: set[str]
) -> None:
    table, now = Table(*sorted(models)), 0.0
    for number, model, wait in arrivals:
        now += wait
        table.expire(now)
        table.add(number, model, now)
    table.expire(now + 10.0)
    assert table.join.waiting == ()
    came = [(j.frame.sequence, p.model) for j in table.out for p in j.parts]
    assert sorted(came) == sorted((n, m) for n, m, _ in arrivals)
    on_time = [order(j.frame) for j in table.out if not j.late and not j.supplement]
    assert on_time == sorted(set(on_time))
    ids = [(j.frame.sequence, j.supplement) for j in table.out]
    assert len(set(ids)) == len(ids)
    newest = None
    for joined in table.out:
        here = order(joined.frame)
        assert joined.late is (newest is not None and here < newest)
        newest = here if newest is None else max(newest, here)


@given(st.lists(st.integers(1, 50), max_size=40))
def test_frames_of_models_that_take_the_newest_come_out_in_order_without_waiting(steps: list[int]) -> None:
    """As inference actors do it: each model's frames only go forward. Then nothing is ever late."""
    table, at = Table("a", "b"), {"a": 0, "b": 0}
    for number, step in enumerate(steps):
        model = "ab"[number % 2]
        at[model] += step
        table.add(at[model], model)
    assert not any(j.late or j.supplement for j in table.out)
    numbers = [j.frame.sequence for j in table.out]
    assert numbers == sorted(numbers)


CASES = [
    ((state("idle"), motion("spinning")), "animation_detection sees reels turn"),
    ((state("spinning"), motion("stopped")), "animation_detection sees reels rest"),
    ((state("spinning"), motion("spinning")), ""),
    ((state("win"), motion("spinning")), ""),
    ((state("unknown"), motion("spinning"), popup("error")), ""),
    ((state("idle"), popup("error")), "error_detection sees an error message"),
    ((state("idle"), popup("disconnected")), "error_detection sees a lost connection"),
    ((state("idle"), popup("info")), ""),
    ((state("error"), popup("error")), ""),
    ((state("error"), popup("none")), "error_detection sees no message"),
    ((state("disconnected"), popup("unknown")), ""),
    ((motion("spinning"), popup("error")), ""),
    (
        (state("idle"), motion("spinning"), popup("error")),
        "animation_detection sees reels turn; error_detection sees an error message",
    ),
]


@pytest.mark.parametrize(("answers", "reason"), CASES)
def test_contradictions_are_said_and_not_resolved_by_a_guess(answers: tuple[TaskAnswer, ...], reason: str) -> None:
    seen = {o.field: o for o in observe((*answers, ocr()), {}, 0.0)}
    assert conflicts(seen) == reason
    if Field.STATE in seen and answers[0].values.get("state"):
        assert seen[Field.STATE].value == answers[0].values["state"]


# --- other models are asked from now on ---


def expecting(table: Table, *models: str, now: float = 0.0) -> list[int]:
    table.join, joined = expect(table.join, models, now)
    return [one.frame.sequence for one in joined]


def test_frames_that_waited_for_a_model_that_is_not_asked_any_more_come_out() -> None:
    table = Table("large", "other")
    assert table.add(1, "other") == [] and table.add(2, "other") == []
    assert expecting(table, "other") == [1, 2]
    assert table.add(3, "other") == [(3, 0, False)]


def test_a_frame_that_the_old_model_has_answered_waits_for_nobody() -> None:
    table = Table("large", "other")
    assert table.add(1, "large") == []
    assert expecting(table, "small", "other") == [1]
    assert table.add(1, "other") == [(1, 1, False)], "what comes later is not lost"


def test_the_old_models_last_answer_comes_out_at_once() -> None:
    table = Table("large")
    assert expecting(table, "small") == []
    assert table.add(1, "large") == [(1, 0, False)]
    assert table.add(2, "small") == [(2, 0, False)]


def test_the_same_models_again_change_nothing() -> None:
    table = Table("a", "b")
    table.add(1, "a")
    assert expecting(table, "a", "b") == [] and table.join.waiting != ()
