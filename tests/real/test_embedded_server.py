"""LMStudioActor under Cerberus with the real embedded server as a process: started, killed, frozen, and in the way."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from foureyes_actors.lm_studio.actor import History, LMStudioActor
from foureyes_actors.lm_studio.dialects import EMBEDDED
from foureyes_actors.messages import Fault, GetStatus, ServerPhase, ServerState, ServerSuspect
from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.http_requests import RequestsHttp
from foureyes_actors.ports.local_process import LocalProcesses
from foureyes_actors.settings import ModelServerSettings
from supervisors.actor import ActorContext, SupervisedActor
from supervisors.context import Tree
from supervisors.messages import ExitNotice
from supervisors.specs import ChildSpec
from t00l5et.free_port import free_port
from tests.model_server.support import need_embedded
from tests.support import eventually, start_tree

pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]
posix = pytest.mark.skipif(sys.platform == "win32", reason="a signal of POSIX")

TINY, SMALL = "foureyes/screen-reader-tiny", "foureyes/screen-reader-small"
READY, BACK = 30.0, 60.0  # seconds: what the seed allows


@pytest.fixture(autouse=True)
def _packages() -> None:
    need_embedded()


class Collector(SupervisedActor):
    def __init__(self, context: ActorContext, kept: list[Any]) -> None:
        super().__init__(context)
        self.kept = kept

    def on_receive(self, message: Any) -> Any:
        self.kept.append((time.monotonic(), message))


class House:
    """A tree of the actor and those whom it tells."""

    def __init__(self, models: tuple[str, ...] = (TINY,), **values: Any) -> None:
        self.tree, self.heard, self.bugs = Tree(), list[Any](), list[Any]()
        self.exits: list[ExitNotice] = []
        self.stopped = False
        settings = ModelServerSettings.model_validate(values)

        history = History()

        def actor(context: ActorContext) -> SupervisedActor:
            return LMStudioActor(
                context,
                settings=settings,
                models=models,
                http=RequestsHttp(),
                processes=LocalProcesses(),
                clock=SystemClock(),
                audience=("console",),
                history=history,
            )

        children = [
            ChildSpec("console", lambda context: Collector(context, self.heard)),
            ChildSpec("bug", lambda context: Collector(context, self.bugs)),
            ChildSpec("lm_studio", actor, stop_timeout=settings.stop_grace + 5.0, proves=True),
        ]

        self.root = start_tree(self.tree, children, on_exit=self.exits.append)

    @property
    def states(self) -> list[ServerState]:
        return [message for _, message in list(self.heard)]

    @property
    def now(self) -> ServerState:
        return self.states[-1] if self.states else ServerState(ServerPhase.STOPPED)

    @property
    def faults(self) -> list[Fault]:
        """All that was told by now, what is still in the inbox too."""
        self.tree.directory.ask("bug", "is that all?", 30.0)
        return [message for _, message in list(self.bugs) if isinstance(message, Fault)]

    def until(self, phase: ServerPhase, timeout: float, but: int | None = None) -> ServerState:
        """``but``: a process id that it must no longer be."""
        reached = lambda: self.now.phase is phase and (but is None or self.now.pid != but)  # noqa: E731
        try:
            eventually(reached, timeout, f"{phase.value}, in all: {[s.detail for s in self.states][-5:]}")
        except BaseException:
            print([s.detail for s in self.states], [f.message for f in self.faults])
            raise
        return self.now

    def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.tree.directory.ask("lm_studio", GetStatus(), 5.0)
        return answer

    def stop(self) -> tuple[str, ...]:
        """The names that had to be fenced. A second call does nothing."""
        if self.stopped:
            return ()
        self.stopped = True
        return self.root.stop(15.0)


Make = Callable[..., House]


@pytest.fixture
def house() -> Iterator[Make]:
    houses: list[House] = []

    def make(**values: Any) -> House:
        houses.append(House(**values))
        return houses[-1]

    yield make
    for each in houses:
        each.stop()
        assert not each.exits
    eventually(lambda: not any("#" in t.name for t in threading.enumerate()), 30, "all actor threads ended")
    eventually(lambda: not servers(), 30, "no server is left")


def servers() -> list[int]:
    """Embedded servers among our children."""
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            if "foureyes_actors.model_server" in child.cmdline() and child.status() != psutil.STATUS_ZOMBIE:
                found.append(child.pid)
        except psutil.Error:
            continue
    return found


def pid_of(state: ServerState) -> int:
    assert state.pid is not None
    return state.pid


def test_ready_in_time_and_gone_after_stop(house: Make) -> None:
    it = house()
    state = it.until(ServerPhase.READY, READY)
    assert state.models == (TINY,)
    assert servers() == [state.pid]
    phases = list(dict.fromkeys(s.phase for s in it.states))
    assert phases == [ServerPhase.STARTING, ServerPhase.LOADING, ServerPhase.WARMING_UP, ServerPhase.READY]
    assert not it.faults
    assert it.stop() == ()
    assert servers() == []


@posix
def test_kill_9_and_back(house: Make) -> None:
    it = house()
    state = it.until(ServerPhase.READY, READY)
    for _ in range(2):
        pid = pid_of(state)
        os.kill(pid, signal.SIGKILL)
        state = it.until(ServerPhase.READY, BACK, but=pid)
    assert [f.exception_type.rpartition(".")[2] for f in it.faults] == ["ServerStartFailed"] * 2
    assert it.faults[0].message == "the model server's process was ended by signal 9"
    assert it.status()["starts"] == 3


@posix
def test_a_frozen_server_is_replaced(house: Make) -> None:
    it = house(check_every=1.0, silent_after=2)
    pid = pid_of(it.until(ServerPhase.READY, READY))
    os.kill(pid, signal.SIGSTOP)
    it.until(ServerPhase.READY, BACK, but=pid)
    assert servers() == [it.now.pid]
    assert "checks in a row" in it.faults[0].message


@posix
def test_a_suspicion_finds_a_frozen_server_before_the_next_check(house: Make) -> None:
    it = house(check_every=3600.0, silent_after=1)
    pid = pid_of(it.until(ServerPhase.READY, READY))
    os.kill(pid, signal.SIGSTOP)
    it.tree.directory.tell("lm_studio", ServerSuspect("no answer"))
    it.until(ServerPhase.READY, BACK, but=pid)


def test_a_port_that_a_stranger_holds(house: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        stranger.settimeout(0.1)
        it = house(kind="embedded", base_url=f"http://127.0.0.1:{port}")
        state = it.until(ServerPhase.FAILED, READY)
        assert f"http://127.0.0.1:{port} is held by" in state.detail
        assert str(os.getpid()) in state.detail or "somebody" in state.detail
        eventually(lambda: bool(it.faults), 30, "it is told")
        assert it.faults[0].exception_type.endswith("PortTaken")
        assert servers() == []


def test_an_explicit_address(house: Make) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    it = house(kind="embedded", base_url=url)
    assert it.until(ServerPhase.READY, READY).base_url == url
    other = house(base_url=url)  # no kind: it is asked
    state = other.until(ServerPhase.READY, READY)
    assert (state.base_url, state.pid, other.status()["attached"]) == (url, None, True)
    assert other.status()["server"] == EMBEDDED.name
    other.stop()
    assert it.now.phase is ServerPhase.READY
    assert servers() == [it.now.pid]


def test_an_unknown_model_names_the_known_ones(house: Make) -> None:
    it = house(models=("microsoft/trocr-base-handwritten",))
    state = it.until(ServerPhase.FAILED, READY)
    assert "microsoft/trocr-base-handwritten" in state.detail
    assert TINY in state.detail and SMALL in state.detail
    assert it.faults[0].exception_type.endswith("ModelUnknown")
    assert len(servers()) == 1  # it is well, and waits for a better model table


def test_two_at_once_do_not_meet(house: Make) -> None:
    first, second = house(), house()
    one, two = first.until(ServerPhase.READY, READY), second.until(ServerPhase.READY, READY)
    assert one.base_url != two.base_url
    assert {one.pid, two.pid} == set(servers())
    first.stop()
    assert servers() == [two.pid]


def test_stop_while_it_starts(house: Make) -> None:
    it = house()
    eventually(lambda: it.now.pid is not None, READY, "the process is there")
    assert it.stop() == ()
    assert servers() == []
