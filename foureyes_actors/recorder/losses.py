"""Documents that neither the store nor the journal take: when that began, how many, and when it is over.

The end is a JournalFull too, as bad as the beginning: the report of the beginning is among what is lost.
"""

from __future__ import annotations

from datetime import datetime

from foureyes_actors.errors import JournalFull
from foureyes_actors.ports.clock import Clock

QUIET = 10.0  # seconds without a loss: at the edge of its room a journal takes a small document and not a large one


class Losses:
    """One row of losses at a time, told when it begins and when it ends. ``since``: None while nothing is lost."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.since: datetime | None = None
        self.lost = 0
        self._began = self._last = 0.0  # monotonic seconds

    def add(self, documents: int, error: JournalFull) -> JournalFull | None:
        """So many were lost. The first of a row is a report."""
        self.lost += documents
        self._last = self._clock.monotonic()
        if self.since is not None:
            return None
        self.since, self._began = self._clock.utc_now(), self._last
        return JournalFull(f"{error}: what is read is lost until the store is back or the journal has room")

    def kept(self) -> JournalFull | None:
        """The journal took one: the end of the row, when it has taken all of them for some seconds."""
        if self.since is None or self._clock.monotonic() - self._last < QUIET:
            return None
        return self.over()

    def over(self) -> JournalFull | None:
        """The end of the row, as a report when there was one."""
        lost, since, self.lost, self.since = self.lost, self.since, 0, None
        if since is None:
            return None
        seconds = self._last - self._began
        told = f"documents are kept again: {lost} were lost in {seconds:.1f} s from {since:%H:%M:%S} UTC on"
        return JournalFull(told)
