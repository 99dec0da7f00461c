"""What the recorder does with a message: into the store, or, while it is away, into the journal. No thread of its own.

Order is kept: as long as the journal holds anything, new documents go behind it. The store is "away" from the first
call that fails until one succeeds with an empty journal; that whole time is one edge away and one edge back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from foureyes_actors.errors import DocumentRefused, JournalFull, StoreError, StoreUnavailable
from foureyes_actors.messages import Collection, CountError, Document, StoreDocuments
from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.error_history import merged as merged_history
from foureyes_actors.ports.store import StorePort
from foureyes_actors.recorder.journal import Journal, Recovery
from foureyes_actors.recorder.journal_records import Entry, entry_bytes, merged
from foureyes_actors.recorder.losses import Losses
from foureyes_actors.recorder.outages import ended
from foureyes_actors.recorder.refusals import Refusals
from foureyes_actors.recorder.store_calls import AWAY, open_store, purge, write
from foureyes_actors.settings import RetentionSettings

HISTORIES = 300  # groups of errors, the newest, whose history is told to who asks
BATCH = 200  # journal entries in one go
LONGEST_PAUSE = 30.0  # seconds between two probes


@dataclass(slots=True)
class Counters:
    """Documents since the start."""

    stored: int = 0  # new in the store, the replayed ones included
    journaled: int = 0
    replayed: int = 0
    refused: int = 0  # no store takes them: set aside in refused.jsonl
    dropped: int = 0  # neither the store nor the journal took them
    purged: int = 0


@dataclass(slots=True)
class Absence:
    """The store is away. ``since``, ``next_probe``: monotonic seconds."""

    reason: str
    at: datetime
    since: float
    next_probe: float
    failures: int = 0
    replayed: int = 0
    dropped: int = 0


def probe_pause(failures: int) -> float:
    """Seconds before the next probe: 1, 2, 4 ... LONGEST_PAUSE."""
    return min(LONGEST_PAUSE, 2.0 ** min(failures, 10))


class Writer:
    """Used by one thread at a time. ``reports`` collects what the BugActor should hear, ``returns`` the ends of
    absences in which nothing was lost, which are no failures; the owner, whose name is ``source``, empties both."""

    def __init__(self, journal: Journal, clock: Clock, retention: RetentionSettings, source: str = "recorder") -> None:
        self._journal, self._clock, self._retention, self._source = journal, clock, retention, source
        self._store: StorePort | None = None
        self._absence: Absence | None = None
        self._description = ""
        self._refusals, self._losses = Refusals(journal, clock), Losses(clock)
        self.counters = Counters()
        self.reports: list[Exception] = []
        self.returns: list[str] = []

    def start(self, opener: Callable[[], StorePort]) -> None:
        """Open both. A store that is away is no failure; a journal or store in use, or wrong settings, are: StoreInUse,
        ConfigurationError; and a journal that cannot be had at all: StoreUnavailable."""
        try:
            self._report_recovery(self._journal.open(self))
        except OSError as error:
            raise StoreUnavailable(f"the journal cannot be opened: {error}; data_dir must be writable") from error
        try:
            self.opened(open_store(opener))
        except StoreUnavailable as error:
            self._gone(error)

    def accept(self, entry: Entry) -> None:
        """On the disk, in the store or the journal, when it returns; else set aside or dropped, counted, reported."""
        try:
            if self._store is not None and not self._journal.pending:
                try:
                    self._write(entry)
                except AWAY as error:
                    self._gone(error)
                else:
                    self._came_back()
                    return
            self._keep(entry)
        except Exception as error:  # a defect: the documents must not go down with this incarnation
            self._refuse_all(entry, f"unexpected {type(error).__name__}: {error}")
            raise

    @property
    def wants_store(self) -> bool:
        """It is away, and the pause before the next probe is over."""
        absence = self._absence
        return self._store is None and absence is not None and self._clock.monotonic() >= absence.next_probe

    @property
    def settled(self) -> bool:
        """The store is there and the journal is empty: there is nothing to look after."""
        return self._store is not None and not self._journal.pending

    @property
    def replaying(self) -> bool:
        return self._store is not None and self._journal.pending > 0

    def opened(self, store: StorePort) -> None:
        self._store, self._description = store, store.describe()

    def open_failed(self, error: Exception) -> None:
        if not isinstance(error, AWAY):  # a defect: each one is told, the edge alone would hide it
            self.reports.append(error)
        self._gone(error)

    def replay(self, seconds: float) -> None:
        """Journal entries into the store, in order, for about so long."""
        deadline = self._clock.monotonic() + seconds
        while self.replaying:
            for entry, count in merged(self._journal.oldest(BATCH)):
                if not self._replay_one(entry, count) or self._clock.monotonic() >= deadline:
                    return
        if self._store is not None and self._absence is not None and self._absence.replayed:
            self._came_back()

    def error_history(self) -> dict[str, Mapping[str, Any]] | None:
        """Of the newest groups of errors, by fingerprint; None while the store is away."""
        if self._store is None or self._absence is not None:
            return None
        found: dict[str, Mapping[str, Any]] = {}
        try:
            for group in self._store.latest(Collection.ERRORS, HISTORIES):
                fingerprint = str(group.get("fingerprint"))
                found[fingerprint] = merged_history(found.get(fingerprint), group.get("history"))
        except AWAY as error:
            self._gone(error)
            return None
        return found

    def purge(self) -> bool:
        """Delete what is older than the settings allow, for a second or two; True: call again, there may be more.
        While the store is away: nothing."""
        deleted = 0
        for collection, days in _days(self._retention).items():
            if self._store is None or self._absence is not None:
                return False
            with suppress(OverflowError):  # older than the year 1: nothing is
                before = self._clock.utc_now() - timedelta(days=days)
                try:
                    deleted += purge(self._store, collection, before)
                except AWAY as error:
                    self._gone(error)
        self.counters.purged += deleted
        return deleted > 0

    def status(self) -> dict[str, Any]:
        absence, counters = self._absence, self.counters
        return {
            "store": self._description,
            "condition": self._condition(),
            "away_since": None if absence is None else absence.at.isoformat(),
            "away_reason": None if absence is None else absence.reason,
            "losing_since": None if self._losses.since is None else self._losses.since.isoformat(),
            "pending": self._journal.pending,
            "journal_bytes": self._journal.size,
            **{name: getattr(counters, name) for name in counters.__slots__},
        }

    def close(self) -> None:
        """May be called twice. What the journal holds stays there."""
        store, self._store = self._store, None
        try:
            if store is not None:
                store.close()
        finally:
            self._journal.close(self)

    def _condition(self) -> str:
        if self._store is None:
            return "away"
        if self._journal.pending:
            return "replaying"
        return "stored" if self._absence is None else "returning"  # opened, but not written to yet

    def _write(self, entry: Entry) -> None:
        """One call; when a document of it is refused, each for itself."""
        assert self._store is not None
        try:
            self.counters.stored += write(self._store, ended(entry, self._source, self._clock.utc_now()))
        except DocumentRefused as error:
            documents = _documents(entry)
            if len(documents) == 1:
                self._refuse(documents[0], entry, str(error))
                return
            for document in documents:
                self._write(_only(entry, document))

    def _replay_one(self, entry: Entry, count: int) -> bool:
        try:
            self._write(entry)
        except AWAY as error:
            self._gone(error)
            return False
        except Exception as error:
            self._refuse_all(entry, f"unexpected {type(error).__name__}: {error}")
            self._journal.acknowledge(count, self)  # else it would end every incarnation to come
            raise
        self._journal.acknowledge(count, self)
        self.counters.replayed += len(_documents(entry))
        if self._absence is not None:
            self._absence.replayed += len(_documents(entry))
        return True

    def _keep(self, entry: Entry) -> None:
        """Into the journal, without the documents that no store takes."""
        entry = self._without_refused(entry)
        documents = len(_documents(entry))
        if not documents:
            return
        try:
            self._journal.append(entry)
            self.counters.journaled += documents
            report: Exception | None = self._losses.kept()
        except JournalFull as error:
            self.counters.dropped += documents
            if self._absence is not None:
                self._absence.dropped += documents
            report = self._losses.add(documents, error)
        if report is not None:
            self.reports.append(report)

    def _without_refused(self, entry: Entry) -> Entry:
        good = []
        for document in _documents(entry):
            try:
                entry_bytes(_only(entry, document))
                good.append(document)
            except DocumentRefused as error:
                self._refuse(document, entry, str(error))
        if isinstance(entry, CountError):
            return entry if good else StoreDocuments(Collection.ERRORS, ())
        return StoreDocuments(entry.collection, tuple(good))

    def _refuse_all(self, entry: Entry, reason: str) -> None:
        for document in _documents(entry):
            self._refuse(document, entry, reason)

    def _refuse(self, document: Document, entry: Entry, reason: str) -> None:
        self.counters.refused += 1
        where = Collection.ERRORS if isinstance(entry, CountError) else entry.collection
        report = self._refusals.add(document, where, reason)
        if report is not None:
            self.reports.append(report)

    def _gone(self, error: Exception) -> None:
        now = self._clock.monotonic()
        if self._store is not None:
            with suppress(StoreError):
                self._store.close()
            self._store = None
        if self._absence is None:
            self._absence = Absence(str(error), self._clock.utc_now(), now, now, dropped=self._losses.lost)
            self.reports.append(error)
        self._absence.next_probe = now + probe_pause(self._absence.failures)
        self._absence.failures += 1
        self._absence.reason = str(error)

    def _came_back(self) -> None:
        absence, self._absence = self._absence, None
        loss = self._losses.over()
        if absence is None and loss is not None:  # what was lost during an absence is told with its end
            self.reports.append(loss)
        if absence is not None:
            seconds = self._clock.monotonic() - absence.since
            told = (
                f"the store is back after {seconds:.1f} s: {absence.replayed} documents were replayed, "
                f"{absence.dropped} were lost (it had been away: {absence.reason})"
            )
            if absence.dropped:  # what told of the loss was lost with the rest
                self.reports.append(JournalFull(told))
            else:
                self.returns.append(told)

    def _report_recovery(self, found: Recovery) -> None:
        if found.torn or found.damaged:
            self.reports.append(
                StoreError(
                    f"the journal was not closed in order: {found.torn} bytes of an unfinished entry were cut off, "
                    f"{found.damaged} bytes are damaged; {found.entries} entries are whole and will be stored"
                )
            )


def _documents(entry: Entry) -> tuple[Document, ...]:
    return (entry.document,) if isinstance(entry, CountError) else entry.documents


def _only(entry: Entry, document: Document) -> Entry:
    return entry if isinstance(entry, CountError) else StoreDocuments(entry.collection, (document,))


def _days(retention: RetentionSettings) -> dict[Collection, float]:
    return {
        Collection.READINGS: retention.readings,
        Collection.EVENTS: retention.events,
        Collection.ERRORS: retention.errors,
        Collection.DECISIONS: retention.decisions,
    }
