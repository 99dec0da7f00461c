"""What the ports say happened on a wire: the evidence on the exception, from exchanges that really failed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foureyes_actors.errors import ConnectionBroken
from foureyes_actors.ports.wire import MOST, End, Hearing, WireFault, causes, end_of, fault_of, wired
from tests.replay import live_http, live_obs, live_store
from tests.replay.make import failure
from tests.replay.scenario import Scenario

FAILURES = {str(s): s for s in (*live_http.failures(), *live_obs.failures(), *live_store.failures())}


def fault(scenario: Scenario) -> WireFault:
    found = fault_of(failure(scenario.act))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "end", "phase"),
    [
        ("no answer until the deadline", End.SILENT, "before the head"),
        ("silent within the head", End.SILENT, "in the head"),
        ("silent within the body", End.SILENT, "in the body"),
        ("refused", End.REFUSED, "connecting"),
        ("reset before the head", End.RESET, "before the head"),
        ("closed before the head", End.CLOSED, "before the head"),
        ("less than Content-Length", End.CLOSED, "in the body"),
        ("a cut chunk", End.CLOSED, "in the body"),
        ("a name without an address", End.UNRESOLVED, "connecting"),
        ("no TLS", End.OTHER, "connecting"),
    ],
)
def test_http(name: str, end: End, phase: str) -> None:
    found = fault(FAILURES[f"HTTP, live: {name}"])
    assert (found.end, found.phase) == (end, phase)
    assert found.whole and found.deadline in (live_http.SHORT, live_http.LONG)
    assert 0 <= found.first <= found.last <= found.seconds < found.deadline + 15


def test_a_drip_tells_when_it_began_and_ended() -> None:
    found = fault(FAILURES["HTTP, live: a drip, too slow for the deadline"])
    assert found.end is End.SILENT and 0 < found.first < found.last and found.last - found.first > 0.1


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("no reply until the deadline", End.SILENT),
        ("kicked (4011)", End.CLOSED),
        ("reset", End.RESET),
        ("a text that is no JSON", End.CLOSED),
        ("no such source (600)", End.ANSWERED),
        ("not ready (207)", End.ANSWERED),
        ("refused", End.REFUSED),
    ],
)
def test_obs(name: str, end: End) -> None:
    found = fault(FAILURES[f"OBS, live: {name}"])
    assert found.end is end
    if end is End.ANSWERED:
        assert found.asked.encode() in found.heard


@pytest.mark.parametrize(
    ("name", "end", "asked"),
    [
        ("opening: refused", End.REFUSED, "hello"),
        ("opening: buildInfo hangs", End.SILENT, "buildInfo"),
        ("opening: a replica set without a primary", End.NO_PRIMARY, "hello"),
        ("write: no answer until the deadline", End.SILENT, "insert"),
        ("write: reset, again and again", End.RESET, "insert"),
        ("write: its disk is full", End.ANSWERED, "insert"),
        ("write: it refuses the document", End.ANSWERED, "insert"),
        ("write: no majority", End.ANSWERED, "insert"),
        ("count: not primary any more", End.ANSWERED, "insert"),
        ("count: the search hangs", End.SILENT, "find"),
    ],
)
def test_mongodb(name: str, end: End, asked: str) -> None:
    found = fault(FAILURES[f"MongoDB, live: {name}"])
    assert (found.end, found.asked) == (end, asked)


def test_what_is_heard_is_bounded_and_counted() -> None:
    hearing = Hearing()
    for _ in range(5):
        hearing.add(b"x" * 100_000)
    found = hearing.fault(End.CLOSED, deadline=1.0)
    assert (len(found.heard), found.size, found.whole) == (MOST, 500_000, False)


@given(st.lists(st.binary(max_size=2000), max_size=300))
def test_short_exchanges_are_heard_whole(pieces: list[bytes]) -> None:
    hearing = Hearing()
    for piece in pieces:
        hearing.add(piece)
    found = hearing.fault(End.RESET, deadline=1.0)
    data = b"".join(pieces)
    assert found.heard == data[:MOST] and found.size == len(data)


def test_the_first_evidence_stands() -> None:
    error = wired(wired(ConnectionBroken("x"), WireFault(End.RESET)), WireFault(End.CLOSED))
    found = fault_of(error)
    assert found is not None and found.end is End.RESET
    assert fault_of(ConnectionBroken("x")) is None and fault_of(None) is None


def test_the_cause_decides() -> None:
    try:
        try:
            raise ConnectionRefusedError("no")
        except OSError as inner:
            raise ValueError("outer") from inner
    except ValueError as error:
        assert end_of(causes(error)) is End.REFUSED
    assert end_of([TimeoutError()]) is End.SILENT and end_of([BrokenPipeError()]) is End.RESET
    assert end_of([ValueError()]) is End.OTHER
