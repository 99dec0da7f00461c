"""A stand-in for OBS: speaks obs-websocket 5 over a real socket, and fails on demand, one vice at a time."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import secrets
import socket
import struct
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from t00l5et.doubles import websocket_server as web


class Stage(StrEnum):
    """What the server is about to send."""

    UPGRADE = "upgrade"
    HELLO = "hello"
    IDENTIFIED = "identified"
    REPLY = "reply"


class Vice(StrEnum):
    """What it sends instead."""

    SILENT = "silent"  # nothing
    DRIP = "drip"  # the right bytes, one each 0.1 s
    CLOSE = "close"  # a close frame, code 1000
    KICK = "kick"  # a close frame, code 4011
    CUT = "cut"  # half of the bytes, then FIN
    RESET = "reset"  # RST
    JUNK = "junk"  # a text that is not JSON
    LIST = "list"  # JSON, but not an object
    BINARY = "binary"  # the right bytes in a binary frame
    HTTP_404 = "http_404"
    REDIRECT = "redirect"  # HTTP 302 to somewhere else
    PINGS = "pings"  # pings, for ever
    FRAGMENTS = "fragments"  # the right text in three frames with a ping in between (this is legal)
    EVENT = "event"  # an event that nobody subscribed to, then the right text
    WRONG_ID = "wrong_id"  # the reply, with another request's id
    WRONG_TYPE = "wrong_type"  # the reply, with another request's type
    STALE = "stale"  # the previous reply once more, as it was
    LATE = "late"  # nothing now; this reply precedes the next one
    HUGE = "huge"  # a reply of 64 MiB
    NOT_READY = "not_ready"  # code 207
    NO_STATUS = "no_status"
    NOT_BASE64 = "not_base64"
    WRONG_MEDIA = "wrong_media"  # a data URI of another format
    NOT_A_PICTURE = "not_a_picture"  # base64 of something else


@dataclass
class _Plan:
    vice: Vice
    stage: Stage
    request: str | None
    times: int


@dataclass
class _Session:
    sock: socket.socket
    challenge: str = field(default_factory=lambda: base64.b64encode(secrets.token_bytes(32)).decode())
    previous: dict[str, Any] = field(default_factory=dict)  # the reply before, for STALE
    withheld: bytes = b""


class FakeObs:
    """A context manager. ``scenes``: JPEG or PNG bytes by name; the keys, ``program``, ``password`` may be changed
    at any time. ``requests``: (type, data) as they came; ``identified``: the data of each accepted Identify."""

    def __init__(self, scenes: Mapping[str, bytes], password: str = "") -> None:
        self.scenes, self.password = dict(scenes), password
        self.program = next(iter(self.scenes), "")
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.identified: list[dict[str, Any]] = []
        self._salt = base64.b64encode(secrets.token_bytes(32)).decode()
        self._plans: list[_Plan] = []
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self._spawn(self._accept, "fake-obs-accept")
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 5).close()  # wakes the accepting thread
        self._threads[0].join(5)
        self._listener.close()
        self.drop_sessions()
        for thread in self._threads[1:]:
            thread.join(5)

    def misbehave(self, vice: Vice, stage: Stage = Stage.REPLY, *, request: str | None = None, times: int = 1) -> None:
        """Do so the next ``times`` times at this stage, at replies only to this type of request."""
        self._plans.append(_Plan(vice, stage, request, times))

    def behave(self) -> None:
        """Nothing that ``misbehave`` planned comes any more."""
        self._plans = []

    def drop_sessions(self) -> None:
        """Cut every connection, as a killed OBS does."""
        for sock in list(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)  # wakes the session's thread, which closes it

    # --- threads ------------------------------------------------------------------------------------------------

    def _spawn(self, target: Any, name: str, *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            if self._stopping.is_set():
                sock.close()
                return
            self._open.add(sock)
            self._spawn(self._serve, f"fake-obs-session-{len(self._threads)}", sock)

    def _serve(self, sock: socket.socket) -> None:
        session = _Session(sock)
        try:
            self._say(session, Stage.UPGRADE, web.upgrade_reply(web.read_head(sock)))
            self._say(session, Stage.HELLO, {"op": 0, "d": self._hello(session)})
            while True:
                opcode, payload = web.read_frame(sock)
                if opcode == web.CLOSE:
                    return
                if opcode == web.TEXT:
                    self._hear(session, json.loads(payload))
        except (web.PeerGone, OSError):
            pass
        finally:
            self._open.discard(sock)
            sock.close()

    # --- the protocol -------------------------------------------------------------------------------------------

    def _hello(self, session: _Session) -> dict[str, Any]:
        hello: dict[str, Any] = {"obsWebSocketVersion": "5.1.0", "rpcVersion": 1}
        if self.password:
            hello["authentication"] = {"challenge": session.challenge, "salt": self._salt}
        return hello

    def _hear(self, session: _Session, message: dict[str, Any]) -> None:
        if message["op"] == 1:
            self._identify(session, message["d"])
        elif message["op"] == 6:
            self._answer(session, message["d"])
        else:
            self._close(session, 4006, "Unknown OpCode")

    def _identify(self, session: _Session, data: dict[str, Any]) -> None:
        if self.password and data.get("authentication") != _proof(self.password, self._salt, session.challenge):
            self._close(session, 4009, "Authentication failed.")
        self.identified.append(data)
        self._say(session, Stage.IDENTIFIED, {"op": 2, "d": {"negotiatedRpcVersion": 1}})

    def _answer(self, session: _Session, request: dict[str, Any]) -> None:
        kind, data = request["requestType"], request.get("requestData") or {}
        self.requests.append((kind, data))
        code, answer = self._result(kind, data)
        status = {"result": code == 100, "code": code, **({"comment": answer} if isinstance(answer, str) else {})}
        reply = {"requestType": kind, "requestId": request["requestId"], "requestStatus": status}
        if isinstance(answer, dict):
            reply["responseData"] = answer
        self._say(session, Stage.REPLY, {"op": 7, "d": reply})

    def _result(self, kind: str, data: dict[str, Any]) -> tuple[int, dict[str, Any] | str]:
        if kind == "GetVersion":
            return 100, {"obsVersion": "29.0.2", "obsWebSocketVersion": "5.1.0"}
        if kind == "GetCurrentProgramScene":
            return 100, {"currentProgramSceneName": self.program}
        if kind == "GetSourceScreenshot":
            return self._screenshot(data)
        return 204, "Your request type is not valid."

    def _screenshot(self, data: dict[str, Any]) -> tuple[int, dict[str, Any] | str]:
        name, media = data.get("sourceName", ""), data.get("imageFormat", "")
        if name not in self.scenes:
            return 600, f"No source was found by the name of `{name}`."
        for side in ("imageWidth", "imageHeight"):
            if not 8 <= data.get(side, 8) <= 4096:
                return 402, f"The field value of `{side}` is out of range"
        if media not in ("jpg", "png"):
            return 400, "Your specified image format is invalid or not supported by this system."
        return 100, {"imageData": f"data:image/{media};base64,{base64.b64encode(self.scenes[name]).decode()}"}

    # --- sending, rightly or not --------------------------------------------------------------------------------

    def _say(self, session: _Session, stage: Stage, message: dict[str, Any] | bytes) -> None:
        vice = self._next_vice(stage, message)
        if vice is not None and isinstance(message, dict):
            message = _spoiled(vice, message, session.previous)
        wire = message if isinstance(message, bytes) else web.frame(web.TEXT, json.dumps(message).encode())
        if vice is Vice.LATE:
            session.withheld = wire
        elif vice is not None:
            self._misdeliver(session, vice, wire)
        else:
            session.sock.sendall(session.withheld + wire)
            session.withheld = b""
        if stage is Stage.REPLY and isinstance(message, dict):
            session.previous = message

    def _next_vice(self, stage: Stage, message: dict[str, Any] | bytes) -> Vice | None:
        kind = message["d"].get("requestType") if isinstance(message, dict) else None
        for plan in self._plans:
            if plan.times and plan.stage is stage and plan.request in (None, kind):
                plan.times -= 1
                return plan.vice
        return None

    def _misdeliver(self, session: _Session, vice: Vice, wire: bytes) -> None:
        """The vices of the connection."""
        sock = session.sock
        if vice is Vice.SILENT:
            return
        if vice is Vice.DRIP:
            self._repeat(sock, [bytes((byte,)) for byte in wire], 0.1)
        elif vice is Vice.PINGS:
            self._repeat(sock, [web.frame(web.PING, b"")] * 100_000, 0.01)
        elif vice is Vice.CLOSE:
            self._close(session, 1000, "")
        elif vice is Vice.KICK:
            self._close(session, 4011, "Your session has been invalidated.")
        elif vice is Vice.CUT:
            sock.sendall(wire[: len(wire) // 2])
            raise web.PeerGone
        elif vice is Vice.RESET:
            _reset(sock)
            raise web.PeerGone
        else:
            sock.sendall(_WIRES[vice](wire) if vice in _WIRES else wire)

    def _repeat(self, sock: socket.socket, pieces: list[bytes], pause: float) -> None:
        for piece in pieces:
            if self._stopping.wait(pause):
                raise web.PeerGone
            sock.sendall(piece)

    def _close(self, session: _Session, code: int, reason: str) -> None:
        session.sock.sendall(web.close_frame(code, reason))
        raise web.PeerGone


def _proof(password: str, salt: str, challenge: str) -> str:
    """protocol.md, "Creating an authentication string"."""
    secret = base64.b64encode(hashlib.sha256((password + salt).encode()).digest())
    return base64.b64encode(hashlib.sha256(secret + challenge.encode()).digest()).decode()


def _reset(sock: socket.socket) -> None:
    """Close with RST instead of FIN."""
    linger = "hh" if sys.platform == "win32" else "ii"  # struct linger has shorts there
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(linger, 1, 0))
    sock.close()


def _spoiled(vice: Vice, message: dict[str, Any], previous: dict[str, Any]) -> dict[str, Any]:
    """The vices of the message."""
    data = message["d"]
    changes: dict[Vice, dict[str, Any]] = {
        Vice.WRONG_ID: {"requestId": "1"},
        Vice.WRONG_TYPE: {"requestType": "GetStats"},
        Vice.NOT_READY: {"requestStatus": {"result": False, "code": 207}, "responseData": None},
        Vice.NO_STATUS: {"requestStatus": {}},
        Vice.NOT_BASE64: {"responseData": {"imageData": "data:image/jpg;base64,/9j/!4AA="}},
        Vice.WRONG_MEDIA: {"responseData": {"imageData": "data:image/webp;base64,/9j/4AA="}},
        Vice.NOT_A_PICTURE: {"responseData": {"imageData": "data:image/jpg;base64,UklGRg=="}},
        Vice.HUGE: {"responseData": {"imageData": "A" * (64 * 1024 * 1024)}},
    }
    if vice is Vice.STALE:
        return previous or message
    return {**message, "d": {**data, **changes.get(vice, {})}}


def _fragments(wire: bytes) -> bytes:
    """The same text in three frames; ``wire`` is one unmasked frame."""
    head = {126: 4, 127: 10}.get(wire[1] & 0x7F, 2)
    text, third = wire[head:], (len(wire) - head) // 3
    parts = ((web.TEXT, text[:third]), (web.CONTINUATION, text[third : 2 * third]))
    first, second = (web.frame(opcode, part, final=False) for opcode, part in parts)
    return first + web.frame(web.PING, b"here?") + second + web.frame(web.CONTINUATION, text[2 * third :])


_EVENT = json.dumps({"op": 5, "d": {"eventType": "ExitStarted", "eventIntent": 1}}).encode()
_WIRES: dict[Vice, Callable[[bytes], bytes]] = {
    Vice.JUNK: lambda _: web.frame(web.TEXT, b"hello, is this SMTP?\r\n"),
    Vice.LIST: lambda _: web.frame(web.TEXT, b"[1, 2, 3]"),
    Vice.BINARY: lambda wire: bytes((0x80 | web.BINARY,)) + wire[1:],
    Vice.HTTP_404: lambda _: b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot here\n",
    Vice.REDIRECT: lambda _: b"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:9/\r\n\r\n",
    Vice.FRAGMENTS: _fragments,
    Vice.EVENT: lambda wire: web.frame(web.TEXT, _EVENT) + wire,
}
