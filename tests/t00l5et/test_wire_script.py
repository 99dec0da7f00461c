"""What the loopback servers do: bytes, moments and ends, out of records that may come from anywhere."""

from __future__ import annotations

import hashlib
import json
import math
import socket
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, example, given, settings
from hypothesis import strategies as st

from foureyes_actors.ports.http import HttpReply, HttpRequest
from foureyes_actors.ports.wire import End, WireFault
from foureyes_actors.replay.record import Record
from foureyes_actors.replay.replaying import PORT, Verdict
from foureyes_actors.replay.tape import Played
from t00l5et.doubles import websocket_server as web
from t00l5et.doubles.tcp_server import TcpServer
from t00l5et.reproduction import source
from t00l5et.wire import http
from t00l5et.wire.replay import judge_best
from t00l5et.wire.script import (
    AFFORDED,
    GRACE,
    LONGEST,
    MARGIN,
    PATIENCE,
    ROOM,
    SHORT,
    NotPlayable,
    Script,
    of_fault,
    play,
    timing,
)
from tests.replay import live_http, live_obs, live_store
from tests.replay.make import failure, record_of

seconds = st.floats(0.01, 600)


@given(seconds, seconds)
def test_scaling_keeps_which_came_first(allowed: float, answer: float) -> None:
    script = Script(((answer, b"x"),), End.CLOSED)
    try:
        pace = timing(allowed, script, timed=True)
    except NotPlayable:
        assert abs(allowed - answer) < MARGIN or abs(allowed - answer) / min(allowed, answer) < MARGIN / LONGEST * 1.02
        return
    apart = pace.deadline - answer * pace.scale
    assert (apart > 0) == (allowed > answer) and abs(apart) >= MARGIN * 0.98
    assert pace.scale <= 1 and min(pace.deadline, answer * pace.scale) <= LONGEST
    real, waited = abs(allowed - answer), min(allowed, answer)
    assert abs(apart) >= 0.98 * min(ROOM, real, AFFORDED * real / waited), "a busy machine tells them apart too"


@pytest.mark.parametrize("leaves", [True, False])
def test_what_is_too_late_waits_until_whoever_gave_up_has_left(leaves: bool) -> None:
    """However late he sees that his time is over."""
    script = Script(((0.02, b"late"),), End.CLOSED)
    with (
        TcpServer(lambda sock: play(sock, script, 1.0, server.stopping, 0.01), "late") as server,
        socket.create_connection(("127.0.0.1", server.port), PATIENCE) as client,
    ):
        client.settimeout(GRACE / 10 if leaves else PATIENCE)
        if leaves:
            with pytest.raises(TimeoutError):
                client.recv(10)
        else:
            assert client.recv(10) == b"late"


@given(seconds)
def test_a_deadline_that_passes_is_short_and_any_other_is_patient(allowed: float) -> None:
    assert timing(allowed, Script((), End.SILENT), timed=False).deadline <= SHORT
    assert timing(allowed, Script((), End.RESET), timed=False).deadline == PATIENCE


@pytest.mark.parametrize("allowed", [0, -1, math.nan, math.inf, 1e9, "30", None])
def test_a_deadline_that_is_none(allowed: Any) -> None:
    with pytest.raises(NotPlayable):
        timing(allowed, Script((), End.SILENT), timed=False)


@given(heard=st.binary(max_size=500), first=seconds, last=seconds, ended=seconds)
@example(heard=bytes(4), first=1.5, last=448.5286259986887, ended=448.5286259986887)  # a step too far by rounding
def test_what_was_heard_is_sent_whole_and_in_order(heard: bytes, first: float, last: float, ended: float) -> None:
    assume(first <= last <= ended)
    script = of_fault(WireFault(End.RESET, True, heard, len(heard), first, last, ended, ended))
    assert b"".join(piece for _, piece in script.pieces) == heard and script.end is End.RESET
    moments = [at for at, _ in script.pieces]
    assert moments == sorted(moments) and all(at <= ended + 1e-6 for at in moments)


CHUNKED: Mapping[str, str] = {"transfer-encoding": "chunked", "content-type": "text/plain"}


