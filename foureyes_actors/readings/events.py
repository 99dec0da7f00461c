"""Changes worth telling, out of accepted readings. Pure.

A value event must be seen twice (a digit that was read wrongly once is no event): where the field's quorum is 1, the
event waits for the next accepted value to bear it out. A rule with a larger quorum has seen to that already.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from foureyes_actors.messages import (
    EventKind,
    Field,
    FieldValue,
    PopupKind,
    Reading,
    ReadingStatus,
    ServerState,
    StreamHealthChanged,
)
from foureyes_actors.readings.fields import JACKPOTS
from foureyes_actors.settings import ReadingsSettings

SIGHTINGS = 2  # of a new amount, before it is an event


@dataclass(frozen=True, slots=True)
class Change:
    """An event without its id, time and frame."""

    kind: EventKind
    subject: str
    before: str | None
    after: str | None
    reason: str = ""
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """The last value of one field that counted for events, and a change of it that still waits to be borne out."""

    field: Field
    known: bool = False
    value: FieldValue = None
    text: str = ""  # a popup's raw text
    changed: FieldValue = None
    sightings: int = 0
    currency: str | None = None


def changes(
    told: tuple[Told, ...], readings: Iterable[Reading], settings: ReadingsSettings
) -> tuple[tuple[Told, ...], tuple[Change, ...]]:
    """The next state, and the changes that this frame's readings bear out."""
    by_field = {t.field: t for t in told}
    found: list[Change] = []
    for reading in readings:
        if reading.status is ReadingStatus.ACCEPTED:
            before = by_field.get(reading.field, Told(reading.field))
            by_field[reading.field], change = _change(before, reading, settings)
            found += [change] if change else []
    return tuple(by_field.values()), tuple(found)


def _change(told: Told, reading: Reading, settings: ReadingsSettings) -> tuple[Told, Change | None]:
    if reading.field is Field.POPUP:
        return _popup(told, reading)
    if not told.known or told.value == reading.value or _another_currency(told, reading):
        return _now(reading), None
    if isinstance(reading.value, Decimal):
        return _amount(told, reading, reading.value, settings)
    kind = EventKind.STATE_CHANGED if reading.field is Field.STATE else EventKind.MOTION_CHANGED
    return _now(reading), Change(kind, reading.field, _text(told.value), _text(reading.value), reading.reason)


def _amount(told: Told, reading: Reading, value: Decimal, settings: ReadingsSettings) -> tuple[Told, Change | None]:
    field = reading.field
    if field in JACKPOTS and not _fell(told.value, value, settings.jackpot_fall):
        return _now(reading), None  # it grows, or falls a little: nothing to tell
    same = told.sightings > 0 and (field in JACKPOTS or told.changed == value)
    sightings = told.sightings + 1 if same else settings.rule(field).quorum
    if sightings < SIGHTINGS:
        return replace(told, changed=value, sightings=sightings), None
    kind = EventKind.JACKPOT_RESET if field in JACKPOTS else EventKind.BALANCE_CHANGED
    change = Change(kind, field, _text(told.value), _text(value), reading.reason)
    return _now(reading), change


def _now(reading: Reading) -> Told:
    return Told(reading.field, True, reading.value, currency=reading.currency)


def _another_currency(told: Told, reading: Reading) -> bool:
    """Another machine is shown: amounts in two currencies cannot be compared."""
    return None not in (told.currency, reading.currency) and told.currency != reading.currency


def _fell(before: FieldValue, after: Decimal, part: float) -> bool:
    return isinstance(before, Decimal) and after <= before * (1 - Decimal(str(part)))


def _popup(told: Told, reading: Reading) -> tuple[Told, Change | None]:
    """``unknown`` is neither seen nor gone: the last known popup stands."""
    if reading.value == PopupKind.UNKNOWN or (told.known and told.value == reading.value):
        return told, None
    before = told.text if told.known else None
    after = Told(Field.POPUP, True, reading.value, reading.raw or "")
    if reading.value == PopupKind.NONE:
        gone = Change(EventKind.POPUP_GONE, Field.POPUP, before, None, reading.reason)
        return after, gone if told.known else None
    shown_before = None if told.value == PopupKind.NONE else before
    return after, Change(EventKind.POPUP_SEEN, Field.POPUP, shown_before, reading.raw, reading.reason)


def stream_change(message: StreamHealthChanged) -> Change:
    return Change(EventKind.STREAM_CHANGED, message.source, message.before, message.after, message.reason)


def server_change(before: ServerState | None, after: ServerState) -> Change | None:
    """A change of phase; the first state that is heard of is one."""
    if before is not None and before.phase is after.phase:
        return None
    was = before.phase.value if before else None
    return Change(EventKind.SERVER_CHANGED, "model server", was, after.phase.value, after.detail)


def _text(value: FieldValue) -> str | None:
    if value is None:
        return None
    return format(value, "f") if isinstance(value, Decimal) else str(value)
