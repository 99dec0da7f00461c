"""A relay before the model server: it passes everything on, or answers slowly, emptily, wrongly, or not at all."""

from __future__ import annotations

import http.client
import json
import socket
import struct
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

from foureyes_actors.ports.http import HttpPort, HttpReply, HttpRequest

UPSTREAM = "X-Upstream"  # header: host:port that this request was meant for
PATIENCE = 20.0  # seconds for the model server behind
SLOW = 1.5  # seconds before a slow answer


class ServerVice(StrEnum):
    SLOW = "slow"
    EMPTY = "empty"  # 200 without a body
    NO_JSON = "no_json"  # 200 with a page of somebody else's
    NO_ANSWER = "no_answer"  # 200 with an error in the body, as LM Studio does it
    OTHER_MODEL = "other_model"  # a good answer, by a model that nobody asked for
    FAULT = "fault"  # 500
    RESET = "reset"  # RST in the middle of the answer


class Relay:
    """A context manager. ``vice`` may be changed at any time; ``met`` counts the answers that it has spoiled."""

    def __init__(self) -> None:
        self.vice: ServerVice | None = None
        self.met = 0
        self.ended = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.relay = self
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="relay", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(30)

    def before(self, port: Callable[[], HttpPort]) -> Callable[[], HttpPort]:
        """In the place of ``World.http``."""
        return lambda: _Relayed(port(), self.address)


class _Relayed:
    """An HttpPort that goes through the relay."""

    def __init__(self, port: HttpPort, relay: str) -> None:
        self._port, self._relay = port, relay

    def exchange(self, request: HttpRequest) -> HttpReply:
        parts = urlsplit(request.url)
        url = parts._replace(netloc=self._relay).geturl()
        return self._port.exchange(replace(request, url=url, headers={**request.headers, UPSTREAM: parts.netloc}))

    def close(self) -> None:
        self._port.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    relay: Relay

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Of clients that went away, and of servers that were killed; that is what it is there for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60.0  # seconds for a client's next request
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        threading.current_thread().name = "relay-connection"
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        vice = self.server.relay.vice
        if vice is not None:
            self.server.relay.met += 1
        if vice is ServerVice.SLOW:
            self.server.relay.ended.wait(SLOW)
        if vice is None or vice in (ServerVice.SLOW, ServerVice.OTHER_MODEL, ServerVice.RESET):
            status, kind, data = self._asked(body)
        else:
            status, kind, data = _MADE_UP[vice]
        if vice is ServerVice.OTHER_MODEL:
            data = _by_another(data)
        self._answer(status, kind, data, cut=vice is ServerVice.RESET)

    do_POST = do_GET

    def _asked(self, body: bytes) -> tuple[int, str, bytes]:
        """What the model server says; OSError when there is none, which closes this connection."""
        connection = http.client.HTTPConnection(self.headers[UPSTREAM], timeout=PATIENCE)
        try:
            wanted = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
            connection.request(self.command, self.path, body or None, wanted)
            reply = connection.getresponse()
            return reply.status, reply.headers.get("Content-Type", ""), reply.read()
        finally:
            connection.close()

    def _answer(self, status: int, kind: str, data: bytes, *, cut: bool) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if cut else data)
        if cut:
            _reset(self.connection)
            self.close_connection = True


_HOP = {"host", "connection", UPSTREAM.lower()}
_MADE_UP = {
    ServerVice.EMPTY: (200, "application/json", b""),
    ServerVice.NO_JSON: (200, "text/html", b"<html><body>It works!</body></html>"),
    ServerVice.NO_ANSWER: (200, "application/json", b'{"error": "Unexpected endpoint or method. (POST /)"}'),
    ServerVice.FAULT: (500, "application/json", b'{"error": {"message": "the engine fell over"}}'),
}


def _by_another(data: bytes) -> bytes:
    try:
        document = json.loads(data)
    except ValueError:
        return data
    if isinstance(document, dict) and "model" in document:
        document["model"] = "somebody/else-7b"
    return json.dumps(document).encode()


def _reset(sock: socket.socket) -> None:
    """Close with RST instead of FIN."""
    linger = "hh" if sys.platform == "win32" else "ii"  # struct linger has shorts there
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(linger, 1, 0))
    sock.close()
