"""InferenceActor with fake messages: no server, and a worker whose results are handed over one at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from foureyes_actors.errors import ConnectFailed, RequestCancelled
from foureyes_actors.inference.actor import InferenceActor
from foureyes_actors.inference.call import Call, Finished, Resume
from foureyes_actors.messages import (
    Analysis,
    AnalysisFailed,
    Fault,
    Frame,
    FrameCaptured,
    GetStatus,
    ServerPhase,
    ServerState,
    ServerStateWanted,
    ServerSuspect,
    Task,
)
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.settings import InferenceSettings
from supervisors.inbox import InboxFull
from tests.inference.support import ENTRIES, MODEL, Gate, ScriptedHttp, bodies, frame, good, reply
from tests.support import FakeContext, eventually

READY = ServerState(ServerPhase.READY, "http://127.0.0.1:1", (MODEL,))
QUICK = InferenceSettings(backoff=(0.5,), jitter=0)


class Stage:
    """One actor, its context, and what it did."""

    def __init__(self, http: ScriptedHttp, settings: InferenceSettings = QUICK, **more: Any) -> None:
        self.http, self.context, self.clock = http, FakeContext("inference:vl"), ManualClock()
        self.actor = InferenceActor(
            self.context,
            model=MODEL,
            tasks=ENTRIES,
            settings=settings,
            http=http,
            clock=self.clock,
            random=lambda: 0.0,
            **more,
        )
        self.actor.on_start()

    def give(self, *messages: Any) -> None:
        for message in messages:
            self.actor.on_receive(FrameCaptured(message) if isinstance(message, Frame) else message)

    def settle(self) -> None:
        """Hand over what the worker sends until it has nothing to do any more."""
        while self.status["busy"] or self.context.to_self:
            eventually(lambda: bool(self.context.to_self), 30, "the worker told something")
            self.actor.on_receive(self.context.to_self.pop(0))

    @property
    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.actor.on_receive(GetStatus())
        return status

    @property
    def analyses(self) -> list[Analysis]:
        return [m for m in self.context.sent_to("readings") if isinstance(m, Analysis)]

    @property
    def failed(self) -> list[AnalysisFailed]:
        return [m for m in self.context.sent_to("readings") if isinstance(m, AnalysisFailed)]

    @property
    def faults(self) -> list[Fault]:
        return [m for m in self.context.sent_to("bug") if isinstance(m, Fault)]

    @property
    def suspects(self) -> list[object]:
        return [m for m in self.context.sent_to("lm_studio") if isinstance(m, ServerSuspect)]


@pytest.fixture
def stages() -> Iterator[list[Stage]]:
    made: list[Stage] = []
    yield made
    for stage in made:
        stage.actor.on_stop()


@pytest.fixture
def on(stages: list[Stage]) -> Any:
    def make(http: ScriptedHttp, settings: InferenceSettings = QUICK, **more: Any) -> Stage:
        stages.append(Stage(http, settings, **more))
        return stages[-1]

    return make


def test_it_asks_for_the_servers_state_and_holds_the_newest_frame_until_it_is_ready(on: Any) -> None:
    stage = on(ScriptedHttp(good()))
    assert stage.context.sent_to("lm_studio") == [ServerStateWanted("inference:vl")]
    stage.give(frame(1), ServerState(ServerPhase.LOADING), frame(2), frame(3))
    assert stage.http.requests == []
    assert (stage.status["waiting_for_server"], stage.status["replaced"], stage.status["pending"]) == (3, 2, True)
    stage.give(READY)
    stage.settle()
    assert [a.frame.sequence for a in stage.analyses] == [3]
    assert stage.status["server"] == "ready"


@pytest.mark.parametrize(
    "state",
    [
        ServerState(ServerPhase.READY, "http://127.0.0.1:1", ("another",)),
        ServerState(ServerPhase.WARMING_UP, "http://127.0.0.1:1", (MODEL,)),
        ServerState(ServerPhase.FAILED, "http://127.0.0.1:1", (MODEL,)),
    ],
    ids=["another model", "not ready", "failed"],
)
def test_nothing_is_sent_unless_the_server_is_ready_with_this_model(on: Any, state: ServerState) -> None:
    stage = on(ScriptedHttp(good()))
    stage.give(state, frame())
    assert stage.http.requests == [] and not stage.status["busy"]


def test_the_id_that_the_server_uses_is_the_one_that_is_asked_for(on: Any) -> None:
    stage = on(ScriptedHttp(good(MODEL.upper() + ":2")))
    stage.give(ServerState(ServerPhase.READY, "http://127.0.0.1:1/v1", (MODEL.upper() + ":2",)), frame())
    stage.settle()
    assert bodies(stage.http.requests)[0]["model"] == MODEL.upper() + ":2"
    assert stage.analyses[0].model == MODEL  # others know it by its name in the model table


def test_while_it_is_busy_only_the_newest_frame_is_kept(on: Any) -> None:
    gate = Gate(good())
    stage = on(gate)
    stage.give(READY, *(frame(n) for n in range(1, 6)))
    assert stage.status["replaced"] == 3
    gate.open.set()
    stage.settle()
    assert [a.frame.sequence for a in stage.analyses] == [1, 5]
    assert (stage.status["frames"], stage.status["requests"], stage.status["answered"]) == (5, 2, 2)


def test_the_inboxs_own_replacements_are_counted_too(on: Any) -> None:
    stage = on(ScriptedHttp(good()))
    stage.context.inbox.replaced["frame"] = 7
    assert stage.status["replaced"] == 7


def test_the_same_picture_is_answered_from_the_cache_for_its_time(on: Any) -> None:
    stage = on(ScriptedHttp(good()))
    same = [frame(n, data=b"\xff\xd8\xff same") for n in (1, 2, 3)]
    stage.give(READY, same[0])
    stage.settle()
    stage.give(same[1])
    assert [(a.frame.sequence, a.cached, a.latency) for a in stage.analyses[1:]] == [(2, True, 0.0)]
    assert stage.analyses[1].answers == stage.analyses[0].answers
    stage.clock.advance(5.1)
    stage.give(same[2])
    stage.settle()
    assert len(stage.http.requests) == 2
    assert (stage.status["hits"], stage.status["misses"]) == (1, 2)


def test_a_server_that_follows_screens_is_asked_again_when_the_picture_before_was_another(on: Any) -> None:
    stage = on(ScriptedHttp(good()), session=True)
    for number, data in enumerate([b"\xff\xd8\xffA", b"\xff\xd8\xffB", b"\xff\xd8\xffB", b"\xff\xd8\xffB"]):
        stage.give(READY, frame(number, data=data))
        stage.settle()
    assert [a.cached for a in stage.analyses] == [False, False, False, True]
    assert {b["user"] for b in bodies(stage.http.requests)} == {"cabinet:plain"}


def test_a_transport_fault_is_tried_again_and_the_server_is_suspected_at_once(on: Any) -> None:
    stage = on(ScriptedHttp(ConnectFailed("refused"), good()))
    stage.give(READY, frame())
    stage.settle()
    assert len(stage.analyses) == 1
    assert stage.suspects == [ServerSuspect("refused", MODEL)]
    assert (stage.status["retries"], stage.status["failed"], stage.faults) == (1, 0, [])


def test_an_exhausted_call_is_one_failure_and_one_fault(on: Any) -> None:
    def refuse(request: Any) -> Any:
        raise ConnectFailed("refused")

    stage = on(ScriptedHttp(refuse))
    stage.give(READY, frame(4))
    stage.settle()
    assert stage.failed == [AnalysisFailed(frame(4).ref, MODEL, tuple(Task), "ConnectFailed", "refused")]
    (fault,) = stage.faults
    assert fault.source == "inference:vl" and fault.exception_type == "foureyes_actors.errors.ConnectFailed"
    assert fault.retryable and fault.context["frame"] == "cabinet:plain #4"
    assert any(f.startswith("foureyes_actors.inference.client:ask") for f in fault.frames)
    assert stage.status["failures"] == {"ConnectFailed": 1}
    assert (stage.status["retries"], len(stage.suspects)) == (2, 3)


def test_a_newer_frame_ends_the_attempts_for_an_old_one(on: Any) -> None:
    first = threading.Event()

    def refuse_once_newer_waits(request: Any) -> Any:
        first.wait(30)
        raise ConnectFailed("refused")

    stage = on(ScriptedHttp(refuse_once_newer_waits, good()))
    stage.give(READY, frame(1), frame(2))
    first.set()
    stage.settle()
    assert [f.frame.sequence for f in stage.failed] == [1]
    assert "given up after attempt 1 of 3: a newer frame is waiting" in stage.failed[0].reason
    assert [a.frame.sequence for a in stage.analyses] == [2]
    assert stage.status["retries"] == 0


def test_a_server_that_went_away_ends_the_wait_for_it(on: Any) -> None:
    gate = Gate(ConnectFailed("refused"))
    stage = on(gate, InferenceSettings(backoff=(3600.0,)))
    stage.give(READY, frame(1))
    assert gate.entered.wait(30)
    stage.give(ServerState(ServerPhase.STARTING), frame(2))
    gate.open.set()
    stage.settle()
    assert "the call was cancelled" in stage.failed[0].reason
    assert len(gate.requests) == 1
    assert stage.status["pending"] and not stage.status["ready"]
    assert stage.clock.monotonic() == 1000.0  # nothing was waited for


def test_a_request_that_was_given_up_before_it_was_sent_is_no_failure(on: Any) -> None:
    stage = on(ScriptedHttp())
    given_up = Call(frame(1), ("key",), ENTRIES)
    stage.give(Finished(given_up, RequestCancelled("cancelled before anything was sent")))
    assert [f.frame.sequence for f in stage.failed] == [1], "nobody waits for it"
    assert stage.faults == []


def test_a_refusing_server_is_asked_again_after_a_pause_not_with_every_frame(on: Any) -> None:
    stage = on(ScriptedHttp(reply(b"", 401)), InferenceSettings())
    stage.give(READY, frame(1))
    stage.settle()
    stage.give(frame(2), frame(3))
    assert len(stage.http.requests) == 1 and stage.status["paused"]
    assert stage.context.later == [(2.0, Resume(1))]
    stage.give(Resume(1))
    stage.settle()
    assert [f.frame.sequence for f in stage.failed] == [1, 3]
    assert stage.context.later[1:] == [(4.0, Resume(2))]
    stage.give(Resume(1), frame(4))  # an old pause's end ends nothing
    assert stage.status["paused"]
    stage.give(ServerState(ServerPhase.READY, "http://127.0.0.1:2", (MODEL,)))  # another server: asked at once
    stage.settle()
    assert len(stage.http.requests) == 3


def test_answers_that_break_the_contract_pause_nothing_and_suspect_nobody(on: Any) -> None:
    stage = on(ScriptedHttp(good(vision_state=1, vision_ocr=1, animation_detection=1, error_detection=1)))
    stage.give(READY, frame(1))
    stage.settle()
    stage.give(frame(2))
    stage.settle()
    assert stage.status["failures"] == {"AnswerContractError": 2}
    assert stage.suspects == [] and not stage.status["paused"]


def test_one_bad_task_is_an_analysis_and_a_fault_and_is_not_cached(on: Any) -> None:
    stage = on(ScriptedHttp(good(vision_state={"state": "paused"})))
    for number in (1, 2):
        stage.give(READY, frame(number, data=b"\xff\xd8\xff same"))
        stage.settle()
    assert [[f.task for f in a.failures] for a in stage.analyses] == [[Task.STATE], [Task.STATE]]
    assert [f.exception_type for f in stage.faults] == ["foureyes_actors.errors.AnswerContractError"] * 2
    assert "'paused', not one of" in stage.faults[0].message
    assert len(stage.http.requests) == 2
    assert (stage.status["failed_tasks"], stage.status["answered"]) == (2, 2)


def test_the_token_is_in_no_message(on: Any) -> None:
    stage = on(ScriptedHttp(ConnectFailed("refused")), token="sk-very-secret")
    stage.give(READY, frame())
    stage.settle()
    assert stage.http.requests[0].headers["Authorization"] == "Bearer sk-very-secret"
    assert "sk-very-secret" not in repr(stage.context.sent) + repr(stage.status)


def test_a_full_or_absent_audience_is_counted_and_does_not_kill(on: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = on(ScriptedHttp(good()), audience=("full", "absent"))
    stage.context.absent = ("absent",)
    tell = stage.context.tell

    def full(name: str, message: object) -> bool:
        if name == "full":
            raise InboxFull("full has 1000 messages waiting")
        return bool(tell(name, message))

    monkeypatch.setattr(stage.context, "tell", full)
    for number in (1, 2):
        stage.give(READY, frame(number))
        stage.settle()
    assert stage.status["undelivered"] == {"full": 2, "absent": 2}
    assert [f.exception_type for f in stage.faults] == ["supervisors.inbox.InboxFull"]  # once in a row
    assert stage.status["answered"] == 2


def test_the_mean_latency_is_that_of_the_server_alone(on: Any) -> None:
    times = iter([0.2, 0.4])

    def slow(request: Any) -> Any:
        stage.clock.advance(next(times))
        return good()

    stage = on(ScriptedHttp(slow))
    assert stage.status["mean_latency"] is None
    for number in (1, 2, 2):
        stage.give(READY, frame(number))
        stage.settle()
    assert stage.status["hits"] == 1
    assert stage.status["mean_latency"] == pytest.approx(0.3)


def test_stopping_cuts_the_exchange_in_flight_and_ends_the_worker() -> None:
    gate = Gate(good())
    stage = Stage(gate)
    stage.give(READY, frame())
    assert gate.entered.wait(30)
    stage.actor.on_stop()
    assert gate.closed.is_set()
    eventually(
        lambda: not any(t.name == "inference:vl#1 worker" for t in threading.enumerate()), 30, "the worker ended"
    )


def test_a_crash_cuts_the_exchange_and_ends_the_worker_too() -> None:
    gate = Gate(good())
    stage = Stage(gate)
    stage.give(READY, frame())
    assert gate.entered.wait(30)
    with pytest.raises(TypeError, match="does not know str"):
        stage.give("hello")
    stage.actor.on_failure()  # as the actor's loop does after an exception
    assert gate.closed.is_set()
    eventually(
        lambda: not any(t.name == "inference:vl#1 worker" for t in threading.enumerate()), 30, "the worker ended"
    )


def test_the_result_of_a_dead_incarnations_call_is_told_and_ends_no_other_call(on: Any) -> None:
    gate = Gate(good())
    stage = on(gate)
    stage.give(READY, frame(2))
    old = Analysis(frame(1).ref, MODEL, (), 0.1)
    stage.give(Finished(Call(frame(1), ("key",)), old))
    assert stage.analyses == [old] and stage.status["busy"]
    gate.open.set()
    stage.settle()
    assert [a.frame.sequence for a in stage.analyses] == [1, 2]
