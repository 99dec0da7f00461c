"""The end of a process that is no longer worth saving: all stacks are written down, then it exits non-zero, so that a
service manager starts it afresh."""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from supervisors.stacks import ENDS_ITSELF

EXIT_CODE = 70  # EX_SOFTWARE of sysexits.h: an internal error
WRITE_WITHIN = 5.0  # seconds; stderr may be a pipe that nobody empties
STUCK_AFTER = 30.0  # seconds in one message


class LastResort:
    """Call it with the reason, from any thread; ``Leaks(too_many=...)`` takes it as it is.

    ``stacks``: a file that they are added to, besides stderr. ``die`` gets the exit code.
    """

    def __init__(self, stacks: Path | None = None, die: Callable[[int], object] = os._exit) -> None:
        self._path, self._die = stacks, die

    def __call__(self, reason: str) -> None:
        deadline = threading.Timer(WRITE_WITHIN, self._die, (EXIT_CODE,))
        deadline.name, deadline.daemon = "last resort", True
        with suppress(RuntimeError):  # no more threads to be had
            deadline.start()
        headline = f"{ENDS_ITSELF} (exit code {EXIT_CODE}): {reason}\n".encode("utf-8", "replace")
        if self._path is not None:
            with suppress(OSError), self._path.open("ab", buffering=0) as file:
                _write(file.fileno(), headline)
        with suppress(OSError, ValueError, AttributeError):  # there may be no stderr, or one without a descriptor
            _write(sys.stderr.fileno(), headline)
        deadline.cancel()
        self._die(EXIT_CODE)


def _write(descriptor: int, headline: bytes) -> None:
    os.write(descriptor, headline)
    faulthandler.dump_traceback(descriptor, all_threads=True)


class Busy(Protocol):
    """``cerberus.Root`` is one."""

    def busy_for(self) -> float:
        """Seconds in the present message; 0.0 when idle."""


class StuckRoot:
    """For the thread that started the tree: ``look`` at it about once a second. It takes no lock that a stuck root
    could have.

    Only what was looked at counts: after a halt (SIGSTOP, a suspended machine) the root may seem to have been busy for
    hours, but no single time between two looks counts for more than a fifth of ``stuck_after``.
    """

    def __init__(
        self,
        root: Busy,
        last_resort: Callable[[str], object],
        stuck_after: float = STUCK_AFTER,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._root, self._last_resort, self._stuck_after = root, last_resort, stuck_after
        self._monotonic = monotonic
        self._looked_at = monotonic()
        self._seen_busy = 0.0

    def look(self) -> None:
        """Calls ``last_resort`` when the root has been in one message for too long."""
        now = self._monotonic()
        since, self._looked_at = now - self._looked_at, now
        busy = self._root.busy_for()
        if busy < self._seen_busy or busy == 0.0:
            self._seen_busy = 0.0
        if busy > 0.0:
            self._seen_busy += min(since, busy, self._stuck_after / 5)
        if self._seen_busy > self._stuck_after:
            self._last_resort(f"Cerberus has been in one message for {busy:.1f} s")
