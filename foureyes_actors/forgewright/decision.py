"""A decision: what FourEyes knows of one group of failures, what it did about it, and why. Pure.

There is one for each pattern: class, replay point and group. It is kept as a file (``ledger``), and each revision of
it goes to the store as a document (``decision_document``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from foureyes_actors.forgewright.states import State, check
from foureyes_actors.forgewright.triage import Action, BugClass, Cause, RemedyKind, Triage
from foureyes_actors.text import one_line

ID = re.compile(r"FORGE-\d{4}-\d{3,6}")
MAX_NOTE = 300  # characters
MAX_HISTORY = 200  # entries; the first ones and the last ones are kept
CATEGORY, PLATFORM_PATTERN = "Platform-Fix", "Platform-Pattern"

Time = Annotated[float, Field(ge=0, lt=1e11)]  # seconds since 1970; 0: not yet
Count = Annotated[int, Field(ge=0)]
Text = Annotated[str, Field(max_length=500)]
DecisionId = Annotated[str, Field(pattern=rf"^{ID.pattern}$")]


@dataclass(frozen=True, slots=True)
class Step:
    at: Time
    state: State
    note: Text = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """``key``: of the pattern. ``group``: its fingerprint in ERR0R.
    ``record``: the newest one; empty: none. ``entry``: the function that failed, ``module:qualname``. ``port``:
    ``port.operation``. ``remedy_facts``: what was tried and shown, plain values. ``applied_at``: when the remedy came
    into force. ``watch_until``: the end of the watch, once it has begun. ``revision``: counts up with each writing."""

    id: DecisionId
    key: Text
    group: Text
    title: Text
    source: Text
    entry: Text
    opened: Time
    state: State = State.NEW
    bug_class: BugClass = BugClass.UNKNOWN
    cause: Cause = Cause.UNKNOWN
    severity: Text = ""
    priority: Count = 6
    retryable: bool = False
    rule: Text = ""
    action: Action = Action.MONITOR
    remedy: RemedyKind = RemedyKind.NONE
    trigger: Text = ""
    record: Text = ""
    port: Text = ""
    level: Text = ""  # at which the platform confirmed it
    occurrences: Count = 0
    remedy_facts: Mapping[str, Any] = field(default_factory=dict)
    applied_at: Time = 0.0
    watch_until: Time = 0.0
    category: Text = CATEGORY
    related: tuple[DecisionId, ...] = ()
    history: tuple[Step, ...] = ()
    revision: Count = 0

    @property
    def reason(self) -> str:
        return self.history[-1].note if self.history else ""

    def since(self, state: State) -> float:
        """When it came into ``state`` last; 0: never."""
        return next((step.at for step in reversed(self.history) if step.state is state), 0.0)

    def was(self, state: State) -> bool:
        return any(step.state is state for step in self.history)

    def to(self, state: State, now: float, note: str = "", **changes: Any) -> Decision:
        """Raises IllegalTransition."""
        check(self.state, state)
        return replace(self, state=state, history=self._and(Step(now, state, one_line(note, MAX_NOTE))), **changes)

    def noted(self, now: float, note: str, facts: Mapping[str, Any]) -> Decision:
        """In the same state, with more known of it."""
        history = self._and(Step(now, self.state, one_line(note, MAX_NOTE)))
        return replace(self, history=history, remedy_facts={**self.remedy_facts, **facts})

    def _and(self, step: Step) -> tuple[Step, ...]:
        history = (*self.history, step)
        half = MAX_HISTORY // 2
        return history if len(history) <= MAX_HISTORY else (*history[:half], *history[-half:])


def new(
    decision_id: str, key: str, *, group: str, source: str, entry: str, exception_type: str, now: float
) -> Decision:
    title = one_line(f"{exception_type.rpartition('.')[2]} in {entry.rpartition(':')[2] or source}", 120)
    return Decision(decision_id, key, group, title, source, one_line(entry, 200), now, history=(Step(now, State.NEW),))


def pattern_key(bug_class: BugClass, entry: str, group: str) -> str:
    return f"{bug_class}|{entry}|{group}"


def triaged(decision: Decision, found: Triage) -> Decision:
    return replace(
        decision,
        bug_class=found.bug_class,
        cause=found.cause,
        severity=found.severity.value,
        priority=found.priority,
        retryable=found.retryable,
        rule=found.rule,
        action=found.action,
        remedy=found.remedy,
    )


# --- its file ---

_FORM = TypeAdapter(Decision)


def to_json(decision: Decision) -> bytes:
    return _FORM.dump_json(decision, indent=1)


def from_json(data: bytes) -> Decision:
    """Raises ValueError for what is none: a file is data from anywhere."""
    decision = _FORM.validate_json(data)
    if not decision.history or decision.history[-1].state is not decision.state:
        raise ValueError("its history says another state")
    return decision
