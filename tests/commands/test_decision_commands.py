"""What people say about decisions: by number, in the right state, and with the world that does it told what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from foureyes_actors.commands.decision_commands import (
    NoSuchDecision,
    NotDone,
    NotNow,
    approve,
    find,
    list_lines,
    reject,
    revert,
    show_lines,
)
from foureyes_actors.forgewright.decision import Decision
from foureyes_actors.forgewright.ledger import Ledger
from foureyes_actors.forgewright.states import CLOSED, IN_FORCE, State
from foureyes_actors.forgewright.triage import RemedyKind
from foureyes_actors.forgewright.work import Outcome
from tests.forgewright.make import HOSTILE, ID, NOW, a_decision, a_ledger, in_state

SETTING = RemedyKind.CONFIGURATION


def never(decision: Decision) -> Outcome:
    pytest.fail(f"nothing is done for {decision.state}")


def says(state: State, note: str = "done") -> object:
    return lambda _: Outcome(state, note, {"commit": "c"})


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return a_ledger(tmp_path)


def there(ledger: Ledger, state: State, remedy: RemedyKind = RemedyKind.CODE) -> Decision:
    return ledger.save(in_state(state, remedy))


def test_by_id_and_by_number(ledger: Ledger) -> None:
    for name in (ID, "FORGE-2026-010", "FORGE-2027-010"):
        ledger.save(a_decision(name, name))
    assert {find(ledger, word).id for word in (ID, ID.lower(), "1", "001")} == {ID}
    with pytest.raises(NoSuchDecision, match="several decisions are 10: FORGE-2026-010, FORGE-2027-010"):
        find(ledger, "10")
    for word in ("", "2", "0", "-1", "1.0", "²", "FORGE", "../x", "*"):
        with pytest.raises(NoSuchDecision, match="no decision is "):
            find(ledger, word)
    with pytest.raises(NoSuchDecision) as caught:
        find(ledger, HOSTILE)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 100
    with pytest.raises((NoSuchDecision, ValueError)):
        find(ledger, "9" * 5000)


@pytest.mark.parametrize("state", State)
def test_what_can_be_said_in_each_state(ledger: Ledger, state: State) -> None:
    made = there(ledger, state)
    if state is not State.AWAITING_APPROVAL:
        with pytest.raises(NotNow, match=f"^{ID} is {state}: there is nothing to approve"):
            approve(ledger, made, NOW, never, never)
    if state not in IN_FORCE:
        with pytest.raises(NotNow, match=f"^{ID} is {state}: nothing is in force"):
            revert(ledger, made, NOW, never)
    if state in {State.AWAITING_APPROVAL, State.DEFERRED, State.PROPOSED, State.VERIFIED}:
        assert reject(ledger, made, NOW, "no", never).state is State.REJECTED
    else:
        with pytest.raises(NotNow, match=f"^{ID} is {state}: (revert takes it back|there is nothing to reject)"):
            reject(ledger, made, NOW, "no", never)
        assert ledger.get(ID) == made


def test_an_approval_brings_it_into_force_and_says_who(ledger: Ledger) -> None:
    made = approve(ledger, there(ledger, State.AWAITING_APPROVAL), NOW + 5, says(State.APPLIED, "merged"), never)  # type: ignore[arg-type]
    assert (made.state, made.reason, made.applied_at) == (State.APPLIED, "by hand: merged", NOW + 5)
    assert made.remedy_facts["commit"] == "c" and made.remedy_facts["digest"] and ledger.get(ID) == made


def test_what_did_not_work_changes_nothing(ledger: Ledger) -> None:
    made = there(ledger, State.AWAITING_APPROVAL)
    with pytest.raises(NotDone, match=f"{ID} stays awaiting approval: the tree is changed"):
        approve(ledger, made, NOW, says(State.AWAITING_APPROVAL, "the tree is changed"), never)  # type: ignore[arg-type]
    assert ledger.get(ID) == made
    (ledger.work(ID, 1).parent / "decision.json").unlink()
    made = there(ledger, State.WATCHED)
    with pytest.raises(NotDone, match="stays watched: conflict"):
        revert(ledger, made, NOW, says(State.DEFERRED, "conflict"))  # type: ignore[arg-type]
    assert ledger.get(ID) == made


@pytest.mark.parametrize("state", sorted(IN_FORCE))
def test_a_setting_in_force_can_be_made_to_stay(ledger: Ledger, state: State) -> None:
    made = there(ledger, state, SETTING)
    stays = approve(ledger, made, NOW, never, lambda each: Outcome(each.state, "it stays", {"until": None}))
    assert (stays.state, stays.reason) == (state, "by hand: it stays") and stays.remedy_facts["until"] is None
    with pytest.raises(NotDone, match="its setting is not in force any more"):
        approve(ledger, stays, NOW, never, lambda _: Outcome(State.ROLLED_BACK, "its setting is not in force any more"))


@pytest.mark.parametrize("state", sorted(IN_FORCE))
def test_what_is_reverted_is_rejected_at_once(ledger: Ledger, state: State) -> None:
    before = there(ledger, state)
    made = revert(ledger, before, NOW, says(State.ROLLED_BACK, "reverted"))  # type: ignore[arg-type]
    assert [step.state for step in made.history[-2:]] == [State.ROLLED_BACK, State.REJECTED]
    assert made.revision == before.revision + 1, "nobody sees it between the two, and opens it again"


def test_a_no_to_a_setting_takes_away_what_may_have_been_put(ledger: Ledger) -> None:
    taken: list[str] = []

    def undo(decision: Decision) -> Outcome:
        taken.append(decision.id)
        return Outcome(State.ROLLED_BACK, "")

    made = reject(ledger, there(ledger, State.VERIFIED, SETTING), NOW, HOSTILE, undo)
    assert taken == [ID] and made.reason.startswith("by hand: ") and made.reason.isprintable()


def test_what_foureyes_added_meanwhile_does_not_hinder(ledger: Ledger) -> None:
    mine = there(ledger, State.WATCHED)
    ledger.save(mine.to(State.RESOLVED, NOW))
    made = revert(ledger, mine, NOW, says(State.ROLLED_BACK))  # type: ignore[arg-type]
    assert [step.state for step in made.history[-3:]] == [State.RESOLVED, State.ROLLED_BACK, State.REJECTED]


def test_what_foureyes_applied_meanwhile_is_not_rejected(ledger: Ledger) -> None:
    mine = there(ledger, State.VERIFIED, SETTING)
    ledger.save(mine.to(State.APPLIED, NOW))
    with pytest.raises(NotNow, match=f"{ID} was changed meanwhile: it is applied now"):
        reject(ledger, mine, NOW, "no", never)


def test_the_list_begins_with_what_waits_for_a_person() -> None:
    made = [in_state(state, decision_id=f"FORGE-2026-{n:03d}", group=f"g{n}") for n, state in enumerate(State, 1)]
    lines = list(list_lines(made, closed=False))
    assert lines[1].split()[1:3] == ["awaiting", "approval"]
    assert len(lines) == 1 + sum(each.state not in CLOSED or each.state is State.RESOLVED for each in made)
    assert len(list(list_lines(made, closed=True))) == 1 + len(made)
    assert list(list_lines([], closed=True)) == ["no decisions"]
    assert list(list_lines([in_state(State.REJECTED)], closed=False)) == ["no open decisions"]


def test_hostile_texts_stay_in_their_line() -> None:
    made = a_decision(title=HOSTILE[:400], source=HOSTILE[:400], entry=HOSTILE[:400], trigger=HOSTILE[:400])
    made = made.to(State.TRIAGED, NOW, HOSTILE, remedy_facts={HOSTILE[:90]: HOSTILE[:400]})
    for line in (*show_lines(made), *list_lines([made], closed=True)):
        assert line.isprintable() and len(line) < 600, line


def test_an_approval_said_twice_is_not_for_good(ledger: Ledger) -> None:
    made = there(ledger, State.AWAITING_APPROVAL, SETTING)
    once = approve(ledger, made, NOW, says(State.APPLIED), never)  # type: ignore[arg-type]
    with pytest.raises(NotNow, match="was approved already: it counts from the next start"):
        approve(ledger, once, NOW, never, never)
    assert ledger.get(ID) == once
    watched = ledger.save(once.to(State.WATCHED, NOW, "in force"))
    assert approve(ledger, watched, NOW, never, says(State.WATCHED)).state is State.WATCHED  # type: ignore[arg-type]
