"""Whether the setting that a decision has in force is what FourEyes goes by: the user's word wins over it, and what was
built upon another one falls with it. Pure, by the decisions and the settings of this run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from foureyes_actors.forgewright.course import UNTIL
from foureyes_actors.forgewright.decision import Decision
from foureyes_actors.forgewright.knobs import KNOBS
from foureyes_actors.forgewright.states import IN_FORCE, State
from foureyes_actors.forgewright.triage import RemedyKind

_Step = tuple[float, float]  # what a setting was, and what it was set to


@dataclass(frozen=True, slots=True)
class Overruled:
    """``by_user``: who has set it anew, or thrown its file away; else another decision's setting holds, or the one that
    it was built upon does not any more."""

    words: str
    by_user: bool


def key_of(decision: Decision) -> str:
    """Of the setting that it has in force; empty: none."""
    key = decision.remedy_facts.get("key")
    mine = decision.remedy is RemedyKind.CONFIGURATION and decision.state in IN_FORCE and _step(decision) is not None
    return key if mine and isinstance(key, str) and key in KNOBS else ""


def overruled(decision: Decision, others: Sequence[Decision], has: float, now: float) -> Overruled | None:
    """``has``: the value of its setting in a run that began after it was put. None: it holds, or is over."""
    key, step = key_of(decision), _step(decision)
    until = decision.remedy_facts.get(UNTIL)
    if not key or step is None or (isinstance(until, int | float) and until <= now):
        return None
    was, value = step
    same = [each for each in others if each.id != decision.id and each.remedy_facts.get("key") == key]
    standing = _steps(each for each in same if each.state in IN_FORCE)
    if has in _upwards(value, standing):
        return None
    own, root = _root(has, standing), _root(was, _steps(each for each in same if each.was(State.APPLIED)))
    if own != root:
        return Overruled(f"superseded by the user: {key} is {own:g} and no longer {root:g}", by_user=True)
    if root != was or has != was:
        return Overruled(f"another decision's setting came between: {key} is {has:g}, not {was:g}", by_user=False)
    return Overruled(f"superseded by the user: {key} is {has:g}, its mitigation was thrown away", by_user=True)


def _steps(decisions: Iterable[Decision]) -> list[_Step]:
    return [step for each in decisions if (step := _step(each)) is not None]


def _step(decision: Decision) -> _Step | None:
    was, value = decision.remedy_facts.get("was"), decision.remedy_facts.get("value")
    return (was, value) if isinstance(was, int | float) and isinstance(value, int | float) else None


def _upwards(value: float, steps: Sequence[_Step]) -> set[float]:
    """Where others that build upon it may lead."""
    found = {value}
    for _ in steps:
        found |= {after for before, after in steps if before in found}
    return found


def _root(value: float, steps: Sequence[_Step]) -> float:
    """What the user's own configuration has, when it came to ``value`` by these."""
    for _ in steps:
        value = next((before for before, after in steps if after == value), value)
    return value
