"""What can come between two steps of a supervisor: a sibling's end, and news that is still under way."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from pykka import ActorDeadError

from supervisors.actor import ActorContext
from supervisors.cerberus import CERBERUS
from supervisors.directory import Directory
from supervisors.errors import GaveUp, ShuttingDown, StartFailed
from supervisors.inbox import Inbox
from supervisors.messages import AddFromTemplate, RestartChild, Stage, TerminateChild, WhichChildren
from supervisors.policy import NO_BACKOFF, Restart, Strategy
from supervisors.specs import ChildSpec, Flags
from supervisors.supervisor import Supervisor
from tests.supervisors.live import actor_threads
from tests.supervisors.played import WAIT, Play, Player
from tests.supervisors.vices import Crash
from tests.support import eventually

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def play() -> Iterator[Play]:
    play = Play()
    yield play
    play.end()


@pytest.mark.parametrize("restart", [Restart.TEMPORARY, Restart.PERMANENT])
def test_one_that_is_gone_with_its_stuck_sibling_is_not_looked_at(play: Play, restart: Restart) -> None:
    """The look at the first one takes the second along: it is forgotten, or another incarnation by then."""
    second = play.child("b", restart, stop_timeout=0, stuck_after=1.0)
    play.begin([play.child("a", stop_timeout=0, stuck_after=1.0), second], Flags(Strategy.ONE_FOR_ALL))
    for name in "ab":
        play.tell(name, lambda: play.release.wait(WAIT))
        play.until(lambda _rows, name=name: play.status(name).handling == "function", "it hangs")  # type: ignore[misc]
    play.advance(1.5)
    eventually(lambda: len(play.exits) == 2, WAIT, "both are fenced")
    back = {"a": ("running", 2), "b": ("running", 2)} if restart is Restart.PERMANENT else {"a": ("running", 2)}
    play.until(lambda rows: rows == back, "who comes back is back")
    assert not play.ended
    assert [(each.child, each.incarnation, each.stage) for each in play.exits] == [
        ("a", 1, Stage.STUCK),
        ("b", 1, Stage.STUCK),
    ]


@pytest.mark.parametrize("stop_timeout", [1.5, 0.0])
def test_a_stop_may_come_before_the_news_that_a_name_is_taken(play: Play, stop_timeout: float) -> None:
    """``x`` is added under somebody else's name, and stopped with its group before the supervisor hears of it."""
    crashed: list[str] = []

    def template(name: str, _argument: object) -> ChildSpec:
        """Runs in the supervisor's thread: the end of ``a`` waits in front of all that is said from here on."""
        inbox = play.tree.directory.inbox(CERBERUS)
        assert inbox is not None
        play.tell("a", Crash("a was told to"))
        eventually(lambda: len(inbox) == 1, WAIT, "its end is told", every=0.002)
        crashed.append(name)
        return play.child(name, stop_timeout=stop_timeout)

    play.begin([play.child("a"), nested(play, "x")], Flags(Strategy.ONE_FOR_ALL, intensity=1), template=template)
    with pytest.raises(StartFailed, match="the name 'x' is taken by a child of 'models'"):
        play.ask(CERBERUS, AddFromTemplate("x"))
    play.until(lambda rows: rows == {"a": ("running", 2), "models": ("running", 2)}, "the group is back")
    assert (crashed, play.ended, play.ask("x")) == (["x"], False, 2)


class TakenOnce(Directory):
    """``x`` is somebody else's, once; that is found out just when the end of ``b`` has been told."""

    def __init__(self, play: Play) -> None:
        super().__init__()
        self.play, self.taken = play, False

    def claim(self, name: str, owner: str, make: Callable[[str], Inbox]) -> Inbox:
        if name == "x" and self.taken:
            self.taken = False
            self.play.tell("b", Crash("b was told to"))
            above = self.inbox(owner)
            assert above is not None
            eventually(lambda: len(above) == 1, WAIT, "its end is told", every=0.002)
            raise ValueError("the name 'x' is taken by a child of 'models'")
        return super().claim(name, owner, make)


