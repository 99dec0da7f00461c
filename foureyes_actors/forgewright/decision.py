"""A decision: what FourEyes knows of one group of failures, what it did about it, and why. Pure.

There is one for each pattern: class, replay point and group. It is kept as a file (``ledger``), and each revision of
it goes to the store as a document (``decision_document``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from foureyes_actors.forgewright.states import IllegalTransition, State, check
from foureyes_actors.forgewright.triage import Action, BugClass, Cause, RemedyKind, Triage
from foureyes_actors.text import one_line

ID = re.compile(r"FORGE-[0-9]{4}-[0-9]{3,6}")
MAX_NOTE = 300  # characters
MAX_HISTORY = 200  # entries; the first ones and the last ones are kept
MAX_TEXT = 500  # characters
MAX_FACTS, MAX_NAMES = 40, 20  # facts of a remedy; texts in one of them
MAX_RELATED = 20  # decisions
MOST = 2**53  # of any number: more is not kept exactly everywhere
CATEGORY, PLATFORM_PATTERN = "Platform-Fix", "Platform-Pattern"

REVIEW = "review"  # among the facts of a patch that was merged without asking

Time = Annotated[float, Field(ge=0, lt=3e10)]  # seconds since 1970, as each system can show them; 0: not yet
Count = Annotated[int, Field(ge=0, le=MOST)]
Text = Annotated[str, Field(max_length=MAX_TEXT)]
Number = Annotated[float, Field(ge=-MOST, le=MOST, allow_inf_nan=False)]
Whole = Annotated[int, Field(ge=-MOST, le=MOST)]
Fact = bool | Whole | Number | Text | Annotated[list[Text], Field(max_length=MAX_NAMES)] | None
Facts = Annotated[Mapping[Text, Fact], Field(max_length=MAX_FACTS)]
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
    remedy_facts: Facts = field(default_factory=dict)
    applied_at: Time = 0.0
    watch_until: Time = 0.0
    category: Text = CATEGORY
    related: Annotated[tuple[DecisionId, ...], Field(max_length=MAX_RELATED)] = ()
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
        return replace(self, history=history, remedy_facts=plain({**self.remedy_facts, **facts}))

    def _and(self, step: Step) -> tuple[Step, ...]:
        history = (*self.history, step)
        half = MAX_HISTORY // 2
        return history if len(history) <= MAX_HISTORY else (*history[:half], *history[-half:])


def new(
    decision_id: str, key: str, *, group: str, source: str, entry: str, exception_type: str, now: float
) -> Decision:
    """Of a failure at ``now``, seconds since 1970. What it says of itself is cut: its file has to be readable."""
    title = one_line(f"{exception_type.rpartition('.')[2]} in {entry.rpartition(':')[2] or source}", 120)
    texts = (one_line(group, 200), title, one_line(source, 200), one_line(entry, 200))
    return Decision(decision_id, one_line(key, MAX_TEXT), *texts, now, history=(Step(now, State.NEW),))


def pattern_key(bug_class: BugClass, entry: str, group: str) -> str:
    return f"{bug_class}|{one_line(entry, 200)}|{one_line(group, 200)}"


def plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    """As they may be kept: values of JSON, each within its bounds; what is none is kept as a text."""
    return {one_line(str(name), 100): _plain(value) for name, value in list(facts.items())[-MAX_FACTS:]}


def _plain(value: Any) -> Any:
    match value:
        case None | bool():
            return value
        case int() | float() if math.isfinite(value) and abs(value) <= MOST:
            return value
        case list() | tuple():
            return [one_line(str(each), MAX_TEXT) for each in value[:MAX_NAMES]]
    return one_line(str(value), MAX_TEXT)


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
    """Raises ValueError for what is none, and for one that says it came on a way that there is not: a file is data
    from anywhere."""
    try:
        decision = _FORM.validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(one_line(f"{place}: {first['msg']}" if place else first["msg"], 100)) from None
    if not decision.history or decision.history[-1].state is not decision.state:
        raise ValueError("its history says another state")
    if decision.history[0].state is not State.NEW or len(decision.history) > MAX_HISTORY:
        raise ValueError("its history does not begin, or is too long")
    for number, (before, after) in enumerate(pairwise(decision.history), 1):
        left_out = len(decision.history) == MAX_HISTORY and number == MAX_HISTORY // 2
        if not left_out and before.state is not after.state:
            _checked(before.state, after.state)
    return decision


def _checked(before: State, after: State) -> None:
    try:
        check(before, after)
    except IllegalTransition as error:
        raise ValueError(str(error)) from None
