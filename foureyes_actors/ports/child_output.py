"""The output of a child process: drained for ever, so that the child never blocks on a full pipe; the end is kept."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable

LINES = 100
LINE_LENGTH = 1000  # characters; the rest of a longer line is dropped
_CHUNK = 64 * 1024


class _Waiter:
    def __init__(self, accept: Callable[[str], bool]) -> None:
        self.accept, self.line = accept, ""
        self.done = threading.Event()


class ChildOutput:
    """Owns the reading end of a pipe, and the thread that reads it until everybody has closed the other end."""

    def __init__(self, descriptor: int, name: str) -> None:
        self._descriptor = descriptor
        self._lines: deque[str] = deque(maxlen=LINES)
        self._waiters: list[_Waiter] = []
        self._lock = threading.Lock()
        self._ended = False
        self._thread = threading.Thread(target=self._drain, name=name, daemon=True)
        self._thread.start()

    def tail(self) -> tuple[str, ...]:
        """The last lines, oldest first."""
        with self._lock:
            return tuple(self._lines)

    def wait_line(self, accept: Callable[[str], bool], timeout: float) -> str | None:
        """See ``ChildProcess.wait_line``. Any thread."""
        waiter = _Waiter(accept)
        with self._lock:
            kept = next((line for line in self._lines if accept(line)), None)
            if kept is not None or self._ended:
                return kept
            self._waiters.append(waiter)
        found = waiter.done.wait(timeout)
        with self._lock, contextlib.suppress(ValueError):
            self._waiters.remove(waiter)
        return waiter.line if found and waiter.line else None

    def join(self, timeout: float) -> bool:
        """Wait for the end of the output; False when somebody still holds the pipe open."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _drain(self) -> None:
        rest, dropping = b"", False
        with contextlib.suppress(OSError):
            while data := os.read(self._descriptor, _CHUNK):
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    if not dropping:
                        self._add(line)
                    dropping = False
                if len(rest) > 4 * LINE_LENGTH:  # bytes; a character has at most four
                    if not dropping:
                        self._add(rest)
                    rest, dropping = b"", True
        if rest and not dropping:
            self._add(rest)
        os.close(self._descriptor)
        self._end()

    def _add(self, raw: bytes) -> None:
        text = raw.decode("utf-8", "replace").rstrip("\r")
        line = "".join(c if c.isprintable() or c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in text[:LINE_LENGTH])
        with self._lock:
            self._lines.append(line)
            for waiter in [w for w in self._waiters if not w.done.is_set() and w.accept(line)]:
                waiter.line = line
                waiter.done.set()

    def _end(self) -> None:
        with self._lock:
            self._ended = True
            for waiter in self._waiters:
                waiter.done.set()
