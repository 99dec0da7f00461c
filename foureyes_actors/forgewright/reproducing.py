"""Platforms without anybody asking: what waits for one is on the disk, one is made at a time, and nobody is disturbed.

Used in the actor's thread, but for the worker's jobs. The worker leaves its results in a queue and wakes the actor; a
wake-up that an inbox refused is made up for by the next look.
"""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar

from foureyes_actors.forgewright.making import EXPECTED, Made, PlatformMaker
from foureyes_actors.forgewright.programs import NotYet
from foureyes_actors.forgewright.queue import Known, Queue, Wanted
from foureyes_actors.messages import FaultRecorded, PressureLevel, Tick
from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.private_folder import PrivateFolder
from foureyes_actors.replay.confirmation import Level
from foureyes_actors.replay.platform_folder import Origin, Platform, platforms, wait, wait_no_more, waiting
from foureyes_actors.text import one_line
from supervisors.actor import ActorContext
from supervisors.inbox import InboxFull
from supervisors.worker import Worker

LOOK, LOOK_EVERY = "platforms", 1.0  # seconds, while anything waits
SPACING = 5.0  # seconds between two platforms: the machine has others to serve
TRIES = 10  # looks for a record that is still being written
STOP_WITHIN = 1.0  # seconds
MAX_EARLY = 64  # groups
Result = tuple[Wanted, Made | Exception]


@dataclass(frozen=True, slots=True)
class WorkDone:
    """From the worker: look."""

    conflation_key: ClassVar[str] = "work_done"


