"""Decisions without anybody asking: each failure that is worth it goes its course, one piece of work at a time.

Used in the actor's thread, but for the worker's jobs. What is decided is on the disk before it is believed here, so a
run that ends in the middle of anything is gone on with by the next one.
"""

from __future__ import annotations

import queue
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
from foureyes_actors.forgewright.decision import MOST, Decision, triaged
from foureyes_actors.forgewright.labour import Labour, words
from foureyes_actors.forgewright.ledger import Ledger, Outdated, Page
from foureyes_actors.forgewright.operational import operational_evidence
from foureyes_actors.forgewright.overruled import key_of, overruled
from foureyes_actors.forgewright.states import IN_FORCE, State
from foureyes_actors.forgewright.triage import RemedyKind, Triage
from foureyes_actors.forgewright.trust import lacks, record
from foureyes_actors.forgewright.work import Outcome, Workshop
from foureyes_actors.messages import Event, Fault, FaultRecorded, PressureLevel, Tick
from foureyes_actors.ports.clock import Clock
from foureyes_actors.replay.confirmation import Confirmation
from foureyes_actors.settings.forgewright import ForgewrightSettings
from foureyes_actors.text import one_line
from supervisors.actor import ActorContext
from supervisors.inbox import InboxFull

LOOK, LOOK_EVERY = "decisions", 5.0  # seconds; a person may have said something
LOOK_WITHIN = 0.04  # seconds, but for the writing at the end
MAX_EVENTS = 100
MAX_MISSED = 300  # groups whose newest failure waits for the disk
MAX_STEPS = 20  # of one decision in a row, at most
HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class WorkEnded:
    """From the worker: look."""

    conflation_key: ClassVar[str] = "decision_work"


Loaded = tuple[Page, dict[str, Confirmation]]


