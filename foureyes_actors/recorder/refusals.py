"""Documents that no store takes: kept for people, and reported, but not so often that reports cause reports."""

from __future__ import annotations

from foureyes_actors.errors import DocumentRefused
from foureyes_actors.messages import Collection, Document
from foureyes_actors.ports.clock import Clock
from foureyes_actors.recorder.journal import REFUSED, Journal

REPORT_EVERY = 60.0  # seconds: a report becomes a document itself, which may be refused too


class Refusals:
    """Used by one thread at a time."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal, self._clock = journal, clock
        self._last_report: float | None = None
        self._unreported = 0

    def add(self, document: Document, where: Collection, reason: str) -> DocumentRefused | None:
        """Keep it in the journal's folder. What to tell the BugActor, at most once in REPORT_EVERY."""
        self._unreported += 1
        kept = self._journal.set_aside(document, where, reason, self._clock.utc_now())
        now, last = self._clock.monotonic(), self._last_report
        if last is not None and now - last < REPORT_EVERY:
            return None
        number, self._unreported, self._last_report = self._unreported, 0, now
        fate = f"kept in {REFUSED}" if kept else f"lost: {REFUSED} takes no more"
        return DocumentRefused(f"{reason} ({fate}; {number} refused since the last report)")
