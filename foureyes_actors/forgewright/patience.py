"""How long work that fails is tried again: with a pause, and not without end. Used in one thread."""

from __future__ import annotations

from collections import Counter

from foureyes_actors.forgewright.programs import NotYet
from foureyes_actors.forgewright.queue import FAILURES, PAUSE
from foureyes_actors.ports.clock import Clock

TRIES = 5  # of one decision's work; then a person has to look


class Patience:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tries: Counter[str] = Counter()  # id of a decision -> times that its work failed
        self._in_a_row, self._paused_until = 0, 0.0

    @property
    def paused(self) -> bool:
        return self._clock.monotonic() < self._paused_until

    def worked(self, decision_id: str) -> None:
        self._in_a_row = 0
        self._tries.pop(decision_id, None)

    def failed(self, decision_id: str, error: Exception) -> bool:
        """True: it is at its end with this one. What may be there in a moment costs no pause the first times."""
        self._tries[decision_id] += 1
        self._in_a_row += 1
        if self._in_a_row >= FAILURES or not isinstance(error, NotYet):
            self._in_a_row, self._paused_until = 0, self._clock.monotonic() + PAUSE
        if self._tries[decision_id] < TRIES:
            return False
        del self._tries[decision_id]
        return True
