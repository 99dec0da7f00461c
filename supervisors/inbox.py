"""The inbox of a supervised actor: Pykka's inbox protocol, plus what supervision needs.

* Control lane first: plain messages, in order, up to ``bound``; then an ``InboxFull`` at the sender.
* Latest wins: a message with a ``conflation_key`` takes its key's slot and replaces an older one that nobody began.
* It outlives its actor: what is queued when an actor dies is handled by the replacement. ``owner`` is the
  incarnation that may take; a fenced one gets nothing any more.
* ``close`` is atomic with ``put``: no message is accepted and then orphaned, every asker is answered.
* ``busy_for`` tells how long the present message has been in work: the sign of life that needs no ping.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from pykka import ActorDeadError, Future
from pykka.messages import _ActorStop

WAKE_UP = 1.0  # seconds; no wait is endless, so a lost wake-up costs at most this


class InboxFull(RuntimeError):
    """The receiver has not kept up with messages that must not be dropped."""


class Envelope:
    """A message and where its reply goes (None: nobody waits)."""

    __slots__ = ("message", "reply_to")

    def __init__(self, message: Any, reply_to: Future[Any] | None = None) -> None:
        self.message, self.reply_to = message, reply_to


class Inbox:
    """Any thread may put; one thread, the owner's, takes."""

    def __init__(self, name: str, *, bound: int = 1000, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.name, self.bound, self._monotonic = name, bound, monotonic
        self._ready = threading.Condition()
        self._control: deque[Envelope] = deque()
        self._latest: dict[str, Envelope] = {}
        self._owner = 0
        self._closed = False
        self._busy_since: float | None = None
        self._handling = ""
        self.replaced: Counter[str] = Counter()  # conflation key -> messages that a newer one replaced

    def put(self, envelope: Any) -> None:
        """Raises ActorDeadError when closed, InboxFull at the bound. Takes Pykka's envelopes and ours."""
        message, reply_to = envelope.message, envelope.reply_to
        key = getattr(message, "conflation_key", None) if reply_to is None else None
        with self._ready:
            if self._closed:
                raise ActorDeadError(f"{self.name} is closed")
            if key is None:
                self._put_control(Envelope(message, reply_to))
            else:
                self._put_latest(key, Envelope(message))
            self._ready.notify()

    def _put_control(self, envelope: Envelope) -> None:
        if len(self._control) >= self.bound and not isinstance(envelope.message, _ActorStop):
            raise InboxFull(f"{self.name} has {self.bound} messages waiting")
        self._control.append(envelope)

    def _put_latest(self, key: str, envelope: Envelope) -> None:
        if key in self._latest:
            self.replaced[key] += 1
        self._latest[key] = envelope

    def own(self, incarnation: int) -> None:
        """From now on only this incarnation may take. Wakes the former owner, who gets None."""
        with self._ready:
            self._owner, self._busy_since, self._handling = incarnation, None, ""
            self._ready.notify_all()

    def take(self, incarnation: int) -> Envelope | None:
        """Wait for the next message; None when this incarnation is no longer the owner or the inbox is closed."""
        with self._ready:
            while self._owner == incarnation and not self._closed:
                envelope = self._next()
                if envelope is not None:
                    self._busy_since = self._monotonic()
                    self._handling = type(envelope.message).__name__
                    return envelope
                self._ready.wait(WAKE_UP)
            return None

    def _next(self) -> Envelope | None:
        if self._control:
            return self._control.popleft()
        if self._latest:
            return self._latest.pop(next(iter(self._latest)))
        return None

    def mark_busy(self, incarnation: int, what: str) -> None:
        """Count a hook (on_start, on_stop) as work, so that a hang in it is seen."""
        with self._ready:
            if self._owner == incarnation:
                self._busy_since, self._handling = self._monotonic(), what

    def done(self, incarnation: int) -> None:
        """The message taken last has been handled."""
        with self._ready:
            if self._owner == incarnation:
                self._busy_since, self._handling = None, ""

    def busy_for(self) -> float:
        """Seconds since the present message was taken; 0.0 when idle."""
        since = self._busy_since
        return 0.0 if since is None else max(0.0, self._monotonic() - since)

    @property
    def handling(self) -> str:
        """The type of the present message, or the hook; empty when idle."""
        return self._handling

    @property
    def owner(self) -> int:
        return self._owner

    def __len__(self) -> int:
        return len(self._control) + len(self._latest)

    def empty(self) -> bool:
        return len(self) == 0

    def get(self) -> Envelope:
        """Pykka's protocol; our actors use ``take``. Raises ActorDeadError when closed."""
        envelope = self.take(self._owner)
        if envelope is None:
            raise ActorDeadError(f"{self.name} is closed")
        return envelope

    def close(self) -> None:
        """Refuse everything from now on and answer whoever still waits. Idempotent."""
        with self._ready:
            self._closed = True
            orphans = [*self._control, *self._latest.values()]
            self._control.clear()
            self._latest.clear()
            self._ready.notify_all()
        for orphan in orphans:
            answer_dead(orphan, self.name)


def answer_dead(envelope: Envelope, name: str) -> None:
    """Tell the asker, if any, that nobody will answer."""
    if envelope.reply_to is not None:
        error = ActorDeadError(f"{name} ended before handling {type(envelope.message).__name__}")
        envelope.reply_to.set_exception((ActorDeadError, error, None))
