"""Live actors that write down their own starts and stops, under a supervisor whose time passes by hand.

Nothing is due before ``advance``: a slow machine fires no deadline, and no test waits for one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pykka import ActorDeadError, ThreadingFuture, Timeout

from supervisors.actor import ActorContext, SupervisedActor
from supervisors.context import ChildContext, Tree
from supervisors.inbox import Envelope
from supervisors.messages import ChildStatus, ExitNotice, ShutDown, WhichChildren
from supervisors.policy import NO_BACKOFF, Restart
from supervisors.schedule import Schedule
from supervisors.specs import ChildSpec, Flags
from supervisors.supervisor import Supervisor
from tests.supervisors.live import LONG, Live
from tests.supervisors.vices import Crash
from tests.support import eventually

WAIT = 20.0  # seconds; no single thing takes so long
Rows = Mapping[str, tuple[str, int]]  # name -> state, incarnation
Vice = Callable[[int], object]  # gets the number of the incarnation, in its thread


class HandClock(Schedule):
    """Has no thread: what is due fires in ``advance``."""

    def __init__(self) -> None:
        self.now = 1000.0
        super().__init__(lambda: self.now)

    def start(self) -> None:
        pass


class Player(SupervisedActor):
    """Writes down its hooks. Raises an exception that it is sent, calls what can be called, ends at ``"finish"``."""

    def __init__(self, context: ActorContext, play: Play) -> None:
        super().__init__(context)
        self.play, self.me = play, context.name

    def on_start(self) -> None:
        self.play.trace.append(f"start {self.me}")
        self.play.at_start.get(self.me, harmless)(self.context.incarnation)

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, BaseException):
            raise message
        if callable(message):
            return message()
        if message == "finish":
            self.stop()
        return self.context.incarnation

    def on_stop(self) -> None:
        self.play.trace.append(f"stop {self.me}")
        self.play.at_stop.get(self.me, harmless)(self.context.incarnation)


def harmless(incarnation: int) -> None:
    """No vice."""


def fails_at(*incarnations: int) -> Vice:
    def vice(incarnation: int) -> None:
        if incarnation in incarnations:
            raise Crash("cannot start")

    return vice


@dataclass
class Play(Live):
    """The supervisor under test is the root."""

    time: HandClock = field(default_factory=HandClock)
    trace: list[str] = field(default_factory=list)
    at_start: dict[str, Vice] = field(default_factory=dict)
    at_stop: dict[str, Vice] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tree = Tree(schedule=self.time, monotonic=lambda: self.time.now)

    # --- who plays ---

    def child(self, name: str, restart: Restart = Restart.PERMANENT, **more: Any) -> ChildSpec:
        return ChildSpec(name, lambda context: Player(context, self), restart, **{"backoff": NO_BACKOFF, **more})

    def children(self, names: str, restart: Restart = Restart.PERMANENT) -> list[ChildSpec]:
        return [self.child(name, restart) for name in names]

    def supervisor(
        self, context: ActorContext, children: Sequence[ChildSpec], flags: Flags | None = None, **more: Any
    ) -> Supervisor:
        return Supervisor(
            context,
            tree=self.tree,
            children=children,
            flags=flags,
            on_exit=self.exits.append,
            leaks=self.leaks,
            **more,
        )

    def begin(self, children: Sequence[ChildSpec], flags: Flags | None = None, **more: Any) -> Play:
        """Raises BootFailed."""
        self.start_root(lambda context, _tree: self.supervisor(context, children, flags, **more))
        return self

    def held(self, name: str, hooks: dict[str, Vice], *incarnations: int) -> threading.Event:
        """The hook does not return before the event is set, or the test is over. ``incarnations``: none given: all."""
        let_go = threading.Event()

        def vice(incarnation: int) -> None:
            if not incarnations or incarnation in incarnations:
                eventually(lambda: let_go.is_set() or self.release.is_set(), LONG, f"{name} is let go", every=0.002)

        hooks[name] = vice
        return let_go

    # --- what happens ---

    def asked(self, name: str, message: object) -> ThreadingFuture[Any]:
        """Does not wait."""
        inbox, future = self.tree.directory.inbox(name), ThreadingFuture[Any]()
        assert inbox is not None
        inbox.put(Envelope(message, future))
        return future

    def crash(self, name: str) -> None:
        self.and_settle(name, Crash(f"{name} was told to"))

    def finish(self, name: str) -> None:
        self.and_settle(name, "finish")

    def and_settle(self, name: str, message: object) -> None:
        """Until this incarnation is gone, and nobody is about to come or go."""
        before = self.rows()[name]
        assert self.tell(name, message)
        self.until(lambda rows: rows.get(name) != before and calm(rows), f"{name} is answered for, and all is calm")

    def until(self, condition: Callable[[Rows], bool], what: str) -> None:
        """``condition`` holds, or the supervisor has ended."""
        eventually(lambda: condition(self.rows()) or self.ended, WAIT, what, every=0.002)

    def until_ended(self) -> None:
        eventually(lambda: self.ended, WAIT, "the supervisor has ended", every=0.002)

    def until_idle(self, name: str) -> None:
        """It is up, and its thread has come to wait for a message: only then is it busy with nothing."""
        eventually(lambda: self.status(name).handling == "", WAIT, f"{name} is idle", every=0.002)

    def until_traced(self, what: str) -> None:
        eventually(lambda: what in self.trace, WAIT, what, every=0.002)

    def advance(self, seconds: float) -> None:
        """When the supervisor has done all that it was told before, and so has set its timers."""
        self.rows()
        self.time.now += seconds
        self.time.run_due()

    def shut_down(self) -> None:
        """Does not wait."""
        self.tell("cerberus", ShutDown(5.0))

    # --- what can be seen ---

    def rows(self, of: str = "cerberus") -> Rows:
        """Of all its children; empty when it has ended."""
        while not self.ended:
            try:
                rows: tuple[ChildStatus, ...] = self.ask(of, WhichChildren(), 0.5)
            except (Timeout, ActorDeadError):
                continue
            return {row.name: (row.state, row.incarnation) for row in rows}
        return {}

    def up(self) -> str:
        return "".join(name for name, (state, _) in self.rows().items() if state == "running")

    def known(self) -> str:
        return "".join(self.rows())

    def states(self) -> list[str]:
        return [state for state, _ in self.rows().values()]

    def starts(self, name: str) -> int:
        return self.trace.count(f"start {name}")

    def new_trace(self) -> list[str]:
        """Since the last call."""
        new = self.trace[:]
        self.trace.clear()
        return new

    @property
    def ended(self) -> bool:
        return self.root is None or self.root.ended

    def end_of_it(self) -> ExitNotice:
        """The supervisor's own exit notice; waits for it."""
        self.until_ended()
        context = vars(self.root)["_context"]
        assert isinstance(context, ChildContext)
        assert context.notice is not None
        return context.notice

    def ended_with(self) -> type[BaseException] | None:
        error = self.end_of_it().error
        return None if error is None else type(error)


def calm(rows: Rows) -> bool:
    return all(state in ("running", "stopped") for state, _ in rows.values())
