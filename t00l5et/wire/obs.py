"""Exchanges with OBS, played to the real client: a session in which the recorded requests get the recorded answers."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from foureyes_actors.ports.obs import ObsAddress, ObsConnection
from foureyes_actors.ports.obs_websocket import ObsWebsocketPort
from foureyes_actors.ports.wire import End
from foureyes_actors.replay.capture import PortCall
from foureyes_actors.replay.tape import Played
from t00l5et.doubles import websocket_server as web
from t00l5et.doubles.tcp_server import TcpServer, nobody
from t00l5et.wire.http import fault_on
from t00l5et.wire.script import PATIENCE, NotPlayable, of_fault, play, timing

HELLO = {"obsWebSocketVersion": "5.1.0", "rpcVersion": 1}
SHORT = 1.0  # seconds: the handshake, too, has to fit in
_UPGRADED = b"HTTP/1.1 101"


def check(line: Played) -> None:
    """Raises NotPlayable."""
    fault = fault_on(line)
    if fault is not None:
        of_fault(fault, (End.NO_PRIMARY,) if fault.heard else (End.NO_PRIMARY, End.ANSWERED))
        if not fault.whole:
            raise NotPlayable(f"{len(fault.heard)} of the {fault.size} bytes that came were kept")


class Session:
    """``lines``: those of one session, in order. ``deadline``: another one than was recorded. Opened with the first
    call; to be closed."""

    def __init__(self, lines: Sequence[Played], deadline: float | None = None) -> None:
        self._lines, self._number, self._deadline = tuple(lines), 0, deadline
        self._server = _Player(self)
        self._connection: ObsConnection | None = None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._server.__exit__()

    def call(self, call: PortCall) -> Any:
        """Raises what the real client raises."""
        if self._connection is None:
            self._server.__enter__()
            self._connection = ObsWebsocketPort().connect(self._address())
        return getattr(self._connection, call.op)(*call.args)

    def _address(self) -> ObsAddress:
        """One deadline holds for all of a session's requests: that of the one which fails."""
        faults = [fault for line in self._lines if (fault := fault_on(line))]
        paces = [timing(self._deadline or f.deadline, of_fault(f), timed=False, short=SHORT) for f in faults]
        return ObsAddress("127.0.0.1", self._server.port, "", min((p.deadline for p in paces), default=PATIENCE))

    def answer(self, sock: socket.socket, request: dict[str, Any]) -> None:
        line = self._lines[self._number]
        self._number += 1
        fault = fault_on(line)
        if fault is None:
            sock.sendall(web.frame(web.TEXT, json.dumps({"op": 7, "d": _reply(request, line)}).encode()))
            return
        asked, identity = fault.asked.encode(), str(request["requestId"]).encode()
        heard = fault.heard.replace(asked, identity) if asked else fault.heard  # as a whole: a drip may cut it in two
        play(sock, of_fault(replace(fault, heard=heard)), 0.0, self._server.stopping)


class _Player(TcpServer):
    def __init__(self, session: Session) -> None:
        super().__init__(self._serve_session, "wire-obs")
        self._session = session

    def _serve_session(self, sock: socket.socket) -> None:
        with contextlib.suppress(web.PeerGone):
            sock.sendall(web.upgrade_reply(web.read_head(sock)))
            sock.sendall(web.frame(web.TEXT, json.dumps({"op": 0, "d": HELLO}).encode()))
            while True:
                opcode, payload = web.read_frame(sock)
                if opcode == web.CLOSE:
                    return
                message = json.loads(payload)
                if message["op"] == 1:
                    sock.sendall(web.frame(web.TEXT, b'{"op": 2, "d": {"negotiatedRpcVersion": 1}}'))
                else:
                    self._session.answer(sock, message["d"])


def connect(line: Played, address: ObsAddress, deadline: float | None = None) -> None:
    """Connecting, as it was recorded: it failed, so nobody wants the session if it comes about. Raises what the real
    client raises."""
    check(line)
    fault = fault_on(line)
    if fault is None:
        raise NotPlayable("a session that came about")
    pace = timing(deadline or address.deadline, of_fault(fault), timed=False, short=SHORT)
    with _dialled(line) as port:
        ObsWebsocketPort().connect(ObsAddress("127.0.0.1", port, address.password, pace.deadline)).close()


@contextlib.contextmanager
def _dialled(line: Played) -> Iterator[int]:
    fault = fault_on(line)
    assert fault is not None
    if fault.end is End.REFUSED:
        with nobody() as port:
            yield port
        return
    script = of_fault(fault)

    def serve(sock: socket.socket) -> None:
        with contextlib.suppress(web.PeerGone):
            head = web.read_head(sock)
            heard = fault.heard
            if heard.startswith(_UPGRADED) and b"\r\n\r\n" in heard:  # the proof in it belongs to another request
                heard = web.upgrade_reply(head) + heard.partition(b"\r\n\r\n")[2]
            play(sock, replace(script, pieces=((0.0, heard),)), 0.0, server.stopping)

    with TcpServer(serve, "wire-obs-dial") as server:
        yield server.port


def _reply(request: dict[str, Any], line: Played) -> dict[str, Any]:
    if line.op == "program_scene":
        data = {"currentProgramSceneName": line.result}
    else:
        media = request["requestData"]["imageFormat"]
        data = {"imageData": f"data:image/{media};base64,{base64.b64encode(line.result).decode()}"}
    status = {"result": True, "code": 100}
    identity = {"requestType": request["requestType"], "requestId": request["requestId"]}
    return {**identity, "requestStatus": status, "responseData": data}
