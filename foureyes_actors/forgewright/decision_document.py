"""A decision as a document of the collection ``decisions``, and in Markdown. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import takewhile
from types import MappingProxyType
from typing import Any

from foureyes_actors.forgewright.budget import BY_HAND
from foureyes_actors.forgewright.course import UNTIL
from foureyes_actors.forgewright.decision import REVIEW, Decision, Step
from foureyes_actors.forgewright.states import CLOSED, IN_FORCE, State, Status, status_of
from foureyes_actors.forgewright.triage import Action, RemedyKind
from foureyes_actors.invocation import PROGRAM
from foureyes_actors.messages import Document
from foureyes_actors.text import one_line

SECTION = "forgewright"
_NUMBERED = re.compile(r"^(\d+)([.)])")  # would begin a list


def document(decision: Decision) -> Document:
    """Of the collection ``decisions``: one for each revision; ``subject`` is the decision's id, and the newest one of a
    subject holds."""
    values: dict[str, Any] = {
        "_id": f"{decision.id}:{decision.revision}",
        "at": _utc(_changed(decision)),
        "kind": "decision",
        "subject": decision.id,
        "fingerprint": decision.group,
        "decision_id": decision.id,
        "revision": decision.revision,
        "title": decision.title,
        "category": decision.category,
        "description": description(decision),
        "status": present_status(decision).value,
        "state": decision.state.value,
        "priority": decision.priority,
        "section": SECTION,
        "source": decision.source,
        "dependencies": list(decision.related),
        "pattern": decision.key,
        "record": decision.record,
        "details": {
            "current_problems": [f"{decision.occurrences} times: {decision.title}"],
            "key_components": [decision.entry, *([decision.port] if decision.port else [])],
            "scope": decision.bug_class.value,
            "cause": decision.cause.value,
            "severity": decision.severity,
            "retryable": decision.retryable,
            "rule": decision.rule,
            "trigger": decision.trigger,
            "action": decision.action.value,
            "remedy": decision.remedy.value,
            "level": decision.level,
            "estimated_effort": None,
            "target_milestone": None,
        },
        "implementation": {
            "phases": [step.state.value for step in decision.history],
            "progress": progress(decision),
            "target_files": files_of(decision),
            "facts": dict(decision.remedy_facts),
        },
        "status_history": [
            {"status": status.value, "state": s.state.value, "timestamp": _utc(s.at), "note": s.note}
            for s, status in zip(decision.history, _statuses(decision), strict=True)
        ],
        "action_items": action_items(decision),
    }
    return MappingProxyType(values)


def description(decision: Decision) -> str:
    seen = f"{decision.title} ({decision.source}), {decision.occurrences} times"
    because = f"; taken up because {decision.trigger}" if decision.trigger else ""
    return f"{seen}: {decision.bug_class}, cause {decision.cause}{because}"


def present_status(decision: Decision) -> Status:
    return status_of(decision.state, approved=_approved(decision.history))


def _statuses(decision: Decision) -> Iterator[Status]:
    """After each step of its history."""
    for number, step in enumerate(decision.history, 1):
        yield status_of(step.state, approved=_approved(decision.history[:number]))


def _approved(history: Sequence[Step]) -> bool:
    """What is in force was, by a person: when it came into force, or since then."""
    in_force = takewhile(lambda step: step.state in IN_FORCE, reversed(history))
    return any(step.note.startswith(BY_HAND) for step in in_force)


def progress(decision: Decision) -> int:
    """Percent of the way."""
    way = (State.NEW, State.CAPTURED, State.TRIAGED, State.PROPOSED, State.VERIFIED, State.APPLIED, State.RESOLVED)
    return max((100 * n // (len(way) - 1) for n, state in enumerate(way) if decision.was(state)), default=0)


def action_items(decision: Decision) -> list[dict[str, Any]]:
    """What a person is asked for."""
    task = {
        State.AWAITING_APPROVAL: f"look at it and say: {PROGRAM} decisions approve {decision.id}, or reject",
        State.APPLIED: "; ".join(filter(None, ("start FourEyes again: it counts from then on", _review(decision)))),
        State.WATCHED: _review(decision),
        State.RESOLVED: _review(decision),
        State.DEFERRED: f"nothing more is done by itself: {decision.reason}",
        State.REGRESSED: f"it came again: {decision.reason}",
    }.get(decision.state)
    if decision.action is Action.ESCALATE and task is None and decision.state not in CLOSED:
        task = "look at it now"
    made, files = _utc(_changed(decision)), files_of(decision)
    row = {"task": task, "priority": decision.priority, "files": files, "created_at": made, "completed": False}
    return [row] if task else []


def files_of(decision: Decision) -> list[str]:
    """Those that its patch touches."""
    found = decision.remedy_facts.get("files")
    return [str(name) for name in found] if isinstance(found, (list, tuple)) else []


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _changed(decision: Decision) -> float:
    return decision.history[-1].at if decision.history else decision.opened


def markdown(decision: Decision) -> str:
    """For an issue or a review. What failures said is data: it stands in fences and one-line texts only."""
    return "\n".join(_markdown(decision)) + "\n"


def _markdown(decision: Decision) -> Iterator[str]:
    status = present_status(decision).value
    yield f"# {decision.id}: {_plain(decision.title)}\n"
    severity = _plain(decision.severity or "severity unknown")
    yield f"**{status}** ({decision.state}), priority {decision.priority}, {severity}\n"
    yield _plain(description(decision)) + "\n"
    for name, value in facts(decision):
        yield f"* {_plain(name)}: {_plain(value)}"
    yield "\n## History\n"
    for step in decision.history:
        note = f": {_plain(step.note)}" if step.note else ""
        yield f"* {_utc(step.at):%Y-%m-%d %H:%M:%S} UTC, {step.state}{note}"
    items = action_items(decision)
    if items:
        yield "\n## To be done\n"
        for item in items:
            yield f"* [ ] {_plain(item['task'])}"


def facts(decision: Decision) -> Iterator[tuple[str, str]]:
    """For people: what is known and not empty."""
    rows = {
        "failed in": decision.entry,
        "through the port": decision.port,
        "part": decision.source,
        "group": decision.group,
        "record": decision.record,
        "reproduced at level": decision.level,
        "triage": f"{decision.rule}: {decision.bug_class}, cause {decision.cause}" if decision.rule else "",
        "taken up because": decision.trigger,
        "action": decision.action.value,
        "remedy": decision.remedy.value,
        **{
            f"remedy: {one_line(name, 100)}": _shown(value)
            for name, value in decision.remedy_facts.items()
            if name != UNTIL
        },
        "approved by": _approved_by(decision) if decision.state in IN_FORCE else "",
        "in force since": _minute(decision.applied_at) if decision.state in IN_FORCE else "",
        "watched until": _minute(decision.watch_until) if decision.state is State.WATCHED else "",
        "of the same kind": ", ".join(decision.related),
    }
    return ((name, value) for name, value in rows.items() if value)


def _approved_by(decision: Decision) -> str:
    if _approved(decision.history):
        return "a person"
    if decision.remedy is RemedyKind.OPERATIONAL:
        return "nobody: Cerberus mends by himself, and is not asked"
    return "nobody: it came into force without asking"


def _minute(seconds: float) -> str:
    return f"{_utc(seconds):%Y-%m-%d %H:%M} UTC"


def _review(decision: Decision) -> str:
    """Of a patch that was merged without asking; empty: of no other."""
    return "look at the patch: it was merged without asking" if REVIEW in decision.remedy_facts else ""


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _plain(text: object) -> str:
    """One line in which Markdown and HTML mean nothing, no address becomes a link and nobody is called by name."""
    line = one_line(str(text), 500)
    line = "".join(f"\\{each}" if each in "\\`*_[]<>#|!&~" else each for each in line)
    line = line.replace("://", ":\u200b//").replace("@", "@\u200b").replace("www.", "www\u200b.")
    return f"\\{line}" if line[:1] in ("-", "+", "=") else _NUMBERED.sub(r"\1\\\2", line)
