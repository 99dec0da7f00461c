"""The demo cabinet's next stage, made while the present one is still drawn: at a turn no grab is late for it."""

from __future__ import annotations

import threading

from foureyes_actors.capture.cabinet import Cabinet
from foureyes_actors.capture.cabinet.stage import Stage
from supervisors.worker import Worker

LEAD = 6.0  # seconds before a turn; a stage takes a fast machine 0.3 s, a slow and busy one a few seconds
PATIENCE = 1.0  # seconds that a grab waits for a stage that is nearly there, before it makes its own
STOP_TIMEOUT = 0.5  # seconds; a stage in work ends by itself


class StageAhead:
    """Owns one thread, from the first turn that comes near until ``close``. ``look`` and ``close`` are for the thread
    that draws, ``close`` also for another one when nobody draws any more."""

    def __init__(self, cabinet: Cabinet) -> None:
        self._cabinet = cabinet
        self._worker: Worker | None = None
        self._closed = False
        self._turn = -1.0  # the one that the stage in work, or made, is for
        self._made = threading.Event()
        self._result: Stage | Exception | None = None

    def look(self, time: float) -> None:
        """Before each drawing: take the stage that was made for this time, or begin with the next one."""
        if not self._cabinet.has_stage(time) and self._turn >= 0:
            self._take(time)
        coming = self._cabinet.next_turn(time)
        if coming is not None and coming - time <= LEAD and coming > self._turn and not self._closed:
            self._begin(coming)

    def close(self) -> None:
        """Idempotent; ``look`` does nothing any more."""
        self._closed = True
        if self._worker is not None:
            self._worker.stop(STOP_TIMEOUT)

    def _begin(self, turn: float) -> None:
        self._worker = self._worker or Worker("cabinet-next-stage")
        if self._worker.busy:
            return
        self._made.clear()
        if self._worker.submit(lambda: self._cabinet.make_stage(turn), self._deliver):
            self._turn = turn

    def _deliver(self, result: Stage | Exception) -> None:
        """In the worker's thread."""
        self._result = result
        self._made.set()

    def _take(self, time: float) -> None:
        """A stage that failed, is not ready or is for another turn is left: the drawing makes its own, or fails."""
        if time < self._turn or not self._made.wait(PATIENCE):
            return
        result, self._result = self._result, None
        if isinstance(result, Stage) and self._cabinet.next_turn(time) == self._cabinet.next_turn(self._turn):
            self._cabinet.set_stage(result)