def test_news_that_a_name_was_taken_does_not_end_one_who_has_got_it_since(play: Play) -> None:
    directory = TakenOnce(play)
    play.tree = replace(play.tree, directory=directory)
    play.begin([play.child("x", stop_timeout=0), play.child("b")], Flags(Strategy.ONE_FOR_ALL))
    assert play.ask(CERBERUS, TerminateChild("x")) is None
    eventually(lambda: "x#1" not in actor_threads(), WAIT, "the fenced one has told its end")
    assert play.rows() == {"x": ("stopped", 1), "b": ("running", 1)}  # and it has been read
    directory.taken = True
    assert play.ask(CERBERUS, RestartChild("x")) is None
    play.until(lambda rows: rows == {"x": ("running", 2), "b": ("running", 2)}, "both are up")
    assert (play.ended, play.ask("x"), directory.taken) == (False, 2, False)


def nested(play: Play, name: str) -> ChildSpec:
    """A supervisor with one child."""

    def make(context: ActorContext) -> Any:
        return play.supervisor(context, [play.child(name)])

    return ChildSpec("models", make, supervisor=True, backoff=NO_BACKOFF)


def test_a_request_that_it_does_not_know_is_said_to_the_asker(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    play.begin(play.children("a"))
    with (
        caplog.at_level(logging.ERROR, "supervisors"),
        pytest.raises(TypeError, match="a supervisor does not know list"),
    ):
        play.ask(CERBERUS, [])
    assert play.rows() == {"a": ("running", 1)}


def test_a_root_that_has_ended_answers_nobody_and_says_so(play: Play) -> None:
    let_go = play.held("b", play.at_stop)
    play.begin(play.children("ab"), Flags(intensity=0))
    play.tell("a", Crash("a was told to"))
    play.until_traced("stop b")
    late = play.asked(CERBERUS, TerminateChild("b"))
    unread = play.asked("b", "who?")
    let_go.set()
    assert play.ended_with() is GaveUp
    for answer in (late, unread):
        with pytest.raises((ShuttingDown, ActorDeadError)):
            answer.get(timeout=WAIT)
    with pytest.raises(ActorDeadError):
        play.ask(CERBERUS, WhichChildren(), 2.0)


def test_until_a_supervisor_that_died_is_back_its_old_children_can_do_nothing(play: Play) -> None:
    contexts: list[ActorContext] = []
    said: list[bool] = []
    busy, back = threading.Event(), threading.Event()

    def make_worker(context: ActorContext) -> Player:
        contexts.append(context)
        return Player(context, play)

    def make(context: ActorContext) -> Mortal:
        if context.incarnation > 1:
            back.wait(WAIT)
        worker = ChildSpec("w", make_worker, backoff=NO_BACKOFF)
        return Mortal(context, tree=play.tree, children=[worker], on_exit=play.exits.append, leaks=play.leaks)

    def work() -> None:
        busy.wait(WAIT)
        said.append(contexts[0].tell("bystander", "from the fenced one"))

    play.begin([play.child("bystander"), ChildSpec("models", make, supervisor=True, backoff=NO_BACKOFF)])
    play.tell("w", work)
    eventually(lambda: play.status("w", "models").handling == "function", WAIT, "it works")
    play.tell("models", Crash("told to"))
    play.until(lambda rows: rows["models"] == ("starting", 2), "a replacement is on its way")
    assert play.leaks.names() == ("w",)
    busy.set()
    eventually(lambda: play.leaks.total == 0, WAIT, "the old one has ended")
    assert said == [False]
    back.set()
    assert play.ask("w") == 2


class Mortal(Supervisor):
    """Dies of a message that is an exception."""

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, BaseException):
            raise message
        return super().on_receive(message)


class Picture:
    """Megabytes, in earnest."""


def test_who_has_nothing_to_do_holds_no_message(play: Play) -> None:
    play.begin(play.children("a"))
    picture = Picture()
    kept = weakref.ref(picture)
    play.tell("a", picture)
    del picture
    eventually(lambda: kept() is None, WAIT, "it is let go while the actor waits for the next one")
    assert play.rows() == {"a": ("running", 1)}
