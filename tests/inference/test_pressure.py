"""InferenceActor under pressure: two models' actors side by side, the switch between them, and the lower rhythm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from foureyes_actors.inference.actor import InferenceActor
from foureyes_actors.inference.routing import Routing
from foureyes_actors.messages import (
    Analysis,
    AnalysisFailed,
    FallbackChanged,
    Frame,
    FrameCaptured,
    GetStatus,
    ModelAtRest,
    PressureChanged,
    PressureLevel,
    ServerPhase,
    ServerState,
    ServerSuspect,
    Task,
    TaskAnswer,
)
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.settings import InferenceSettings, ModelEntry
from tests.inference.support import Gate, ScriptedHttp, bodies, completion, frame, good, reply
from tests.support import TimedContext, eventually

LARGE, SMALL = "vl-8b", "vl-2b"
ROUTING = Routing(tuple((task, ModelEntry(model_id=LARGE, prompt="p", alternatives=(SMALL,))) for task in Task))
NORMAL, SMALLER, SLOWER = PressureLevel.NORMAL, PressureLevel.SMALLER, PressureLevel.SLOWER
EVERY = 4.0


def ready(*models: str) -> ServerState:
    return ServerState(ServerPhase.READY, "http://127.0.0.1:1", models)


class Asker:
    def __init__(self, model: str, http: ScriptedHttp, routing: Routing | None, **more: Any) -> None:
        self.http, self.clock = http, ManualClock()
        self.context = TimedContext(f"inference:{model}", self.clock)
        tasks = ROUTING.possible(model) if routing is None else routing.possible(model)
        settings = InferenceSettings(slow_every=EVERY, backoff=(0.5,), jitter=0, attempts=2, cache_ttl=0)
        self.actor = InferenceActor(
            self.context, model=model, tasks=tasks, settings=settings, http=http, clock=self.clock,
            random=lambda: 0.0, routing=routing, **more,
        )  # fmt: skip
        self.actor.on_start()

    def give(self, *messages: Any) -> None:
        for message in messages:
            self.actor.on_receive(FrameCaptured(message) if isinstance(message, Frame) else message)

    def settle(self) -> None:
        while self.status["busy"] or self.context.to_self:
            eventually(lambda: bool(self.context.to_self), 10, "the worker told something")
            self.actor.on_receive(self.context.to_self.pop(0))

    def pass_time(self, seconds: float) -> None:
        self.context.pass_time(seconds, self.actor.on_receive)

    @property
    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.actor.on_receive(GetStatus())
        return status

    @property
    def read(self) -> list[int]:
        return [m.frame.sequence for m in self.context.sent_to("readings") if isinstance(m, Analysis)]


@pytest.fixture
def on() -> Iterator[Any]:
    made: list[Asker] = []

    def make(model: str, http: ScriptedHttp | None = None, routing: Routing | None = ROUTING, **more: Any) -> Asker:
        made.append(Asker(model, http or ScriptedHttp(good(model)), routing, **more))
        return made[-1]

    yield make
    for asker in made:
        asker.actor.on_stop()


def test_of_two_models_exactly_one_reads_each_frame_through_down_and_back(on: Any) -> None:
    both = large, small = on(LARGE), on(SMALL)
    steps: list[tuple[Any, list[int], list[int]]] = [
        (ready(LARGE), [1], []),
        (PressureChanged(SMALLER), [1, 2], []),  # the smaller one is not there yet
        (ready(SMALL), [1, 2], [3]),
        (PressureChanged(NORMAL), [1, 2], [3, 4]),  # the larger one is not there yet
        (ready(SMALL, LARGE), [1, 2, 5], [3, 4]),
        (ready(LARGE), [1, 2, 5, 6], [3, 4]),
    ]
    for number, (message, by_large, by_small) in enumerate(steps, start=1):
        for asker in both:
            asker.give(message, frame(number))
            asker.settle()
        assert (large.read, small.read) == (by_large, by_small), message
    assert [body["model"] for body in bodies(small.http.requests)] == [SMALL] * 2
    assert not small.status["pending"] and small.status["waiting_for_server"] == 0


def test_the_one_that_is_to_become_ready_keeps_the_newest_frame(on: Any) -> None:
    large, small = on(LARGE), on(SMALL)
    for asker in (large, small):
        asker.give(ready(LARGE), PressureChanged(SMALLER), ServerState(ServerPhase.LOADING), frame(1), frame(2))
    assert (large.status["pending"], small.status["pending"]) == (False, True)
    for asker in (large, small):
        asker.give(ready(SMALL))
        asker.settle()
    assert (large.read, small.read) == ([], [2])


def test_a_frame_that_waits_at_a_model_that_is_not_asked_any_more_waits_no_longer(on: Any) -> None:
    """Else the run would wait for it at its end."""
    large = on(LARGE)
    large.give(ServerState(ServerPhase.LOADING), frame(1))
    assert large.status["pending"]
    large.give(PressureChanged(SMALLER))
    assert not large.status["pending"]


def test_an_answer_that_is_on_its_way_is_told_but_a_failed_call_is_not_tried_again(on: Any) -> None:
    gate = Gate(good(LARGE))
    large = on(LARGE, gate)
    large.give(ready(LARGE), frame(1))
    eventually(gate.entered.is_set, 10, "it is asked")
    large.give(PressureChanged(SMALLER), ready(LARGE, SMALL))
    gate.open.set()
    large.settle()
    assert large.read == [1]

    failing = Gate(reply({"error": {"message": "Model is unloaded."}}, 503))
    other = on(LARGE, failing)
    other.give(ready(LARGE), frame(1))
    eventually(failing.entered.is_set, 10, "it is asked")
    other.give(PressureChanged(SMALLER), ready(SMALL))
    failing.open.set()
    other.settle()
    assert len(failing.requests) == 1, "asking again would load it again"
    (failed,) = (m for m in other.context.sent_to("readings") if isinstance(m, AnalysisFailed))
    assert failed.tasks == tuple(Task)


def test_a_request_asks_what_the_model_is_asked_now(on: Any) -> None:
    """OCR is its own task; under pressure the state comes to it too."""
    routing = Routing(
        (
            (Task.OCR, ModelEntry(model_id=SMALL, prompt="p")),
            (Task.STATE, ModelEntry(model_id=LARGE, prompt="p", alternatives=(SMALL,))),
        )
    )
    content = '{"vision_ocr": {"grand": "$1.00", "major": null, "minor": null, "mini": null, "balance": null}}'
    small = on(SMALL, ScriptedHttp(completion(content, model=SMALL)), routing)
    small.give(ready(LARGE, SMALL), frame(1))
    small.settle()
    small.give(PressureChanged(SMALLER), frame(2))
    small.settle()
    schemas = [body["response_format"]["json_schema"]["schema"]["required"] for body in bodies(small.http.requests)]
    assert schemas == [["vision_ocr"], ["vision_ocr", "vision_state"]]
    assert small.status["asked"] == ["vision_ocr", "vision_state"]


def test_in_the_lower_rhythm_a_frame_is_taken_each_few_seconds_and_the_newest_one(on: Any) -> None:
    small = on(SMALL, level=SLOWER)
    small.give(ready(SMALL))
    for number in range(1, 31):  # ten seconds, three a second
        small.give(frame(number))
        small.settle()
        small.pass_time(1 / 3)
        small.settle()
    assert small.read == [1, 12, 24]
    assert len(small.context.later) == 3, "one wake-up for each wait, not for each frame"


def test_back_to_the_full_rhythm_nothing_waits_any_more(on: Any) -> None:
    large = on(LARGE, routing=None)
    large.give(ready(LARGE), PressureChanged(SLOWER), frame(1))
    large.settle()
    large.give(frame(2))
    assert large.status["pending"] and large.status["level"] == "lower rhythm"
    large.give(PressureChanged(NORMAL))
    large.settle()
    for number in (3, 4, 5):
        large.give(frame(number))
        large.settle()
    assert large.read == [1, 2, 3, 4, 5]
    large.pass_time(2 * EVERY)  # the wake-up of before comes, and does nothing
    assert large.read == [1, 2, 3, 4, 5] and large.context.due == []


def test_the_rhythm_counts_from_the_last_frame_that_was_taken_before(on: Any) -> None:
    large = on(LARGE, routing=None)
    large.give(ready(LARGE), frame(1))
    large.settle()
    large.pass_time(1.0)
    large.give(PressureChanged(SLOWER), frame(2))
    assert large.status["pending"]
    large.pass_time(EVERY - 1.0)
    large.settle()
    assert large.read == [1, 2]


def test_a_replacement_begins_with_the_level_there_is(on: Any) -> None:
    large, small = on(LARGE, level=SMALLER), on(SMALL, level=SMALLER)
    for asker in (large, small):
        asker.give(ready(LARGE, SMALL), frame(1))
        asker.settle()
    assert (large.read, small.read) == ([], [1])


def test_without_the_server_only_the_model_that_is_asked_reads_alone(on: Any) -> None:
    def reader(one: Frame) -> Analysis:
        answers = (TaskAnswer(Task.STATE, {"state": "idle"}), TaskAnswer(Task.OCR, {}))
        return Analysis(one.ref, "in process", answers, 0.1)

    routing = Routing(
        (
            (Task.OCR, ModelEntry(model_id=SMALL, prompt="p")),
            (Task.STATE, ModelEntry(model_id=LARGE, prompt="p", alternatives=(SMALL,))),
        )
    )
    large, small = (on(m, routing=routing, open_reader=lambda: reader) for m in (LARGE, SMALL))
    for asker in (large, small):
        asker.give(FallbackChanged(True), PressureChanged(SMALLER), frame(1))
        asker.settle()
    assert (large.read, small.read) == ([], [1])
    for asker in (large, small):
        asker.give(PressureChanged(NORMAL))
        asker.pass_time(10.0)
        asker.give(frame(2))
        asker.settle()
    told = {
        a.context.name: [m for m in a.context.sent_to("readings") if isinstance(m, Analysis)][-1]
        for a in (large, small)
    }
    assert [a.task for a in told["inference:vl-2b"].answers] == [Task.OCR], "the state is the larger one's again"


def test_models_with_identifiers_of_the_users_own_are_routed_by_the_names_of_the_table(on: Any) -> None:
    large, small = on(LARGE), on(SMALL, ScriptedHttp(good("my-eyes"), good("my-eyes")))
    state = replace(ready("my-eyes"), wanted=(SMALL,))
    for asker in (large, small):
        asker.give(state, PressureChanged(SMALLER), frame(1))
        asker.settle()
    assert (large.read, small.read) == ([], [1])
    assert bodies(small.http.requests)[0]["model"] == "my-eyes" and large.status["asked"] == []


def test_a_smaller_model_that_thinks_aloud_is_told_not_to(on: Any) -> None:
    small = on(SMALL)
    small.give(replace(ready(SMALL), wanted=(SMALL,), reasoning=(SMALL,)), PressureChanged(SMALLER), frame(1))
    small.settle()
    assert bodies(small.http.requests)[0]["reasoning_effort"] == "none"


def test_in_the_lower_rhythm_too_a_model_rests_before_its_planned_reload(on: Any) -> None:
    large = on(LARGE, routing=None, level=SLOWER)
    resting = replace(ready(LARGE), wanted=(LARGE,), resting=(LARGE,))
    large.give(ready(LARGE), frame(1))
    large.settle()
    large.give(resting, frame(2))
    large.pass_time(EVERY)
    assert large.read == [1] and large.context.sent_to("lm_studio")[-1] == ModelAtRest(LARGE)
    large.give(ready(LARGE))
    large.settle()
    assert large.read == [1, 2]


@pytest.mark.parametrize("given_up", [False, True])
def test_bad_news_of_a_call_that_the_pressure_gave_up_is_not_told_to_the_server(on: Any, given_up: bool) -> None:
    gate = Gate(reply({"error": {"message": "The model has crashed"}}, status=400))
    large = on(LARGE, gate)
    large.give(ready(LARGE, SMALL), frame(1))
    eventually(gate.entered.is_set, 10, "the request is on its way")
    if given_up:
        large.give(PressureChanged(SMALLER))
    gate.open.set()
    large.settle()
    told = any(isinstance(m, ServerSuspect) for m in large.context.sent_to("lm_studio"))
    assert told is not given_up
