"""The inbox of a supervised actor: Pykka's inbox protocol, plus what supervision needs.

* Urgent lane ahead of everything: supervision's own notices to a supervisor. It has no bound.
* Control lane: plain messages, in order, up to ``bound``; then an ``InboxFull`` at the sender. A request to stop is one
  of them: what was accepted before it is handled before it.
* Latest wins: a message with a ``conflation_key`` takes its key's slot and replaces an older one that nobody began.
  These come last, and they are dropped when the actor is asked to stop.
* Patient: a message with a true ``patient`` wakes nobody up; it is handled, in its order, with the next one that does.
  For what is only counted, told to an actor that has ticks.
* It outlives its actor: what is queued when an actor dies is handled by the replacement, except for what was meant for
  one incarnation alone (``only_for``: its timer ticks, its workers' results).
* ``owner`` is the incarnation that may take; a fenced one gets nothing any more.
* ``leave`` says, in one step with the fence, what was in work: each message is either handled on, or named once.
* ``close`` is atomic with ``put``: no message is accepted and then orphaned, every asker is answered.
* ``busy_for`` tells how long the present message has been in work: the sign of life that needs no ping.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pykka import ActorDeadError, Future
from pykka.messages import _ActorStop

from supervisors.bell import Bell

WAKE_UP = 30.0  # seconds; no wait is endless, so a lost wake-up costs at most this


class InboxFull(RuntimeError):
    """The receiver has not kept up with messages that must not be dropped."""


class Envelope:
    """A message, where its reply goes (None: nobody waits), and for which incarnation it is (0: for any)."""

    __slots__ = ("message", "only_for", "reply_to")

    def __init__(self, message: Any, reply_to: Future[Any] | None = None, only_for: int = 0) -> None:
        self.message, self.reply_to, self.only_for = message, reply_to, only_for


class Inbox:
    """Any thread may put; one thread, the owner's, takes."""

    def __init__(self, name: str, *, bound: int = 1000, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.name, self.bound, self._monotonic = name, bound, monotonic
        self._guard = threading.Lock()
        self._bell, self._waits = Bell(), False  # of the owner, and whether it has to be rung for him
        self._urgent: deque[Envelope] = deque()
        self._control: deque[Envelope] = deque()
        self._latest: dict[str, Envelope] = {}
        self._owner = 0
        self.incarnations = 0
        self._closed = False
        self._busy_since: float | None = None
        self._hook = ""
        self._present: Envelope | None = None
        self._postponed: set[Envelope] = set()  # asked of the owner, who is to answer later
        self.replaced: Counter[str] = Counter()  # conflation key -> messages that a newer one replaced
        self.stale = 0  # messages that were for an incarnation that has ended

    # --- senders ---

    def put(self, envelope: Any) -> None:
        """Raises ActorDeadError when closed, InboxFull at the bound. Takes Pykka's envelopes and ours."""
        message, reply_to = envelope.message, envelope.reply_to
        key = getattr(message, "conflation_key", None) if reply_to is None else None
        ours = envelope if type(envelope) is Envelope else self._adopt(message, reply_to)
        with self._guard:
            self._refuse_when_closed()
            if key is not None:
                if key in self._latest:
                    self.replaced[key] += 1
                self._latest[key] = ours
            elif len(self._control) < self.bound or isinstance(message, _ActorStop):
                self._control.append(ours)
            else:
                raise InboxFull(f"{self.name} has {self.bound} messages waiting")
            if reply_to is not None or not getattr(message, "patient", False):
                self._wake()

    def _adopt(self, message: Any, reply_to: Future[Any] | None) -> Envelope:
        """From a Pykka ref. A request to stop is for the present incarnation; its replacement was not asked."""
        return Envelope(message, reply_to, self.incarnations if isinstance(message, _ActorStop) else 0)

    def put_urgent(self, message: object, only_for: int = 0) -> None:
        """Ahead of everything, bound or not. Raises ActorDeadError when closed."""
        with self._guard:
            self._refuse_when_closed()
            self._urgent.append(Envelope(message, only_for=only_for))
            self._wake()

    def _wake(self) -> None:
        if self._waits:
            self._waits = False
            self._bell.ring()

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise ActorDeadError(f"{self.name} is closed")

    # --- the owner ---

    def own_next(self) -> int:
        """A new incarnation, which alone may take from now on. Opens the inbox if it was closed."""
        with self._guard:
            self._closed = False
            self.incarnations += 1
        self.own(self.incarnations)
        return self.incarnations

    def own(self, incarnation: int) -> None:
        """From now on only this incarnation may take. The former owner gets None; who waits for an answer of it, an
        ActorDeadError."""
        with self._guard:
            abandoned = self._hand_over(incarnation)
        for envelope in abandoned:
            answer_dead(envelope, self.name)

    def leave(self, incarnation: int) -> tuple[str, str]:
        """This incarnation has ended or is fenced: until there is a replacement nobody takes; who waits for an answer
        of it gets an ActorDeadError. The type (or hook) and the id of what it was busy with; empty when it was idle or
        not the owner any more."""
        with self._guard:
            if self._owner != incarnation:
                return "", ""
            busy_with = self.handling, self.message_id
            abandoned = self._hand_over(0)
        for envelope in abandoned:
            answer_dead(envelope, self.name)
        return busy_with

    def _hand_over(self, incarnation: int) -> list[Envelope]:
        """Those whose asker still waits for the former owner."""
        abandoned = [*self._postponed] + ([] if self._present is None else [self._present])
        self._postponed.clear()
        self._owner, self._present, self._busy_since, self._hook = incarnation, None, None, ""
        self._wake()
        self._bell = Bell()  # what is rung from now on is not for the former owner, who may still be about to wait
        return abandoned

    def postpone(self, incarnation: int, envelope: Envelope) -> None:
        """It will be answered later; should its actor end before, its asker is told so."""
        with self._guard:
            if self._owner == incarnation:
                self._postponed.add(envelope)
                return
        answer_dead(envelope, self.name)

    def answered(self, envelope: Envelope) -> None:
        with self._guard:
            self._postponed.discard(envelope)

    def take(self, incarnation: int) -> Envelope | None:
        """The last message has been handled: wait for the next one. None when this incarnation is no longer the owner
        or the inbox is closed."""
        while True:
            with self._guard:
                if self._owner != incarnation:
                    return None
                self._present, self._busy_since, self._hook = None, None, ""
                if self._closed:
                    return None
                envelope = self._next()
                if envelope is not None:
                    self._present, self._busy_since = envelope, self._monotonic()
                    return envelope
                self._waits, bell = True, self._bell
            bell.wait(WAKE_UP)

    def _next(self) -> Envelope | None:
        for lane in (self._urgent, self._control):
            while lane:
                envelope = lane.popleft()
                if self._is_fresh(envelope):
                    return envelope
        while self._latest:
            envelope = self._latest.pop(next(iter(self._latest)))
            if self._is_fresh(envelope):
                return envelope
        return None

    def _is_fresh(self, envelope: Envelope) -> bool:
        if envelope.only_for in (0, self._owner):
            return True
        self.stale += 1
        answer_dead(envelope, self.name)
        return False

    def mark_busy(self, incarnation: int, hook: str) -> None:
        """Count a hook (on_start, on_stop) as work, so that a hang in it is seen."""
        with self._guard:
            if self._owner == incarnation:
                self._busy_since, self._hook = self._monotonic(), hook

    # --- watchers ---

    def busy_for(self) -> float:
        """Seconds since the present message was taken; 0.0 when idle."""
        since = self._busy_since
        return 0.0 if since is None else max(0.0, self._monotonic() - since)

    @property
    def handling(self) -> str:
        """The type of the present message, or the hook; empty when idle."""
        present = self._present
        return self._hook or ("" if present is None else type(present.message).__name__)

    @property
    def message_id(self) -> str:
        """The ``id`` of the present message, where it has one."""
        present = self._present
        return "" if present is None else id_of(present.message)

    @property
    def owner(self) -> int:
        return self._owner

    @property
    def closed(self) -> bool:
        return self._closed

    def __len__(self) -> int:
        return len(self._urgent) + len(self._control) + len(self._latest)

    # --- Pykka's protocol ---

    def empty(self) -> bool:
        return len(self) == 0

    def get(self) -> Envelope:
        """Our actors use ``take``. Raises ActorDeadError when closed."""
        envelope = self.take(self._owner)
        if envelope is None:
            raise ActorDeadError(f"{self.name} is closed")
        return envelope

    def close(self) -> None:
        """Refuse everything from now on and answer whoever still waits. Idempotent."""
        with self._guard:
            self._closed = True
            orphans = [*self._urgent, *self._control, *self._latest.values()]
            for lane in (self._urgent, self._control, self._latest):
                lane.clear()
            self._wake()
        for orphan in orphans:
            answer_dead(orphan, self.name)


def id_of(message: object) -> str:
    """A message's ``id`` as a short text; empty when it has none."""
    try:
        found = getattr(message, "id", None)
        return "" if found is None or callable(found) else str(found)[:100]
    except BaseException:  # a property of a strange message; the notice matters more
        return ""


def answer_dead(envelope: Envelope, name: str) -> None:
    """Tell the asker, if any and not answered yet, that nobody will answer."""
    if envelope.reply_to is not None:
        error = ActorDeadError(f"{name} ended before it had handled {type(envelope.message).__name__}")
        with suppress(queue.Full):  # answered already
            envelope.reply_to.set_exception((ActorDeadError, error, None))
