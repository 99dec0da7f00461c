"""Which faults get a record: bounded, and written by a worker, so that nobody waits for a disk."""

from __future__ import annotations

from collections import OrderedDict, deque
from contextlib import suppress
from dataclasses import dataclass

from foureyes_actors.bug.keeper import RecordKeeper
from foureyes_actors.bug.severity import severity_of
from foureyes_actors.messages import Fault
from supervisors.actor import ActorContext
from supervisors.inbox import InboxFull
from supervisors.worker import Worker

PER_GROUP = 5  # records of one group in an incarnation; further ones would tell little
MAX_WAITING = 8  # faults with their inputs in memory
MAX_GROUPS = 1000
STOP_WITHIN = 0.5  # seconds


@dataclass(frozen=True, slots=True)
class Kept:
    """From the worker. ``error``: its type, when the record could not be kept."""

    error: str = ""


@dataclass(slots=True)
class _Group:
    records: int = 0
    last: str = ""


class Records:
    """Used in the actor's thread; ``done`` of the worker only tells."""

    def __init__(self, context: ActorContext, keeper: RecordKeeper) -> None:
        self._context, self._keeper = context, keeper
        self._worker: Worker | None = None
        self._waiting: deque[Fault] = deque()
        self._groups: OrderedDict[str, _Group] = OrderedDict()
        self.kept = self.failed = self.dropped = 0
        self.last_error = ""

    @property
    def waiting(self) -> int:
        """Faults whose record is not on the disk yet; one of them may be with the worker."""
        return len(self._waiting) + (self._worker is not None and self._worker.busy)

    def start(self) -> Worker:
        """With the actor, so that the first failure finds its worker there."""
        if self._worker is None:
            self._worker = Worker(f"{self._context.name}#{self._context.incarnation} records")
        return self._worker

    def offer(self, fault: Fault, group: str) -> str:
        """The id of the group's newest record; empty when it has none."""
        known = self._groups.pop(group, None) or _Group()
        self._groups[group] = known
        if len(self._groups) > MAX_GROUPS:
            self._groups.popitem(last=False)
        if fault.capture is not None and known.records < PER_GROUP:
            if self.waiting >= MAX_WAITING:
                self.dropped += 1
            else:
                known.records, known.last = known.records + 1, fault.id
                self._waiting.append(fault)
                self.next()
        return known.last

    def finished(self, outcome: Kept) -> None:
        if outcome.error:
            self.failed += 1
            self.last_error = outcome.error
        else:
            self.kept += 1
        self.next()

    def next(self) -> None:
        if not self._waiting:
            return
        worker = self.start()
        fault, keeper, context = self._waiting[0], self._keeper, self._context

        def job() -> None:
            keeper.keep(fault, severity_of(fault))

        def done(outcome: Exception | None) -> None:
            with suppress(InboxFull):  # then the next offer goes on with what waits
                context.tell_self(
                    Kept("" if outcome is None else type(outcome).__name__)
                )  # no text: it may hold a secret

        if worker.submit(job, done):
            self._waiting.popleft()

    def stop(self) -> None:
        """What waits is lost; its faults are in the store all the same."""
        if self._worker is not None:
            self._worker.stop(STOP_WITHIN)
