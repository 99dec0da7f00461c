"""Telling others without dying of it: a full inbox or an absent receiver is counted, and reported once."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable

from foureyes_actors.bug.faults import fault_from_exception
from foureyes_actors.bug.throttle import Throttle
from foureyes_actors.ports.clock import Clock
from supervisors.actor import ActorContext
from supervisors.inbox import InboxFull

BUG = "bug"


class Teller:
    """One actor's way to tell. Used in that actor's thread alone. ``keep``: so many messages for receivers that are
    not there yet are kept for ``again``, for an actor that starts before them."""

    def __init__(self, context: ActorContext, clock: Clock, *, bug: str = BUG, keep: int = 0) -> None:
        self._context, self._clock, self._bug = context, clock, bug
        self.undelivered: Counter[str] = Counter()  # receiver -> messages that did not reach it
        self._full: set[str] = set()
        self._throttle = Throttle()
        self._keep = keep
        self._kept: deque[tuple[str, object]] = deque()

    def tell(self, names: Iterable[str], message: object) -> None:
        """Tell all of them. A receiver whose inbox is full misses the message; the first one of a row is a Fault."""
        for name in names:
            try:
                if not self._context.tell(name, message):
                    self._absent(name, message)
                self._full.discard(name)
            except InboxFull as full:
                self._refused(name, full)

    def again(self) -> None:
        """Tell what was kept to those who are there by now."""
        kept, self._kept = self._kept, deque()
        for name, message in kept:
            self.tell((name,), message)

    def _absent(self, name: str, message: object) -> None:
        self._kept.append((name, message))
        if len(self._kept) > self._keep:
            lost, _ = self._kept.popleft()
            self.undelivered[lost] += 1

    def _refused(self, name: str, full: InboxFull) -> None:
        self.undelivered[name] += 1
        if name in self._full or name == self._bug:
            self._full.add(name)
            return
        self._full.add(name)
        self.fault(full, {"receiver": name, "undelivered": str(self.undelivered[name])})

    def fault(self, error: BaseException, context: dict[str, str]) -> None:
        """Tell the bug actor. The error's traceback is dropped: its frames hold pictures. In a storm most of them are
        only counted, as undelivered."""
        if not self._throttle.admits(error, self._clock.monotonic()):
            self.undelivered[self._bug] += 1
            error.with_traceback(None)
            return
        fault = fault_from_exception(error, source=self._context.name, clock=self._clock, context=context)
        error.with_traceback(None)  # no assignment: an exception may refuse attributes
        self.tell((self._bug,), fault)
