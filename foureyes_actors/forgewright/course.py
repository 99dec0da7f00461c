"""What comes next for a decision, by its state and what is known. Pure: nothing is done here.

Cheapest first: what Cerberus has mended, a setting that is proven on the wire, a patch. Nothing is believed before it
is proven: a remedy is proposed, then verified, and only then in force.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from foureyes_actors.forgewright.decision import MAX_RELATED, PLATFORM_PATTERN, Decision, plain
from foureyes_actors.forgewright.states import CLOSED, State
from foureyes_actors.forgewright.triage import Action, BugClass, Cause, RemedyKind, Triage
from foureyes_actors.replay.confirmation import Confirmation, Level

DAY = 86_400.0
INFERENCE_FAILURES = 3  # that make a trigger
PATTERN_DAYS = 30
REOPENED = 3  # times; after that a person has to look
CAPTURED_DAYS = 7  # within which a record is run again, or not at all
LEAST_WATCH = 3600.0  # seconds of the present run: who is switched off sees nothing
UNTIL = "until"  # among the facts of a setting: when it ends, seconds since 1970
ON_THE_WIRE = (Level.WIRE, Level.STAND_IN)  # a stand-in for a secret may have been played on a wire: the proof tells
WAITS_FOR = "waits for"  # among a deferred decision's facts: what would open it again
FIXER, PLATFORM = "a fixer", "a platform"
EMPTY: Mapping[str, Any] = MappingProxyType({})
_INFERENCE = frozenset({BugClass.VISION_INFERENCE, BugClass.LM_STUDIO_CONNECTION})
_KNOWN = {
    BugClass.LM_STUDIO_PROCESS: "the model server's process failed",
    BugClass.DATETIME_OVERFLOW: "a date or a duration left its range",
    BugClass.STORE_LOSS: "the store was lost",
    BugClass.OBS_FAILURE: "OBS failed",
}
_CAUSES = {
    Cause.EXTERNAL: "another program",
    Cause.ENVIRONMENT: "this machine or its configuration",
    Cause.DATA: "a picture or an answer",
    Cause.OURS: "FourEyes itself",
    Cause.UNKNOWN: "nobody knows what",
}


class Do(StrEnum):
    """Work, in a thread and a process of its own."""

    WAIT = "wait"
    GO = "go"  # to the next state: nothing but that
    PROVE = "prove"  # a setting, on the wire
    FIX = "fix"  # by a patch, which passes the gate or not
    BRANCH = "branch"
    PUT = "put"  # a mitigation into force
    UNDO = "undo"
    APPLY = "apply"  # a patch, without asking


@dataclass(frozen=True, slots=True)
class Next:
    do: Do
    state: State | None = None
    note: str = ""
    waits_for: str = ""


WAIT = Next(Do.WAIT)


@dataclass(frozen=True, slots=True)
class Known:
    """``confirmation``: of the newest platform of the group; ``mended_by``: what Cerberus did about it, with a probe
    that passed; empty: nothing yet. ``may_fix``, ``may_apply``: within today's budget. ``run_began``: of this process,
    seconds since 1970."""

    now: float
    run_began: float
    confirmation: Confirmation | None = None
    mended_by: str = ""
    fixer: bool = False
    may_fix: bool = True
    may_apply: bool = True
    apply_mitigations: bool = True
    may_merge: bool = False  # patches too (``trust``)


def trigger(found: Triage, occurrences: int, recurrence: str) -> str:
    """Why a decision is opened, in words; empty: it is not."""
    if recurrence:
        return f"it recurs: {recurrence}"
    if found.bug_class in _INFERENCE:
        return f"{occurrences} failures of inference" if occurrences >= INFERENCE_FAILURES else ""
    return _KNOWN.get(found.bug_class, "")


def following(decision: Decision, known: Known) -> Next:
    match decision.state:
        case State.NEW:
            return _after_new(decision)
        case State.CAPTURED:
            return _after_captured(decision, known)
        case State.REPRODUCED | State.UNREPRODUCIBLE:
            return Next(Do.GO, State.TRIAGED, f"{decision.rule}: {decision.bug_class}, cause {decision.cause}")
        case State.TRIAGED:
            return _after_triaged(decision, known)
        case State.PROPOSED:
            return _work(decision, known)
        case State.VERIFIED:
            return _after_verified(decision, known)
        case State.AWAITING_APPROVAL:
            itself = decision.remedy is RemedyKind.CODE and known.may_merge and known.may_apply
            return Next(Do.APPLY) if itself else WAIT
        case State.APPLIED:
            in_force = decision.remedy is RemedyKind.OPERATIONAL or known.run_began > decision.applied_at
            return Next(Do.GO, State.WATCHED, "in force; watched from now on") if in_force else WAIT
        case State.WATCHED:
            least = min(LEAST_WATCH, decision.watch_until - decision.since(State.WATCHED))
            over = known.now >= decision.watch_until and known.now - known.run_began >= least
            return Next(Do.GO, State.RESOLVED, "it did not happen again") if over else WAIT
        case State.REGRESSED:
            return Next(Do.UNDO)
        case State.ROLLED_BACK:
            return _after_rolled_back(decision, known)
        case State.DEFERRED:
            return _after_deferred(decision, known)
    return WAIT


def _after_new(decision: Decision) -> Next:
    if decision.record:
        return Next(Do.GO, State.CAPTURED, f"record {decision.record}")
    return Next(Do.GO, State.TRIAGED, "without a record: it came through no replay point")


def _after_captured(decision: Decision, known: Known) -> Next:
    found = known.confirmation
    if found is None:
        late = known.now - decision.since(State.CAPTURED) > CAPTURED_DAYS * DAY
        return Next(Do.GO, State.UNREPRODUCIBLE, f"not run again within {CAPTURED_DAYS} days") if late else WAIT
    if found.level is Level.UNCONFIRMED:
        return Next(Do.GO, State.UNREPRODUCIBLE, found.reason)
    return Next(Do.GO, State.REPRODUCED, f"{found.same} of {found.runs} runs at level {found.level}")


def _after_triaged(decision: Decision, known: Known) -> Next:
    if decision.record and not decision.was(State.CAPTURED):
        return Next(Do.GO, State.CAPTURED, f"record {decision.record}")
    if decision.action in (Action.LOG, Action.MONITOR) and decision.remedy is not RemedyKind.OPERATIONAL:
        return WAIT
    match decision.remedy:
        case RemedyKind.NONE:
            return Next(Do.GO, State.DEFERRED, f"nothing to mend here: the cause is {_CAUSES[decision.cause]}")
        case RemedyKind.OPERATIONAL:
            return Next(Do.GO, State.PROPOSED, known.mended_by) if known.mended_by else WAIT
        case RemedyKind.CONFIGURATION:
            return _with_a_setting(known)
    return _with_a_patch(known)


def _with_a_setting(known: Known) -> Next:
    found = known.confirmation
    if found is None or found.level not in ON_THE_WIRE:
        was = found.level.value if found else "not reproduced"
        return _deferred(f"a setting is proven by a replay on the wire alone, and this is {was}", PLATFORM)
    return Next(Do.GO, State.PROPOSED, "a setting, to be proven on the wire")


def _with_a_patch(known: Known) -> Next:
    found = known.confirmation
    if found is None or found.level is Level.UNCONFIRMED:
        why = found.reason if found else "it has no record that could be run again"
        return _deferred(f"no patch can be tested against it: {why}", PLATFORM)
    if not known.fixer:
        return _deferred("nobody writes patches: forgewright.fixer is not set", FIXER)
    return Next(Do.GO, State.PROPOSED, "a patch is asked for") if known.may_fix else WAIT


def _work(decision: Decision, known: Known) -> Next:
    match decision.remedy:
        case RemedyKind.OPERATIONAL:
            return Next(Do.GO, State.VERIFIED, "its probe passed")
        case RemedyKind.CONFIGURATION:
            return Next(Do.PROVE)
        case RemedyKind.CODE if known.fixer:
            return Next(Do.FIX)
    return Next(Do.GO, State.DEFERRED, "nobody writes patches any more: forgewright.fixer is not set", FIXER)


def _after_verified(decision: Decision, known: Known) -> Next:
    match decision.remedy:
        case RemedyKind.OPERATIONAL:
            return Next(Do.GO, State.APPLIED, "by Cerberus")
        case RemedyKind.CONFIGURATION if known.apply_mitigations and decision.action is not Action.ESCALATE:
            return Next(Do.PUT) if known.may_apply else WAIT
        case RemedyKind.CODE:
            return Next(Do.BRANCH)
    return Next(Do.GO, State.AWAITING_APPROVAL, "a person decides")


def _after_rolled_back(decision: Decision, known: Known) -> Next:
    """A setting is in force until FourEyes starts again: another one is made from those of the next run."""
    if sum(1 for step in decision.history if step.state is State.ROLLED_BACK) >= REOPENED:
        return Next(Do.GO, State.DEFERRED, f"rolled back {REOPENED} times: a person has to look")
    if decision.remedy is RemedyKind.CONFIGURATION and known.run_began <= decision.since(State.ROLLED_BACK):
        return WAIT
    return Next(Do.GO, State.TRIAGED, "opened again")


def _after_deferred(decision: Decision, known: Known) -> Next:
    waits_for, found = decision.remedy_facts.get(WAITS_FOR), known.confirmation
    if waits_for == FIXER and known.fixer:
        return Next(Do.GO, State.TRIAGED, "there is a fixer now")
    wire = decision.remedy is RemedyKind.CONFIGURATION
    fits = found is not None and (found.level in ON_THE_WIRE if wire else found.level is not Level.UNCONFIRMED)
    if waits_for == PLATFORM and fits:
        return Next(Do.GO, State.TRIAGED, "it was reproduced meanwhile")
    return WAIT


def _deferred(note: str, waits_for: str) -> Next:
    return Next(Do.GO, State.DEFERRED, note, waits_for)


# --- what a further failure means ---


def came_again(decision: Decision, at: float, run_began: float) -> bool:
    """A failure of the group at ``at``, in a run that began at ``run_began``, although a remedy is in force."""
    if decision.state not in (State.WATCHED, State.RESOLVED) or at <= decision.applied_at:
        return False
    return decision.remedy is RemedyKind.OPERATIONAL or run_began > decision.applied_at


def expired(decision: Decision, run_began: float) -> bool:
    """Its setting has come to its end: in this run it is no more in force."""
    until = decision.remedy_facts.get(UNTIL)
    return isinstance(until, (int, float)) and decision.remedy is RemedyKind.CONFIGURATION and run_began >= until


def gone(step: Next, decision: Decision, now: float, watch: float, facts: Mapping[str, Any] = EMPTY) -> Decision:
    """``decision`` in the state of ``step``, with more known of it. ``watch``: seconds."""
    assert step.state is not None
    changes: dict[str, Any] = {}
    if step.state is State.WATCHED:
        changes["watch_until"] = now + watch
    if step.state is State.APPLIED:
        changes["applied_at"] = now
    left = {name: value for name, value in decision.remedy_facts.items() if name != WAITS_FOR}
    left |= {WAITS_FOR: step.waits_for} if step.waits_for else {}
    return decision.to(step.state, now, step.note, remedy_facts=plain({**left, **facts}), **changes)


def kin(decision: Decision, others: Sequence[Decision], now: float) -> list[Decision]:
    """Of other groups that share class and port (without a port: the module) within 30 days."""
    place = decision.port or decision.entry.partition(":")[0]
    return [
        other
        for other in others
        if other.group != decision.group
        and other.bug_class is decision.bug_class
        and (other.port or other.entry.partition(":")[0]) == place
        and now - other.opened <= PATTERN_DAYS * DAY
        and other.state is not State.DUPLICATE
    ]


def related(decision: Decision, others: Sequence[Decision]) -> Decision:
    """The newest of them: a storm of one kind would otherwise be written with each of its groups again."""
    if not others:
        return decision
    newest = sorted(others, key=lambda each: each.opened)
    ids = tuple(dict.fromkeys((*decision.related, *(other.id for other in newest))))
    return replace(decision, related=ids[-MAX_RELATED:], category=PLATFORM_PATTERN)


def busy(decision: Decision) -> bool:
    """There is still something to be expected of it: not when it is closed, nor when it waits for nothing."""
    if decision.state is State.DEFERRED:
        return bool(decision.remedy_facts.get(WAITS_FOR))
    return decision.state not in CLOSED