class Reproducing:
    """``made`` is told of each platform whose failure was run again, in the actor's thread."""

    def __init__(
        self,
        context: ActorContext,
        *,
        maker: PlatformMaker,
        folder: PrivateFolder,
        clock: Clock,
        per_day: int,
        made: Callable[[Wanted, Made], None],
        level: PressureLevel = PressureLevel.NORMAL,
    ) -> None:
        self._context, self._maker, self._folder, self._clock, self._made = context, maker, folder, clock, made
        self._queue, self._level = Queue(per_day), level
        self._worker: Worker | None = None
        self._cancelled = threading.Event()
        self._loaded: queue.SimpleQueue[tuple[list[Platform], list[Origin]] | Exception] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[Result] = queue.SimpleQueue()
        self._early: dict[str, Wanted] | None = {}  # what came before it was known what is there
        self._in_work: Wanted | None = None
        self._tries: Counter[str] = Counter()
        self._free_at = 0.0  # monotonic seconds
        self._look_coming = False
        self._outcomes: Counter[str] = Counter()
        self.last_error = ""

    def start(self) -> None:
        self._worker = Worker(f"{self._context.name}#{self._context.incarnation} platforms")
        self._worker.submit(lambda: (platforms(self._folder), waiting(self._folder)), self._has_loaded)

    def stop(self) -> None:
        """What is in work ends at once, and is made again by the next run."""
        self._cancelled.set()
        if self._worker is not None:
            self._worker.stop(STOP_WITHIN)

    def offer(self, recorded: FaultRecorded) -> None:
        at = recorded.fault.at.timestamp()
        wanted = Wanted(recorded.fingerprint, recorded.record, recorded.fault.source, at)
        if self._early is None:
            self._take(wanted)
        elif wanted.record and len(self._early) < MAX_EARLY:
            self._early[wanted.group] = wanted
        self.look()

    def under_pressure(self, level: PressureLevel) -> None:
        self._level = level
        self.look()

    def look(self, *, timer: bool = False) -> None:
        """Whatever happened: take results, and begin with what is next when its time has come."""
        self._look_coming = self._look_coming and not timer
        while not self._loaded.empty():
            self._begin(self._loaded.get_nowait())
        while not self._results.empty():
            self._finish(*self._results.get_nowait())
        if self._in_work is None and self._early is None:
            self._next()
        if (self._queue.waiting or self._in_work or self._early is not None) and not self._look_coming:
            self._look_coming = True
            self._context.after(LOOK_EVERY, Tick(LOOK, 0))

    def status(self) -> dict[str, Any]:
        return {
            "waiting": len(self._queue.waiting),
            "in_work": self._in_work.record if self._in_work else "",
            "made_in_24_hours": self._queue.made_today,
            "outcomes": dict(self._outcomes),
            "dropped": self._queue.dropped,
            "held_back": self._hindrance(),
            "last_error": self.last_error,
        }

    # --- the disk and the worker ---

    def _has_loaded(self, found: tuple[list[Platform], list[Origin]] | Exception) -> None:
        """In the worker's thread."""
        self._loaded.put(found)
        self._wake()

    def _wake(self) -> None:
        with suppress(InboxFull):
            self._context.tell_self(WorkDone())

    def _begin(self, found: tuple[list[Platform], list[Origin]] | Exception) -> None:
        early, self._early = self._early or {}, None
        if isinstance(found, Exception):
            self.last_error = type(found).__name__
            found = ([], [])
        for made in found[0]:
            if made.confirmation is not None and made.origin.group:
                confirmed = made.confirmation.level is not Level.UNCONFIRMED
                known = Known(made.origin.record, made.origin.at, confirmed)
                self._queue.remember(made.origin.group, known, counts=made.origin.unasked)
        now = self._now()
        for left in found[1]:
            if not self._queue.offer(Wanted(left.group, left.record, left.source, left.at), now):
                self._wait_no_more(left.record)
        for wanted in early.values():
            self._take(wanted)

    def _take(self, wanted: Wanted) -> None:
        before = next((each.record for each in self._queue.waiting if each.group == wanted.group), "")
        if wanted.record == before or (self._in_work and self._in_work.group == wanted.group):
            return
        if self._queue.offer(wanted, self._now()):
            origin = Origin(wanted.record, wanted.group, wanted.source, wanted.at)
            self._on_disk(lambda: wait(self._folder, origin))
            if before:
                self._wait_no_more(before)

    def _wait_no_more(self, record: str) -> None:
        self._on_disk(lambda: wait_no_more(self._folder, record))

    def _on_disk(self, write: Callable[[], None]) -> None:
        """What cannot be written is made all the same, unless this run ends before."""
        try:
            write()
        except OSError as error:
            self.last_error = f"{type(error).__name__}: {error.strerror}"

    def _now(self) -> float:
        return self._clock.utc_now().timestamp()

    # --- making ---

    def _hindrance(self) -> str:
        if self._level is not PressureLevel.NORMAL:
            return "the machine is short of something"
        return self._queue.hindrance(self._now())

    def _next(self) -> None:
        if self._worker is None or self._hindrance() or self._clock.monotonic() < self._free_at:
            return
        wanted = self._queue.next(self._now())
        if wanted is None:
            return
        cancelled, maker, results = self._cancelled, self._maker, self._results

        def done(found: Made | Exception) -> None:
            results.put((wanted, found))
            self._wake()

        if self._worker.submit(lambda: maker.make(wanted, cancelled), done):
            self._in_work = wanted

    def _finish(self, wanted: Wanted, found: Made | Exception) -> None:
        self._in_work = None
        if self._cancelled.is_set():
            return
        if isinstance(found, NotYet) and self._tries[wanted.record] < TRIES:
            self._tries[wanted.record] += 1
            self._free_at = self._clock.monotonic() + LOOK_EVERY
            self._queue.postpone(wanted)
            return
        self._tries.pop(wanted.record, None)
        self._free_at = self._clock.monotonic() + SPACING
        if isinstance(found, Exception):
            self._failed(wanted, found)
        else:
            self._outcomes[found.confirmation.level.value] += 1
            confirmed = found.confirmation.level is not Level.UNCONFIRMED
            self._queue.finished(wanted, self._now(), confirmed=confirmed)
            self._made(wanted, found)
        self._wait_no_more(wanted.record)

    def _failed(self, wanted: Wanted, error: Exception) -> None:
        self._outcomes["not made"] += 1
        words = one_line(str(error), 200) if isinstance(error, EXPECTED) else ""
        self.last_error = f"{type(error).__name__}: {words}"
        self._queue.failed(wanted, self._now())
