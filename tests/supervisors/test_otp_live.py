"""Those of OTP's own cases (``ROWS`` in ``test_otp_suite.py``) that need live actors: memory, names, logs, hangs."""

from __future__ import annotations

import gc
import logging
import operator
import re
import weakref
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from pykka import ActorDeadError

from supervisors.actor import ActorContext, SupervisedActor
from supervisors.cerberus import CERBERUS
from supervisors.errors import BootFailed, StartFailed
from supervisors.messages import (
    AddChild,
    AddFromTemplate,
    DeleteChild,
    ExitNotice,
    RestartChild,
    Stage,
    TerminateChild,
)
from supervisors.policy import NO_BACKOFF, Backoff, Restart
from supervisors.specs import ChildSpec, Flags
from supervisors.supervisor import Supervisor
from tests.supervisors.live import actor_threads
from tests.supervisors.played import WAIT, Play, Player, fails_at
from tests.supervisors.vices import Crash
from tests.support import eventually

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def play() -> Iterator[Play]:
    play = Play()
    yield play
    play.end()


def inside(play: Play, name: str, children: list[ChildSpec], kind: type[Supervisor] = Supervisor) -> ChildSpec:
    """A nested supervisor."""

    def make(context: ActorContext) -> Supervisor:
        return kind(context, tree=play.tree, children=children, on_exit=play.exits.append, leaks=play.leaks)

    return ChildSpec(name, make, supervisor=True, backoff=NO_BACKOFF)


# --- row 22 ---


def test_faulty_application_shutdown(play: Play) -> None:
    """From the hook at the bottom up to whoever started the root: which child, and why."""
    play.at_start["broken"] = fails_at(1)
    with pytest.raises(BootFailed) as caught:
        play.begin([play.child("good"), inside(play, "models", [play.child("broken")])])
    cause = "broken could not be started: Crash: cannot start"
    assert str(caught.value) == f"models could not be started: BootFailed: {cause}"
    inner = caught.value.error
    assert isinstance(inner, BootFailed)
    assert (inner.child, type(inner.error)) == ("broken", Crash)
    assert [each.child for each in play.exits] == ["broken", "models"]
    assert "in on_start" in play.exits[0].stack_trace
    assert play.trace[-1] == "stop good"


# --- row 30 ---


class Picture:
    """What a child is started with, or sent."""


class Holder(Player):
    """Has a picture in its hands when it ends."""

    def __init__(self, context: ActorContext, play: Play, picture: Picture) -> None:
        super().__init__(context, play)
        self.picture = picture

    def on_start(self) -> None:
        picture = self.picture
        if self.me == "cannot start":
            raise Crash(type(picture).__name__)

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, Picture):
            self.picture = message
            if self.me == "crashes":
                raise Crash(type(message).__name__)
            if self.me == "hangs":
                self.play.release.wait(WAIT)
        return super().on_receive(message)


@pytest.mark.parametrize("name", ["crashes", "finishes", "is terminated", "cannot start", "declines", "hangs"])
def test_simple_one_for_one_corruption(play: Play, name: str) -> None:
    def template(name: str, picture: Any) -> ChildSpec:
        def make(context: ActorContext) -> Holder | None:
            return None if name == "declines" else Holder(context, play, picture)

        return ChildSpec(name, make, Restart.TEMPORARY, stuck_after=1.0)

    play.begin([], template=template)
    started_with, sent = Picture(), Picture()
    held = [weakref.ref(started_with), weakref.ref(sent)]
    if name == "cannot start":
        with pytest.raises(StartFailed):
            play.ask(CERBERUS, AddFromTemplate(name, started_with))
    else:
        assert play.ask(CERBERUS, AddFromTemplate(name, started_with)) is None
    play.tell(name, sent)
    del started_with, sent
    end(play, name)
    play.until(lambda rows: rows == {}, "it is forgotten")
    play.release.set()
    assert not play.ended
    eventually(lambda: gc.collect() >= 0 and [ref() for ref in held] == [None, None], WAIT, "nobody keeps a picture")


def end(play: Play, name: str) -> None:
    match name:
        case "finishes":
            play.tell(name, "finish")
        case "is terminated":
            assert play.ask(CERBERUS, TerminateChild(name)) is None
        case "hangs":
            play.until(lambda rows: play.status(name).handling == "Picture", "it hangs")
            play.advance(1.5)


