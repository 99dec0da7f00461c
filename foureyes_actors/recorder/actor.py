"""RecorderActor: the one writer to the store. What it was told is durable when the next message is handled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import uuid4

from foureyes_actors.bug.faults import TOLD
from foureyes_actors.errors import JournalFull, StoreError
from foureyes_actors.messages import (
    CountError,
    ErrorHistory,
    ErrorHistoryWanted,
    Event,
    EventKind,
    Flush,
    GetStatus,
    StoreDocuments,
    Tick,
)
from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.store import StorePort
from foureyes_actors.recorder import store_calls
from foureyes_actors.recorder.journal import Journal
from foureyes_actors.recorder.writer import Writer
from foureyes_actors.settings import RetentionSettings
from foureyes_actors.telling import BUG, Teller
from supervisors.actor import ActorContext, SupervisedActor
from supervisors.worker import Worker

PROBE, PURGE = "probe", "purge"
SLICE = 0.5  # seconds of replay before other messages have their turn
LAST_SLICE = 1.0  # seconds of replay at the end
KEPT = 100  # messages for those who start after the recorder
STORED, AWAY, LOSING = "stored", "away", "losing"  # of an Event STORE_CHANGED


@dataclass(frozen=True, slots=True)
class StoreOpened:
    """From the worker to the actor: the opened store, or why it could not be opened."""

    result: StorePort | Exception
    incarnation: int


@dataclass(frozen=True, slots=True)
class ReplayOn:
    """To itself: go on with the replay."""

    conflation_key: ClassVar[str] = "replay"


class RecorderActor(SupervisedActor):
    """Takes StoreDocuments, CountError (no reply), Flush (True: all that came before is in the store or the journal),
    GetStatus, ErrorHistoryWanted (told when the store is there). Writes in its own thread; a store that is away is
    opened again by a worker, with growing pauses, while the journal takes what comes. A store or journal in use, or
    wrong settings, end ``on_start`` with StoreInUse or ConfigurationError. Tells a Fault when the store goes away and
    when anything was lost, and ``audience`` an Event from one of stored, away and losing (the journal takes no more
    either) to another. It starts before those it tells: what they missed is told when they are there."""

    def __init__(
        self,
        context: ActorContext,
        *,
        open_store: Callable[[], StorePort],
        journal: Journal,
        clock: Clock,
        retention: RetentionSettings,
        audience: tuple[str, ...] = (),
        bug: str = BUG,
        probe_every: float = 1.0,
        purge_every: float = 3600.0,
    ) -> None:
        super().__init__(context)
        self._open_store, self._teller = open_store, Teller(context, clock, bug=bug, keep=KEPT)
        self._probe_every, self._purge_every = probe_every, purge_every
        self._writer = Writer(journal, clock, retention, context.name)
        self._clock, self._audience = clock, audience
        self._condition = STORED  # as the audience knows it
        self._worker: Worker | None = None
        self._opening = False  # the worker opens the store, or its result is on the way
        self._probe_coming = False
        self._curious: set[str] = set()  # who wants to know the history of errors

    def on_start(self) -> None:
        self._guarded(self._start)

    def on_receive(self, message: Any) -> Any:
        return self._guarded(lambda: self._handled(message))

    def on_stop(self) -> None:
        try:
            self._writer.replay(LAST_SLICE)
            self._tell_reports()
        finally:
            self._close()

    def on_failure(self, *_: Any) -> None:
        """Of a fenced one, too, when its thread comes back: its own thread must not outlive it."""
        with suppress(StoreError):
            self._close()

    def _start(self) -> None:
        self._writer.start(self._open_store)
        self._worker = Worker(f"{self.context.name}-open")
        self.context.every(self._purge_every, PURGE)
        self.context.after(self._probe_every, Tick(PURGE, 0))  # a run may be shorter than the rhythm
        self._go_on()

    def _handled(self, message: object) -> Any:
        match message:
            case StoreDocuments() | CountError():
                self._writer.accept(message)
            case Flush():
                return True
            case ErrorHistoryWanted(sender=sender):
                self._curious.add(sender)
            case GetStatus():
                return {**self._writer.status(), "undelivered": dict(self._teller.undelivered)}
            case StoreOpened():
                self._take(message)
            case ReplayOn():
                self._writer.replay(SLICE)
            case Tick(name="probe"):
                self._probe_coming = False
                self._writer.replay(SLICE)
            case Tick(name="purge"):
                if self._writer.purge():
                    self.context.after(self._probe_every, Tick(PURGE, 0))
        self._go_on()
        return None

    def _go_on(self) -> None:
        """Whatever was handled: probe if it is time, replay if there is something, tell what happened."""
        self._tell_history()
        if self._writer.wants_store and self._worker is not None and not self._opening:
            self._opening = self._worker.submit(lambda: store_calls.open_store(self._open_store), self._deliver)
        if self._writer.replaying:
            self.context.tell_self(ReplayOn())
        if not (self._writer.settled or self._probe_coming):
            self._probe_coming = True
            self.context.after(self._probe_every, Tick(PROBE, 0))
        self._tell_reports()

    def _tell_history(self) -> None:
        if self._curious and (found := self._writer.error_history()) is not None:
            self._teller.tell(self._curious, ErrorHistory(found))
            self._curious = set()

    def _deliver(self, result: StorePort | Exception) -> None:
        """In the worker's thread."""
        if not self.context.tell_self(StoreOpened(result, self.context.incarnation)):
            _close_unwanted(result)  # this incarnation has ended: nobody else would

    def _take(self, opened: StoreOpened) -> None:
        if opened.incarnation != self.context.incarnation:  # left in the inbox by one that has ended
            _close_unwanted(opened.result)
            return
        self._opening = False
        if isinstance(opened.result, Exception):
            self._writer.open_failed(opened.result)
        else:
            self._writer.opened(opened.result)

    def _tell_reports(self) -> None:
        self._teller.again()
        reports, self._writer.reports = self._writer.reports, []
        returns, self._writer.returns = self._writer.returns, []
        status: Mapping[str, Any] = self._writer.status() if reports or returns else {}
        facts = {key: str(status[key]) for key in ("store", "condition", "pending", "dropped", "refused") if status}
        told = self._edge(reports, returns, status) if status else []
        for error in reports:
            self._teller.fault(error, {**facts, TOLD: "as an event"} if error in told else facts)

    def _edge(self, reports: list[Exception], returns: list[str], status: Mapping[str, Any]) -> list[Exception]:
        """The reports that say what has become of the documents; the audience hears them as one event."""
        before, after = self._condition, _condition(status)
        if after == before or not self._audience:
            return []
        self._condition = after
        news: list[Exception] = [error for error in reports if isinstance(error, (*store_calls.AWAY, JournalFull))]
        told = {STORED: news[-1:], AWAY: news[-1:] if before == LOSING else news[:1], LOSING: news}[after]
        if after == STORED and returns:
            told = []
        reason = "; ".join(str(error) for error in told) or "; ".join(returns[-1:])
        was = before if status["store"] or before != STORED else None  # never opened
        event = Event(uuid4().hex, EventKind.STORE_CHANGED, self._clock.utc_now(), "store", was, after, reason)
        self._teller.tell(self._audience, event)
        return told

    def _guarded(self, job: Callable[[], Any]) -> Any:
        """A defect ends this incarnation; the store and the journal must be free for the next one."""
        try:
            return job()
        except BaseException:
            with suppress(StoreError):
                self._close()
            raise

    def _close(self) -> None:
        if self._worker is not None:
            self._worker.stop(0.2)
        self._writer.close()


def _condition(status: Mapping[str, Any]) -> str:
    if status["losing_since"] is not None:
        return LOSING
    return STORED if status["away_since"] is None else AWAY


def _close_unwanted(result: StorePort | Exception) -> None:
    if not isinstance(result, Exception):
        with suppress(StoreError):
            result.close()
