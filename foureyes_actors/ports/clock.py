"""Time, as a port: UTC for people and the store, monotonic seconds for durations and deadlines."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Any thread may call any method."""

    def monotonic(self) -> float:
        """Seconds that never go back; the origin has no meaning."""

    def utc_now(self) -> datetime:
        """The wall clock, aware, UTC. It may jump."""

    def wait(self, event: threading.Event, timeout: float) -> bool:
        """Wait until ``event`` is set, at most ``timeout`` seconds; True when it was set."""


class SystemClock:
    """The machine's clocks."""

    def monotonic(self) -> float:
        return time.monotonic()

    def utc_now(self) -> datetime:
        return datetime.now(UTC)

    def wait(self, event: threading.Event, timeout: float) -> bool:
        return event.wait(max(0.0, timeout))


class ManualClock:
    """A clock that moves only when it is told to: for tests and replays."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC), monotonic: float = 1000.0) -> None:
        self._start, self._origin, self._now = start, monotonic, monotonic
        self._changed = threading.Condition()

    def monotonic(self) -> float:
        return self._now

    def utc_now(self) -> datetime:
        return self._start + timedelta(seconds=self._now - self._origin)

    def advance(self, seconds: float) -> None:
        """Move on; waiters whose time has come return."""
        with self._changed:
            self._now += seconds
            self._changed.notify_all()

    def wait(self, event: threading.Event, timeout: float) -> bool:
        """Returns at once when set; else moves this clock by ``timeout`` (nobody sleeps in a test)."""
        if event.is_set():
            return True
        self.advance(max(0.0, timeout))
        return event.is_set()