class Forging:
    """``changed`` is told of each decision that has become another one, in the actor's thread. ``run_began``: this
    process, seconds since 1970; an actor that was replaced goes on in the same one, with the same code."""

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
        run_began: float | None = None,
        setting: Callable[[str], float | None] = lambda _key: None,
    ) -> None:
        """``setting``: what this run goes by, by the setting's name; None: not known."""
        self._context, self._ledger, self._workshop, self._clock = context, ledger, workshop, clock
        self._settings, self._level, self._setting = settings, level, setting
        self._labour = Labour(workshop, clock, wake=self._wake, failed=self._work_failed)
        self._book = Book(ledger, changed)
        self._run_began = clock.utc_now().timestamp() if run_began is None else run_began
        self._loaded: queue.SimpleQueue[Loaded | Exception] = queue.SimpleQueue()
        self._confirmations: dict[str, Confirmation] = {}  # by group
        self._events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self._faults: LRUCache[str, Fault] = LRUCache(MAX_EVENTS)  # of each group the newest
        self._missed: LRUCache[str, tuple[FaultRecorded, Triage]] = LRUCache(MAX_MISSED)  # by group: not yet taken
        self._begun = False  # what is on the disk was read
        self._resting = False  # the disk is left alone until the next timer
        self._todo: deque[str] = deque()  # ids that this look has not come to
        self._look_coming = False
        self.last_error = ""

    def start(self) -> None:
        self._labour.start(f"{self._context.name}#{self._context.incarnation} decisions")
        self._labour.submit(self._load, self._has_loaded)
        self._look_again()

    def stop(self) -> None:
        """What is in work ends at once, and is gone on with by the next run."""
        self._labour.stop()

    # --- what happens ---

    def offer(self, recorded: FaultRecorded, found: Triage) -> None:
        """A failure that was recorded. It is kept until the disk has it."""
        self._missed[recorded.fingerprint] = recorded, found
        if self._begun and not self._resting:
            self._take_missed(recorded.fingerprint)

    def reproduced(self, group: str, confirmation: Confirmation) -> None:
        """A platform of this group was run."""
        self._confirmations[group] = confirmation
        known = self._book.of_group(group)
        if known is not None and self._begun:
            self._guarded(partial(self._advance, known.id))

    def heard(self, event: Event) -> None:
        """Of Cerberus."""
        self._events.append(event)
        self.look()

    def under_pressure(self, level: PressureLevel) -> None:
        self._level = level
        self.look()

    def look(self, *, timer: bool = False) -> None:
        """Whatever happened: take results, read what a person has said, and go on."""
        if timer:
            self._look_coming = self._resting = False
        while not self._loaded.empty():
            self._begin(self._loaded.get_nowait())
        if self._begun:
            self._go_on(timer)
        elif timer:
            self._labour.submit(self._load, self._has_loaded)  # refused while it is still at it
        self._look_again()

    def _go_on(self, timer: bool) -> None:
        until = self._clock.monotonic() + LOOK_WITHIN
        if timer:
            self._guarded(self._book.read_again)
        if (ended := self._labour.outcome()) is not None:
            self._arrived(*ended)
        self._todo = self._todo or deque(self._book.open_ids)
        missed = deque(() if self._resting else self._missed)
        while missed or self._todo:
            if self._clock.monotonic() > until:  # others want to be answered too
                self._wake()
                return
            if missed:
                self._take_missed(missed.popleft())
            else:
                self._guarded(partial(self._advance, self._todo.popleft()))

    def status(self) -> dict[str, Any]:
        return {
            "by_state": self._book.by_state(),
            "in_work": self._labour.in_work,
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
        found: dict[str, Confirmation] = {}
        for decision in filter(course.busy, page.decisions):
            with suppress(OSError):
                confirmation = self._workshop.confirmation(decision)
                found |= {decision.group: confirmation} if confirmation is not None else {}
        return page, found

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
        if isinstance(found, Exception):
            self.last_error = words(found)  # with the next timer it is tried again
            return
        page, confirmations = found
        self._confirmations = confirmations | self._confirmations
        self._book.begin(page)
        self._begun = True

    # --- failures ---

    def _take_missed(self, group: str) -> None:
        recorded, found = self._missed[group]
        if self._guarded(partial(self._take, recorded, found)):
            del self._missed[group]
            known = self._book.of_group(group)
            if known is not None:
                self._guarded(partial(self._advance, known.id))

    def _take(self, recorded: FaultRecorded, found: Triage) -> None:
        self._faults[recorded.fingerprint] = recorded.fault
        known = self._book.of_group(recorded.fingerprint)
        if known is not None:
            self._once_more(known, recorded, found)
        elif why := course.trigger(found, recorded.occurrences, recorded.recurrence):
            self._book.open(recorded, found, why, self._now())

    def _once_more(self, known: Decision, recorded: FaultRecorded, found: Triage) -> None:
        at = recorded.fault.at.timestamp()
        known = replace(known, occurrences=max(known.occurrences, min(recorded.occurrences, MOST)))
        if course.came_again(known, at, self._run_began):
            if self._overruled(known):
                return
            over = course.expired(known, self._run_began)
            state = State.ROLLED_BACK if over else State.REGRESSED
            note = "its setting had come to its end" if over else "the same failure, although a remedy is in force"
            self._book.save(known.to(state, self._now(), note))
            return
        if recorded.record and not known.record:
            known = replace(known, record=one_line(recorded.record, 100))
        self._book.note(triaged(known, found) if known.state is State.TRIAGED else known)

    # --- the course ---

    def _advance(self, decision_id: str) -> None:
        for _ in range(MAX_STEPS):
            decision = self._book.get(decision_id)
            if decision is None or self._overruled(decision):
                return
            step = course.following(decision, self._known(decision))
            if step.do is not Do.GO:
                break
            gone = course.gone(step, decision, self._now(), self._settings.watch_hours * HOUR)
            self._book.save(replace(gone, level=level_of(self._confirmations.get(decision.group)) or gone.level))
        else:
            return
        if step.do is not Do.WAIT and not self._hindrance():
            self._labour.begin(decision, step.do)

    def _overruled(self, decision: Decision) -> bool:
        """Its setting does not hold in this run: that is no success of it. Raises as ``Book.save``."""
        key = key_of(decision)
        has = self._setting(key) if key and self._run_began > decision.applied_at else None
        found = overruled(decision, self._book.all, has, self._now()) if has is not None else None
        if found is None:
            return False
        self._labour.undo(decision)
        back = decision.to(State.ROLLED_BACK, self._now(), found.words)
        self._book.save(back.to(State.REJECTED, self._now(), found.words) if found.by_user else back)
        return True

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
            may_merge=self._may_merge(decision),
        )

    def _may_merge(self, decision: Decision) -> bool:
        if not self._settings.apply_patches or decision.state is not State.AWAITING_APPROVAL:
            return False
        return not lacks(decision, record(self._book.all), self._now())

    def _mended(self, decision: Decision) -> str:
        if decision.remedy is not RemedyKind.OPERATIONAL or decision.state is not State.TRIAGED:
            return ""
        fault = self._faults.get(decision.group)
        answered = operational_evidence(self._events, fault) if fault is not None else None
        return str(answered) if answered is not None and answered.recovered else ""

    def _hindrance(self) -> str:
        if self._level is not PressureLevel.NORMAL:
            return "the machine is short of something"
        return "work failed several times in a row" if self._labour.paused else ""

    def _work_failed(self, decision_id: str, error: Exception) -> None:
        """It is tried again after all others."""
        self.last_error = words(error)
        self._book.last(decision_id)

    def _arrived(self, decision: Decision, found: Outcome) -> None:
        arrive = partial(self._arrive, decision, found)
        if self._guarded(arrive) or self._guarded(arrive):  # once more, onto what a person has said meanwhile
            self._labour.over()
            self._guarded(partial(self._advance, decision.id))

    def _arrive(self, decision: Decision, found: Outcome) -> None:
        now = self._book.get(decision.id) or decision
        if now.state is not decision.state:  # a person was quicker, and may have said no to what was being put
            if found.state is State.APPLIED and now.state not in IN_FORCE:
                self._labour.undo(now)
            return
        step = Next(Do.GO, found.state, found.note)
        self._book.save(course.gone(step, now, self._now(), self._settings.watch_hours * HOUR, found.facts))

    def _guarded(self, job: Callable[[], None]) -> bool:
        """Trouble with the disk costs no failure and no frame: it is tried again with the next timer, and until then
        nothing waits for a lock. True: done."""
        if self._resting:
            return False
        try:
            job()
            return True
        except Outdated:
            self._book.forget_stamp()
            with suppress(FourEyesError, OSError):
                self._book.read_again()
        except (FourEyesError, OSError) as error:
            self.last_error, self._resting = words(error), True
        return False

    def _now(self) -> float:
        return self._clock.utc_now().timestamp()
