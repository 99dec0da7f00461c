"""Cerberus with live actors, each with one vice: started in order, replaced when dead or stuck, stopped in reverse."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from supervisors.actor import ActorContext, SupervisedActor
from supervisors.cerberus import Cerberus, Root, start_root
from supervisors.context import Tree
from supervisors.errors import BootFailed
from supervisors.heads_decider import Bite, Listeners
from supervisors.messages import ChildStatus, ExitNotice, Stage
from supervisors.policy import Backoff
from supervisors.specs import ChildSpec
from tests.supervisors.live import STUCK_AFTER
from tests.support import eventually

QUICK = Backoff(first=0.01, longest=0.05)


class Note(SupervisedActor):
    """Writes down its hooks; dies or hangs when told to."""

    def __init__(self, context: ActorContext, log: list[str], release: threading.Event) -> None:
        super().__init__(context)
        self.log, self.release = log, release

    def on_start(self) -> None:
        self.log.append(f"start {self.context.name}")

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, BaseException):
            raise message
        if message == "hang":
            self.release.wait(60)
            self.context.tell("b", "from the fenced one")
        self.log.append(f"{self.context.name}#{self.context.incarnation} got {message}")
        return f"{self.context.incarnation}"

    def on_stop(self) -> None:
        self.log.append(f"stop {self.context.name}")

    def on_failure(self, *_: Any) -> None:
        self.log.append(f"clean up {self.context.name}#{self.context.incarnation}")


class World:
    def __init__(self) -> None:
        self.tree = Tree()
        self.log: list[str] = []
        self.exits: list[ExitNotice] = []
        self.bites: list[Bite] = []
        self.fatal: list[str] = []
        self.release = threading.Event()
        self.root: Root | None = None

    def spec(self, name: str, **more: Any) -> ChildSpec:
        return ChildSpec(name, lambda context: Note(context, self.log, self.release), backoff=QUICK, **more)

    def start(self, *children: ChildSpec) -> None:
        def make(context: ActorContext, tree: Tree) -> Cerberus:
            return Cerberus(
                context,
                tree=tree,
                children=children,
                on_exit=lambda notice: self.exits.append(notice),
                listeners=Listeners(bite=self.bites.append, fatal=lambda child, error: self.fatal.append(child)),
                fatal=(PermissionError,),
            )

        self.root = start_root(make, self.tree)

    def stop(self) -> tuple[str, ...]:
        assert self.root is not None
        return self.root.stop(60.0)

    def status(self, name: str) -> ChildStatus:
        assert self.root is not None
        return next(s for s in self.root.status() if s.name == name)


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.release.set()
    if world.root is not None:
        world.root.stop(5.0)
    eventually(lambda: not any("#" in t.name for t in threading.enumerate()), 30, "all actor threads ended")


def test_children_start_in_order_and_stop_in_reverse(world: World) -> None:
    world.start(world.spec("a"), world.spec("b"), world.spec("c"))
    assert world.stop() == ()
    assert world.log == ["start a", "start b", "start c", "stop c", "stop b", "stop a"]


@pytest.mark.parametrize(
    "error", [ValueError("bad"), SystemExit(3), KeyboardInterrupt()], ids=lambda e: type(e).__name__
)
def test_a_dead_child_is_replaced_and_nobody_else_harmed(world: World, error: BaseException) -> None:
    world.start(world.spec("a"), world.spec("b"))
    world.tree.directory.tell("a", error)
    world.tree.directory.tell("a", "queued behind the death")
    eventually(lambda: "a#2 got queued behind the death" in world.log, 30, "the replacement handles what was queued")
    assert world.status("b").incarnation == 1
    assert [(n.child, n.incarnation, n.stage, n.handling) for n in world.exits] == [
        ("a", 1, Stage.RECEIVE, type(error).__name__)
    ]
    assert world.exits[0].error is error
    assert error.__traceback__ is None
    assert "on_receive" in world.exits[0].stack_trace


def test_a_listener_that_fails_does_not_end_cerberus(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.exits = None  # type: ignore[assignment]  # so that on_exit raises
    world.start(world.spec("a"))
    world.tree.directory.tell("a", ValueError("bad"))
    eventually(lambda: world.status("a").incarnation == 2, 30, "the child is replaced all the same")
    assert "an end could not be told" in caplog.text


def test_an_asker_gets_the_error_of_the_actor_that_died(world: World) -> None:
    world.start(world.spec("a"))
    with pytest.raises(ValueError, match="bad"):
        world.tree.directory.ask("a", ValueError("bad"), 30)
    assert world.tree.directory.ask("a", "hello", 30) == "2"


def test_a_stuck_child_is_fenced_and_replaced_and_what_it_sends_later_is_refused(world: World) -> None:
    world.start(world.spec("a", stuck_after=STUCK_AFTER), world.spec("b"))
    world.tree.directory.tell("a", "hang")
    eventually(lambda: world.status("a").incarnation > 1 and world.status("a").state == "running", 30, "replaced")
    assert world.exits[0].stage is Stage.STUCK
    world.release.set()
    eventually(lambda: "a#1 got hang" in world.log, 30, "the fenced thread comes back")
    eventually(lambda: "clean up a#1" in world.log, 30, "the fenced thread cleans up")
    assert world.tree.directory.ask("b", "ping", 30) == "1"
    assert "b#1 got from the fenced one" not in world.log


def test_a_configuration_fault_restarts_nothing(world: World) -> None:
    world.start(world.spec("a"))
    world.tree.directory.tell("a", PermissionError("wrong password"))
    eventually(lambda: bool(world.fatal), 30, "the fatal error is told")
    assert world.status("a").state == "stopped"


def test_boot_failure_names_child_and_cause_and_stops_what_was_started(world: World) -> None:
    class Broken(Note):
        def on_start(self) -> None:
            raise OSError("no such disk")

    broken = ChildSpec("b", lambda context: Broken(context, world.log, world.release))
    with pytest.raises(BootFailed, match="b could not be started: OSError: no such disk"):
        world.start(world.spec("a"), broken, world.spec("c"))
    assert world.log == ["start a", "clean up b#1", "stop a"]


def test_a_child_that_does_not_stop_is_fenced_at_its_deadline(world: World) -> None:
    world.start(world.spec("a"), world.spec("b", stop_timeout=0.2))
    world.tree.directory.tell("b", "hang")
    eventually(lambda: world.tree.directory.inbox("b").handling == "str", 30, "b hangs")  # type: ignore[union-attr]
    began = time.monotonic()
    assert world.stop() == ("b",)
    assert time.monotonic() - began < 30  # half of what all of them may take
    assert "stop a" in world.log
