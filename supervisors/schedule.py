"""One timer thread for everybody, on absolute monotonic deadlines.

The n-th tick is due at start + n x interval, however late the one before it was: no drift. Deadlines that have
passed when the thread gets to them are skipped and counted, never piled up. Who can do with a rougher rhythm says how
``early`` a tick of his may come, with another's: a wake-up costs more than most of what is done in it.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from supervisors.bell import Bell

logger = logging.getLogger("supervisors")

WAKE_UP = 30.0  # seconds; no wait is endless


@dataclass(order=True)
class _Entry:
    due: float
    order: int
    start: float = field(compare=False)
    interval: float | None = field(compare=False)
    fire: Callable[[int], bool] = field(compare=False)
    early: float = field(compare=False, default=0.0)


def next_deadline(start: float, interval: float, now: float, last: int = 0) -> tuple[int, float]:
    """The number and time of the first deadline after ``now``, and after the ``last`` number: where ``now`` is a
    deadline itself the division may round to just below it."""
    number = max(last, math.floor((now - start) / interval)) + 1
    return number, start + number * interval


class Schedule:
    """Any thread may add; ``fire`` runs in the timer thread, must not block, and ends its entry by returning False."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._guard, self._changed = threading.Lock(), Bell()
        self._entries: list[_Entry] = []
        self._order = itertools.count()
        self._stopped = False
        self._thread: threading.Thread | None = None
        self.skipped = 0  # deadlines that had passed when the thread got to them
        self.lost = 0  # messages that could not be delivered

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="schedule", daemon=True)
        self._thread.start()

    def every(self, seconds: float, fire: Callable[[int], bool], *, early: float = 0.0) -> None:
        """Call ``fire(number)`` at now + number x seconds, or up to ``early`` seconds before. Raises ValueError for an
        interval that is not positive."""
        if not seconds > 0:
            raise ValueError(f"the interval must be positive, not {seconds!r}")
        now = self._monotonic()
        self._add(_Entry(now + seconds, next(self._order), now, seconds, fire, early))

    def after(self, seconds: float, fire: Callable[[int], bool], *, early: float = 0.0) -> None:
        """Call ``fire(1)`` once, up to ``early`` seconds before its time."""
        now = self._monotonic()
        self._add(_Entry(now + max(0.0, seconds), next(self._order), now, None, fire, early))

    def _add(self, entry: _Entry) -> None:
        with self._guard:
            heapq.heappush(self._entries, entry)
            first = self._entries[0] is entry
        if first:  # else the thread wakes up early enough by itself
            self._changed.ring()

    def stop(self, timeout: float = 1.0) -> None:
        with self._guard:
            self._stopped = True
            self._entries.clear()
        self._changed.ring()
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            with self._guard:
                if self._stopped:
                    return
                wait = self._entries[0].due - self._monotonic() if self._entries else WAKE_UP
            if wait > 0:
                self._changed.wait(min(wait, WAKE_UP))
            else:
                self.run_due()

    def run_due(self) -> None:
        """Fire everything that is due now (tests with an injected clock call this instead of ``start``)."""
        now = self._monotonic()
        for entry in self._pop_due(now):
            number = 1 if entry.interval is None else round((entry.due - entry.start) / entry.interval)
            if self._fire(entry, number) and entry.interval is not None:
                self._again(entry, number)

    def _fire(self, entry: _Entry, number: int) -> bool:
        """Whether the entry goes on. One that raises (a receiver's inbox is full) must not end everybody's timer."""
        try:
            return entry.fire(number)
        except Exception as error:
            self.lost += 1
            logger.warning("a timer's message is lost: %s: %s", type(error).__name__, error)
            return True

    def _pop_due(self, now: float) -> list[_Entry]:
        due = []
        with self._guard:
            while self._entries and self._entries[0].due <= now:
                due.append(heapq.heappop(self._entries))
            if due:
                due += self._pop_early(now)
        return due

    def _pop_early(self, now: float) -> list[_Entry]:
        """Those that may come with the ones that are due."""
        early = [entry for entry in self._entries if entry.due - entry.early <= now]
        if early:
            self._entries = [entry for entry in self._entries if entry.due - entry.early > now]
            heapq.heapify(self._entries)
        return early

    def _again(self, entry: _Entry, number: int) -> None:
        assert entry.interval is not None
        following, due = next_deadline(entry.start, entry.interval, self._monotonic(), number)
        with self._guard:
            if not self._stopped:
                self.skipped += following - number - 1
                heapq.heappush(self._entries, replace(entry, due=due, order=next(self._order)))
