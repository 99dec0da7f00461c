"""A loopback server for stand-ins: each connection is served in a thread of its own, and all end with it."""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Self

PATIENCE = 10.0  # seconds for the other side, and for a thread to end


class TcpServer:
    """A context manager. ``serve``: a connection; what it raises as OSError ends that connection. ``port`` is there at
    once, and belongs to this server until it ends: also when nobody is let in (``refuse``)."""

    def __init__(self, serve: Callable[[socket.socket], None], name: str) -> None:
        self._serve, self._name = serve, name
        self.stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._bound = socket.socket()
        self._bound.bind(("127.0.0.1", 0))
        self.port: int = self._bound.getsockname()[1]
        self._listening = False

    def __enter__(self) -> Self:
        self._bound.listen()
        self._listening = True
        self._spawn(self._accept, f"{self._name}-accept")
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()
        self._bound.close()

    def refuse(self) -> None:
        """Nobody listens any more, and whoever is connected is cut off."""
        self.stopping.set()
        if self._listening:
            self._listening = False
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), PATIENCE).close()  # wakes the accepting thread
            self._threads[0].join(PATIENCE)
            place = self._bound.getsockname()
            self._bound.close()
            self._bound = socket.socket()
            self._bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):  # somebody else's already
                self._bound.bind(place)
        with self._lock:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)  # wakes its thread, which closes it
        for thread in self._threads[1:]:
            thread.join(PATIENCE)

    def _spawn(self, target: Callable[..., None], name: str, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            sock, _ = self._bound.accept()
            if self.stopping.is_set():
                sock.close()
                return
            with self._lock:
                self._open.add(sock)
            self._spawn(self._one, f"{self._name}-{len(self._threads)}", sock)

    def _one(self, sock: socket.socket) -> None:
        sock.settimeout(PATIENCE)
        try:
            with contextlib.suppress(OSError):
                self._serve(sock)
        finally:
            with self._lock:
                self._open.discard(sock)
            sock.close()


@contextlib.contextmanager
def nobody() -> Iterator[int]:
    """A port at which nobody listens, and nobody else will."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@contextlib.contextmanager
def deaf() -> Iterator[int]:
    """A port that takes no further connection and refuses none: its queue is full. Raises OSError where the system
    does not do so (Linux does)."""
    with contextlib.ExitStack() as stack:
        bound = stack.enter_context(socket.socket())
        bound.bind(("127.0.0.1", 0))
        bound.listen(0)
        place = bound.getsockname()
        for _ in range(64):
            caller = stack.enter_context(socket.socket())
            caller.settimeout(0.1)
            try:
                caller.connect(place)
            except TimeoutError:
                yield place[1]
                return
        raise OSError("the queue of a socket does not fill here")


def reset(sock: socket.socket) -> None:
    """Close with RST instead of FIN."""
    linger = "hh" if sys.platform == "win32" else "ii"  # struct linger has shorts there
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(linger, 1, 0))
    sock.close()


def finish(sock: socket.socket) -> None:
    """Close in order: the other side reads all that was sent before, and what it still sends is taken."""
    sock.shutdown(socket.SHUT_WR)
    hold(sock)


def hold(sock: socket.socket) -> None:
    """Say nothing until the other side has closed."""
    while sock.recv(65536):
        pass


def exactly(sock: socket.socket, size: int) -> bytes:
    """Raises ConnectionError when the other side closes before."""
    data = bytearray()
    while len(data) < size:
        part = sock.recv(size - len(data))
        if not part:
            raise ConnectionError("the other side has closed")
        data += part
    return bytes(data)
