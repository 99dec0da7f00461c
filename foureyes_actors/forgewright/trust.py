"""Whether a patch may be merged without asking: only when it is switched on, and has been earned. Pure.

The thresholds are those of upstream's decision 024-D: a failure that came ten times; ten patches that a person
approved, 95 of 100 of all that a person judged, none of which regressed, over thirty days. What is merged so has to be
looked at afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from foureyes_actors.forgewright.budget import BY_HAND
from foureyes_actors.forgewright.decision import Decision
from foureyes_actors.forgewright.states import State
from foureyes_actors.forgewright.triage import RemedyKind

DAY = 86_400.0
OCCURRENCES, APPROVED, CONFIDENCE, STABLE_DAYS = 10, 10, 0.95, 30


@dataclass(frozen=True, slots=True)
class Record:
    """Of patches so far. ``since``: when a person approved the first one; 0: never."""

    approved: int = 0
    refused: int = 0
    regressed: int = 0
    since: float = 0.0


def record(decisions: Iterable[Decision]) -> Record:
    """What a person said, and what came again."""
    approved = refused = regressed = 0
    since = 0.0
    for decision in decisions:
        if decision.remedy is not RemedyKind.CODE:
            continue
        said = [step for step in decision.history if step.note.startswith(BY_HAND)]
        yes = [step.at for step in said if step.state is State.APPLIED]
        approved += bool(yes)
        refused += any(step.state is State.REJECTED for step in said)
        regressed += decision.was(State.REGRESSED)
        since = min(filter(None, (since, *yes[:1])), default=0.0)
    return Record(approved, refused, regressed, since)


def lacks(decision: Decision, found: Record, now: float) -> str:
    """What is missing before its patch may be merged without asking, in words; empty: nothing is."""
    judged = found.approved + found.refused
    if decision.occurrences < OCCURRENCES:
        return f"the failure came {decision.occurrences} times, not {OCCURRENCES}"
    if found.approved < APPROVED:
        return f"a person has approved {found.approved} patches, not {APPROVED}"
    if found.approved < CONFIDENCE * judged:
        return f"{found.approved} of {judged} patches were approved, not {CONFIDENCE:.0%}"
    if found.regressed:
        return f"{found.regressed} patches did not hold"
    if now - found.since < STABLE_DAYS * DAY:
        return f"the first one was approved {(now - found.since) / DAY:.0f} days ago, not {STABLE_DAYS}"
    return ""
