"""Not more than a frame each so many seconds: the pace of the polling fallback and of the lower rhythm."""

from __future__ import annotations

from dataclasses import dataclass

from foureyes_actors.ports.clock import Clock
from supervisors.actor import ActorContext


@dataclass(frozen=True, slots=True)
class Due:
    """To self: it may be time for the next frame. ``pace``: whose."""

    pace: str = "fallback"


class Pace:
    """One actor's; used in its thread alone. ``every``: seconds from the beginning of one frame to the next one's."""

    def __init__(self, context: ActorContext, name: str, *, every: float, clock: Clock) -> None:
        self._context, self._name, self._every, self._clock = context, name, every, clock
        self._due = clock.monotonic()
        self._waiting = False  # for a Due

    def reset(self) -> None:
        """The next frame may begin at once."""
        self._due = self._clock.monotonic()

    def may_begin(self) -> bool:
        """False: not now; a Due comes when it may be time."""
        wait = self._due - self._clock.monotonic()
        if wait > 0 and not self._waiting:
            self._waiting = True
            self._context.after(wait, Due(self._name))
        return wait <= 0

    def begun(self) -> None:
        self._due = self._clock.monotonic() + self._every

    def awake(self, due: Due) -> None:
        """One that was asked for earlier does no harm, it is only too early."""
        if due.pace == self._name:
            self._waiting = False
