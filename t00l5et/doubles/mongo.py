"""A stand-in for MongoDB that keeps nothing: it speaks enough of the wire protocol (OP_MSG, and OP_QUERY for the first
hello) for pymongo to open a store, and fails on demand."""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

import bson

from t00l5et.doubles.tcp_server import TcpServer, exactly, finish, hold, reset

OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
MAX_MESSAGE = 48_000_000  # bytes, as MongoDB's own
NOT_PRIMARY: Mapping[str, Any] = {"ok": 0, "errmsg": "not primary", "code": 10107, "codeName": "NotWritablePrimary"}
_HEAD = struct.Struct("<iiii")
_HELLO = ("hello", "ismaster", "isMaster")


class Vice(StrEnum):
    SILENT = "silent"  # no answer
    RESET = "reset"  # RST
    CLOSE = "close"  # FIN
    ANSWER = "answer"  # an answer of its own


@dataclass(frozen=True, slots=True)
class _Plan:
    vice: Vice
    answer: Mapping[str, Any]


class FakeMongo:
    """A context manager. ``replica_set``: of one member, which is ``primary`` or not; empty: a server by itself.
    ``commands``: the names of those that came, hellos excepted."""

    def __init__(self, replica_set: str = "", *, primary: bool = True) -> None:
        self._set, self._primary = replica_set, primary
        self._plans: dict[str, _Plan] = {}
        self.commands: list[str] = []
        self._server = TcpServer(self._serve, "fake-mongo")
        self.uri = f"mongodb://127.0.0.1:{self._server.port}/"

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(self, *given: object) -> None:
        self._server.__exit__(*given)

    def misbehave(self, command: str, vice: Vice, answer: Mapping[str, Any] = NOT_PRIMARY) -> None:
        """From now on, at each such command ("hello" for the handshake, "*" for whatever comes)."""
        self._plans[command] = _Plan(vice, answer)

    def step_down(self) -> None:
        """It is no primary any more."""
        self._primary = False
        for command in ("insert", "update", "delete"):
            self.misbehave(command, Vice.ANSWER)

    def go_away(self) -> None:
        """As a server that was killed; nobody listens there any more."""
        self._server.refuse()

    def _serve(self, sock: socket.socket) -> None:
        while True:
            length, request, _, code = _HEAD.unpack(exactly(sock, _HEAD.size))
            if not _HEAD.size <= length <= MAX_MESSAGE:
                return
            body = exactly(sock, length - _HEAD.size)
            command, many = _query(body) if code == OP_QUERY else _message(body)
            name = next(iter(command))
            plan = self._plans.get("hello" if name in _HELLO else name) or self._plans.get("*")
            if plan is not None and plan.vice is not Vice.ANSWER:
                _misbehave(sock, plan.vice)
                return
            answer = dict(plan.answer) if plan is not None else self._answer(name, command, many)
            sock.sendall(_framed(answer, request, code))

    def _answer(self, name: str, command: Mapping[str, Any], many: int) -> dict[str, Any]:
        if name in _HELLO:
            return self._hello()
        self.commands.append(name)
        cursor = {"id": 0, "ns": f"{command.get('$db')}.{command[name]}", "firstBatch": []}
        answers: dict[str, dict[str, Any]] = {
            "buildInfo": {"version": "7.0.0", "versionArray": [7, 0, 0, 0]},
            "insert": {"n": many},
            "update": {"n": 1, "nModified": 1},
            "delete": {"n": 0},
            "find": {"cursor": cursor},
            "aggregate": {"cursor": cursor},
            "listIndexes": {"cursor": cursor},
        }
        return {"ok": 1, **answers.get(name, {})}

    def _hello(self) -> dict[str, Any]:
        me = f"127.0.0.1:{self._server.port}"
        alone = {"isWritablePrimary": True, "ismaster": True, "helloOk": True}
        limits = {"maxBsonObjectSize": 16 * 1024 * 1024, "maxMessageSizeBytes": MAX_MESSAGE}
        wire = {"maxWriteBatchSize": 100_000, "minWireVersion": 0, "maxWireVersion": 21}
        role = {"isWritablePrimary": self._primary, "ismaster": self._primary, "secondary": not self._primary}
        member = {**role, "setName": self._set, "hosts": [me], "me": me, "setVersion": 1} if self._set else {}
        return {"ok": 1, **alone, **limits, **wire, "readOnly": False, **member}


def _misbehave(sock: socket.socket, vice: Vice) -> None:
    {Vice.SILENT: hold, Vice.RESET: reset, Vice.CLOSE: finish}[vice](sock)


def _query(body: bytes) -> tuple[dict[str, Any], int]:
    """OP_QUERY: flags, the collection's name, two numbers, a document."""
    start = body.index(b"\0", 4) + 1 + 8
    return bson.decode(body[start:]), 0


def _message(body: bytes) -> tuple[dict[str, Any], int]:
    """OP_MSG: flags, then sections: the command, and sequences of documents, which are counted."""
    at, command, many = 4, {}, 0
    while at < len(body):
        kind, at = body[at], at + 1
        size = int.from_bytes(body[at : at + 4], "little")
        if size < 5 or at + size > len(body):
            break  # a checksum, or no section
        if kind == 0:
            command = bson.decode(body[at : at + size])
        else:
            many += _documents(body[body.index(b"\0", at + 4) + 1 : at + size])
        at += size
    return command, many + len(command.get("documents", ()))


def _documents(data: bytes) -> int:
    at = many = 0
    while at + 4 <= len(data):
        at += max(5, int.from_bytes(data[at : at + 4], "little"))
        many += 1
    return many


def _framed(answer: Mapping[str, Any], request: int, code: int) -> bytes:
    document = bson.encode(answer)
    if code == OP_QUERY:  # OP_REPLY: flags, cursor, first, number of documents
        payload, own = struct.pack("<iqii", 8, 0, 0, 1) + document, OP_REPLY
    else:
        payload, own = struct.pack("<ib", 0, 0) + document, OP_MSG
    return _HEAD.pack(_HEAD.size + len(payload), 0, request, own) + payload
