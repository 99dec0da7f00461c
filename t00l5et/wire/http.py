"""An HTTP exchange, played to the real client by a server on this machine's loopback."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

from foureyes_actors.errors import ReplyTooLarge
from foureyes_actors.ports.http import HttpReply, HttpRequest
from foureyes_actors.ports.http_requests import RequestsHttp
from foureyes_actors.ports.wire import End, WireFault, fault_of
from foureyes_actors.replay.tape import Played
from t00l5et.doubles.tcp_server import TcpServer, deaf, exactly, nobody
from t00l5et.wire.script import PATIENCE, SHORT, NotPlayable, Script, Timing, of_fault, of_reply, play, timing

MAX_HEAD = 1024 * 1024
_NEVER = (End.ANSWERED, End.NO_PRIMARY)  # any status is a reply
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d{1,10})", re.IGNORECASE)


def fault_on(line: Played) -> WireFault | None:
    """What the line's failure was on the wire; None: it was a reply. Raises NotPlayable."""
    if line.error is None:
        return None
    fault = fault_of(line.error)
    if fault is None:
        raise NotPlayable("the record does not say what happened on the wire")
    return fault


def check(line: Played) -> None:
    """Raises NotPlayable."""
    fault = fault_on(line)
    if fault is not None:
        of_fault(fault, _NEVER)
        if not fault.whole and not isinstance(line.error, ReplyTooLarge):
            raise NotPlayable(f"{len(fault.heard)} of the {fault.size} bytes that came were kept")


def exchange(line: Played, request: HttpRequest, *, timed: bool = False, late: Script | None = None) -> HttpReply:
    """As it was recorded, or, with ``late``, as that says. Raises what the real client raises; NotPlayable."""
    check(line)
    parts = urlsplit(request.url)
    if parts.scheme != "http":
        raise NotPlayable(f"{parts.scheme[:20]!r} is not played, http alone is")
    fault = fault_on(line)
    script = late or (of_fault(fault) if fault else of_reply(line.result, request.method, line.result.seconds))
    pace = timing(request.deadline, script, timed=timed)
    target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    most = request.max_reply if fault is None or fault.whole else len(fault.heard) // 4
    client = RequestsHttp(connections=1)
    try:
        with _server(fault if late is None else None, script, pace) as port:
            url = f"http://127.0.0.1:{port}{target}"
            connecting, deadline = _limits(request, fault, pace.deadline)
            return client.exchange(
                replace(request, url=url, deadline=deadline, connect_timeout=connecting, max_reply=most)
            )
    finally:
        client.close()


def _limits(request: HttpRequest, fault: WireFault | None, deadline: float) -> tuple[float, float]:
    """For connecting, and for all: the one that passed is short."""
    connecting = fault is not None and fault.end is End.SILENT and not fault.connected
    if connecting and request.connect_timeout < request.deadline:
        return min(request.connect_timeout, SHORT), PATIENCE
    return PATIENCE, deadline


@contextlib.contextmanager
def _server(fault: WireFault | None, script: Script, pace: Timing) -> Iterator[int]:
    if fault is not None and fault.end is End.REFUSED:
        with nobody() as port:
            yield port
    elif fault is not None and not fault.connected:
        with _deaf() as port:
            yield port
    else:
        with _Player(script, pace) as server:
            yield server.port


@contextlib.contextmanager
def _deaf() -> Iterator[int]:
    with contextlib.ExitStack() as stack:
        try:
            port = stack.enter_context(deaf())
        except OSError as error:
            raise NotPlayable(f"a connection that never comes about: {error}") from None
        yield port


class _Player(TcpServer):
    """Each connection: one request is read, the script is played."""

    def __init__(self, script: Script, pace: Timing) -> None:
        super().__init__(self._play, "wire-http")
        self._script, self._pace = script, pace

    def _play(self, sock: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head and len(head) < MAX_HEAD:
            part = sock.recv(65536)
            if not part:
                return
            head += part
        head, _, body = head.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        exactly(sock, max(0, int(length[1]) - len(body)) if length else 0)
        play(sock, self._script, self._pace.scale, self.stopping, self._pace.deadline)
