"""How supervisors end, what they show, and that they keep nothing, with live actors."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from pykka import ActorDeadError

from supervisors import messages as m
from supervisors.actor import ActorContext, SupervisedActor
from supervisors.messages import ExitNotice
from supervisors.policy import AutoShutdown, Restart
from supervisors.specs import ChildSpec, Flags
from tests.supervisors.live import LONG, Busy, Good, Live, Poisoned, Unkillable
from tests.support import eventually

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def live() -> Iterator[Live]:
    live = Live()
    yield live
    live.end()


# --- ends ---


def ending(live: Live, how: AutoShutdown, **more: Any) -> ChildSpec:
    class Ends(Good):
        def on_receive(self, message: Any) -> Any:
            return self.stop() if message == "enough" else super().on_receive(message)

    children = [
        live.spec(name, Ends, restart=Restart.TRANSIENT, significant=significant)
        for name, significant in (("a", True), ("b", True), ("c", False))
    ]
    return live.inside("inner", *children, flags=Flags(auto_shutdown=how), more={"restart": Restart.TRANSIENT, **more})


def test_it_ends_in_order_with_its_first_significant_child(live: Live) -> None:
    live.start(live.spec("bystander"), ending(live, AutoShutdown.ANY_SIGNIFICANT))
    live.tell("c", "enough")
    assert live.ask("a") == 1
    live.tell("a", "enough")
    eventually(lambda: live.status("inner").state == "stopped", 20, "it has ended")
    for name in ("a", "b", "c", "inner"):
        with pytest.raises(ActorDeadError):
            live.ask(name)
    assert live.exits == []
    assert live.ask("bystander") == 1


def test_it_ends_with_the_last_significant_child(live: Live) -> None:
    live.start(ending(live, AutoShutdown.ALL_SIGNIFICANT))
    live.tell("a", "enough")
    eventually(lambda: live.status("a", "inner").state == "stopped", 20, "the first has ended")
    assert live.ask("b") == 1
    live.tell("b", "enough")
    eventually(lambda: live.status("inner").state == "stopped", 20, "it has ended")


def test_children_that_are_stopped_together_take_the_longest_time_not_all_times(live: Live) -> None:
    names = [f"m{number}" for number in range(10)]
    children = [live.spec(name, lambda context: Unkillable(context, live.release), stop_timeout=0.5) for name in names]
    live.start(live.spec("bystander"), live.inside("inner", *children, stop_together=True))
    began = time.monotonic()
    assert live.ask("cerberus", m.TerminateChild("inner")) is None
    took = time.monotonic() - began
    assert 0.5 <= took < 3.0  # one after the other: 5 s
    assert sorted(live.leaks.names()) == names
    assert sorted(notice.child for notice in live.exits) == names


def test_the_root_stops_within_its_time_and_names_those_that_it_had_to_fence(live: Live) -> None:
    """Six deaf children with more time each than there is for all, two of them inside."""

    def deaf(name: str) -> ChildSpec:
        return live.spec(name, lambda context: Unkillable(context, live.release), stop_timeout=5.0)

    inner = live.inside("inner", deaf("e"), deaf("f"))
    live.start(live.spec("good"), deaf("a"), deaf("b"), deaf("c"), deaf("d"), inner)
    assert live.root is not None
    began = time.monotonic()
    fenced = live.root.stop(1.0)
    assert time.monotonic() - began < 4.0
    assert {"a", "b", "c", "d", "f"} <= set(fenced)
    assert "good" not in fenced
    assert live.root.ended
    assert live.root.stop(1.0) == fenced


def test_a_root_that_hangs_itself_is_fenced_and_named(live: Live) -> None:
    class Hesitant(list[ExitNotice]):
        def append(self, notice: ExitNotice) -> None:
            live.release.wait(LONG)

    live.exits = Hesitant()
    live.start(live.spec("a", Poisoned))
    live.tell("a", ValueError("the end"))
    assert live.root is not None
    eventually(lambda: live.root is not None and live.root.busy_for() > 0.05, 20, "it hangs")
    assert live.root.stop(0.2) == ("cerberus",)
    with pytest.raises(ActorDeadError):
        live.ask("a")


def test_messages_while_it_stops_are_answered_or_refused(live: Live) -> None:
    stopping = threading.Event()

    class Slow(Good):
        def on_stop(self) -> None:
            stopping.set()
            live.release.wait(LONG)

    live.start(live.spec("first"), live.spec("second", Slow, stop_timeout=30.0))
    assert live.root is not None
    root = live.root
    stopper = threading.Thread(target=root.stop, args=(30.0,), name="stopper", daemon=True)
    stopper.start()
    assert stopping.wait(20)
    assert live.ask("first", 7) == 7
    assert {row.name: row.state for row in root.status()} == {"first": "running", "second": "stopping"}
    for request in (m.AddChild(live.spec("third")), m.TerminateChild("first"), m.RestartChild("second")):
        with pytest.raises(Exception, match="shutting down"):
            live.ask("cerberus", request)
    live.release.set()
    stopper.join(20)
    assert root.ended and not live.tell("first", "too late")


# --- the status ---


def test_the_status_shows_all_children_those_inside_behind_their_supervisor(live: Live) -> None:
    live.start(
        live.spec("a"), live.inside("inner", live.spec("b", Busy), live.inside("deep", live.spec("c"))), live.spec("d")
    )
    live.tell("b", lambda actor: live.release.wait(LONG))
    live.tell("b", "waits")
    eventually(lambda: live.status("b", "inner").handling == "function", 20, "b is busy")
    assert live.root is not None
    rows = live.root.status()
    assert [(row.name, row.state, row.supervisor) for row in rows] == [
        ("a", "running", False),
        ("inner", "running", True),
        ("b", "running", False),
        ("deep", "running", True),
        ("c", "running", False),
        ("d", "running", False),
    ]
    assert (rows[2].waiting, rows[2].incarnation, rows[2].restarts, rows[2].leaked) == (1, 1, 0, 0)
    assert rows[2].busy_for >= 0.0 and rows[0].busy_for == 0.0


def test_two_hundred_children_are_counted_exactly(live: Live) -> None:
    names = [f"n{number}" for number in range(200)]
    live.start(live.inside("inner", *(live.spec(name) for name in names), more={"start_timeout": 50.0}))
    assert live.root is not None
    rows = live.root.status()
    assert [row.name for row in rows] == ["inner", *names]
    assert {(row.state, row.incarnation) for row in rows} == {("running", 1)}
    for name in names[::4]:
        assert live.ask("inner", m.TerminateChild(name)) is None
    states = [row.state for row in live.root.status()[1:]]
    assert (states.count("running"), states.count("stopped")) == (150, 50)


# --- nothing is kept ---


class Picture:
    """Large, in real life."""


@pytest.mark.parametrize("end", ["by itself", "by an error", "terminated"])
@pytest.mark.parametrize("below", ["inner", "cerberus"])
def test_nothing_of_a_temporary_child_is_kept(live: Live, below: str, end: str) -> None:
    class Holds(SupervisedActor):
        def __init__(self, context: ActorContext, picture: Picture) -> None:
            super().__init__(context)
            self.picture = picture

        def on_receive(self, message: Any) -> Any:
            frame = self.picture, message
            if end == "by an error":
                raise ValueError("with a picture in its frame")
            self.stop()
            return frame and None

    def template(name: str, argument: Any) -> ChildSpec:
        return live.spec(name, lambda context: Holds(context, argument), restart=Restart.TEMPORARY)

    live.start(live.spec("bystander"), live.inside("inner", template=template))
    pictures = [Picture(), Picture()]
    held = [weakref.ref(picture) for picture in pictures]
    if below == "inner":
        live.ask("inner", m.AddFromTemplate("holds", pictures[0]))
    else:
        live.ask("cerberus", m.AddChild(template("holds", pictures[0])))
    if end == "terminated":
        live.ask(below, m.TerminateChild("holds"))
    else:
        live.tell("holds", pictures[1])
    eventually(lambda: "holds" not in live.tree.directory.names(), 20, "it is forgotten")
    pictures.clear()

    def gone() -> bool:
        gc.collect()
        return [ref() for ref in held] == [None, None]

    eventually(gone, 20, "nobody holds the pictures")
