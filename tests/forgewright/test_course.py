"""What comes next: each state with each remedy, triggers, kin, and that no decision goes in circles."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foureyes_actors.forgewright.course import (
    DAY,
    FIXER,
    PATTERN_DAYS,
    PLATFORM,
    WAIT,
    WAITS_FOR,
    Do,
    Known,
    Next,
    busy,
    came_again,
    following,
    gone,
    kin,
    related,
    trigger,
)
from foureyes_actors.forgewright.decision import CATEGORY, MAX_RELATED, PLATFORM_PATTERN
from foureyes_actors.forgewright.states import TRANSITIONS, State
from foureyes_actors.forgewright.triage import Action, BugClass, Cause, RemedyKind, Triage
from foureyes_actors.replay.confirmation import Level
from tests.forgewright.bench import confirmed
from tests.forgewright.make import NOW, a_decision, in_state

NONE, CERBERUS, SETTING, CODE = (
    RemedyKind.NONE, RemedyKind.OPERATIONAL, RemedyKind.CONFIGURATION, RemedyKind.CODE,
)  # fmt: skip
BEST = Known(NOW + 60, NOW + 30, confirmed(), "a probe passed", fixer=True)
S = State
TABLE: dict[State, tuple[object, object, object, object]] = {  # none, operational, configuration, code
    S.NEW: (S.CAPTURED,) * 4,
    S.CAPTURED: (S.REPRODUCED,) * 4,
    S.REPRODUCED: (S.TRIAGED,) * 4,
    S.UNREPRODUCIBLE: (S.TRIAGED,) * 4,
    S.TRIAGED: (S.DEFERRED, S.PROPOSED, S.PROPOSED, S.PROPOSED),
    S.PROPOSED: (S.DEFERRED, S.VERIFIED, Do.PROVE, Do.FIX),
    S.VERIFIED: (S.AWAITING_APPROVAL, S.APPLIED, Do.PUT, Do.BRANCH),
    S.AWAITING_APPROVAL: (Do.WAIT,) * 4,
    S.APPLIED: (S.WATCHED,) * 4,
    S.WATCHED: (Do.WAIT,) * 4,
    S.RESOLVED: (Do.WAIT,) * 4,
    S.REJECTED: (Do.WAIT,) * 4,
    S.ROLLED_BACK: (S.TRIAGED,) * 4,
    S.REGRESSED: (Do.UNDO,) * 4,
    S.DUPLICATE: (Do.WAIT,) * 4,
    S.WONT_FIX: (Do.WAIT,) * 4,
    S.DEFERRED: (Do.WAIT,) * 4,
}


def short(step: Next) -> object:
    return step.state if step.do is Do.GO else step.do


@pytest.mark.parametrize("state", State)
def test_each_state_with_each_remedy(state: State) -> None:
    found = tuple(short(following(in_state(state, remedy), BEST)) for remedy in (NONE, CERBERUS, SETTING, CODE))
    assert found == TABLE[state]


# remedy, state, what is known -> what comes
CASES: list[tuple[RemedyKind, State, dict[str, Any], object]] = [
    (CODE, S.CAPTURED, {"confirmation": None}, Do.WAIT),
    (CODE, S.CAPTURED, {"confirmation": None, "now": NOW + 8 * DAY}, S.UNREPRODUCIBLE),
    (CODE, S.CAPTURED, {"confirmation": confirmed(Level.UNCONFIRMED)}, S.UNREPRODUCIBLE),
    (CODE, S.CAPTURED, {"confirmation": confirmed(Level.STAND_IN)}, S.REPRODUCED),
    (CODE, S.TRIAGED, {"confirmation": None}, S.DEFERRED),
    (CODE, S.TRIAGED, {"confirmation": confirmed(Level.UNCONFIRMED)}, S.DEFERRED),
    (CODE, S.TRIAGED, {"fixer": False}, S.DEFERRED),
    (CODE, S.TRIAGED, {"may_fix": False}, Do.WAIT),
    (CODE, S.PROPOSED, {"fixer": False}, S.DEFERRED),
    (SETTING, S.TRIAGED, {"confirmation": confirmed(Level.PORT)}, S.DEFERRED),
    (SETTING, S.TRIAGED, {"confirmation": None}, S.DEFERRED),
    (SETTING, S.VERIFIED, {"may_apply": False}, Do.WAIT),
    (SETTING, S.VERIFIED, {"apply_mitigations": False}, S.AWAITING_APPROVAL),
    (CERBERUS, S.TRIAGED, {"mended_by": ""}, Do.WAIT),
    (CODE, S.APPLIED, {"run_began": NOW - 1}, Do.WAIT),
    (SETTING, S.APPLIED, {"run_began": NOW}, Do.WAIT),
    (CERBERUS, S.APPLIED, {"run_began": NOW - 1}, S.WATCHED),
    (CODE, S.WATCHED, {"now": NOW + DAY - 1}, Do.WAIT),
    (CODE, S.WATCHED, {"now": NOW + DAY + 3600}, S.RESOLVED),
    (CODE, S.WATCHED, {"now": NOW + DAY + 3600, "run_began": NOW + DAY + 3590}, Do.WAIT),
    (SETTING, S.ROLLED_BACK, {"run_began": NOW - 1}, Do.WAIT),
    (CODE, S.ROLLED_BACK, {"run_began": NOW - 1}, S.TRIAGED),
]


@pytest.mark.parametrize(("remedy", "state", "known", "what"), CASES)
def test_what_is_known_decides(remedy: RemedyKind, state: State, known: dict[str, Any], what: object) -> None:
    assert short(following(in_state(state, remedy), replace(BEST, **known))) == what


@pytest.mark.parametrize("action", [Action.LOG, Action.MONITOR])
def test_what_is_mild_waits_in_triage(action: Action) -> None:
    assert [following(in_state(S.TRIAGED, each, action=action), BEST) for each in (NONE, SETTING, CODE)] == [WAIT] * 3
    assert short(following(in_state(S.TRIAGED, CERBERUS, action=action), BEST)) is S.PROPOSED


def test_what_waits_for_something_is_opened_by_it_alone() -> None:
    def waits(remedy: RemedyKind, what: str) -> object:
        decision = in_state(S.DEFERRED, remedy, remedy_facts={WAITS_FOR: what})
        return [short(following(decision, known)) for known in knowns]

    knowns = (
        replace(BEST, fixer=False),
        replace(BEST, confirmation=None),
        replace(BEST, confirmation=confirmed(Level.PORT)),
    )
    assert waits(CODE, FIXER) == [Do.WAIT, S.TRIAGED, S.TRIAGED]
    assert waits(CODE, PLATFORM) == [S.TRIAGED, Do.WAIT, S.TRIAGED]
    assert waits(SETTING, PLATFORM) == [S.TRIAGED, Do.WAIT, Do.WAIT]


@given(
    st.sampled_from(State),
    st.sampled_from(RemedyKind),
    st.sampled_from(Action),
    st.sampled_from(Cause),
    st.sampled_from([None, *map(confirmed, Level)]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["", "a probe passed"]),
    st.sampled_from([None, FIXER, PLATFORM, "nonsense", 5]),
    st.floats(min_value=-10 * DAY, max_value=10 * DAY),
)
def test_each_step_is_legal_and_none_goes_in_circles(
    state: State, remedy: RemedyKind, action: Action, cause: Cause, confirmation: Any, fixer: bool, may: bool,
    mended: str, waits_for: Any, shift: float,
) -> None:  # fmt: skip
    facts = {WAITS_FOR: waits_for} if waits_for is not None else {}
    decision = in_state(state, remedy, action=action, cause=cause, remedy_facts=facts)
    known = Known(NOW + 10 * DAY, NOW + shift, confirmation, mended, fixer, may, may, may)
    for _ in range(12):
        step = following(decision, known)
        if step.do is not Do.GO:
            break
        assert step.state in TRANSITIONS[decision.state]
        decision = gone(step, decision, known.now, DAY)
    else:
        pytest.fail(f"{[each.state.value for each in decision.history]}")


# --- triggers ---

TRIGGERS: list[tuple[BugClass, int, str, str]] = [
    (BugClass.DATETIME_OVERFLOW, 1, "", "a date or a duration left its range"),
    (BugClass.LM_STUDIO_PROCESS, 1, "", "the model server's process failed"),
    (BugClass.STORE_LOSS, 1, "", "the store was lost"),
    (BugClass.OBS_FAILURE, 1, "", "OBS failed"),
    (BugClass.VISION_INFERENCE, 2, "", ""),
    (BugClass.VISION_INFERENCE, 3, "", "3 failures of inference"),
    (BugClass.LM_STUDIO_CONNECTION, 2, "", ""),
    (BugClass.LM_STUDIO_CONNECTION, 3, "", "3 failures of inference"),
    (BugClass.UNKNOWN, 1000, "", ""),
    (BugClass.UNKNOWN, 3, "3 in 10 min", "it recurs: 3 in 10 min"),
    (BugClass.BAD_PICTURE, 5, "", ""),
]


@pytest.mark.parametrize(("bug_class", "count", "recurs", "why"), TRIGGERS)
def test_triggers(bug_class: BugClass, count: int, recurs: str, why: str) -> None:
    assert trigger(Triage(bug_class, Cause.OURS, False, 1, "r"), count, recurs) == why


# --- a further failure ---


@pytest.mark.parametrize(("state", "remedy"), list(product(State, [CERBERUS, SETTING, CODE])))
def test_it_came_again_only_where_a_remedy_is_in_force(state: State, remedy: RemedyKind) -> None:
    decision = in_state(state, remedy)
    assert came_again(decision, NOW + 60, NOW + 30) == (state in {S.WATCHED, S.RESOLVED})
    assert not came_again(decision, NOW, NOW + 30), "a failure of before"
    this_run = state in {S.WATCHED, S.RESOLVED} and remedy is CERBERUS
    assert came_again(decision, NOW + 60, NOW - 30) == this_run, "in this run the old code and settings go on"


# --- patterns ---


def test_kin_share_class_and_port_within_thirty_days() -> None:
    one = a_decision(group="one", port="http.exchange", bug_class=BugClass.OBS_FAILURE)
    others = [
        replace(one, id="FORGE-2026-002", group="same kind"),
        replace(one, id="FORGE-2026-003"),  # its own group
        replace(one, id="FORGE-2026-004", group="port", port="store.write"),
        replace(one, id="FORGE-2026-005", group="class", bug_class=BugClass.HANG),
        replace(one, id="FORGE-2026-006", group="old", opened=NOW - PATTERN_DAYS * DAY - 100),
        replace(one, id="FORGE-2026-007", group="duplicate", state=S.DUPLICATE),
        replace(one, id="FORGE-2026-008", group="also", opened=NOW - PATTERN_DAYS * DAY + 100),
    ]
    assert [each.id for each in kin(one, others, NOW)] == ["FORGE-2026-002", "FORGE-2026-008"]


def test_without_a_port_the_module_counts() -> None:
    one = a_decision(group="one")
    near, far = (
        replace(one, group="x", entry="foureyes_actors.readings.parse:other"),
        replace(one, group="y", entry="a:b"),
    )
    assert kin(one, [near, far], NOW) == [near]


def test_related_ones_are_few_and_the_newest() -> None:
    one = a_decision()
    assert related(one, []) == one and one.category == CATEGORY
    others = [a_decision(f"FORGE-2026-{n:03d}", f"g{n}", at=NOW + n) for n in range(100, 150)]
    found = related(one, others[::-1])
    assert found.category == PLATFORM_PATTERN and found.related == tuple(each.id for each in others[-MAX_RELATED:])
    assert related(found, others[-1:]) == found


def test_who_waits_for_nothing_keeps_no_place() -> None:
    assert {state for state in State if not busy(in_state(state))} == {
        *(S.RESOLVED, S.REJECTED, S.DUPLICATE, S.WONT_FIX, S.DEFERRED)
    }
    assert busy(in_state(S.DEFERRED, remedy_facts={WAITS_FOR: FIXER}))


def test_facts_are_kept_and_what_was_waited_for_is_forgotten() -> None:
    decision = in_state(S.DEFERRED, remedy_facts={WAITS_FOR: FIXER, "a": 1})
    made = gone(Next(Do.GO, S.TRIAGED, "x"), decision, NOW, DAY, {"b": 2})
    assert made.remedy_facts == {"a": 1, "b": 2} and made.reason == "x"
    made = gone(Next(Do.GO, S.WATCHED), in_state(S.APPLIED), NOW + 5, DAY)
    assert made.watch_until == NOW + 5 + DAY
    assert gone(Next(Do.GO, S.APPLIED), in_state(S.VERIFIED), NOW + 5, DAY).applied_at == NOW + 5