# --- row 33 ---


def test_child_unlink(play: Play) -> None:
    """One that is deaf to its end, in ``on_stop`` or in a message, holds nobody up."""
    for name in ("in on_stop", "in a message"):
        play.held(name, play.at_stop)
    play.begin([play.child(name, stop_timeout=1.0) for name in ("in on_stop", "in a message")])
    play.tell("in a message", lambda: play.release.wait(WAIT))
    play.until(lambda rows: play.status("in a message").handling == "function", "it is deaf")
    answers = [play.asked(CERBERUS, TerminateChild(name)) for name in ("in on_stop", "in a message")]
    play.until_traced("stop in on_stop")
    assert play.ask(CERBERUS, AddChild(play.child("new"))) is None
    assert play.states() == ["stopping", "stopping", "running"]
    play.advance(1.5)
    assert [answer.get(timeout=WAIT) for answer in answers] == [None, None]
    assert play.states() == ["stopped", "stopped", "running"]
    assert sorted(play.leaks.names()) == ["in a message", "in on_stop"]
    assert {each.stage for each in play.exits} == {Stage.STUCK}
    play.shut_down()
    assert play.ended_with() is None


# --- row 35 ---


def test_count_children(play: Play) -> None:
    """200 in all: 4 supervisors, each with 49 workers."""

    def workers(group: int) -> list[ChildSpec]:
        return [play.child(f"{group}.{n}", backoff=Backoff(first=5.0, longest=5.0)) for n in range(49)]

    play.begin([inside(play, f"group {group}", workers(group)) for group in range(4)])
    assert count(play) == Counter({("running", False): 196, ("running", True): 4})
    assert len(actor_threads()) == 201
    for n in range(10):
        assert play.ask("group 0", TerminateChild(f"0.{n}")) is None
    for n in range(5):
        assert play.ask("group 0", DeleteChild(f"0.{n}")) is None
        assert play.ask("group 1", AddChild(play.child(f"1.new{n}", Restart.TEMPORARY))) is None
    for _ in (1, 2):  # the second restart in a row waits 5 s
        play.tell("2.7", Crash("told to"))
    play.tell("1.new0", Crash("told to"))
    expected = {("running", False): 189, ("running", True): 4, ("stopped", False): 5, ("restarting", False): 1}
    eventually(lambda: count(play) == Counter(expected), WAIT, f"{expected}")
    eventually(lambda: len(actor_threads()) == 194, WAIT, "a thread for each that runs, and the root's")


def count(play: Play) -> Counter[tuple[str, bool]]:
    assert play.root is not None
    return Counter((row.state, row.supervisor) for row in play.root.status())


# --- row 39 ---


class Mortal(Supervisor):
    """Dies of a message that is an exception."""

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, BaseException):
            raise message
        return super().on_receive(message)


def test_simple_global_supervisor(play: Play) -> None:
    """A name leads to who has it now, whoever has been replaced: the worker, or its supervisor and so both."""
    play.begin([inside(play, "models", play.children("w"), Mortal), play.child("bystander")])
    assert (play.ask("w"), play.rows(), play.rows("models")["w"]) == (1, rows(1), ("running", 1))
    play.tell("w", Crash("told to"))
    assert (play.ask("w"), play.rows()) == (2, rows(1))
    for killed in (1, 2):
        play.tell("models", Crash("told to"))
        play.until(partial(operator.eq, rows(1 + killed)), "the supervisor is replaced")
        assert (play.ask("w"), play.rows("models")) == (2 + killed, {"w": ("running", 2 + killed)})
        assert play.tell("w", "anything")
    eventually(lambda: sorted(actor_threads()) == THEN, WAIT, "the old ones are gone")
    assert play.leaks.total == 0


THEN = ["bystander#1", "cerberus#1", "models#3", "w#4"]


def rows(incarnation: int) -> dict[str, tuple[str, int]]:
    return {"models": ("running", incarnation), "bystander": ("running", 1)}


# --- rows 42 and 43 ---


class Loud(SupervisedActor):
    """Fails in a way that has a cause."""

    def on_receive(self, message: Any) -> Any:
        try:
            raise OSError("the disk is full")
        except OSError as error:
            raise Crash(message) from error


