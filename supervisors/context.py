"""What a supervisor gives to one incarnation of a child, and the thread that incarnation lives in."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import pykka

from supervisors.actor import ActorContext, SupervisedActor, exit_notice, taken_off
from supervisors.directory import Directory
from supervisors.inbox import Envelope, Inbox
from supervisors.messages import Declined, ExitNotice, Stage, Started, Tick, Unwell, Well
from supervisors.policy import middle
from supervisors.schedule import Schedule

Make = Callable[[ActorContext], SupervisedActor | None]


@dataclass(frozen=True)
class Tree:
    """What all of a tree share. ``random``: uniform in [0, 1), for the jitter of restarts."""

    directory: Directory = field(default_factory=Directory)
    schedule: Schedule = field(default_factory=Schedule)
    monotonic: Callable[[], float] = time.monotonic
    random: Callable[[], float] = middle


class ChildContext:
    """One incarnation's ActorContext. After ``fence`` nothing it sends goes out any more, nor what its children send.

    ``above``: the inbox of its supervisor; None for the root.
    """

    def __init__(self, name: str, inbox: Inbox, tree: Tree, above: Inbox | None) -> None:
        self.name, self.inbox, self._tree, self._above = name, inbox, tree, above
        self.incarnation = inbox.own_next()
        self.live = True
        self.start_done, self.end = threading.Event(), threading.Event()
        self.notice: ExitNotice | None = None
        self._below: tuple[ChildContext, ...] = ()

    # --- for the actor; any thread ---

    def tell(self, name: str, message: object) -> bool:
        return self.live and self._tree.directory.tell(name, message)

    def tell_self(self, message: object) -> bool:
        if not self.live:
            return False
        try:
            self.inbox.put(Envelope(message, only_for=self.incarnation))
        except pykka.ActorDeadError:
            return False
        return True

    def every(self, seconds: float, name: str, *, early: float = 0.0) -> None:
        self._tree.schedule.every(seconds, lambda number: self.tell_self(Tick(name, number)), early=early)

    def after(self, seconds: float, message: object, *, early: float = 0.0) -> None:
        self._tree.schedule.after(seconds, lambda _number: self.tell_self(message), early=early)

    def well(self) -> None:
        self._report(Well(self.name, self.incarnation))

    def unwell(self, error: BaseException) -> None:
        self._report(Unwell(self.name, self.incarnation, error))

    # --- for the supervisor ---

    def launch(self, make: Make) -> None:
        """Build the actor and run it, in a thread of its own: nothing of a child runs in its supervisor's."""
        thread = threading.Thread(target=self._run, args=(make,), name=f"{self.name}#{self.incarnation}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no more threads to be had
            self.exited(exit_notice(self, Stage.INIT, error, None, *taken_off(error)))

    def _run(self, make: Make) -> None:
        self.inbox.mark_busy(self.incarnation, Stage.INIT)
        try:
            actor = make(self)
            if actor is not None and not isinstance(actor, SupervisedActor):
                raise TypeError(f"make of {self.name} gave a {type(actor).__name__}, not a SupervisedActor or None")
        except BaseException as error:
            self.exited(exit_notice(self, Stage.INIT, error, None, *taken_off(error)))
            return
        if actor is None:
            self._over(Declined(self.name, self.incarnation))
        elif not self.live:  # fenced while it was being built
            self.exited(exit_notice(self, Stage.INIT, None))
        else:
            pykka.ActorRegistry.register(actor.actor_ref)
            actor._actor_loop()

    def below(self, child: ChildContext) -> None:
        """``child`` is fenced with this one, even if that is being done just now. Those that have ended are let go."""
        self._below = (*(each for each in self._below if not each.end.is_set()), child)
        if not self.live:
            child.fence()

    def unended(self) -> tuple[ChildContext, ...]:
        """This one and all below it whose threads have not ended."""
        below = tuple(found for child in self._below for found in child.unended())
        return below if self.end.is_set() else (self, *below)

    def stop(self) -> None:
        """Ask the actor to stop after what it has accepted."""
        with suppress(pykka.ActorDeadError):
            self.inbox.put(Envelope(pykka.messages._ActorStop(), only_for=self.incarnation))

    def fence(self) -> tuple[str, str]:
        """Let nothing out any more, of this incarnation and of all below it. What it was busy with, as
        ``Inbox.leave`` says it."""
        busy_with = self.inbox.leave(self.incarnation)
        self.live = False  # not before: what it could not do any more must be in ``busy_with``
        for child in self._below:
            child.fence()
        return busy_with

    @property
    def is_root(self) -> bool:
        return self._above is None

    # --- from the actor's loop ---

    def started(self) -> None:
        self.start_done.set()
        self._report(Started(self.name, self.incarnation))

    def exited(self, notice: ExitNotice) -> None:
        """Called once, in the actor's thread, as its last act."""
        self.notice = notice
        self._over(notice)

    def _over(self, message: object) -> None:
        self._report(message, fenced_too=True)
        self.live = False
        self.inbox.leave(self.incarnation)  # nobody is busy any more, whatever the status is asked meanwhile
        if self.is_root:
            self._tree.directory.let_go(self.name)
            self.inbox.close()  # it has no replacement that could answer
        self.end.set()
        self.start_done.set()

    def _report(self, message: object, *, fenced_too: bool = False) -> None:
        if self._above is not None and (self.live or fenced_too):
            with suppress(pykka.ActorDeadError):
                self._above.put_urgent(message)
