"""InferenceActor in the polling fallback: a frame each few seconds, read without the server, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from foureyes_actors.errors import BadPicture, MissingExtraError
from foureyes_actors.inference.actor import InferenceActor
from foureyes_actors.inference.in_process import FallbackReader
from foureyes_actors.inference.pace import Due
from foureyes_actors.messages import (
    Analysis,
    AnalysisFailed,
    FallbackChanged,
    Fault,
    Frame,
    FrameCaptured,
    GetStatus,
    ServerPhase,
    ServerState,
    Task,
    TaskAnswer,
)
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.settings import InferenceSettings
from tests.inference.support import ENTRIES, MODEL, Gate, ScriptedHttp, frame, good
from tests.support import TimedContext, eventually

BEGIN, END = FallbackChanged(True, "it does not start"), FallbackChanged(False, "3 healthy probes")
READY = ServerState(ServerPhase.READY, "http://127.0.0.1:1", (MODEL,))
EVERY = 3.0


class Reader:
    """Notes what it read and in which thread; ``hold`` keeps it at its work, ``error`` is what it raises."""

    def __init__(self) -> None:
        self.opened = 0
        self.read: list[int] = []
        self.threads: set[str] = set()
        self.go_on = threading.Event()
        self.go_on.set()
        self.open_error: Exception | None = None
        self.error: Exception | None = None

    def open(self) -> FallbackReader:
        self.opened += 1
        self.threads.add(threading.current_thread().name)
        if self.open_error is not None:
            raise self.open_error
        return self

    def __call__(self, one: Frame) -> Analysis:
        self.threads.add(threading.current_thread().name)
        self.read.append(one.ref.sequence)
        assert self.go_on.wait(30)
        if self.error is not None:
            raise self.error
        return Analysis(one.ref, "in process", (TaskAnswer(Task.STATE, {"state": "idle"}),), 0.1)


class Stage:
    def __init__(self, http: ScriptedHttp, *, degraded: bool = False) -> None:
        self.http, self.clock, self.reader = http, ManualClock(), Reader()
        self.context = TimedContext("inference:vl", self.clock)
        self.actor = InferenceActor(
            self.context,
            model=MODEL,
            tasks=ENTRIES,
            settings=InferenceSettings(fallback_every=EVERY, backoff=(0.5,), jitter=0),
            http=http,
            clock=self.clock,
            random=lambda: 0.0,
            open_reader=self.reader.open,
            degraded=degraded,
        )
        self.actor.on_start()

    def give(self, *messages: Any) -> None:
        for message in messages:
            self.actor.on_receive(FrameCaptured(message) if isinstance(message, Frame) else message)

    def settle(self) -> None:
        """Hand over what the workers send until they have nothing to do any more."""
        while self.status["busy"] or self.context.to_self:
            eventually(lambda: bool(self.context.to_self), 10, "a worker told something")
            self.actor.on_receive(self.context.to_self.pop(0))

    def pass_time(self, seconds: float) -> None:
        self.context.pass_time(seconds, self.actor.on_receive)

    @property
    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.actor.on_receive(GetStatus())
        return status

    def told(self, kind: type, to: str = "readings") -> list[Any]:
        return [m for m in self.context.sent_to(to) if isinstance(m, kind)]


@pytest.fixture
def on() -> Iterator[Any]:
    before = set(threading.enumerate())
    made: list[Stage] = []

    def make(http: ScriptedHttp | None = None, **more: Any) -> Stage:
        made.append(Stage(http or ScriptedHttp(good()), **more))
        return made[-1]

    yield make
    for stage in made:
        stage.reader.go_on.set()
        stage.actor.on_stop()
    eventually(lambda: not set(threading.enumerate()) - before, 10, "every worker has ended")


def test_a_frame_each_few_seconds_is_read_in_a_thread_of_its_own_and_the_server_is_not_asked(on: Any) -> None:
    stage = on()
    stage.give(READY, BEGIN)
    for number in range(1, 10):  # three a second
        stage.give(frame(number))
        stage.settle()
        stage.pass_time(1 / 3)
    stage.settle()
    assert stage.reader.read == [1, 9]  # at once, and the newest one when 3 s were over
    stage.pass_time(2 * EVERY)  # no frame comes: none is read twice
    stage.settle()
    assert stage.reader.read == [1, 9]
    assert stage.http.requests == []
    assert stage.reader.threads == {"inference:vl#1 fallback"} and stage.reader.opened == 1
    answers = stage.told(Analysis)
    assert [(a.frame.sequence, a.model, a.degraded) for a in answers] == [(1, MODEL, True), (9, MODEL, True)]
    assert (stage.status["read_alone"], stage.status["waiting_for_server"], stage.status["server"]) == (2, 0, "ready")


def test_the_last_frame_of_all_is_read_in_its_time(on: Any) -> None:
    stage = on()
    stage.give(BEGIN, frame(1))
    stage.settle()
    for number in (2, 3):
        stage.give(frame(number))
        assert stage.status["pending"] and stage.reader.read[-1] == number - 1
        stage.pass_time(EVERY)
        stage.settle()
        assert stage.reader.read[-1] == number and not stage.status["pending"]


def test_a_reading_that_lasts_longer_than_the_pace_is_followed_by_the_newest_frame(on: Any) -> None:
    stage = on()
    stage.reader.go_on.clear()
    stage.give(BEGIN, frame(1))
    for number in (2, 3):
        stage.pass_time(EVERY)
        stage.give(frame(number))
    eventually(lambda: stage.reader.read == [1], 10, "the first one is being read")
    stage.reader.go_on.set()
    stage.settle()
    assert stage.reader.read == [1, 3]


def test_a_request_that_hangs_at_the_server_holds_nothing_up(on: Any) -> None:
    gate = Gate(good())
    stage = on(gate)
    stage.give(READY, frame(1))
    eventually(gate.entered.is_set, 10, "the request is out")
    stage.give(BEGIN, frame(2))
    eventually(lambda: stage.reader.read == [2], 10, "the next one is read meanwhile")
    stage.actor.on_stop()
    assert gate.closed.is_set()


def test_the_end_frees_the_reader_and_the_server_is_asked_again(on: Any) -> None:
    stage = on()
    stage.give(READY, BEGIN, frame(1))
    stage.settle()
    stage.give(frame(2), END)
    stage.settle()
    assert not any("fallback" in thread.name for thread in threading.enumerate())
    assert [(a.frame.sequence, a.degraded) for a in stage.told(Analysis)] == [(1, True), (2, False)]
    assert len(stage.http.requests) == 1 and not stage.status["fallback"]
    stage.give(BEGIN, Due(), frame(3))
    stage.settle()
    assert stage.reader.opened == 2, "a later fallback opens a reader of its own"


def test_what_was_being_read_when_it_ended_is_told_as_degraded(on: Any) -> None:
    stage = on()
    stage.reader.go_on.clear()
    stage.give(BEGIN, frame(1))
    eventually(lambda: stage.reader.read == [1], 10, "it is being read")
    stage.give(END)
    stage.reader.go_on.set()
    eventually(lambda: bool(stage.context.to_self), 10, "it has been read")
    stage.settle()
    assert [(a.frame.sequence, a.degraded) for a in stage.told(Analysis)] == [(1, True)]


def test_a_replacement_knows_that_the_fallback_is_active(on: Any) -> None:
    stage = on(degraded=True)
    stage.give(READY, frame(1))
    stage.settle()
    assert stage.reader.read == [1] and stage.http.requests == []
    assert stage.status["fallback"]


def test_without_the_packages_it_says_once_what_to_install_and_reads_nothing(on: Any) -> None:
    stage = on()
    stage.reader.open_error = MissingExtraError("onnxruntime", "embedded", "reading while the model server is away")
    stage.give(BEGIN)
    for number in range(1, 6):
        stage.give(frame(number))
        stage.settle()
        stage.pass_time(EVERY)
    (fault,) = stage.told(Fault, to="bug")
    assert "pip install" in fault.message and "[embedded]" in fault.message
    (failed,) = stage.told(AnalysisFailed)
    assert failed.error_type == "MissingExtraError" and stage.told(Analysis) == []
    assert (stage.reader.opened, stage.status["pending"]) == (1, False)
    stage.give(END, READY, frame(9))
    stage.settle()
    assert [a.frame.sequence for a in stage.told(Analysis)] == [9]


def test_a_frame_that_cannot_be_read_is_a_fault_and_the_next_one_is_tried(on: Any) -> None:
    stage = on()
    stage.reader.error = BadPicture("the picture does not decode")
    stage.give(BEGIN, frame(1))
    stage.settle()
    assert [f.error_type for f in stage.told(AnalysisFailed)] == ["BadPicture"]
    assert len(stage.told(Fault, to="bug")) == 1
    stage.reader.error = None
    stage.pass_time(EVERY)
    stage.give(frame(2))
    stage.settle()
    assert [a.frame.sequence for a in stage.told(Analysis)] == [2]


def test_an_actor_without_a_reader_reads_nothing_and_says_so() -> None:
    clock = ManualClock()
    context = TimedContext("inference:vl", clock)
    actor = InferenceActor(
        context,
        model=MODEL,
        tasks=ENTRIES,
        settings=InferenceSettings(),
        http=ScriptedHttp(good()),
        clock=clock,
        random=lambda: 0.0,
        degraded=True,
    )
    actor.on_start()
    actor.on_receive(FrameCaptured(frame(1)))
    eventually(lambda: bool(context.to_self), 10, "the worker told something")
    actor.on_receive(context.to_self.pop())
    actor.on_stop()
    assert [m.error_type for m in context.sent_to("readings") if isinstance(m, AnalysisFailed)] == [
        "ConfigurationError"
    ]
