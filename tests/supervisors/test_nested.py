"""Supervisors in supervisors, with live actors: who gives up, dies or hangs is replaced with all below it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pykka import ActorDeadError

from supervisors import messages as m
from supervisors.actor import ActorContext
from supervisors.context import Tree
from supervisors.errors import (
    BootFailed,
    GaveUp,
    NotFound,
    StartFailed,
)
from supervisors.messages import ExitNotice, Stage
from supervisors.policy import Strategy
from supervisors.specs import ChildSpec, Flags
from supervisors.supervisor import Supervisor
from tests.supervisors.live import LONG, STUCK_AFTER, Busy, Good, Live, Poisoned, Raises
from tests.support import eventually

pytestmark = pytest.mark.timeout(60)

NEVER_AGAIN = Flags(intensity=0)


@pytest.fixture
def live() -> Iterator[Live]:
    live = Live()
    yield live
    live.end()


def incarnations(live: Live, *names: str) -> list[int]:
    return [live.ask(name) for name in names]


# --- escalation ---


def test_an_inner_supervisor_that_gives_up_is_replaced_with_fresh_children(live: Live) -> None:
    live.start(
        live.spec("bystander"),
        live.inside("inner", live.spec("a", Poisoned), live.spec("b", Poisoned), flags=NEVER_AGAIN),
    )
    assert incarnations(live, "a", "b", "bystander") == [1, 1, 1]
    live.tell("a", ValueError("the end"))
    live.runs("inner", 2)
    assert incarnations(live, "a", "b", "bystander") == [2, 2, 1]
    died, gave_up = live.exits
    assert (died.child, died.stage, gave_up.child, type(gave_up.error)) == ("a", Stage.RECEIVE, "inner", GaveUp)
    assert "a failed once more than 0 restarts" in str(gave_up.error)


def test_what_is_queued_for_an_inner_child_survives_its_supervisor(live: Live) -> None:
    log: list[str] = []

    class Notes(Poisoned):
        def on_receive(self, message: Any) -> Any:
            if isinstance(message, str) and message != "who?":
                log.append(f"{self.context.name}#{self.context.incarnation} {message}")
                return None
            if callable(message):
                return message()
            return super().on_receive(message)

    inner = live.inside("inner", live.spec("a", Notes), live.spec("b", Notes, stop_timeout=0.1), flags=NEVER_AGAIN)
    live.start(inner)
    live.tell("b", lambda: live.release.wait(LONG))
    live.tell("b", "behind the hang")
    live.tell("a", ValueError("the end"))
    live.tell("a", "behind the end")
    eventually(lambda: len(log) == 2, 20, "both are handled")
    assert sorted(log) == ["a#2 behind the end", "b#2 behind the hang"]


def test_giving_up_goes_all_the_way_up(live: Live) -> None:
    """Inner, middle and root allow nothing: one death is the end of all, and everybody's asker is told."""
    inner = live.inside("inner", live.spec("a", Poisoned), flags=NEVER_AGAIN)
    middle = live.inside("middle", inner, flags=NEVER_AGAIN)
    live.start_root(lambda context, tree: Supervisor(context, tree=tree, children=[middle], flags=NEVER_AGAIN))
    assert live.root is not None and live.ask("a") == 1
    live.tell("a", ValueError("the end"))
    eventually(lambda: live.root is not None and live.root.ended, 20, "the root has ended")
    for name in ("a", "inner", "middle"):
        assert name not in live.tree.directory.names()
        with pytest.raises(ActorDeadError):
            live.ask(name)


def test_a_failed_boot_inside_is_a_failed_boot_outside_with_the_cause(live: Live) -> None:
    broken = live.spec("broken", lambda context: Raises(context, "on_start", OSError("no such disk")))
    with pytest.raises(BootFailed, match=r"inner could not be started: BootFailed: broken .*no such disk"):
        live.start(live.spec("a"), live.inside("inner", live.spec("b"), broken))
    assert live.tree.directory.names() == ()


# --- the supervisor itself dies or hangs ---


class Bomb:
    """A message that a supervisor stumbles over."""

    def __init__(self, act: Any) -> None:
        self.act = act


class Mortal(Supervisor):
    def on_receive(self, message: Any) -> Any:
        if isinstance(message, Bomb):
            return message.act()
        return super().on_receive(message)


def mortal(live: Live, *children: ChildSpec, **more: Any) -> ChildSpec:
    def make(context: ActorContext) -> Supervisor:
        return Mortal(context, tree=live.tree, children=children, on_exit=live.exits.append, leaks=live.leaks)

    return live.spec("inner", make, supervisor=True, **more)


def stumble() -> None:
    raise RuntimeError("a supervisor of all things")


def test_a_supervisor_that_dies_itself_takes_its_children_along_and_comes_back_with_them(live: Live) -> None:
    live.start(live.spec("bystander"), mortal(live, live.spec("a"), live.spec("b")))
    live.tell("inner", Bomb(stumble))
    live.runs("inner", 2)
    assert incarnations(live, "a", "b", "bystander") == [2, 2, 1]
    assert [(notice.child, notice.handling) for notice in live.exits] == [("inner", "Bomb")]
    eventually(lambda: live.leaks.total == 0, 20, "the old children have ended")


