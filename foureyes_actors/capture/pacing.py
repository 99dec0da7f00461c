"""How well the pace is kept: pure bookkeeping of ticks, frames and grab times."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import median

RATE_WINDOW = 30.0  # seconds
GRAB_WINDOW = 100  # grabs


@dataclass
class Pace:
    """One thread uses it. ``began``: monotonic seconds.

    ``skipped`` counts deadlines that nobody saw: the timer was late, or a newer tick replaced an unread one.
    ``late`` counts those that found the source still at work; the last of them is made good as soon as it is done,
    the others are ``dropped``.
    """

    began: float
    frames: int = 0
    skipped: int = 0
    late: int = 0
    dropped: int = 0
    owed: bool = False  # a grab was due while the source was at work
    last_frame_at: float | None = None
    _last_tick: int | None = None
    _arrivals: deque[float] = field(default_factory=deque)
    _grabs: deque[float] = field(default_factory=lambda: deque(maxlen=GRAB_WINDOW))

    def tick(self, number: int) -> None:
        """A tick of the schedule. One left over from an earlier incarnation has a number out of order."""
        if self._last_tick is not None:
            self.skipped += max(0, number - self._last_tick - 1)
        self._last_tick = number

    def found_busy(self) -> None:
        self.late += 1
        self.dropped += self.owed
        self.owed = True

    def grabbed(self, seconds: float) -> None:
        """A grab came back, with a picture or without."""
        self._grabs.append(seconds)

    def frame(self, now: float) -> None:
        self.frames += 1
        self.last_frame_at = now
        self._arrivals.append(now)
        self._forget(now)

    def rate(self, now: float) -> float:
        """Frames per second over the last 30 s, or since the start when that is less."""
        self._forget(now)
        span = min(RATE_WINDOW, now - self.began)
        return len(self._arrivals) / span if span > 0 else 0.0

    def grab_times(self) -> tuple[float, float] | None:
        """Median and longest of the last 100 grabs, in seconds."""
        return (median(self._grabs), max(self._grabs)) if self._grabs else None

    def _forget(self, now: float) -> None:
        while self._arrivals and self._arrivals[0] <= now - RATE_WINDOW:
            self._arrivals.popleft()
