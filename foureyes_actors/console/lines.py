"""What the headless run prints: pure functions from messages to lines of plain text.

Text from models and screens is cleaned of control characters and shortened before it reaches a terminal.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from foureyes_actors.invocation import PROGRAM
from foureyes_actors.messages import (
    Event,
    EventKind,
    Field,
    FieldValue,
    Reading,
    ReadingSet,
    ReadingStatus,
    ServerPhase,
    ServerState,
)
from foureyes_actors.text import one_line

MAX_TEXT = 80  # characters of a popup's text on one line
MAX_REASON = 300
MODEL_SERVER = "lm_studio"  # whose fallback is everybody's
NORMAL = "normal"  # what a MODE_CHANGED says when a fallback has ended
HEADS = {
    "restart": "restarted",
    "reload": "reloaded with all that depends on it",
    "fallback": "in its polling fallback",
}
FOREIGN = {**HEADS, "restart": "looked for again", "reload": "looked for again, with all that depends on it"}


def show_value(value: FieldValue, currency: str | None = None) -> str:
    """A value for people: 12,345.67 USD; - when there is none."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case Decimal():
            return f"{value:,f}" + (f" {currency}" if currency else "")
    return one_line(value, MAX_TEXT)


def show_reading(reading: Reading, before: Reading | None) -> str:
    """With the difference, when both are amounts of the same currency."""
    text = f"{reading.field} {show_value(reading.value, reading.currency)}"
    was = before.value if before is not None and before.currency == reading.currency else None
    if isinstance(reading.value, Decimal) and isinstance(was, Decimal) and reading.value != was:
        text += f" ({reading.value - was:+,f})"
    return text


def changed(last: Mapping[Field, Reading], readings: ReadingSet) -> tuple[Reading, ...]:
    """The readings whose accepted value differs from the last one printed. What was never seen is no change."""
    return tuple(
        r
        for r in readings.readings
        if r.status is ReadingStatus.ACCEPTED and (r.field not in last or last[r.field].value != r.value)
    )


def reading_line(readings: ReadingSet, news: tuple[Reading, ...], last: Mapping[Field, Reading]) -> str:
    """One line for all that changed with this frame."""
    what = "  ".join(show_reading(r, last.get(r.field)) for r in news)
    mark = "  [degraded]" if readings.degraded else ""
    return f"{stamp(readings.at)}  #{readings.frame.sequence:<5} {what}  ({readings.age:.2f} s old){mark}"


def source_line(readings: ReadingSet) -> str:
    frame = readings.frame
    return f"{stamp(readings.at)}  reading {one_line(frame.source, MAX_TEXT)}, {frame.width} x {frame.height}"


def exhausted_line(source: str, frames: int) -> str:
    return f"the source {one_line(source, MAX_TEXT)} has no more frames ({frames} in all)"


def store_line(event: Event) -> str:
    """The store has gone, or is back, or the journal is full as well: what that means for what is read."""
    reason = one_line(event.reason.partition(" (it had been away")[0], MAX_REASON)
    if event.after == "losing":
        reason = f"documents are being LOST since {stamp(event.at)}: {reason}"
    elif event.after == "away" and event.before == "losing":
        reason = f"{reason}; the store is still away"
    elif event.after == "away":
        reason = f"the store is away: {reason}; the journal keeps what is read"
    return f"{stamp(event.at)}  * {reason}"


def mode_line(event: Event, fallback: str) -> str:
    """A polling fallback begins or ends. ``fallback``: what becomes of the readings meanwhile."""
    who = part_name(event.subject)
    if event.after == NORMAL:
        took = f" after {event.seconds:.0f} s" if event.seconds is not None else ""
        return f"{stamp(event.at)}  * {who} is well again: back to normal{took}"
    meanwhile = one_line(fallback, MAX_REASON) if event.subject == MODEL_SERVER else "going on without it"
    reason = f"  ({one_line(event.reason, MAX_REASON)})" if event.reason else ""
    return f"{stamp(event.at)}  * {who} is gone: {meanwhile}; probing it{reason}"


def part_name(actor: str) -> str:
    """An actor's name for people: who keeps the server is called lm_studio whatever the server is."""
    return "the model server" if actor == MODEL_SERVER else one_line(actor, MAX_TEXT)


def answers_line(event: Event) -> str:
    """A model's answers cannot be used any more, or can again."""
    model, seconds = one_line(event.subject, MAX_TEXT), event.seconds or 0.0
    if event.after == "usable":
        return f"{stamp(event.at)}  * {model}: its answers can be used again after {seconds:.0f} s"
    since = stamp(event.at - timedelta(seconds=seconds))
    return f"{stamp(event.at)}  * {model}: no answer can be used since {since}: {one_line(event.reason, MAX_REASON)}"


