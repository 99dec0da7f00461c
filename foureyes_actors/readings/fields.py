"""From observations to readings that can be believed: range, quorum, and a way out of every latch. Pure.

    no answer                     STALE     the last accepted value stands
    the screen shows no value     MISSING   no value
    not a legal value, or outside the field's range
                                  REJECTED  no value, with the reason
    the accepted value again, or the first of a row of ``quorum`` values that agree
                                  ACCEPTED
    another value                 HELD      the last accepted value stands, "2 of 3"
    an older frame than the newest one that was read
                                  HELD      recorded, changes nothing

**No latch**: ``quorum`` legal values in a row that agree are accepted, whatever was believed before. Frames without a
legal value do not break a row: they say nothing against it (displays blink).

A progressive jackpot grows with every frame, so equal values never come in a row. There a value agrees with the one
before when it is the same or up to GROWTH larger; a jump or a fall must find its quorum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from foureyes_actors.messages import Field, FieldValue, Reading, ReadingStatus
from foureyes_actors.readings.observe import Observation, Seen
from foureyes_actors.settings import FieldRule

JACKPOTS = frozenset({Field.GRAND, Field.MAJOR, Field.MINOR, Field.MINI})
GROWTH = Decimal("1.01")  # from one frame to the next; a digit that was read wrongly mostly changes more
_NEVER = float("-inf")


@dataclass(frozen=True, slots=True)
class FieldState:
    """What is held about one field. ``row``: how many values in a row agree with ``candidate``."""

    field: Field
    known: bool = False
    value: FieldValue = None  # the last accepted one
    currency: str | None = None
    candidate: FieldValue = None
    row: int = 0
    newest: float = _NEVER  # capture of the newest frame with an answer, monotonic seconds


def step(state: FieldState, seen: Observation, rule: FieldRule) -> tuple[FieldState, Reading]:
    """The next state, and the reading of this frame."""
    if seen.seen is Seen.NO_ANSWER:
        return state, _reading(seen, ReadingStatus.STALE, seen.reason, state)
    if seen.at < state.newest:
        return state, _reading(seen, ReadingStatus.HELD, "a newer frame was read before this one", state)
    if seen.seen is Seen.NOTHING:
        return replace(state, newest=seen.at), _reading(seen, ReadingStatus.MISSING, seen.reason)
    problem = seen.reason if seen.seen is Seen.ILLEGAL else _out_of_range(seen.value, rule)
    if problem:
        return replace(state, newest=seen.at), _reading(seen, ReadingStatus.REJECTED, problem)
    return _judge(state, seen, rule)


def _judge(state: FieldState, seen: Observation, rule: FieldRule) -> tuple[FieldState, Reading]:
    if state.known and agrees(state.field, state.value, seen.value):
        return _accept(state, seen, "")
    row = state.row + 1 if state.row and agrees(state.field, state.candidate, seen.value) else 1
    if row >= rule.quorum:
        return _accept(state, seen, f"seen {row} times in a row" if row > 1 else "")
    state = replace(state, candidate=seen.value, row=row, newest=seen.at)
    return state, _reading(seen, ReadingStatus.HELD, f"{row} of {rule.quorum}", state)


def _accept(state: FieldState, seen: Observation, reason: str) -> tuple[FieldState, Reading]:
    """Built anew rather than replaced: this is what happens to each field of nearly each frame."""
    accepted = FieldState(state.field, known=True, value=seen.value, currency=seen.currency, newest=seen.at)
    return accepted, _reading(seen, ReadingStatus.ACCEPTED, reason, accepted)


def _reading(seen: Observation, status: ReadingStatus, reason: str, held: FieldState | None = None) -> Reading:
    """``held``: the state whose accepted value stands; None: there is no value."""
    value, currency = (held.value, held.currency) if held else (None, None)
    return Reading(seen.field, seen.raw, value, seen.confidence, status, reason, currency)


def agrees(field: Field, earlier: FieldValue, later: FieldValue) -> bool:
    if field in JACKPOTS and isinstance(earlier, Decimal) and isinstance(later, Decimal):
        return earlier <= later <= earlier * GROWTH
    return earlier == later


def _out_of_range(value: FieldValue, rule: FieldRule) -> str:
    if isinstance(value, Decimal):
        if rule.minimum is not None and value < Decimal(str(rule.minimum)):
            return f"{value} is below the minimum {rule.minimum:g}"
        if rule.maximum is not None and value > Decimal(str(rule.maximum)):
            return f"{value} is above the maximum {rule.maximum:g}"
    return ""
