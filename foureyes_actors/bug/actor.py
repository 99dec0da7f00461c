"""BugActor: every fault becomes a redacted, fingerprinted document for the recorder and a word to Forgewright."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from cachetools import LRUCache

from foureyes_actors.bug.document import error_document
from foureyes_actors.bug.faults import TOLD, way_of
from foureyes_actors.bug.fingerprint import fingerprint
from foureyes_actors.bug.keeper import RecordKeeper
from foureyes_actors.bug.known import Known
from foureyes_actors.bug.leftovers import clean
from foureyes_actors.bug.records import Kept, Records
from foureyes_actors.bug.redact import Redactor
from foureyes_actors.bug.severity import severity_of
from foureyes_actors.bug.storm import SECOND, Storm
from foureyes_actors.messages import (
    CountError,
    ErrorHistory,
    ErrorHistoryWanted,
    Fault,
    FaultRecorded,
    GetStatus,
    Tick,
)
from foureyes_actors.ports.clock import Clock
from foureyes_actors.settings.bug import BugSettings
from foureyes_actors.text import bounded
from supervisors.actor import ActorContext, SupervisedActor
from supervisors.inbox import InboxFull

logger = logging.getLogger("foureyes.bug")
FLUSH = "flush"
KNOWN_IDS = 4096  # of the newest faults: one that several layers caught is told several times
RECORD = "record"  # in a document's context: the id of its group's newest record


class BugActor(SupervisedActor):
    """Takes Fault and GetStatus. It never raises for a fault: what goes wrong in its own handling is counted and
    logged, and not told to itself. ``secrets``: the configured ones, taken out of every text by their exact value.

    A fault is one however often it is told: an exception that several layers catch has one id (``bug/faults.py``).
    ``keeper``: where the records of failures go that came through a replay point; None: nowhere.
    ``hooks``: the counters of what is caught outside of actors (``Interception.status``), for the status.

    Of each group a few documents a second are recorded (see ``storm``); each says in its context how many faults of
    its group were ``suppressed`` so far, so that the store's ``occurrences`` plus that number is the truth.
    """

    def __init__(
        self,
        context: ActorContext,
        *,
        clock: Clock,
        secrets: tuple[str, ...] = (),
        recorder: str = "recorder",
        forgewright: str = "forgewright",
        keeper: RecordKeeper | None = None,
        settings: BugSettings | None = None,
        hooks: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        super().__init__(context)
        self._clock, self._redactor = clock, Redactor(secrets)
        self._recorder, self._forgewright = recorder, forgewright
        self._storm, self._known = Storm(), Known(settings or BugSettings())
        self._ids: LRUCache[str, None] = LRUCache(KNOWN_IDS)
        self._hooks = hooks
        self._records = Records(context, keeper) if keeper else None
        self._received = self._repeated = self._recorded = self._undelivered = self._own_failures = 0
        self._severities: Counter[str] = Counter()
        self._last: dict[str, str] | None = None
        self._flush_coming = False

    def on_start(self) -> None:
        if self._records is not None:
            self._records.start()
        self._told(self._recorder, ErrorHistoryWanted(self.context.name))

    def on_receive(self, message: Any) -> Any:
        match message:
            case Fault():
                self._guarded(message)
            case Tick():
                self._flush_coming = False
                self._guarded(None)
            case Kept() if self._records is not None:
                self._records.finished(message)
            case ErrorHistory():
                self._known.load(message.groups, self._clock.utc_now())
            case GetStatus():
                return self._status()
        if self._storm.waiting and not self._flush_coming:
            self._flush_coming = True
            self.context.after(SECOND, Tick(FLUSH, 0))
        return None

    def on_stop(self) -> None:
        """What is held back goes out now, within another second's limits: nobody else has it."""
        self._guarded(None, ahead=SECOND)
        if self._records is not None:
            self._records.stop()

    def on_failure(self, *_: Any) -> None:
        self.on_stop()

    def _guarded(self, fault: Fault | None, ahead: float = 0.0) -> None:
        """The last resort: an error in the handling of errors must not make another one."""
        try:
            if fault is None:
                self._flush(ahead)
            else:
                self._received += 1
                self._take(fault)
        except Exception as error:
            self._own_failures += 1
            logger.error("a fault could not be handled: %s", type(error).__name__)  # its text may hold a secret

    def _take(self, fault: Fault) -> None:
        if fault.id in self._ids:
            self._repeated += 1
            return
        self._ids[fault.id] = None
        group = fingerprint(fault)
        self._known.count(group, fault.at, severity_of(fault))
        if self._storm.admit(group, fault, self._clock.monotonic()):
            self._record(group, fault)

    def _flush(self, ahead: float) -> None:
        for group, fault in self._storm.flush(self._clock.monotonic() + ahead):
            self._record(group, fault)

    def _record(self, group: str, fault: Fault) -> None:
        cleaned = clean(fault, self._redactor)
        counted = self._storm.group(group)
        extra = {"suppressed": str(counted.suppressed)} if counted.suppressed else {}
        record = self._records.offer(fault, group) if self._records is not None else ""
        extra |= {RECORD: record} if record else {}
        document = error_document(cleaned, group, extra, self._known.unsent(group))
        if not self._told(self._recorder, CountError(document)):
            self._undelivered += 1
            self._storm.give_back(group, fault)
            return
        self._known.sent(group)
        self._note(cleaned, group, first=counted.recorded == 1)
        why = self._known.recurrence(group, self._clock.utc_now())
        self._told(self._forgewright, FaultRecorded(cleaned, group, counted.seen, why, record, *way_of(fault)))

    def _told(self, name: str, message: object) -> bool:
        try:
            return self.context.tell(name, message)
        except InboxFull:
            return False

    def _note(self, fault: Fault, group: str, *, first: bool) -> None:
        severity = severity_of(fault)
        self._recorded += 1
        self._severities[severity] += 1
        self._last = {
            "at": fault.at.isoformat(),
            "source": fault.source,
            "exception_type": fault.exception_type,
            "message": fault.message,
            "fingerprint": group,
        }
        level = logging.WARNING if first and TOLD not in fault.context else logging.DEBUG
        words = bounded(fault.message.partition("\n")[0], 300)
        kind = fault.exception_type.rpartition(".")[2]
        logger.log(level, "%s: %s: %s (%s, %s)", fault.source, kind, words, severity, group)

    def _status(self) -> dict[str, Any]:
        condition = self._known.condition(self._clock.utc_now())
        return {
            "received": self._received,
            "repeated": self._repeated,
            "recorded": self._recorded,
            "suppressed": self._storm.suppressed,
            "waiting": self._storm.waiting,
            "undelivered": self._undelivered,
            "own_failures": self._own_failures,
            "groups": self._storm.groups,
            "groups_forgotten": self._storm.forgotten,
            "recurring": self._known.recurring,
            "condition": condition.level.value,
            "condition_is": str(condition),
            "hooks": dict(self._hooks()),
            "records": self._record_counts(),
            "by_severity": dict(self._severities),
            "last": self._last,
        }

    def _record_counts(self) -> dict[str, Any]:
        found = self._records
        if found is None:
            return {}
        counts = {"kept": found.kept, "failed": found.failed, "dropped": found.dropped, "waiting": found.waiting}
        return {**counts, "last_error": found.last_error}
