"""Inference and readings for real: live actors under Cerberus, the real HTTP port, a server on the loopback."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from foureyes_actors.errors import (
    ConnectFailed,
    ConnectionBroken,
    FourEyesError,
    ReplyTooLarge,
    RequestRefused,
    RequestTimeout,
    ServerError,
)
from foureyes_actors.inference.actor import InferenceActor
from foureyes_actors.inference.client import analyse
from foureyes_actors.messages import (
    AnalysisFailed,
    Fault,
    Field,
    Frame,
    FrameCaptured,
    FrameRef,
    GetStatus,
    ReadingSet,
    ReadingStatus,
    ServerPhase,
    ServerState,
    ServerStateWanted,
    ServerSuspect,
    StoreDocuments,
)
from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.http_requests import RequestsHttp
from foureyes_actors.readings.actor import ReadingsActor
from foureyes_actors.settings import InferenceSettings, ReadingsSettings
from supervisors.actor import ActorContext, SupervisedActor
from supervisors.context import Tree
from supervisors.messages import ExitNotice
from supervisors.specs import ChildSpec
from tests.inference.loopback import LoopbackServer
from tests.inference.support import ENTRIES, MODEL
from tests.support import eventually, start_tree

NAME = f"inference:{MODEL}"
CLOCK = SystemClock()
PATIENCE = 20.0


class Collector(SupervisedActor):
    """Keeps what it is told."""

    def __init__(self, context: ActorContext, kept: list[Any]) -> None:
        super().__init__(context)
        self.kept = kept

    def on_receive(self, message: Any) -> Any:
        self.kept.append(message)


def frame(number: int, data: bytes | None = None) -> Frame:
    data = data or b"\xff\xd8\xff" + number.to_bytes(4) * 50_000
    digest = hashlib.sha256(data).hexdigest()
    return Frame(FrameRef("test", number, datetime.now(UTC), CLOCK.monotonic(), digest, "image/jpeg", 1280, 720), data)


class House:
    """A tree of one InferenceActor, a ReadingsActor, and collectors for everybody else."""

    def __init__(self, server: LoopbackServer, settings: InferenceSettings) -> None:
        self.server, self.tree = server, Tree()
        self.kept: dict[str, list[Any]] = {name: [] for name in ("recorder", "bug", "console", "lm_studio")}
        self.exits: list[ExitNotice] = []
        children = [self.collector(name) for name in self.kept]
        children += [
            ChildSpec(
                "readings",
                lambda context: ReadingsActor(
                    context, run_id="run", settings=ReadingsSettings(join_timeout=30), models=(MODEL,), clock=CLOCK
                ),
            ),
            ChildSpec(NAME, lambda context: self.inference(context, settings)),
        ]

        self.root = start_tree(self.tree, children, on_exit=self.exits.append)

    def inference(self, context: ActorContext, settings: InferenceSettings) -> InferenceActor:
        return InferenceActor(
            context,
            model=MODEL,
            tasks=ENTRIES,
            settings=settings,
            http=RequestsHttp(),
            clock=CLOCK,
            random=lambda: 0.0,
        )

    def collector(self, name: str) -> ChildSpec:
        return ChildSpec(name, lambda context: Collector(context, self.kept[name]))

    def ready(self) -> None:
        self.tell(ServerState(ServerPhase.READY, self.server.url, (MODEL,)))

    def tell(self, message: Any) -> None:
        assert self.tree.directory.tell(NAME, message)

    def status(self, name: str = NAME) -> dict[str, Any]:
        answer: dict[str, Any] = self.tree.directory.ask(name, GetStatus(), PATIENCE)
        return answer

    def seen(self, name: str, kind: type) -> list[Any]:
        """All that it has been told by now, what is still in its inbox too."""
        self.tree.directory.ask(name, GetStatus(), PATIENCE)
        return [m for m in list(self.kept[name]) if isinstance(m, kind)]

    def stop(self) -> tuple[str, ...]:
        return self.root.stop(5.0)


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    server = LoopbackServer()
    yield server
    server.close()


@pytest.fixture
def house_of(server: LoopbackServer) -> Iterator[Callable[[InferenceSettings], House]]:
    made: list[House] = []

    def make(settings: InferenceSettings) -> House:
        made.append(House(server, settings))
        return made[-1]

    yield make
    for house in made:
        house.stop()
    eventually(lambda: not any("#" in t.name for t in threading.enumerate()), 30, "all actor threads ended")


def test_frames_become_readings(house_of: Any, server: LoopbackServer) -> None:
    house = house_of(InferenceSettings())
    eventually(lambda: house.seen("lm_studio", ServerStateWanted) != [], PATIENCE, "it asks for the server's state")
    house.tell(FrameCaptured(frame(1)))
    eventually(lambda: house.status()["waiting_for_server"] == 1, PATIENCE, "the frame waits for the server")
    house.ready()
    eventually(lambda: len(house.seen("console", ReadingSet)) == 1, PATIENCE, "the first readings")
    house.tell(FrameCaptured(frame(2)))
    eventually(lambda: len(house.seen("console", ReadingSet)) == 2, PATIENCE, "the second readings")
    first, second = house.seen("console", ReadingSet)
    assert [(r.value, r.status) for r in (second.reading(Field.STATE),)] == [("idle", ReadingStatus.ACCEPTED)]
    assert str(second.reading(Field.GRAND).value) == "12345.67"
    stored = [d["_id"] for m in house.seen("recorder", StoreDocuments) for d in m.documents if "fields" in d]
    assert stored == [first.id, second.id]
    assert house.seen("bug", Fault) == []


@pytest.mark.parametrize(
    ("behaviour", "kind", "attempts"),
    [
        ("hang", RequestTimeout, 2),
        ("reset", ConnectionBroken, 2),
        ("cut", ConnectionBroken, 2),
        ("not HTTP", ConnectionBroken, 2),
        ("500", ServerError, 2),
        ("no route", RequestRefused, 1),
        ("too large", ReplyTooLarge, 1),
    ],
)
def test_faults_on_the_wire(server: LoopbackServer, behaviour: str, kind: type[FourEyesError], attempts: int) -> None:
    server.plan.extend([behaviour] * attempts)
    deadline = 2.0 if behaviour == "hang" else PATIENCE
    http, settings = RequestsHttp(), InferenceSettings(attempts=2, backoff=(0.01,), jitter=0, deadline=deadline)
    arguments: dict[str, Any] = {
        "model": MODEL, "tasks": ENTRIES, "http": http, "clock": CLOCK, "random": lambda: 0.0, "settings": settings,
        "base_url": server.url, "cancelled": threading.Event(),
    }  # fmt: skip
    try:
        with pytest.raises(FourEyesError) as caught:
            analyse(frame(1), **arguments)
        assert type(caught.value) is kind
        eventually(lambda: len(server.bodies) == attempts, PATIENCE, "the server has seen each attempt")
        settings = InferenceSettings(deadline=20)
        assert len(analyse(frame(2), **{**arguments, "settings": settings}).answers) == 4  # the same port, afterwards
    finally:
        http.close()


def test_nobody_listens(server: LoopbackServer) -> None:
    server.close()
    http = RequestsHttp()
    with pytest.raises(ConnectFailed):
        analyse(
            frame(1), model=MODEL, tasks=ENTRIES, http=http, clock=CLOCK, random=lambda: 0.0,
            settings=InferenceSettings(attempts=1), base_url=server.url, cancelled=threading.Event(),
        )  # fmt: skip
    http.close()


def test_trouble_is_told_and_the_next_frame_is_read(house_of: Any, server: LoopbackServer) -> None:
    house = house_of(InferenceSettings(attempts=2, backoff=(0.01,), jitter=0, deadline=10))
    server.plan.extend(["reset", "cut"])
    house.ready()
    house.tell(FrameCaptured(frame(1)))
    eventually(lambda: len(house.seen("bug", Fault)) == 1, PATIENCE, "the fault")
    eventually(lambda: len(house.seen("console", ReadingSet)) == 1, PATIENCE, "the failed frame's readings")
    assert {r.status for r in house.seen("console", ReadingSet)[0].readings} == {ReadingStatus.STALE}
    assert house.seen("bug", Fault)[0].exception_type == "foureyes_actors.errors.ConnectionBroken"
    assert len(house.seen("lm_studio", ServerSuspect)) >= 1
    house.tell(FrameCaptured(frame(2)))
    eventually(lambda: len(house.seen("console", ReadingSet)) == 2, PATIENCE, "the next frame's readings")
    assert house.seen("console", ReadingSet)[1].models == (MODEL,)
    status = house.status()
    assert (status["retries"], status["failures"], status["answered"]) == (1, {"ConnectionBroken": 1}, 1)


def test_while_the_server_hangs_the_actor_answers_and_keeps_the_newest_frame(
    house_of: Any, server: LoopbackServer
) -> None:
    house = house_of(InferenceSettings(deadline=60, backoff=(0.01,), jitter=0))
    server.plan.append("hang")
    house.ready()
    house.tell(FrameCaptured(frame(1)))
    assert server.arrived.acquire(timeout=PATIENCE)
    for number in (2, 3, 4):
        house.tell(FrameCaptured(frame(number)))
        assert house.status()["busy"]
    eventually(lambda: house.status()["replaced"] == 2, PATIENCE, "two frames were replaced by a newer one")
    server.release.set()  # the server drops the connection: tried again or given up for the newest frame
    eventually(lambda: len(house.seen("console", ReadingSet)) == 2, PATIENCE, "the newest frame's readings")
    assert [s.frame.sequence for s in house.seen("console", ReadingSet)] == [1, 4]


def test_stopping_while_the_server_hangs_takes_less_than_its_time(house_of: Any, server: LoopbackServer) -> None:
    house = house_of(InferenceSettings(deadline=60))
    server.plan.append("hang")
    house.ready()
    house.tell(FrameCaptured(frame(1)))
    assert server.arrived.acquire(timeout=PATIENCE)
    began = time.monotonic()
    assert house.stop() == ()  # nobody had to be fenced
    eventually(lambda: not any("worker" in t.name for t in threading.enumerate()), PATIENCE, "the worker ended")
    assert time.monotonic() - began < 40  # the server hangs for as long as it is not released, the request for 60 s


def test_a_replaced_actor_asks_for_the_state_again_and_goes_on(house_of: Any, server: LoopbackServer) -> None:
    house = house_of(InferenceSettings())
    house.ready()
    house.tell(FrameCaptured(frame(1)))
    eventually(lambda: len(house.seen("console", ReadingSet)) == 1, PATIENCE, "the first readings")
    house.tell("a message that it does not know")
    eventually(lambda: len(house.seen("lm_studio", ServerStateWanted)) == 2, PATIENCE, "the replacement asks")
    assert [type(n.error) for n in house.exits] == [TypeError]
    house.ready()
    house.tell(FrameCaptured(frame(2)))
    eventually(lambda: len(house.seen("console", ReadingSet)) == 2, PATIENCE, "readings by the replacement")
    states = {s.name: s.incarnation for s in house.root.status()}
    assert (states[NAME], states["readings"]) == (2, 1)


def test_failed_analyses_are_told_to_readings_alone(house_of: Any, server: LoopbackServer) -> None:
    house = house_of(InferenceSettings())
    server.plan.append("no route")
    house.ready()
    house.tell(FrameCaptured(frame(1)))
    eventually(lambda: len(house.seen("bug", Fault)) == 1, PATIENCE, "the fault")
    eventually(lambda: house.status("readings")["failed_analyses"] == 1, PATIENCE, "readings heard of it")
    assert house.status()["paused"]
    assert house.seen("console", AnalysisFailed) == []
