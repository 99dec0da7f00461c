"""The work on decisions: one piece at a time in a worker's thread, and what became of it. For the actor's thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

from foureyes_actors.errors import FourEyesError
from foureyes_actors.forgewright.course import Do
from foureyes_actors.forgewright.decision import Decision
from foureyes_actors.forgewright.patience import TRIES, Patience
from foureyes_actors.forgewright.states import IllegalTransition, State, check
from foureyes_actors.forgewright.work import Outcome, Workshop
from foureyes_actors.ports.clock import Clock
from foureyes_actors.text import one_line
from supervisors.worker import Worker

STOP_WITHIN = 1.0  # seconds


class Labour:
    """``wake`` runs in the worker's thread when something has ended. ``failed`` is told of a decision whose work is
    tried again later, and why."""

    def __init__(
        self,
        workshop: Workshop,
        clock: Clock,
        *,
        wake: Callable[[], None],
        failed: Callable[[str, Exception], None],
    ) -> None:
        self._workshop, self._wake, self._failed = workshop, wake, failed
        self._worker: Worker | None = None
        self._cancelled = threading.Event()
        self._patience = Patience(clock)
        self._results: queue.SimpleQueue[tuple[Decision, Outcome | Exception]] = queue.SimpleQueue()
        self._outcome: tuple[Decision, Outcome] | None = None
        self.in_work = ""  # the id of a decision

    def start(self, name: str) -> None:
        self._worker = Worker(name)

    def stop(self) -> None:
        """What is in work ends at once."""
        self._cancelled.set()
        if self._worker is not None:
            self._worker.stop(STOP_WITHIN)

    @property
    def paused(self) -> bool:
        return self._patience.paused

    def submit(self, job: Callable[[], Any], done: Callable[[Any], None]) -> bool:
        """False: it is still at something else."""
        return self._worker is not None and self._worker.submit(job, done)

    def begin(self, decision: Decision, do: Do) -> None:
        """Nothing happens while there is other work, or after ``stop``."""
        if self.in_work or self._cancelled.is_set():
            return
        job = {
            Do.PROVE: self._workshop.prove,
            Do.FIX: self._workshop.fix,
            Do.BRANCH: self._workshop.branch,
            Do.PUT: self._workshop.put,
            Do.UNDO: self._workshop.undo,
            Do.APPLY: self._workshop.merge,
        }[do]

        def done(found: Outcome | Exception) -> None:
            self._results.put((decision, found))
            self._wake()

        if self.submit(lambda: job(decision, self._cancelled), done):
            self.in_work = decision.id

    def undo(self, decision: Decision) -> None:
        """At once, of a setting: a file goes."""
        self._workshop.undo(decision, self._cancelled)

    def outcome(self) -> tuple[Decision, Outcome] | None:
        """Of work that has ended: the same again until it is ``over``, so that nothing is done twice because of a disk
        that took nothing."""
        if self._outcome is None and not self._results.empty():
            decision, found = self._results.get_nowait()
            if not self._cancelled.is_set():  # what was ended is gone on with by the next run
                self._outcome = self._judged(decision, found)
        return self._outcome

    def over(self) -> None:
        self._outcome, self.in_work = None, ""

    def _judged(self, decision: Decision, found: Outcome | Exception) -> tuple[Decision, Outcome] | None:
        """None: it failed, and is tried again."""
        try:
            if isinstance(found, Outcome):
                check(decision.state, found.state)
                self._patience.worked(decision.id)
                return decision, found
        except IllegalTransition as error:  # a defect of the workshop
            found = error
        self._failed(decision.id, found)
        if self._patience.failed(decision.id, found):
            return decision, Outcome(State.DEFERRED, f"the work on it failed {TRIES} times: {words(found)}")
        self.in_work = ""
        return None


def words(error: Exception) -> str:
    """An unexpected error's text may hold anything."""
    known = isinstance(error, (FourEyesError, OSError))
    return f"{type(error).__name__}: {one_line(str(error), 200)}" if known else type(error).__name__
