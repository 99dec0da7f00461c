"""``run.py decisions``: what was decided about failures, for people, and what people say about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from foureyes_actors.errors import FourEyesError
from foureyes_actors.forgewright.budget import BY_HAND
from foureyes_actors.forgewright.decision import Decision
from foureyes_actors.forgewright.decision_document import action_items, description, facts
from foureyes_actors.forgewright.ledger import Ledger
from foureyes_actors.forgewright.states import CLOSED, IN_FORCE, State, status_of
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
    yield f"{decision.id}  {status_of(decision.state).value} ({decision.state})"
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
        return _arrived(ledger, decision, apply(decision), State.APPLIED, now, applied_at=now)
    if decision.state in IN_FORCE and decision.remedy is RemedyKind.CONFIGURATION:
        found = confirm(decision)
        if found.state is not decision.state:
            raise NotDone(f"{decision.id} stays {decision.state}: {found.note}")
        return ledger.save(decision.noted(now, f"{BY_HAND}: {found.note}", found.facts))
    raise NotNow(f"{decision.id} is {decision.state}: there is nothing to approve")


def reject(ledger: Ledger, decision: Decision, now: float, why: str) -> Decision:
    """Raises NotNow."""
    if decision.state not in CAN_REJECT:
        told = "revert takes it back" if decision.state in IN_FORCE else "there is nothing to reject"
        raise NotNow(f"{decision.id} is {decision.state}: {told}")
    return ledger.save(decision.to(State.REJECTED, now, f"{BY_HAND}: {why or 'without a reason'}"))


def revert(ledger: Ledger, decision: Decision, now: float, undo: Work) -> Decision:
    """Raises NotNow, NotDone."""
    if decision.state not in IN_FORCE:
        raise NotNow(f"{decision.id} is {decision.state}: nothing is in force that could be taken back")
    back = _arrived(ledger, decision, undo(decision), State.ROLLED_BACK, now)
    return ledger.save(back.to(State.REJECTED, now, f"{BY_HAND}: taken back"))


def _arrived(ledger: Ledger, decision: Decision, found: Outcome, wanted: State, now: float, **changes: Any) -> Decision:
    if found.state is not wanted:
        raise NotDone(f"{decision.id} stays {decision.state}: {found.note}")
    facts_now = {**decision.remedy_facts, **found.facts}
    return ledger.save(decision.to(wanted, now, f"{BY_HAND}: {found.note}", remedy_facts=facts_now, **changes))


def _urgency(decision: Decision) -> tuple[bool, int, str]:
    return decision.state is not State.AWAITING_APPROVAL, decision.priority, decision.id
