"""What may still be done today, and how well it all went: counted from the decisions themselves, so that a restart
forgets nothing. Pure; times are seconds since 1970."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

from foureyes_actors.forgewright.decision import Decision
from foureyes_actors.forgewright.states import State
from foureyes_actors.forgewright.triage import RemedyKind
from foureyes_actors.replay.confirmation import Confirmation, Level

DAY = 86_400.0
BY_HAND = "by hand"  # the note of what a person did begins so


@dataclass(frozen=True, slots=True)
class Budget:
    """Of the last 24 hours: done, allowed."""

    fixes: int
    fixes_allowed: int
    applied: int
    applied_allowed: int

    @property
    def may_fix(self) -> bool:
        return self.fixes < self.fixes_allowed

    @property
    def may_apply(self) -> bool:
        return self.applied < self.applied_allowed


def budget(decisions: Iterable[Decision], now: float, *, fixes: int, applications: int) -> Budget:
    asked = applied = 0
    for decision in decisions:
        if decision.remedy not in (RemedyKind.CODE, RemedyKind.CONFIGURATION):
            continue
        steps = [step for step in decision.history if now - step.at < DAY]
        if decision.remedy is RemedyKind.CODE:
            asked += sum(1 for step in steps if step.state is State.PROPOSED)
        applied += sum(1 for s in steps if s.state is State.APPLIED and not s.note.startswith(BY_HAND))
    return Budget(asked, fixes, applied, applications)


@dataclass(frozen=True, slots=True)
class Figures:
    """Each with what it is of. Times are the middle ones, in seconds from the failure; None: there were none."""

    failures: int  # groups that a decision was opened for
    captured: int
    confirmed: dict[str, int]  # level -> of the captured ones
    unconfirmed: dict[str, int]  # reason -> of the captured ones
    waiting: int  # captured, not yet run again
    proposed: int
    verified: int
    approved: int  # by a person
    applied: int
    regressed: int
    resolved: int
    to_platform: float | None
    to_proposal: float | None
    to_verified: float | None
    to_applied: float | None


def figures(decisions: Sequence[Decision]) -> Figures:
    captured = [each for each in decisions if each.was(State.CAPTURED)]
    reproduced = [each for each in captured if each.was(State.REPRODUCED)]
    failed = [each for each in captured if each.was(State.UNREPRODUCIBLE) and not each.was(State.REPRODUCED)]
    applied = [each for each in decisions if each.was(State.APPLIED)]
    return Figures(
        failures=len(decisions),
        captured=len(captured),
        confirmed=dict(Counter(each.level or "unknown" for each in reproduced)),
        unconfirmed=dict(Counter(_note(each, State.UNREPRODUCIBLE).partition(":")[0] for each in failed)),
        waiting=len(captured) - len(reproduced) - len(failed),
        proposed=sum(1 for each in decisions if each.was(State.PROPOSED)),
        verified=sum(1 for each in decisions if each.was(State.VERIFIED)),
        approved=sum(map(_approved, applied)),
        applied=len(applied),
        regressed=sum(1 for each in decisions if each.was(State.REGRESSED)),
        resolved=sum(1 for each in decisions if each.state is State.RESOLVED),
        to_platform=_middle(decisions, State.REPRODUCED, State.UNREPRODUCIBLE),
        to_proposal=_middle(decisions, State.PROPOSED),
        to_verified=_middle(decisions, State.VERIFIED),
        to_applied=_middle(decisions, State.APPLIED),
    )


def figure_lines(found: Figures) -> Iterator[str]:
    """For people."""
    yield f"failures taken up        {found.failures}"
    yield f"captured                 {_of(found.captured, found.failures)}"
    yield f"confirmed                {_of(sum(found.confirmed.values()), found.captured)}{_split(found.confirmed)}"
    yield f"unconfirmed              {_of(sum(found.unconfirmed.values()), found.captured)}{_split(found.unconfirmed)}"
    yield f"not yet run again        {_of(found.waiting, found.captured)}"
    yield f"a remedy was proposed    {_of(found.proposed, found.failures)}"
    yield f"verified                 {_of(found.verified, found.proposed)}"
    yield f"applied                  {_of(found.applied, found.verified)}"
    yield f"of these by a person     {_of(found.approved, found.applied)}"
    yield f"regressed                {_of(found.regressed, found.applied)}"
    yield f"resolved                 {_of(found.resolved, found.failures)}"
    for name, value in (
        ("platform", found.to_platform),
        ("proposal", found.to_proposal),
        ("verified", found.to_verified),
        ("applied", found.to_applied),
    ):
        yield f"from failure to {name:<9}" + (f"{value:.0f} s (the middle one)" if value is not None else "none yet")


def _of(part: int, whole: int) -> str:
    return f"{part} of {whole}"


def _split(parts: dict[str, int]) -> str:
    return f" ({', '.join(f'{name} {count}' for name, count in sorted(parts.items()))})" if parts else ""


def _note(decision: Decision, state: State) -> str:
    return next((step.note for step in reversed(decision.history) if step.state is state), "")


def _approved(decision: Decision) -> bool:
    return any(
        (before.state, after.state) == (State.AWAITING_APPROVAL, State.APPLIED)
        for before, after in pairwise(decision.history)
    )


def _middle(decisions: Sequence[Decision], *states: State) -> float | None:
    took = [
        min(at) - each.opened
        for each in decisions
        if (at := [step.at for step in each.history if step.state in states])
    ]
    return median(took) if took else None


def budget_lines(found: Budget) -> Iterator[str]:
    """For people."""
    yield f"in the last 24 hours: patches asked for {_of(found.fixes, found.fixes_allowed)} allowed"
    yield f"                      settings changed unasked {_of(found.applied, found.applied_allowed)} allowed"


def level_of(confirmation: Confirmation | None) -> str:
    found = confirmation is not None and confirmation.level is not Level.UNCONFIRMED
    return confirmation.level.value if confirmation is not None and found else ""


def shown(found: Budget) -> dict[str, Any]:
    return {
        "patches_asked_for_in_24_hours": f"{found.fixes} of {found.fixes_allowed}",
        "applied_unasked_in_24_hours": f"{found.applied} of {found.applied_allowed}",
    }
