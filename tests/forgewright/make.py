"""Decisions for tests: in each state, on the way that the table of transitions has."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from foureyes_actors.forgewright.decision import Decision, new, pattern_key
from foureyes_actors.forgewright.ledger import Ledger
from foureyes_actors.forgewright.mitigations import Mitigation
from foureyes_actors.forgewright.states import TRANSITIONS, State
from foureyes_actors.forgewright.triage import Action, BugClass, Cause, RemedyKind
from foureyes_actors.ports.clock import Clock, ManualClock
from foureyes_actors.ports.private_folder import LocalPrivateFolder

ID = "FORGE-2026-001"
RECORD = "0123abcd" * 4
NOW = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
HOSTILE = "\x1b[2J\nsecond \u202e line ``` [x](http://evil.example) <img src=x> @everyone | " + "x" * 700
SETTING = {"key": "inference.deadline", "was": 30.0, "value": 45.0, "by_itself": True}
PATCH = {"digest": "ab" * 32, "files": ["foureyes_actors/readings/parse.py"], "base": "cd" * 20}
FACTS: dict[RemedyKind, dict[str, Any]] = {RemedyKind.CONFIGURATION: SETTING, RemedyKind.CODE: PATCH}


def a_decision(decision_id: str = ID, group: str = "g", *, at: float = NOW, **changes: Any) -> Decision:
    bug_class = changes.get("bug_class", BugClass.UNKNOWN)
    made = new(
        decision_id,
        pattern_key(bug_class, "foureyes_actors.readings.parse:parse", group),
        group=group,
        source="readings",
        entry="foureyes_actors.readings.parse:parse",
        exception_type="builtins.KeyError",
        now=at,
    )
    return replace(made, **{"rule": "no rule", "occurrences": 3, "trigger": "it recurs: 3 in 10 min", **changes})


def way_to(state: State) -> list[State]:
    """The shortest."""
    ways: dict[State, list[State]] = {State.NEW: []}
    todo = [State.NEW]
    for before in todo:
        for after in sorted(TRANSITIONS[before]):
            if after not in ways:
                ways[after] = [*ways[before], after]
                todo.append(after)
    return ways[state]


CAPTURED_WAY = [State.CAPTURED, State.REPRODUCED, State.TRIAGED, State.PROPOSED, State.VERIFIED]
WITH_RECORD: dict[State, list[State]] = {
    **{state: CAPTURED_WAY[:n] for n, state in enumerate(CAPTURED_WAY, 1)},
    State.AWAITING_APPROVAL: [*CAPTURED_WAY, State.AWAITING_APPROVAL],
    State.APPLIED: [*CAPTURED_WAY, State.APPLIED],
    State.WATCHED: [*CAPTURED_WAY, State.APPLIED, State.WATCHED],
    State.RESOLVED: [*CAPTURED_WAY, State.APPLIED, State.WATCHED, State.RESOLVED],
    State.REGRESSED: [*CAPTURED_WAY, State.APPLIED, State.WATCHED, State.REGRESSED],
    State.ROLLED_BACK: [*CAPTURED_WAY, State.APPLIED, State.WATCHED, State.REGRESSED, State.ROLLED_BACK],
}


def in_state(
    state: State,
    remedy: RemedyKind = RemedyKind.CODE,
    *,
    decision_id: str = ID,
    group: str = "g",
    at: float = NOW,
    **changes: Any,
) -> Decision:
    """With a record, in ``state`` since ``at``, as FourEyes would have brought it there."""
    made = a_decision(decision_id, group, at=at, remedy=remedy, record=RECORD, cause=Cause.OURS, action=Action.MITIGATE)
    for each in WITH_RECORD.get(state, way_to(state)):
        more: dict[str, Any] = {}
        if each is State.REPRODUCED:
            more["level"] = "wire"
        if each is State.VERIFIED:
            more["remedy_facts"] = FACTS.get(remedy, {})
        if each is State.APPLIED:
            more["applied_at"] = at
        if each is State.WATCHED:
            more["watch_until"] = at + 86_400.0
        made = made.to(each, at, f"to {each}", **more)
    return replace(made, **changes)


def decided(place: Path, found: Mitigation, state: State = State.APPLIED, **facts: Any) -> Decision:
    """A decision in ``place`` that has this setting in force; again: it is what it is then."""
    own = {"key": found.key, "was": found.was, "value": found.value, "by_itself": True, "until": found.until, **facts}
    ledger = a_ledger(place)
    there = ledger.get(found.decision)
    made = in_state(state, RemedyKind.CONFIGURATION, decision_id=found.decision, group=found.decision, remedy_facts=own)
    return ledger.save(replace(made, revision=there.revision if there else 0))


def a_ledger(place: Path, clock: Clock | None = None, **more: Any) -> Ledger:
    return Ledger(LocalPrivateFolder(place), place, clock or ManualClock(), **more)
