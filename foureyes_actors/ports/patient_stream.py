"""A text stream that never keeps its writers waiting.

A terminal that was halted (Ctrl-S), a pager or a full pipe blocks whoever prints, for ever and beyond the reach of
signals. So one thread of its own does the printing; what it cannot get rid of in time is dropped and said.
"""

from __future__ import annotations

import contextlib
import io
import threading
from collections import deque
from typing import TextIO

from foureyes_actors.text import clean

WAITING = 1000  # texts that may wait; about a quarter of an hour of readings
WAKE_UP = 1.0  # seconds; no wait is endless


class PatientStream:
    """Any thread may call. ``target``: a text stream on a descriptor, as sys.stdout is, which stays open; None: the
    program has none. A character that its encoding does not have is written as an escape; an error of the device is
    no failure."""

    def __init__(self, target: TextIO | None, name: str) -> None:
        self._own = _reopened(target)
        self._target = self._own or target or io.StringIO()
        self._texts: deque[str] = deque()
        self._changed = threading.Condition()
        self._dropped = 0
        self._closing, self._broken = False, target is None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def write(self, text: str) -> int:
        """At once, whatever the device does. Without control characters: nothing printed can steer a terminal."""
        with self._changed:
            if self._broken or self._closing:
                pass  # nobody listens any more
            elif len(self._texts) >= WAITING:
                self._dropped += 1
            else:
                self._texts.append(clean(text))
                self._changed.notify()
        return len(text)

    def line(self, text: str) -> None:
        self.write(f"{text}\n")

    def flush(self) -> None:
        """Nothing: each text is flushed by the thread."""

    def close(self, timeout: float) -> bool:
        """Take no more and wait for the rest; False when the device still blocks after ``timeout`` seconds."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        self._print()
        if self._own is not None:
            with contextlib.suppress(OSError, ValueError):  # what could not be written still lies in its buffer, and
                self._own.close()  # Python 3.13 would complain when it collects a stream that cannot be closed

    def _print(self) -> None:
        while (text := self._next()) is not None:
            try:
                self._target.write(text)
                self._target.flush()
            except BrokenPipeError:  # ``| head``: for good
                with self._changed:
                    self._broken = True
                    self._texts.clear()
                return
            except (OSError, ValueError):  # a full disk may have room again
                continue

    def _next(self) -> str | None:
        with self._changed:
            while not self._texts:
                if self._closing:
                    return None
                self._changed.wait(WAKE_UP)
            text, dropped = self._texts.popleft(), self._dropped
            if dropped:
                self._dropped = 0
                text += f"... {dropped} lines are left out: they could not be printed in time\n"
            return text


def _reopened(target: TextIO | None) -> TextIO | None:
    """A stream of our own on the same descriptor: a thread that blocks in sys.stdout itself would hold its lock, which
    Python needs at its end. None: it has no descriptor."""
    if target is None:
        return None
    with contextlib.suppress(OSError, ValueError, AttributeError):
        target.flush()
        descriptor, encoding = target.fileno(), target.encoding or "utf-8"
        return open(descriptor, "w", encoding=encoding, errors="backslashreplace", closefd=False)
    return None