def test_a_hung_supervisor_is_fenced_with_all_below_it_and_cannot_harm_its_replacement(live: Live) -> None:
    """When it comes back it is told of a death, and would start a child that is its replacement's now."""
    live.start(
        live.spec("bystander"), mortal(live, live.spec("a", Busy), live.spec("b", Poisoned), stuck_after=STUCK_AFTER)
    )
    live.tell("a", lambda actor: live.release.wait(LONG))
    live.tell("inner", Bomb(lambda: live.release.wait(LONG)))
    live.runs("inner", 2)
    assert incarnations(live, "a", "b", "bystander") == [2, 2, 1]
    eventually(lambda: sorted(live.leaks.names()) == ["a", "inner"], 20, "b, which does not hang, has ended")
    assert live.status("inner").leaked == 1 and live.status("a", "inner").leaked == 1
    live.release.set()
    eventually(lambda: live.leaks.total == 0, 20, "the fenced ones have ended")
    live.tell("b", ValueError("dies under the new one"))
    live.runs("b", 3, of="inner")
    assert incarnations(live, "a", "b", "bystander") == [2, 3, 1]
    assert [notice.child for notice in live.exits] == ["inner", "b"]


def test_a_fenced_supervisor_that_comes_back_in_the_midst_of_its_work_starts_nothing(live: Live) -> None:
    """Its listener hangs while it is told of a death: afterwards it would start the child again."""

    class Hesitant(list[ExitNotice]):
        def append(self, notice: ExitNotice) -> None:
            super().append(notice)
            if notice.child == "a" and len(self) == 1:
                live.release.wait(LONG)

    live.exits = Hesitant()
    live.start(mortal(live, live.spec("a", Poisoned), live.spec("b"), stuck_after=STUCK_AFTER))
    live.tell("a", ValueError("the end"))
    live.runs("inner", 2)
    before = incarnations(live, "a", "b")
    eventually(lambda: live.leaks.names() == ("inner",), 20, "the children, which do not hang, have ended")
    live.release.set()
    eventually(lambda: live.leaks.total == 0, 20, "the fenced one has ended")
    assert incarnations(live, "a", "b") == before
    assert live.status("inner").incarnation == 2


def test_timers_of_a_former_incarnation_are_nothing_to_the_next(live: Live) -> None:
    """The numbers of both count from 1: the start timer of the first would kill a slow start under the second."""
    slow = threading.Event()

    class Slow(Good):
        def on_start(self) -> None:
            if self.context.incarnation == 2:
                slow.wait(LONG)

    live.start(mortal(live, live.spec("a", Slow, start_timeout=3.0), start_timeout=30.0))
    soon = threading.Event()
    live.tree.schedule.after(1.5, lambda _number: soon.set() or False)  # type: ignore[func-returns-value]
    assert soon.wait(20)
    live.tell("inner", Bomb(stumble))
    over = threading.Event()
    live.tree.schedule.after(2.0, lambda _number: over.set() or False)  # type: ignore[func-returns-value]
    assert over.wait(20)  # the first one's time is over, the second one's is not
    slow.set()
    live.runs("inner", 2)
    assert [notice.child for notice in live.exits] == ["inner"]
    assert live.ask("a") == 2


def test_the_status_does_without_what_is_below_a_supervisor_that_hangs(live: Live) -> None:
    live.start(live.spec("a"), mortal(live, live.spec("b")))
    live.tell("inner", Bomb(lambda: live.release.wait(LONG)))
    eventually(lambda: live.status("inner").handling == "Bomb", 20, "it hangs")
    assert live.root is not None
    assert [row.name for row in live.root.status()] == ["a", "inner"]


# --- names ---


def test_a_name_that_is_taken_is_a_clear_error_and_does_its_owner_no_harm(live: Live) -> None:
    live.start(live.inside("left", live.spec("a")), live.inside("right"))
    with pytest.raises(StartFailed, match=r"a could not be started: .*the name 'a' is taken by a child of 'left'"):
        live.ask("right", m.AddChild(live.spec("a")))
    assert live.ask("a") == 1
    assert live.status("a", "left").state == "running"
    assert live.ask("right", m.WhichChildren()) == ()


def test_at_boot_it_is_a_failed_boot(live: Live) -> None:
    with pytest.raises(BootFailed, match="the name 'a' is taken by a child of 'left'"):
        live.start(live.inside("left", live.spec("a")), live.inside("right", live.spec("a")))


def test_a_name_is_free_when_its_supervisor_is_gone_for_good(live: Live) -> None:
    live.start(live.inside("left", live.spec("a")), live.inside("right"))
    assert live.ask("cerberus", m.TerminateChild("left")) is None
    assert live.ask("cerberus", m.DeleteChild("left")) is None
    assert live.ask("right", m.AddChild(live.spec("a"))) is None
    assert live.ask("a") == 1
    with pytest.raises(NotFound):
        live.ask("cerberus", m.TerminateChild("left"))


# --- strategies with live actors ---


@pytest.mark.parametrize(
    ("strategy", "after"),
    [(Strategy.ONE_FOR_ONE, [1, 2, 1]), (Strategy.REST_FOR_ONE, [1, 2, 2]), (Strategy.ONE_FOR_ALL, [2, 2, 2])],
)
def test_strategies_hold_inside(live: Live, strategy: Strategy, after: list[int]) -> None:
    live.start(live.inside("inner", *(live.spec(name, Poisoned) for name in "abc"), flags=Flags(strategy)))
    live.tell("b", ValueError("the end"))
    for name, number in zip("abc", after, strict=True):
        live.runs(name, number, of="inner")
    assert incarnations(live, "a", "b", "c") == after


def test_a_tree_can_be_started_again_in_the_same_process() -> None:
    for _ in range(2):
        live = Live(tree=Tree())
        live.start(live.spec("a"))
        assert live.ask("a") == 1
        live.end()
