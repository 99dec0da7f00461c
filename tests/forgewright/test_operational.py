"""That a failure was answered by a head, and went well: told by the real Cerberus, and by his bites one by one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, cast

import pytest

from foureyes_actors.bite_words import outcome, read_outcome
from foureyes_actors.bug.faults import fault_from_exception
from foureyes_actors.errors import (
    AnswerContractError,
    ConnectFailed,
    LMStudioError,
    RequestTimeout,
    ServerStartFailed,
)
from foureyes_actors.forgewright.operational import Answered, operational_evidence
from foureyes_actors.messages import Event, EventKind, Fault
from foureyes_actors.ports.clock import Clock, ManualClock, SystemClock
from foureyes_actors.settings import Settings
from foureyes_actors.settings.config import Config
from foureyes_actors.upkeep import Upkeep
from supervisors.actor import ActorContext, SupervisedActor
from supervisors.cerberus import Cerberus, Root, start_root
from supervisors.context import Tree
from supervisors.heads import Head, Heads
from supervisors.heads_decider import Bite
from supervisors.policy import Backoff
from supervisors.specs import ChildSpec
from tests.support import eventually

INFERENCE = "inference:qwen/qwen3-vl-8b"


class Hall:
    """A directory in which all are there; it keeps what Forgewright and the BugActor hear."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.faults: list[Fault] = []

    def tell(self, name: str, message: object) -> bool:
        if name == "forgewright":
            assert isinstance(message, Event)
            self.events.append(message)
        if name == "bug":
            assert isinstance(message, Fault)
            self.faults.append(message)
        return True


def upkeep(hall: Hall, clock: Clock) -> Upkeep:
    config = Config(Settings())
    return Upkeep(
        "run", config=config, directory=cast("Any", hall), clock=clock, fatal=lambda _: None, fallback_audience=()
    )


# --- the real Cerberus ---


class Fragile(SupervisedActor):
    def on_receive(self, message: Any) -> Any:
        if isinstance(message, BaseException):
            raise message
        return message


@pytest.fixture
def hall() -> Hall:
    return Hall()


@pytest.fixture
def root(hall: Hall) -> Iterator[Root]:
    listening = upkeep(hall, SystemClock())
    heads = Heads(settled=0.05)
    spec = ChildSpec("capture", Fragile, backoff=Backoff(first=0.0, longest=0.0))

    def make(context: ActorContext, tree: Tree) -> Cerberus:
        return Cerberus(
            context,
            tree=tree,
            children=[spec],
            heads=heads,
            on_exit=listening.on_exit,
            listeners=listening.listeners,
        )

    root = start_root(make, Tree())
    yield root
    root.stop(10.0)


def test_an_actor_that_cerberus_has_replaced(root: Root, hall: Hall) -> None:
    root.tree.directory.tell("capture", ValueError("bad"))
    eventually(lambda: len(hall.events) > 0, 30, "Forgewright hears of the bite")
    (fault,) = hall.faults
    found = operational_evidence(hall.events, fault)
    assert found is not None and (found.child, found.heads, found.recovered) == ("capture", (Head.RESTART,), True)
    assert str(found).startswith("answered by Cerberus: restart of capture; a probe passed after ")
    another = fault_from_exception(KeyError("x"), source="capture", clock=SystemClock())
    assert operational_evidence(hall.events, another) is None, "it ended of something else"


# --- bite by bite ---


class Story:
    """What happens, in a time that is set."""

    def __init__(self) -> None:
        self.clock, self.hall = ManualClock(), Hall()
        self.upkeep = upkeep(self.hall, self.clock)

    def fault(self, error: Exception, source: str = "lm_studio") -> Fault:
        return fault_from_exception(error, source=source, clock=self.clock)

    def bite(self, head: Head, took: float, *, recovered: bool, why: str, child: str = "lm_studio") -> None:
        """It began now, and its outcome is known after ``took`` seconds."""
        self.clock.advance(took)
        self.upkeep.on_bite(Bite(child, head, why, 0.0, (child,), recovered, took))

    def found(self, fault: Fault) -> Answered | None:
        return operational_evidence(reversed(self.hall.events), fault)


GONE = "ServerStartFailed: it ended with code 1"


def test_several_heads_until_one_was_a_success() -> None:
    story = Story()
    fault = story.fault(ServerStartFailed("it ended with code 1"))
    for head in (Head.RESTART, Head.RESTART, Head.RELOAD):
        story.bite(head, 5.0, recovered=False, why=GONE)
    found = story.found(fault)
    assert found is not None and not found.recovered and "no probe has passed since" in str(found)
    story.bite(Head.FALLBACK, 120.0, recovered=True, why=GONE)
    story.bite(Head.RESTART, 5.0, recovered=False, why=GONE)  # of another failure
    heads = (Head.RESTART, Head.RESTART, Head.RELOAD, Head.FALLBACK)
    assert story.found(fault) == Answered("lm_studio", heads, True, 135.0)


@pytest.mark.parametrize("error", [ConnectFailed("nobody listens"), RequestTimeout("no complete reply within 30 s")])
def test_a_failed_request_is_answered_by_what_is_done_about_the_server(error: Exception) -> None:
    story = Story()
    fault = story.fault(error, INFERENCE)
    story.clock.advance(20.0)
    story.bite(Head.RESTART, 6.0, recovered=True, why="LMStudioError: 3 checks in a row failed")
    assert story.found(fault) == Answered("lm_studio", (Head.RESTART,), True, 26.0)


def test_what_has_nothing_to_do_with_the_server_is_not_answered_by_its_restart() -> None:
    story = Story()
    before = story.fault(ConnectFailed("nobody listens"), INFERENCE)
    story.clock.advance(100.0)
    late = story.fault(ConnectFailed("nobody listens"), INFERENCE)
    answer = story.fault(AnswerContractError("no JSON"), INFERENCE)
    picture = story.fault(ValueError("bad"), "capture")
    story.bite(Head.RESTART, 6.0, recovered=True, why=GONE)
    assert [story.found(fault) for fault in (answer, picture, before)] == [None, None, None]
    assert story.found(late) is not None


def test_an_end_of_its_own_is_answered_by_its_own_replacement() -> None:
    story = Story()
    fault = story.fault(KeyError("grand"), INFERENCE)
    story.bite(Head.RESTART, 2.0, recovered=True, why="KeyError: 'grand'", child=INFERENCE)
    assert story.found(fault) == Answered(INFERENCE, (Head.RESTART,), True, 2.0)


def test_without_a_bite_there_is_no_evidence() -> None:
    story = Story()
    fault = story.fault(LMStudioError("x"))
    assert story.found(fault) is None
    story.upkeep.on_fallback("lm_studio", True, "gone")
    story.hall.events.append(
        Event("e", EventKind.HEAD_BITTEN, fault.at + timedelta(seconds=1), "lm_studio", "failed", "stays down")
    )
    assert story.found(fault) is None


@pytest.mark.parametrize("head", list(Head))
@pytest.mark.parametrize("recovered", [True, False])
def test_the_words_are_read_as_they_were_written(head: Head, recovered: bool) -> None:
    assert read_outcome(outcome(head, recovered=recovered, took=1.25)) == (head, recovered)


@pytest.mark.parametrize("after", [None, "", "stays down", "restart", "bite: recovered after 1 s", "restart: perhaps"])
def test_other_words_are_no_heads(after: str | None) -> None:
    assert read_outcome(after) is None
