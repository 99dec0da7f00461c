"""Events out of accepted readings: tables of sequences, one letter of status and a value each."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from foureyes_actors.messages import (
    EventKind,
    Field,
    FieldValue,
    Reading,
    ReadingStatus,
    ServerPhase,
    ServerState,
    StreamCondition,
    StreamHealthChanged,
)
from foureyes_actors.readings.events import Change, Told, changes, server_change, stream_change
from foureyes_actors.settings import FieldRule, ReadingsSettings

SETTINGS = ReadingsSettings()
MONEY = {Field.GRAND, Field.BALANCE}


def reading(field: Field, what: Any) -> Reading:
    """``None``: missing. ``?x``: held. Else accepted; ``kind: text`` for a popup."""
    if what is None:
        return Reading(field, None, None, None, ReadingStatus.MISSING, "not visible")
    text = str(what)
    status = ReadingStatus.HELD if text.startswith("?") else ReadingStatus.ACCEPTED
    raw = text.removeprefix("?")
    value: FieldValue = Decimal(raw) if field in MONEY else raw.split(":")[0]
    return Reading(field, raw, value, None, status, "")


def run(field: Field, *sequence: Any, settings: ReadingsSettings = SETTINGS) -> list[str]:
    told: tuple[Told, ...] = ()
    found: list[str] = []
    for number, what in enumerate(sequence, start=1):
        told, new = changes(told, [reading(field, what)], settings)
        found += [f"{number}: {c.kind.value} {c.subject} {c.before} -> {c.after}" for c in new]
    return found


CASES: list[tuple[str, Field, list[Any], list[str]]] = [
    ("first state", Field.STATE, ["idle"], []),
    ("state", Field.STATE, ["idle", "spinning", "spinning"], ["2: state_changed state idle -> spinning"]),
    ("held is no change", Field.STATE, ["idle", "?win", "idle"], []),
    ("missing between", Field.STATE, ["idle", None, "idle"], []),
    ("motion", Field.MOTION, ["stopped", "spinning"], ["2: motion_changed motion stopped -> spinning"]),
    ("first balance", Field.BALANCE, ["5", "5"], []),
    ("balance seen twice", Field.BALANCE, ["5", "6.50", "6.50"], ["3: balance_changed balance 5 -> 6.50"]),
    ("balance misread once", Field.BALANCE, ["5", "55", "5", "5"], []),
    ("balance counting up", Field.BALANCE, ["5", "6", "7", "8", "8", "8"], ["5: balance_changed balance 5 -> 8"]),
    ("balance borne out after a gap", Field.BALANCE, ["5", "6", None, "6"], ["4: balance_changed balance 5 -> 6"]),
    ("same amount, more zeros", Field.BALANCE, ["5", "5.00", "5.00"], []),
    ("jackpot grows", Field.GRAND, ["100", "200", "200", "300"], []),
    ("jackpot won", Field.GRAND, ["100", "10", "10.10"], ["3: jackpot_reset grand 100 -> 10.10"]),
    ("jackpot fell by the part", Field.GRAND, ["100", "80", "80"], ["3: jackpot_reset grand 100 -> 80"]),
    ("jackpot fell by less", Field.GRAND, ["100", "80.01", "80.01"], []),
    ("jackpot misread once", Field.GRAND, ["100", "10", "100.1", "10"], []),
    ("jackpot won twice", Field.GRAND, ["100", "10", "10", "1", "1"],
     ["3: jackpot_reset grand 100 -> 10", "5: jackpot_reset grand 10 -> 1"]),
    ("jackpot at nought", Field.GRAND, ["0", "0", "5"], []),
    ("no popup at first", Field.POPUP, ["none"], []),
    ("popup at first", Field.POPUP, ["error: Reel tilt."], ["1: popup_seen popup None -> error: Reel tilt."]),
    ("popup comes and goes", Field.POPUP, ["none", "info: Hi", "info: Hi", "none"],
     ["2: popup_seen popup None -> info: Hi", "4: popup_gone popup info: Hi -> None"]),
    ("another popup", Field.POPUP, ["info: Hi", "error: No"],
     ["1: popup_seen popup None -> info: Hi", "2: popup_seen popup info: Hi -> error: No"]),
    ("unknown popup says nothing", Field.POPUP, ["unknown", "none", "unknown", "error: No", "unknown", "error: No"],
     ["4: popup_seen popup None -> error: No"]),
]  # fmt: skip


@pytest.mark.parametrize(("field", "sequence", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_events(field: Field, sequence: list[Any], expected: list[str]) -> None:
    assert run(field, *sequence) == expected


@pytest.mark.parametrize("field", [Field.GRAND, Field.BALANCE])
def test_a_larger_quorum_has_borne_it_out_already(field: Field) -> None:
    settings = ReadingsSettings(fields={field: FieldRule(quorum=2)})
    assert len(run(field, "100", "10", settings=settings)) == 1


def test_the_part_of_a_fall_is_a_setting() -> None:
    assert len(run(Field.GRAND, "100", "95", "95", settings=ReadingsSettings(jackpot_fall=0.05))) == 1


def test_fields_do_not_mix() -> None:
    told: tuple[Told, ...] = ()
    for grand, balance in (("100", "5"), ("10", "5"), ("10", "7"), ("10", "7")):
        told, found = changes(told, [reading(Field.GRAND, grand), reading(Field.BALANCE, balance)], SETTINGS)
    assert [c.kind for c in found] == [EventKind.BALANCE_CHANGED]
    assert len(told) == 2


def test_a_stream_change() -> None:
    message = StreamHealthChanged(
        "obs:Main", StreamCondition.HEALTHY, StreamCondition.FROZEN, datetime(2026, 1, 1, tzinfo=UTC), "30 s"
    )
    assert stream_change(message) == Change(EventKind.STREAM_CHANGED, "obs:Main", "healthy", "frozen", "30 s")


def test_server_changes_are_edges_of_the_phase() -> None:
    ready, again = ServerState(ServerPhase.READY, "a"), ServerState(ServerPhase.READY, "b", detail="other models")
    first = server_change(None, ready)
    assert first is not None and (first.before, first.after) == (None, "ready")
    assert server_change(ready, again) is None
    gone = server_change(again, ServerState(ServerPhase.FAILED, detail="it was killed"))
    assert gone is not None and (gone.before, gone.after, gone.reason) == ("ready", "failed", "it was killed")


def test_amounts_of_two_currencies_are_not_compared() -> None:
    dollars = [replace(reading(Field.GRAND, amount), currency="USD") for amount in ("100", "101")]
    yen = [replace(reading(Field.GRAND, amount), currency="JPY") for amount in ("7", "7", "0.5", "0.5")]
    told: tuple[Told, ...] = ()
    found: list[Change] = []
    for each in (*dollars, *yen):
        told, new = changes(told, [each], SETTINGS)
        found += new
    assert [(change.before, change.after) for change in found] == [("7", "0.5")]