def pressure_line(event: Event) -> str:
    """Less is asked of the machine, or again more. The reason has the figures."""
    after = one_line(event.after or "-", MAX_TEXT)
    what = "this machine is well again: back to normal" if event.after == NORMAL else f"going over to {after}"
    was = (
        "" if event.before in (None, NORMAL) or event.after == NORMAL else f" (from {one_line(event.before, MAX_TEXT)})"
    )
    return f"{stamp(event.at)}  * {what}{was}: {one_line(event.reason, MAX_REASON)}"


def head_line(event: Event, *, foreign: bool = False) -> str:
    """What a head did about a failed part, and how it went."""
    head, _, outcome = (event.after or "").partition(": ")
    words = FOREIGN if foreign and event.subject == MODEL_SERVER else HEADS
    outcome = outcome.replace("recovered", "well again")
    reason = f" after {one_line(event.reason, MAX_REASON)}" if event.reason else ""
    done = f" {words.get(head, one_line(head, MAX_TEXT))}{reason}"
    return f"{stamp(event.at)}  * {part_name(event.subject)}{done}" + (f"; {outcome}" if outcome else "")


def decision_line(event: Event) -> str:
    """What is done about a group of failures has got further."""
    ask = f"; {PROGRAM} decisions show {event.subject}" if event.after == "awaiting approval" else ""
    return f"{stamp(event.at)}  * {event.subject} {event.after}: {one_line(event.reason, MAX_REASON)}{ask}"


def reproduced_line(event: Event) -> str:
    """A recorded failure was run again. ``before``: what it is; ``after``: the level, or unconfirmed."""
    what = f"{one_line(event.before or '-', MAX_TEXT)} in {part_name(event.subject)}"
    outcome = "could not be reproduced" if event.after == "unconfirmed" else f"reproduced at level {event.after}"
    took = "" if event.seconds is None else f" after {event.seconds:.0f} s"
    return f"{stamp(event.at)}  * {what} {outcome}{took}: {one_line(event.reason, MAX_REASON)}"


def told_by_mode(event: Event) -> bool:
    """The end of a fallback is a change of mode, which has a line of its own."""
    return event.kind is EventKind.HEAD_BITTEN and (event.after or "").startswith("fallback: recovered")


def configuration_line(event: Event) -> str:
    """Which parts came back without it, and why."""
    return f"{stamp(event.at)}  * {one_line(event.reason, MAX_REASON)}  (reloaded: {one_line(event.subject, MAX_TEXT)})"


def seen_line(event: Event) -> str:
    """What the screen showed: a popup, an amount that was reset."""
    reason = f"  ({one_line(event.reason, 120)})" if event.reason else ""
    mark = "  [degraded]" if event.degraded else ""
    return f"{stamp(event.at)}  * {_seen(event)}{reason}{mark}"


def _seen(event: Event) -> str:
    before, after = (one_line(text or "-", MAX_TEXT) for text in (event.before, event.after))
    match event.kind:
        case EventKind.POPUP_SEEN:
            return f"popup: {after}" if event.before is None else f"popup: {after}  (before: {before})"
        case EventKind.POPUP_GONE:
            return f"popup gone: {before}"
        case EventKind.JACKPOT_RESET:
            return f"{one_line(event.subject, MAX_TEXT)} was reset: {before} -> {after}"
        case EventKind.STREAM_CHANGED:
            return f"the stream of {one_line(event.subject, MAX_TEXT)} is {after}"
    words = event.kind.value.replace("_", " ")
    return f"{words}: {one_line(event.subject, MAX_TEXT)}  {before} -> {after}"


def event_line(event: Event, fallback: str = "", *, foreign: bool = False) -> str:
    """``fallback``: what becomes of the readings meanwhile. ``foreign``: somebody else started the model server."""
    match event.kind:
        case EventKind.STORE_CHANGED:
            return store_line(event)
        case EventKind.MODE_CHANGED:
            return mode_line(event, fallback)
        case EventKind.ANSWERS_CHANGED:
            return answers_line(event)
        case EventKind.PRESSURE_CHANGED:
            return pressure_line(event)
        case EventKind.HEAD_BITTEN:
            return head_line(event, foreign=foreign)
        case EventKind.FAILURE_REPRODUCED:
            return reproduced_line(event)
        case EventKind.DECISION_CHANGED:
            return decision_line(event)
        case EventKind.CONFIGURATION_KEPT | EventKind.CONFIGURATION_READ:
            return configuration_line(event)
    return seen_line(event)


def server_line(state: ServerState, at: datetime) -> str:
    """One that stops and was not started from here goes on: its detail says so."""
    detail, phase = one_line(state.detail, MAX_REASON), state.phase.value.replace("_", " ")
    if state.phase is ServerPhase.STOPPED and detail:
        return f"{stamp(at)}  model server {detail}"
    return f"{stamp(at)}  model server {phase}{': ' if detail else ''}{detail}"


def stamp(at: datetime) -> str:
    """Local wall-clock time to a tenth of a second."""
    local = at.astimezone()
    return f"{local:%H:%M:%S}.{local.microsecond // 100_000}"
