"""``run.py decisions``: what was decided about failures, for people, and what people say about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from foureyes_actors.errors import FourEyesError
from foureyes_actors.forgewright.budget import BY_HAND
from foureyes_actors.forgewright.decision import Decision, plain
from foureyes_actors.forgewright.decision_document import action_items, description, facts, present_status
from foureyes_actors.forgewright.ledger import Ledger, Outdated
from foureyes_actors.forgewright.states import CLOSED, IN_FORCE, IllegalTransition, State
from foureyes_actors.forgewright.triage import RemedyKind
from foureyes_actors.forgewright.work import Outcome
from foureyes_actors.text import one_line

Work = Callable[[Decision], Outcome]
CAN_REJECT = frozenset({State.AWAITING_APPROVAL, State.DEFERRED, State.PROPOSED, State.VERIFIED})


class NoSuchDecision(FourEyesError):
    """No decision has this id."""


class NotNow(FourEyesError):
    """What was asked for does not go with the state that the decision is in."""


class NotDone(FourEyesError):
    """It was tried and did not work; the decision is what it was."""


def find(ledger: Ledger, wanted: str) -> Decision:
    """By its id, or the number at its end. Raises NoSuchDecision."""
    decisions = ledger.page().decisions
    exact = [each for each in decisions if each.id == wanted.upper()]
    found = exact or [each for each in decisions if wanted.isdecimal() and each.id.endswith(f"-{int(wanted):03d}")]
    if len(found) != 1:
        several = f": {', '.join(each.id for each in found)}" if found else ""
        raise NoSuchDecision(
            f"{'several decisions are' if found else 'no decision is'} {one_line(wanted, 60)}{several}"
        )
    return found[0]


def list_lines(decisions: Sequence[Decision], *, closed: bool) -> Iterator[str]:
    """A line each: what waits for a person first, then by priority."""
    shown = [each for each in decisions if closed or each.state not in CLOSED or each.state is State.RESOLVED]
    if not shown:
        yield "no decisions" if closed else "no open decisions"
        return
    yield f"{'id':<14}  {'state':<17}  {'pr':>2}  {'times':>6}  {'remedy':<13}  what: why it is in this state"
    for each in sorted(shown, key=_urgency):
        words = one_line(f"{each.title} ({each.source}): {each.reason}", 140)
        yield (
            f"{each.id:<14}  {each.state:<17}  {each.priority:>2}  {each.occurrences:>6}  {each.remedy:<13}  {words}"
        )


def show_lines(decision: Decision) -> Iterator[str]:
    yield f"{decision.id}  {present_status(decision).value} ({decision.state})"
    yield one_line(description(decision), 500)
    for name, value in facts(decision):
        yield f"  {name}: {one_line(value, 500)}"
    yield "history (UTC):"
    for step in decision.history:
        at = datetime.fromtimestamp(step.at, UTC)
        yield f"  {at:%Y-%m-%d %H:%M:%S}  {step.state}{': ' if step.note else ''}{one_line(step.note, 300)}"
    for item in action_items(decision):
        yield f"to be done: {one_line(item['task'], 300)}"


def approve(ledger: Ledger, decision: Decision, now: float, apply: Work, confirm: Work) -> Decision:
    """``apply`` brings its remedy into force; ``confirm`` lets one that would expire stay. Raises NotNow, NotDone."""
    if decision.state is State.AWAITING_APPROVAL:
        found = _done(decision, apply(decision), State.APPLIED)
        return _saved(
            ledger,
            decision,
            lambda each: replace(
                each.to(State.APPLIED, now, f"{BY_HAND}: {found.note}", applied_at=now),
                remedy_facts=plain({**each.remedy_facts, **found.facts}),
            ),
        )
    if _just_approved(decision):  # else a word that is said twice would be for good
        raise NotNow(f"{decision.id} was approved already: it counts from the next start of FourEyes on")
    if decision.state in IN_FORCE and decision.remedy is RemedyKind.CONFIGURATION:
        found = _done(decision, confirm(decision), decision.state)
        return _saved(ledger, decision, lambda each: each.noted(now, f"{BY_HAND}: {found.note}", found.facts))
    raise NotNow(f"{decision.id} is {decision.state}: there is nothing to approve")


def _just_approved(decision: Decision) -> bool:
    last = [step.state for step in decision.history[-2:]]
    return last == [State.AWAITING_APPROVAL, State.APPLIED] and decision.reason.startswith(BY_HAND)


def reject(ledger: Ledger, decision: Decision, now: float, why: str, undo: Work) -> Decision:
    """A setting that was being put at that moment is taken back. Raises NotNow."""
    if decision.state not in CAN_REJECT:
        told = "revert takes it back" if decision.state in IN_FORCE else "there is nothing to reject"
        raise NotNow(f"{decision.id} is {decision.state}: {told}")
    note = f"{BY_HAND}: {why or 'without a reason'}"
    rejected = _saved(ledger, decision, lambda each: each.to(State.REJECTED, now, note))
    if decision.remedy is RemedyKind.CONFIGURATION:
        undo(decision)
    return rejected


def revert(ledger: Ledger, decision: Decision, now: float, undo: Work) -> Decision:
    """Raises NotNow, NotDone."""
    if decision.state not in IN_FORCE:
        raise NotNow(f"{decision.id} is {decision.state}: nothing is in force that could be taken back")
    found = _done(decision, undo(decision), State.ROLLED_BACK)

    def both(each: Decision) -> Decision:  # in one writing: what was only rolled back would be opened again
        back = each.to(State.ROLLED_BACK, now, f"{BY_HAND}: {found.note}")
        return back.to(State.REJECTED, now, f"{BY_HAND}: taken back")

    return _saved(ledger, decision, both)


def _done(decision: Decision, found: Outcome, wanted: State) -> Outcome:
    if found.state is not wanted:
        raise NotDone(f"{decision.id} stays {decision.state}: {found.note}")
    return found


def _saved(ledger: Ledger, decision: Decision, change: Callable[[Decision], Decision]) -> Decision:
    """FourEyes may have gone on meanwhile: what a person said still holds where there is a way."""
    try:
        return ledger.save(change(decision))
    except Outdated:
        again = ledger.get(decision.id)
        if again is None:
            raise
        try:
            changed = change(again)
        except IllegalTransition:
            raise NotNow(f"{decision.id} was changed meanwhile: it is {again.state} now") from None
        return ledger.save(changed)


def _urgency(decision: Decision) -> tuple[bool, int, str]:
    return decision.state is not State.AWAITING_APPROVAL, decision.priority, decision.id
