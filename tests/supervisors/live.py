"""Live actors, each with one vice, and a tree to put them in. (``simulation.py`` has those without threads.)"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from supervisors.actor import ActorContext, SupervisedActor
from supervisors.cerberus import Cerberus, Root, start_root
from supervisors.context import Tree
from supervisors.heads import Heads
from supervisors.heads_decider import Bite, Listeners
from supervisors.leaks import Leaks
from supervisors.messages import ChildStatus, ExitNotice, WhichChildren
from supervisors.policy import Backoff
from supervisors.specs import ChildSpec
from supervisors.supervisor import Supervisor
from tests.support import eventually

QUICK = Backoff(first=0.01, longest=0.05)
HEADS = Heads(restarts=1000, settled=0.02)
STUCK_AFTER = 1.0  # seconds; those that do not hang keep to it on a busy machine too
LONG = 60.0  # seconds; a hang ends by itself at last, so that no test leaves a thread for ever


class Good(SupervisedActor):
    """Answers each ``int`` with itself, anything else with its incarnation."""

    def on_receive(self, message: Any) -> Any:
        return message if isinstance(message, int) else self.context.incarnation


class Raises(Good):
    """Raises ``error`` in the hook ``where``."""

    def __init__(self, context: ActorContext, where: str, error: BaseException) -> None:
        super().__init__(context)
        self.where, self.error = where, error
        self._vice("__init__")

    def _vice(self, hook: str) -> None:
        if hook == self.where:
            raise self.error

    def on_start(self) -> None:
        self._vice("on_start")

    def on_receive(self, message: Any) -> Any:
        self._vice("on_receive")
        if self.where == "on_failure":
            raise LookupError("the way to on_failure")
        return super().on_receive(message)

    def on_stop(self) -> None:
        self._vice("on_stop")

    def on_failure(self, *_: Any) -> None:
        self._vice("on_failure")


class Hangs(Raises):
    """Waits in the hook ``where`` until it is released."""

    def __init__(self, context: ActorContext, where: str, release: threading.Event) -> None:
        self.release = release
        super().__init__(context, where, ValueError())

    def _vice(self, hook: str) -> None:
        if hook == self.where:
            self.release.wait(LONG)


class Poisoned(Good):
    """Raises the message, when that is an exception."""

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, BaseException):
            raise message
        return super().on_receive(message)


class Unkillable(Good):
    """Never comes back from ``on_stop``, until it is released."""

    def __init__(self, context: ActorContext, release: threading.Event) -> None:
        super().__init__(context)
        self.release = release

    def on_stop(self) -> None:
        self.release.wait(LONG)


class Busy(Good):
    """Calls the message, when that can be called, with itself: the vice comes with it."""

    def on_receive(self, message: Any) -> Any:
        return message(self) if callable(message) else super().on_receive(message)


@dataclass
class Live:
    """A tree of live actors, and what it has told."""

    tree: Tree = field(default_factory=Tree)
    leaks: Leaks = field(default_factory=Leaks)
    heads: Heads = HEADS
    exits: list[ExitNotice] = field(default_factory=list)
    bites: list[Bite] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)
    root: Root | None = None

    def start(self, *children: ChildSpec) -> Live:
        return self.start_root(
            lambda context, tree: Cerberus(
                context,
                tree=tree,
                children=children,
                heads=self.heads,
                listeners=Listeners(bite=self.bites.append),
                on_exit=self.exits.append,
                leaks=self.leaks,
            )
        )

    def start_root(self, make: Callable[[ActorContext, Tree], Supervisor]) -> Live:
        self.root = start_root(make, self.tree)
        return self

    def spec(self, name: str, make: Callable[[ActorContext], SupervisedActor | None] = Good, **more: Any) -> ChildSpec:
        return ChildSpec(name, make, **{"backoff": QUICK, **more})

    def inside(self, name: str, *children: ChildSpec, more: Any = None, **kwargs: Any) -> ChildSpec:
        """A nested supervisor. ``more``: of its own spec."""

        def make(context: ActorContext) -> Supervisor:
            return Supervisor(
                context, tree=self.tree, children=children, on_exit=self.exits.append, leaks=self.leaks, **kwargs
            )

        return self.spec(name, make, supervisor=True, **(more or {}))

    def ask(self, name: str, message: object = "who?", timeout: float = 20.0) -> Any:
        return self.tree.directory.ask(name, message, timeout)

    def tell(self, name: str, message: object) -> bool:
        return self.tree.directory.tell(name, message)

    def status(self, name: str, of: str = "cerberus") -> ChildStatus:
        rows: tuple[ChildStatus, ...] = self.ask(of, WhichChildren())
        return next(row for row in rows if row.name == name)

    def runs(self, name: str, incarnation: int, of: str = "cerberus") -> None:
        def up() -> bool:
            row = self.status(name, of)
            return row.state == "running" and row.incarnation == incarnation

        eventually(up, 20, f"incarnation {incarnation} of {name} runs", every=0.005)

    def end(self) -> None:
        """Nothing is left over."""
        self.release.set()
        if self.root is not None:
            self.root.stop(5.0)
        eventually(lambda: not actor_threads(), 20, "all actor threads have ended")
        assert self.leaks.total == 0


def actor_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if "#" in thread.name]