@pytest.mark.parametrize("status", [200, 201, 204, 304, 400, 404, 429, 500, 503, 599, 799])
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
@pytest.mark.parametrize("headers", [{"x-own": "a b"}, CHUNKED, {"content-encoding": "gzip", "content-length": "7"}])
def test_a_reply_arrives_as_it_was(status: int, method: str, headers: Mapping[str, str]) -> None:
    empty = method == "HEAD" or status in (204, 304)
    recorded = HttpReply(status, headers, b"" if empty else b'{"a": 1}')
    request = HttpRequest(method, "http://elsewhere.example/v1/x?y=1", body=b"x" if method == "POST" else None)
    found = http.exchange(Played("http", "exchange", None, recorded, None), request)
    assert (found.status, found.body) == (status, recorded.body)
    for name in set(headers) - {"content-length", "transfer-encoding"}:
        assert found.headers.get(name) == headers[name] or found.headers.get(name.title()) == headers[name]


# --- hostile records ---


@lru_cache(maxsize=1)
def records() -> tuple[Record, ...]:
    wanted = ("reset within the body", "429", "kicked (4011)", "reset at the upgrade", "write: its disk is full")
    found = (*live_http.failures(), *live_obs.failures(), *live_store.failures())
    return tuple(record_of(failure(s.act)) for s in found if s.name in wanted)


def verdict(record: Record, document: Any) -> Verdict:
    return judge_best(document, record.blobs.__getitem__, source)


@settings(max_examples=60, deadline=None, phases=(Phase.generate,), suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_damage_to_a_tape_gives_a_verdict(data: st.DataObject) -> None:
    """A value replaced anywhere on the tape: never an exception, in no thread."""
    record = data.draw(st.sampled_from(records()))
    document = json.loads(json.dumps(record.document))
    at: Any = document["tape"]
    for _ in range(12):
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(at[key], dict | list) or not at[key] or data.draw(st.integers(0, 5)) == 0:
            at[key] = data.draw(st.sampled_from((None, -1, 10**30, "", "x", 1.5, [], {}, "REFUSED", "ANSWERED")))
            break
        at = at[key]
    assert isinstance(verdict(record, document), Verdict)


def fault_in(document: Any) -> Any:
    (line,) = (line for line in document["tape"] if "raised" in line)
    pairs = line["raised"]["attributes"]
    return next(value for name, value in pairs if name == "wire")["fields"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("heard", "text"),
        ("seconds", {"$": "float", "text": "nan"}),
        ("first", 1e300),
        ("size", None),
        ("end", "reset"),
        ("end", {"$": "enum", "type": "foureyes_actors.ports.wire:End", "name": "ANSWERED"}),
        ("end", {"$": "enum", "type": "foureyes_actors.ports.wire:End", "name": "NO_PRIMARY"}),
        ("asked", 7),
    ],
)
def test_evidence_that_makes_no_sense(name: str, value: Any) -> None:
    for record in records():
        document = json.loads(json.dumps(record.document))
        if not any("raised" in line for line in document["tape"]):
            continue
        fault_in(document)[name] = value
        assert isinstance(verdict(record, document), Verdict)


@pytest.mark.parametrize("name", ["silent at the upgrade", "opening: the login is refused"])
def test_an_opening_that_succeeds_on_the_wire_is_closed_and_no_confirmation(name: str) -> None:
    """Nothing is left open: unclosed sockets are warnings, and warnings are errors here."""
    found = next(s for s in (*live_obs.failures(), *live_store.failures()) if s.name == name)
    record = record_of(failure(found.act))
    document = json.loads(json.dumps(record.document))
    fields = fault_in(document)
    if "upgrade" in name:  # the bytes of a session that comes about
        opened = _opened_session()
        blobs = {hashlib.sha256(opened).hexdigest(): opened}
        fields["heard"] = {"$": "bytes", "sha256": next(iter(blobs)), "size": len(opened)}
        fields["size"] = len(opened)
    else:
        blobs, fields["asked"] = {}, "ping"  # which the store does not send
    verdict = judge_best(document, {**record.blobs, **blobs}.__getitem__, source)
    assert verdict.level == PORT and "the wire gave another answer" in verdict.reason, verdict


def _opened_session() -> bytes:
    messages = ({"op": 0, "d": {"rpcVersion": 1}}, {"op": 2, "d": {"negotiatedRpcVersion": 1}})
    frames = b"".join(web.frame(web.TEXT, json.dumps(message).encode()) for message in messages)
    return b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + frames
