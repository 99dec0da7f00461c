"""The table of transitions: each step of it, and none beside it."""

from __future__ import annotations

from itertools import pairwise, product

import pytest

from foureyes_actors.forgewright import states
from foureyes_actors.forgewright.states import (
    CLOSED,
    IN_FORCE,
    TRANSITIONS,
    IllegalTransition,
    State,
    Status,
    check,
    status_of,
)

FINAL = {State.DUPLICATE, State.WONT_FIX}
LEGAL = [(before, after) for before, afters in TRANSITIONS.items() for after in sorted(afters)]
ILLEGAL = [pair for pair in product(State, State) if pair not in LEGAL]


@pytest.mark.parametrize(("before", "after"), LEGAL)
def test_a_step_of_the_table(before: State, after: State) -> None:
    check(before, after)


@pytest.mark.parametrize(("before", "after"), ILLEGAL)
def test_any_other_step_raises_and_says_what_would_follow(before: State, after: State) -> None:
    with pytest.raises(IllegalTransition, match=f"^from {before} to {after}: {before} is followed by ") as caught:
        check(before, after)
    assert all(each.value in str(caught.value) for each in TRANSITIONS[before])


def reached(start: State) -> set[State]:
    found, todo = set[State](), [start]
    while todo:
        for after in TRANSITIONS[todo.pop()] - found:
            found.add(after)
            todo.append(after)
    return found


def test_every_state_is_in_the_table_and_reached_from_new() -> None:
    assert set(TRANSITIONS) == set(State) == reached(State.NEW) | {State.NEW}


def test_only_what_is_over_for_good_has_no_way_on() -> None:
    assert {state for state in State if not TRANSITIONS[state]} == FINAL
    assert all(reached(state) & CLOSED for state in set(State) - FINAL), "and each comes to an end"


def test_nothing_comes_into_force_that_was_not_verified() -> None:
    before = {state for state, after in LEGAL if after is State.APPLIED}
    assert before == {State.VERIFIED, State.AWAITING_APPROVAL}
    assert {state for state, after in LEGAL if after is State.AWAITING_APPROVAL} == {State.VERIFIED}
    assert {state for state, after in LEGAL if after is State.VERIFIED} == {State.PROPOSED}


def test_what_is_in_force_can_be_taken_back() -> None:
    assert all(State.ROLLED_BACK in TRANSITIONS[state] for state in IN_FORCE)


def test_the_way_that_the_docstring_draws() -> None:
    text = (states.__doc__ or "").replace("\n", " ").partition("    new ")[2].partition("A failure")[0]
    steps = [[State(name.strip()) for name in step.split("|")] for step in ("new " + text).strip(" .").split("->")]
    assert steps[0] == [State.NEW] and steps[-1] == [State.RESOLVED] and len(steps) == 10
    for before, after in pairwise(steps):
        for each in product(before, after):
            check(*each)
    check(State.NEW, State.TRIAGED)
    for before_, after_ in ((State.WATCHED, State.REGRESSED), (State.REGRESSED, State.ROLLED_BACK)):
        check(before_, after_)
    check(State.ROLLED_BACK, State.TRIAGED)


def test_each_state_has_a_status() -> None:
    assert {status_of(state) for state in State} == set(Status)
    assert status_of(State.RESOLVED) is Status.COMPLETED and status_of(State.AWAITING_APPROVAL) is Status.PROPOSED
