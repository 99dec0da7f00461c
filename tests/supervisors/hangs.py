"""Six kinds of hang, each of which can be ended; used by the tests and by the bench."""

from __future__ import annotations

import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

LONG = 60.0  # seconds; each ends by itself at last


@dataclass
class Hang:
    """``run`` hangs in the calling thread until ``end`` is called from another."""

    name: str
    run: Callable[[], object]
    end: Callable[[], object]
    began: float = field(default=0.0, init=False)  # when ``run`` was called

    def __call__(self) -> None:
        self.began = time.monotonic()
        self.run()


def sleep() -> Hang:
    event = threading.Event()
    return Hang("sleep", lambda: event.wait(LONG), event.set)


def lock() -> Hang:
    held = threading.Lock()
    held.acquire()
    return Hang("lock", lambda: held.acquire(timeout=LONG), held.release)


def socket_recv() -> Hang:
    ours, theirs = socket.socketpair()

    def run() -> None:
        with ours:
            ours.recv(1)

    return Hang("socket", run, theirs.close)


def subprocess_wait() -> Hang:
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    assert child.stdin is not None
    return Hang("subprocess", lambda: child.wait(LONG), child.stdin.close)


def queue_get() -> Hang:
    nothing: queue.Queue[None] = queue.Queue()
    return Hang("queue", lambda: nothing.get(timeout=LONG), lambda: nothing.put(None))


def endless_loop() -> Hang:
    ended = threading.Event()

    def run() -> None:
        while not ended.is_set():
            pass

    return Hang("endless loop", run, ended.set)


KINDS: dict[str, Callable[[], Hang]] = {
    "sleep": sleep,
    "lock": lock,
    "socket": socket_recv,
    "subprocess": subprocess_wait,
    "queue": queue_get,
    "endless loop": endless_loop,
}