GOLDEN = """\
Traceback (most recent call last):
  File "test_otp_live.py", line N, in on_receive
    raise OSError("the disk is full")
OSError: the disk is full

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "actor.py", line N, in _actor_loop
    self._handle(envelope, self.on_receive)
  File "actor.py", line N, in _handle
    reply = receive(envelope.message)
  File "test_otp_live.py", line N, in on_receive
    raise Crash(message) from error
tests.supervisors.vices.Crash: bad coin
"""


def plain(trace: str) -> str:
    """Without what depends on the place and on Python's version."""
    lines = [line for line in trace.splitlines() if line.strip(" ^~") or not line]
    return re.sub(r'File ".*?([^/\\]+)", line \d+', r'File "\1", line N', "\n".join(lines) + "\n")


def test_format_log(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "supervisors")
    play.start(play.spec("loud", Loud, backoff=NO_BACKOFF), play.spec("quiet"))
    for message in ("bad coin", "x" * 100_000):
        play.and_settle("loud", message)
    first, second = play.exits
    assert lines(caplog) == [
        "WARNING loud: restart of loud: Crash: bad coin",
        "WARNING loud: restart of loud: " + f"Crash: {'x' * 1000}"[:500],
    ]
    assert plain(first.stack_trace) == GOLDEN
    assert first.frames[-1] == "tests.supervisors.test_otp_live:Loud.on_receive"
    assert described(first) == ("loud", 1, "on_receive", "Crash: bad coin", "str")
    assert described(second) == ("loud", 2, "on_receive", f"Crash: {'x' * 493}", "str")
    assert first.error is not None and first.error.__cause__ is not None
    assert (first.error.__traceback__, first.error.__cause__.__traceback__) == (None, None)


def described(notice: ExitNotice) -> tuple[str, int, str, str, str]:
    return notice.child, notice.incarnation, str(notice.stage), notice.why, notice.handling


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [f"{each.levelname} {each.getMessage()}" for each in caplog.records if each.name == "supervisors"]


def test_external_start_no_progress_log(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    """A line for each restart, none for what was asked for."""
    caplog.set_level(logging.DEBUG, "supervisors")
    play.start(play.child("a"), play.child("b"))
    assert play.ask(CERBERUS, AddChild(play.child("c"))) is None
    for name in "abc":
        assert play.ask(CERBERUS, TerminateChild(name)) is None
        assert play.ask(CERBERUS, RestartChild(name)) is None
    assert play.ask(CERBERUS, TerminateChild("c")) is None
    assert play.ask(CERBERUS, DeleteChild("c")) is None
    assert lines(caplog) == []
    for number in (1, 2):
        play.crash("a")
        assert lines(caplog) == ["WARNING a: restart of a: Crash: a was told to"] * number
    play.shut_down()
    assert (play.ended_with(), len(lines(caplog))) == (None, 2)


# --- row 44 ---


def test_already_started_outside_supervisor(play: Play) -> None:
    """A name that another supervisor's child has: said to the asker, and to whoever boots; it is not disturbed."""
    play.begin([inside(play, "models", play.children("w")), inside(play, "others", [])], Flags(intensity=0))
    taken = "w could not be started: ValueError: the name 'w' is taken by a child of 'models'"
    for _ in (1, 2):
        with pytest.raises(StartFailed) as refused:
            play.ask("others", AddChild(play.child("w")))
        assert str(refused.value) == taken
    assert (play.rows("others"), play.rows("models"), play.ask("w")) == ({}, {"w": ("running", 1)}, 1)
    with pytest.raises(StartFailed) as failed:
        play.ask(CERBERUS, AddChild(inside(play, "third", play.children("w"))))
    assert str(failed.value) == f"third could not be started: BootFailed: {taken}"
    assert (play.ask("w"), play.known()) == (1, "modelsothers")
    assert play.ask("models", TerminateChild("w")) is None
    with pytest.raises(StartFailed, match="is taken by a child of 'models'"):
        play.ask("others", AddChild(play.child("w")))  # it is down, but may come back
    assert play.ask("models", DeleteChild("w")) is None
    assert play.ask("others", AddChild(play.child("w"))) is None
    assert (play.ask("w"), play.rows("others")) == (1, {"w": ("running", 1)})
    with pytest.raises(ActorDeadError):
        play.ask("nobody")
