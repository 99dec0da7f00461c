"""Decisions without anybody asking: each failure that is worth it goes its course, one piece of work at a time.

Used in the actor's thread, but for the worker's jobs. What is decided is on the disk before it is believed here, so a
run that ends in the middle of anything is gone on with by the next one.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

from cachetools import LRUCache

from foureyes_actors.errors import FourEyesError
from foureyes_actors.forgewright import course
from foureyes_actors.forgewright.book import Book
from foureyes_actors.forgewright.budget import level_of, shown
from foureyes_actors.forgewright.course import Do, Known, Next
from foureyes_actors.forgewright.decision import Decision, triaged
from foureyes_actors.forgewright.ledger import Ledger, Outdated, Page
from foureyes_actors.forgewright.operational import operational_evidence
from foureyes_actors.forgewright.programs import NotYet
from foureyes_actors.forgewright.queue import FAILURES, PAUSE
from foureyes_actors.forgewright.states import State
from foureyes_actors.forgewright.triage import Triage
from foureyes_actors.forgewright.work import Outcome, Workshop
from foureyes_actors.messages import Event, Fault, FaultRecorded, PressureLevel, Tick
from foureyes_actors.ports.clock import Clock
from foureyes_actors.replay.confirmation import Confirmation
from foureyes_actors.settings_forgewright import ForgewrightSettings
from foureyes_actors.text import one_line
from supervisors.actor import ActorContext
from supervisors.inbox import InboxFull
from supervisors.worker import Worker

LOOK, LOOK_EVERY = "decisions", 5.0  # seconds; a person may have said something
STOP_WITHIN = 1.0  # seconds
MAX_EVENTS = 100
MAX_STEPS = 20  # of one decision in a row, at most
HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class WorkEnded:
    """From the worker: look."""

    conflation_key: ClassVar[str] = "decision_work"


Loaded = tuple[Page, dict[str, Confirmation]]


class Forging:
    """``changed`` is told of each decision that has become another one, in the actor's thread."""

    def __init__(
        self,
        context: ActorContext,
        *,
        ledger: Ledger,
        workshop: Workshop,
        clock: Clock,
        settings: ForgewrightSettings,
        changed: Callable[[Decision, Decision | None], None],
        level: PressureLevel = PressureLevel.NORMAL,
    ) -> None:
        self._context, self._ledger, self._workshop, self._clock = context, ledger, workshop, clock
        self._settings, self._level = settings, level
        self._book = Book(ledger, changed)
        self._run_began = clock.utc_now().timestamp()
        self._worker: Worker | None = None
        self._cancelled = threading.Event()
        self._loaded: queue.SimpleQueue[Loaded | Exception] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[tuple[Decision, Outcome | Exception]] = queue.SimpleQueue()
        self._confirmations: dict[str, Confirmation] = {}  # by group
        self._events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self._faults: LRUCache[str, Fault] = LRUCache(MAX_EVENTS)  # of each group the newest
        self._early: deque[tuple[FaultRecorded, Triage]] | None = deque(maxlen=MAX_EVENTS)  # before the start is over
        self._in_work = ""  # the id of a decision
        self._failed_in_a_row, self._paused_until = 0, 0.0
        self._look_coming = False
        self.last_error = ""

    def start(self) -> None:
        self._worker = Worker(f"{self._context.name}#{self._context.incarnation} decisions")
        self._worker.submit(self._load, self._has_loaded)

    def stop(self) -> None:
        """What is in work ends at once, and is gone on with by the next run."""
        self._cancelled.set()
        if self._worker is not None:
            self._worker.stop(STOP_WITHIN)

    # --- what happens ---

    def offer(self, recorded: FaultRecorded, found: Triage) -> None:
        """A failure that was recorded."""
        if self._early is not None:
            self._early.append((recorded, found))
        else:
            self._guarded(lambda: self._take(recorded, found))
        self.look()

    def reproduced(self, group: str, confirmation: Confirmation) -> None:
        """A platform of this group was run."""
        self._confirmations[group] = confirmation
        self.look()

    def heard(self, event: Event) -> None:
        """Of Cerberus."""
        self._events.append(event)
        self.look()

    def under_pressure(self, level: PressureLevel) -> None:
        self._level = level
        self.look()

    def look(self, *, timer: bool = False) -> None:
        """Whatever happened: take results, read what a person has said, and go on."""
        self._look_coming = self._look_coming and not timer
        while not self._loaded.empty():
            self._begin(self._loaded.get_nowait())
        while not self._results.empty():
            self._finish(*self._results.get_nowait())
        if self._early is None:
            if timer:
                self._guarded(self._book.read_again)
            for decision in self._book.all:
                self._guarded(partial(self._advance, decision.id))
        self._look_again()

    def status(self) -> dict[str, Any]:
        return {
            "by_state": self._book.by_state(),
            "in_work": self._in_work,
            "budget": shown(self._book.budget(self._settings, self._now())),
            "held_back": self._hindrance(),
            "turned_away": self._book.turned_away,
            "broken": list(self._book.broken),
            "last_error": self.last_error,
        }

    # --- the disk and the worker ---

    def _load(self) -> Loaded:
        """In the worker's thread."""
        page = self._ledger.page()
        found = {each.group: self._workshop.confirmation(each) for each in page.decisions if course.busy(each)}
        return page, {group: each for group, each in found.items() if each is not None}

    def _has_loaded(self, found: Loaded | Exception) -> None:
        self._loaded.put(found)
        self._wake()

    def _wake(self) -> None:
        with suppress(InboxFull):
            self._context.tell_self(WorkEnded())

    def _look_again(self) -> None:
        if not self._look_coming:
            self._look_coming = True
            self._context.after(LOOK_EVERY, Tick(LOOK, 0))

    def _begin(self, found: Loaded | Exception) -> None:
        early, self._early = self._early or deque(), None
        if isinstance(found, Exception):
            self.last_error = _words(found)
        else:
            page, confirmations = found
            self._confirmations = confirmations | self._confirmations
            self._book.begin(page)
        for recorded, triage in early:
            self._guarded(partial(self._take, recorded, triage))

    # --- failures ---

    def _take(self, recorded: FaultRecorded, found: Triage) -> None:
        self._faults[recorded.fingerprint] = recorded.fault
        known = self._book.of_group(recorded.fingerprint)
        if known is not None:
            self._once_more(known, recorded, found)
        elif why := course.trigger(found, recorded.occurrences, recorded.recurrence):
            self._book.open(recorded, found, why, self._now())

    def _once_more(self, known: Decision, recorded: FaultRecorded, found: Triage) -> None:
        at = recorded.fault.at.timestamp()
        known = replace(known, occurrences=max(known.occurrences, recorded.occurrences))
        if course.came_again(known, at, self._run_began):
            self._book.save(known.to(State.REGRESSED, self._now(), "the same failure, although a remedy is in force"))
            return
        if recorded.record and not known.record:
            known = replace(known, record=recorded.record)
        self._book.note(triaged(known, found) if known.state is State.TRIAGED else known)

    # --- the course ---

    def _advance(self, decision_id: str) -> None:
        for _ in range(MAX_STEPS):
            decision = self._book.get(decision_id)
            if decision is None:
                return
            step = course.following(decision, self._known(decision))
            if step.do is not Do.GO:
                break
            gone = course.gone(step, decision, self._now(), self._settings.watch_hours * HOUR)
            self._book.save(replace(gone, level=level_of(self._confirmations.get(decision.group)) or gone.level))
        else:
            return
        if step.do is not Do.WAIT:
            self._work(decision, step)

    def _known(self, decision: Decision) -> Known:
        found = self._book.budget(self._settings, self._now())
        return Known(
            now=self._now(),
            run_began=self._run_began,
            confirmation=self._confirmations.get(decision.group),
            mended_by=self._mended(decision),
            fixer=self._settings.fixer.there,
            may_fix=found.may_fix,
            may_apply=found.may_apply,
            apply_mitigations=self._settings.apply_mitigations,
        )

    def _mended(self, decision: Decision) -> str:
        fault = self._faults.get(decision.group)
        answered = operational_evidence(self._events, fault) if fault is not None else None
        return str(answered) if answered is not None and answered.recovered else ""

    def _hindrance(self) -> str:
        if self._level is not PressureLevel.NORMAL:
            return "the machine is short of something"
        return "work failed several times in a row" if self._clock.monotonic() < self._paused_until else ""

    def _work(self, decision: Decision, step: Next) -> None:
        if self._worker is None or self._in_work or self._hindrance() or self._cancelled.is_set():
            return
        job = {
            Do.PROVE: self._workshop.prove,
            Do.FIX: self._workshop.fix,
            Do.BRANCH: self._workshop.branch,
            Do.PUT: self._workshop.put,
            Do.UNDO: self._workshop.undo,
        }[step.do]
        results, cancelled = self._results, self._cancelled

        def done(found: Outcome | Exception) -> None:
            results.put((decision, found))
            self._wake()

        if self._worker.submit(lambda: job(decision, cancelled), done):
            self._in_work = decision.id

    def _finish(self, decision: Decision, found: Outcome | Exception) -> None:
        self._in_work = ""
        if self._cancelled.is_set():
            return
        if isinstance(found, Exception):
            self._failed(found)
            return
        self._failed_in_a_row = 0
        self._guarded(lambda: self._arrive(decision, found))

    def _arrive(self, decision: Decision, found: Outcome) -> None:
        now = self._book.get(decision.id) or decision
        if now.state is not decision.state:
            return  # a person was quicker
        step = Next(Do.GO, found.state, found.note)
        gone = course.gone(step, now, self._now(), self._settings.watch_hours * HOUR)
        self._book.save(replace(gone, remedy_facts={**gone.remedy_facts, **found.facts}))

    def _failed(self, error: Exception) -> None:
        """Of the work itself. It is tried again; not without end."""
        self.last_error = _words(error)
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= FAILURES or not isinstance(error, NotYet):
            self._failed_in_a_row, self._paused_until = 0, self._clock.monotonic() + PAUSE

    def _guarded(self, job: Callable[[], None]) -> None:
        """Trouble with the disk costs no failure and no frame: it is tried again with the next look."""
        try:
            job()
        except Outdated:
            with suppress(FourEyesError, OSError):
                self._book.forget_stamp()
                self._book.read_again()
        except (FourEyesError, OSError) as error:
            self.last_error = _words(error)

    def _now(self) -> float:
        return self._clock.utc_now().timestamp()


def _words(error: Exception) -> str:
    """An unexpected error's text may hold anything."""
    known = isinstance(error, (FourEyesError, OSError))
    return f"{type(error).__name__}: {one_line(str(error), 200)}" if known else type(error).__name__
