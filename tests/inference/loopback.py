"""A real HTTP server on the loopback that misbehaves as it is told, one behaviour per request."""

from __future__ import annotations

import json
import os
import socket
import socketserver
import struct
import threading
from collections import deque
from typing import Any

from tests.inference.support import good

_NO_LINGER = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)  # close with a reset


class LoopbackServer:
    """``plan``: behaviours by name, one a request; when it is empty the answers are good."""

    def __init__(self) -> None:
        self.plan: deque[str] = deque()
        self.bodies: list[dict[str, Any]] = []
        self.arrived, self.release = threading.Semaphore(0), threading.Event()
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                outer._serve(self)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="loopback", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(30)

    def _serve(self, handler: socketserver.StreamRequestHandler) -> None:
        try:
            while self._one(handler):
                pass
        except OSError:
            pass  # the client has gone: that is what some tests are about

    def _one(self, handler: socketserver.StreamRequestHandler) -> bool:
        """True while the connection can be used again."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = handler.rfile.readline(65536)
            if not line:
                return False
            head += line
        length = next(int(h.split(b":")[1]) for h in head.split(b"\r\n") if h.lower().startswith(b"content-length"))
        self.bodies.append(json.loads(handler.rfile.read(length)))
        behaviour = self.plan.popleft() if self.plan else "good"
        self.arrived.release()
        return self._behave(behaviour, handler)

    def _behave(self, behaviour: str, handler: socketserver.StreamRequestHandler) -> bool:
        write = handler.wfile.write
        answer = good(self.bodies[-1]["model"]).body
        match behaviour:
            case "hang":
                self.release.wait(60)
                return False
            case "reset":
                handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
                handler.connection.close()
                return False
            case "cut":
                write(_head(200, len(answer)) + answer[: len(answer) // 2])
                return False
            case "500":
                write(_head(500, 4) + b"oops")
            case "no route":
                body = b'{"error": "Unexpected endpoint or method. (POST /v1/chat/completions)"}'
                write(_head(200, len(body)) + body)
            case "not HTTP":
                write(b"hello\r\n\r\n")
                return False
            case "too large":
                write(_head(200, 50_000_000) + b" " * 2_000_000)
                return False
            case _:
                write(_head(200, len(answer)) + answer)
        return True


def _head(status: int, length: int) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, length)
