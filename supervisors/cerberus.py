"""Cerberus: the root of the tree. Starts the children in order, replaces a dead or stuck one, stops them in reverse.

He is an actor himself, so all of his state changes in one thread; children report to him by message. This is his
first version: one head (restart, with backoff). Reload and the polling fallback are still to come.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pykka

from supervisors.actor import ActorContext, SupervisedActor
from supervisors.directory import Directory
from supervisors.inbox import Envelope, Inbox
from supervisors.messages import ExitNotice, Stage, Tick
from supervisors.policy import Backoff, Restarts
from supervisors.schedule import Schedule

logger = logging.getLogger("supervisors")

WATCH = "watch"  # the tick that looks for stuck children
TREE_STOP = 5.0  # seconds for all children together
CHILD_STOP = 1.5  # seconds a child gets to stop by itself before it is fenced


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """One child. ``make`` builds the actor (in Cerberus's thread: trivial constructors only)."""

    name: str
    make: Callable[[ActorContext], SupervisedActor]
    start_timeout: float = 5.0  # seconds for on_start
    stop_timeout: float = CHILD_STOP
    stuck_after: float = 30.0  # seconds in one message after which the child counts as hung
    backoff: Backoff = field(default_factory=Backoff)


class ChildState(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"
    STOPPED = "stopped"


class BootFailed(RuntimeError):
    """A child could not be started the first time: not a crash but a reason to stop, with its cause."""

    def __init__(self, child: str, error: BaseException | None, why: str) -> None:
        super().__init__(f"{child} could not be started: {why}")
        self.child, self.error = child, error


@dataclass(frozen=True, slots=True)
class StartTree:
    """Ask: start all children. Answers None, or the BootFailed (not raised: Cerberus lives on to be stopped)
    after having stopped what was started."""


@dataclass(frozen=True, slots=True)
class StopTree:
    """Ask: stop all children in reverse order within ``timeout`` seconds. Answers the names that had to be fenced."""

    timeout: float = TREE_STOP


@dataclass(frozen=True, slots=True)
class TreeStatus:
    """Ask: answers a tuple of dicts, one a child."""


@dataclass(frozen=True, slots=True)
class _Restart:
    name: str


@dataclass
class _Child:
    spec: ChildSpec
    inbox: Inbox
    incarnation: int = 0
    state: ChildState = ChildState.STOPPED
    started_at: float = 0.0
    restarts: Restarts = field(default_factory=Restarts)
    context: ChildContext | None = None
    last_reason: str = ""


class ChildContext:
    """One incarnation's ActorContext. After ``fence`` nothing it sends goes out any more."""

    def __init__(self, name: str, incarnation: int, inbox: Inbox, tree: Tree) -> None:
        self.name, self.incarnation, self.inbox, self._tree = name, incarnation, inbox, tree
        self._live = True
        self.start_done = threading.Event()
        self.end = threading.Event()
        self.notice: ExitNotice | None = None

    def tell(self, name: str, message: object) -> bool:
        return self._live and self._tree.directory.tell(name, message)

    def tell_self(self, message: object) -> bool:
        return self._live and self._tree.directory.tell(self.name, message)

    def every(self, seconds: float, name: str) -> None:
        self._tree.schedule.every(seconds, lambda number: self.tell_self(Tick(name, number)))

    def after(self, seconds: float, message: object) -> None:
        self._tree.schedule.after(seconds, lambda _number: self.tell_self(message))

    def fence(self) -> None:
        self._live = False

    def started(self) -> None:
        self.start_done.set()

    def exited(self, notice: ExitNotice) -> None:
        """Called once, in the actor's thread, as its last act."""
        self._live = False
        self.notice = notice
        self.end.set()
        self.start_done.set()
        self._tree.directory.tell(CERBERUS, notice)


@dataclass(frozen=True)
class Tree:
    """What all of a tree share."""

    directory: Directory
    schedule: Schedule
    monotonic: Callable[[], float] = time.monotonic


CERBERUS = "cerberus"


class Cerberus(SupervisedActor):
    """``on_exit`` is told every end of a child that was not asked for (in Cerberus's thread). What it raises is logged.

    ``fatal``: an error of these types restarts nothing; ``on_fatal`` is told, and the run should end.
    """

    def __init__(
        self,
        context: ActorContext,
        *,
        tree: Tree,
        children: Sequence[ChildSpec],
        on_exit: Callable[[ExitNotice, float | None], None],
        fatal: tuple[type[BaseException], ...] = (),
        on_fatal: Callable[[ExitNotice], None] = lambda notice: None,
        watch_every: float = 0.5,
    ) -> None:
        super().__init__(context)
        self._tree, self._on_exit, self._fatal, self._on_fatal = tree, on_exit, fatal, on_fatal
        self._children = {c.name: _Child(c, Inbox(c.name, monotonic=tree.monotonic)) for c in children}
        if len(self._children) != len(children):
            raise ValueError(f"two children share a name: {[c.name for c in children]}")
        self._watch_every = watch_every
        self._stopping = False
        self.leaked = 0

    def on_start(self) -> None:
        self.context.every(self._watch_every, WATCH)

    def on_receive(self, message: Any) -> Any:
        match message:
            case ExitNotice():
                self._child_ended(message)
            case Tick(name=name) if name == WATCH:
                self._look_for_stuck()
            case _Restart(name=name):
                self._restart(self._children[name])
            case StartTree():
                return self._start_all()
            case StopTree(timeout=timeout):
                return self._stop_all(timeout)
            case TreeStatus():
                return tuple(self._status(child) for child in self._children.values())
            case _:
                raise TypeError(f"Cerberus does not know {type(message).__name__}")
        return None

    # --- start ---

    def _start_all(self) -> BootFailed | None:
        for child in self._children.values():
            self._tree.directory.add(child.spec.name, child.inbox)
        for child in self._children.values():
            self._start(child)
            if child.state is not ChildState.RUNNING:
                failure = self._boot_failure(child)
                self._stop_all(TREE_STOP)
                return failure
        return None

    def _boot_failure(self, child: _Child) -> BootFailed:
        notice = child.context.notice if child.context else None
        if notice is None or notice.error is None:
            return BootFailed(child.spec.name, None, f"not started within {child.spec.start_timeout} s")
        return BootFailed(child.spec.name, notice.error, f"{type(notice.error).__name__}: {notice.error}")

    def _start(self, child: _Child) -> None:
        child.incarnation += 1
        child.state, child.started_at = ChildState.STARTING, self._tree.monotonic()
        child.context = context = ChildContext(child.spec.name, child.incarnation, child.inbox, self._tree)
        child.inbox.own(child.incarnation)
        try:
            actor = child.spec.make(context)
            pykka.ActorRegistry.register(actor.actor_ref)
            actor._start_actor_loop()
        except Exception as error:
            context.exited(ExitNotice(child.spec.name, child.incarnation, Stage.INIT, error))
            return
        if context.start_done.wait(child.spec.start_timeout) and context.notice is None:
            child.state = ChildState.RUNNING
        elif context.notice is None:
            self._fence(child, f"on_start did not return within {child.spec.start_timeout} s")

    # --- death and replacement ---

    def _child_ended(self, notice: ExitNotice) -> None:
        child = self._children.get(notice.child)
        if child is None or notice.incarnation != child.incarnation:
            self.leaked = max(0, self.leaked - 1)  # a fenced thread came to its end after all
            return
        if child.state in (ChildState.RESTARTING, ChildState.STOPPED) or self._stopping:
            return
        if notice.error is None:
            child.state = ChildState.STOPPED
            return
        child.last_reason = f"{type(notice.error).__name__}: {notice.error}"
        if isinstance(notice.error, self._fatal):
            child.state = ChildState.STOPPED
            self._tell_listener(self._on_exit, notice, None)
            self._tell_listener(self._on_fatal, notice)
            return
        uptime = self._tree.monotonic() - child.started_at
        child.restarts, delay = child.restarts.after_exit(uptime, child.spec.backoff)
        child.state = ChildState.RESTARTING
        self._tell_listener(self._on_exit, notice, delay)
        self.context.after(delay, _Restart(child.spec.name))

    def _tell_listener(self, listener: Callable[..., None], *news: object) -> None:
        """The root must not die of somebody who only listens."""
        try:
            listener(*news)
        except Exception:
            logger.exception("an end could not be told")

    def _restart(self, child: _Child) -> None:
        if self._stopping or child.state is not ChildState.RESTARTING:
            return
        self._start(child)

    def _look_for_stuck(self) -> None:
        if self._stopping:
            return
        for child in self._children.values():
            if child.state is ChildState.RUNNING and child.inbox.busy_for() > child.spec.stuck_after:
                self._fence(child, f"{child.inbox.handling} has been in work for {child.inbox.busy_for():.1f} s")

    def _fence(self, child: _Child, why: str) -> None:
        """Let nothing of this incarnation out any more, and treat it as crashed. Its thread leaks until it ends."""
        assert child.context is not None
        child.context.fence()
        self.leaked += 1
        error = TimeoutError(why)
        notice = ExitNotice(child.spec.name, child.incarnation, Stage.STUCK, error, why, handling=child.inbox.handling)
        child.inbox.own(0)
        child.context.notice = notice
        child.state = ChildState.RUNNING  # so that the notice is treated as the end of a running child
        self._child_ended(notice)
        child.incarnation += 1  # the thread's own notice, if it ever comes, is an old one

    # --- stop ---

    def _stop_all(self, timeout: float) -> tuple[str, ...]:
        self._stopping = True
        deadline = self._tree.monotonic() + timeout
        fenced = [
            child.spec.name for child in reversed(self._children.values()) if not self._stop_child(child, deadline)
        ]
        for child in self._children.values():
            self._tree.directory.remove(child.spec.name)
            child.inbox.close()
        return tuple(fenced)

    def _stop_child(self, child: _Child, deadline: float) -> bool:
        """True when it stopped by itself, or was not running."""
        context, child_state = child.context, child.state
        child.state = ChildState.STOPPED
        if context is None or context.end.is_set() or child_state in (ChildState.RESTARTING, ChildState.STOPPED):
            return True
        child.inbox.put(Envelope(pykka.messages._ActorStop()))
        remaining = max(0.05, min(child.spec.stop_timeout, deadline - self._tree.monotonic()))
        if context.end.wait(remaining):
            return True
        context.fence()
        child.inbox.own(0)
        return False

    def _status(self, child: _Child) -> dict[str, Any]:
        return {
            "name": child.spec.name,
            "state": child.state.value,
            "incarnation": child.incarnation,
            "restarts": child.restarts.total,
            "busy_for": round(child.inbox.busy_for(), 3),
            "handling": child.inbox.handling,
            "waiting": len(child.inbox),
            "replaced": dict(child.inbox.replaced),
            "last_reason": child.last_reason,
        }


def start_cerberus(make: Callable[[ActorContext, Tree], Cerberus], tree: Tree) -> ChildContext:
    """Start the schedule and Cerberus himself; children start with an ask of StartTree. Any thread may call."""
    inbox = Inbox(CERBERUS, monotonic=tree.monotonic)
    tree.directory.add(CERBERUS, inbox)
    context = ChildContext(CERBERUS, 1, inbox, tree)
    inbox.own(1)
    tree.schedule.start()
    actor = make(context, tree)
    pykka.ActorRegistry.register(actor.actor_ref)
    actor._start_actor_loop()
    return context


def stop_cerberus(context: ChildContext, tree: Tree, timeout: float = 1.0) -> None:
    """End Cerberus himself and the schedule; the children have been stopped with StopTree before."""
    context.inbox.put(Envelope(pykka.messages._ActorStop()))
    context.end.wait(timeout)
    tree.directory.remove(CERBERUS)
    context.inbox.close()
    tree.schedule.stop(timeout)
