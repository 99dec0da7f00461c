"""ReadingsActor with fake messages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from foureyes_actors.forgewright.latencies import Observed, observed_in
from foureyes_actors.inference.routing import Routing
from foureyes_actors.messages import (
    AnalysisFailed,
    Collection,
    Event,
    EventKind,
    FallbackChanged,
    Fault,
    Field,
    GetStatus,
    PressureChanged,
    PressureLevel,
    ReadingSet,
    ReadingStatus,
    ServerPhase,
    ServerState,
    SourceExhausted,
    StoreDocuments,
    StreamCondition,
    StreamHealthChanged,
    Task,
    TaskFailure,
)
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.readings.actor import MAX_SCREENS, ReadingsActor
from foureyes_actors.settings import ModelEntry, ReadingsSettings
from supervisors.inbox import InboxFull
from tests.readings.support import MODEL, analysis, frame, motion, ocr, popup, state
from tests.support import TimedContext

WHOLE = (ocr(grand="$100.00", balance="$5.00"), state("idle"), motion("stopped"), popup("none"))


class Stage:
    def __init__(
        self,
        *models: str,
        settings: ReadingsSettings | None = None,
        incarnation: int = 1,
        degraded: bool = False,
        **more: Any,
    ) -> None:
        self.clock = ManualClock()
        self.context = TimedContext("readings", self.clock, incarnation)
        self.actor = ReadingsActor(
            self.context,
            run_id="run",
            settings=settings or ReadingsSettings(),
            models=models or (MODEL,),
            clock=self.clock,
            degraded=degraded,
            **more,
        )
        self.actor.on_start()

    def give(self, *messages: Any) -> None:
        for message in messages:
            self.actor.on_receive(message)

    def tick(self, seconds: float) -> None:
        self.context.pass_time(seconds, self.actor.on_receive)

    @property
    def sets(self) -> list[ReadingSet]:
        return [m for m in self.context.sent_to("console") if isinstance(m, ReadingSet)]

    @property
    def events(self) -> list[Event]:
        return [m for m in self.context.sent_to("console") if isinstance(m, Event)]

    def documents(self, collection: Collection) -> list[dict[str, Any]]:
        told = [m for m in self.context.sent_to("recorder") if isinstance(m, StoreDocuments)]
        return [dict(d) for m in told if m.collection is collection for d in m.documents]

    @property
    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.actor.on_receive(GetStatus())
        return status


def test_an_answered_frame_is_a_reading_set_and_a_document() -> None:
    stage = Stage()
    stage.clock.advance(0.25)
    stage.give(analysis(1, *WHOLE, degraded=True))
    (readings,), (document,) = stage.sets, stage.documents(Collection.READINGS)
    assert readings.id == document["_id"] == "run-cabinet:plain-00000001"
    assert (readings.frame, readings.models, readings.degraded) == (frame(1), (MODEL,), True)
    assert readings.age == pytest.approx(0.25)
    assert document["age_ms"] == 250
    assert document["fields"]["grand"]["value"] == Decimal("100.00")
    assert readings.at == document["at"] == stage.clock.utc_now()
    grand = readings.reading(Field.GRAND)
    assert grand is not None and grand.status is ReadingStatus.ACCEPTED


def test_how_long_an_answer_took_is_kept_where_the_server_was_asked() -> None:
    stage = Stage()
    stage.give(analysis(1, *WHOLE))
    stage.give(analysis(2, *WHOLE, cached=True))
    stage.give(analysis(3, *WHOLE, degraded=True))
    stage.give(AnalysisFailed(frame(4), MODEL, tuple(Task), "RequestTimeout", "no answer within 30 s"))
    documents = stage.documents(Collection.READINGS)
    assert [document["latencies_ms"] for document in documents] == [[100], [None], [None], []]
    assert observed_in(documents, MODEL) == Observed((0.1,))


def test_a_failed_analysis_is_a_document_too() -> None:
    stage = Stage()
    stage.give(AnalysisFailed(frame(1), MODEL, tuple(Task), "RequestTimeout", "no answer within 30 s"))
    assert {r.status for r in stage.sets[0].readings} == {ReadingStatus.STALE}
    assert {r.reason for r in stage.sets[0].readings} == {"no answer within 30 s"}
    assert (stage.sets[0].models, stage.status["failed_analyses"]) == ((), 1)


def failed(number: int, reason: str = "'gemma' answered; 'qwen' was asked") -> AnalysisFailed:
    return AnalysisFailed(frame(number), MODEL, tuple(Task), "WrongModel", reason)


def answers_told(stage: Stage) -> list[tuple[str | None, str | None]]:
    return [(e.before, e.after) for e in stage.events if e.kind is EventKind.ANSWERS_CHANGED]


def test_that_no_answer_can_be_used_any_more_is_told_once_and_that_they_can_again() -> None:
    stage = Stage()
    stage.give(analysis(1, *WHOLE))
    for number in range(2, 30):
        stage.give(failed(number))
        stage.clock.advance(1.0)
        assert answers_told(stage) == ([("usable", "unusable")] if number >= 4 else [])
    stage.give(analysis(30, *WHOLE), analysis(31, *WHOLE))
    first, second = (event for event in stage.events if event.kind is EventKind.ANSWERS_CHANGED)
    assert (first.subject, first.reason, first.seconds) == (MODEL, "'gemma' answered; 'qwen' was asked", 2.0)
    assert (second.before, second.after, second.seconds) == ("unusable", "usable", 28.0)
    assert [d["seconds"] for d in stage.documents(Collection.EVENTS) if d["kind"] == "answers_changed"] == [2.0, 28.0]


def test_a_single_task_without_answers_is_told_too() -> None:
    stage = Stage()
    for number in range(1, 5):
        stage.give(analysis(number, *WHOLE[1:], failures=(TaskFailure(Task.OCR, "AnswerContractError", "no amounts"),)))
    (event,) = (event for event in stage.events if event.kind is EventKind.ANSWERS_CHANGED)
    assert event.reason == "about vision_ocr: no amounts"
    stage.give(analysis(5, *WHOLE))
    assert answers_told(stage) == [("usable", "unusable"), ("unusable", "usable")]


def test_one_that_comes_and_goes_is_told_once_a_minute() -> None:
    stage = Stage()
    for number in range(1, 121):
        stage.give(analysis(number, *WHOLE) if number % 4 == 0 else failed(number))
        stage.clock.advance(1.0)
    assert answers_told(stage) == [("usable", "unusable"), ("unusable", "usable")] * 2


def test_a_server_that_is_away_is_told_as_that() -> None:
    stage = Stage()
    stage.give(ServerState(ServerPhase.FAILED, "http://x", detail="gone"), *(failed(n) for n in range(1, 9)))
    assert answers_told(stage) == []
    stage = Stage(degraded=True)
    stage.give(*(failed(n) for n in range(1, 9)))
    assert answers_told(stage) == []


def test_two_models_are_joined() -> None:
    stage = Stage("a", "b")
    stage.give(analysis(1, *WHOLE[:2], model="a"))
    assert (stage.sets, stage.status["pending"]) == ([], 1)
    stage.give(analysis(1, *WHOLE[2:], model="b"))
    assert stage.sets[0].models == ("a", "b")
    assert all(r.status is not ReadingStatus.STALE for r in stage.sets[0].readings)


def test_the_tick_ends_the_wait_for_a_silent_model_and_its_late_answer_is_a_supplement() -> None:
    stage = Stage("a", "b")
    stage.give(analysis(1, *WHOLE[:2], model="a"))
    stage.tick(9.9)
    assert stage.sets == []
    stage.tick(0.2)
    assert [s.id for s in stage.sets] == ["run-cabinet:plain-00000001"]
    stage.give(analysis(1, WHOLE[2], model="b"))
    assert [r.field for r in stage.sets[1].readings] == [Field.MOTION]
    assert [d["_id"] for d in stage.documents(Collection.READINGS)][1] == "run-cabinet:plain-00000001-1"
    assert (stage.status["readings"], stage.status["supplements"]) == (2, 1)


def test_an_older_frame_is_recorded_but_does_not_override() -> None:
    stage = Stage("a", "b")
    stage.give(analysis(5, ocr(balance="$5.00"), model="a"))
    stage.tick(10)
    stage.give(analysis(4, ocr(balance="$4.00"), model="b"))
    balance = stage.sets[1].reading(Field.BALANCE)
    assert balance is not None and (balance.raw, balance.value) == ("$4.00", Decimal("5.00"))
    assert stage.status["late"] == 1
    assert len(stage.documents(Collection.READINGS)) == 2


def test_events_are_told_and_recorded_with_their_frame() -> None:
    stage = Stage()
    stage.give(*(analysis(n, ocr(grand=text)) for n, text in enumerate(["$100.00", "$10.00", "$10.00"], start=1)))
    (event,) = stage.events
    assert (event.kind, event.before, event.after) == (EventKind.JACKPOT_RESET, "100.00", "10.00")
    assert event.frame == frame(3)
    (document,) = stage.documents(Collection.EVENTS)
    assert document["_id"] == event.id == "run-readings-1-000001"
    assert stage.status["events"] == {"jackpot_reset": 1}


def test_event_ids_do_not_repeat_after_a_restart() -> None:
    changed = StreamHealthChanged(
        "s", StreamCondition.HEALTHY, StreamCondition.DOWN, datetime(2026, 1, 1, tzinfo=UTC), "silent"
    )
    stages = [Stage(incarnation=1), Stage(incarnation=2)]
    for stage in stages:
        stage.give(changed, changed)
    ids = [e.id for stage in stages for e in stage.events]
    assert len(set(ids)) == 4
    assert {e.kind for stage in stages for e in stage.events} == {EventKind.STREAM_CHANGED}


def test_the_servers_phases_are_events_on_edges() -> None:
    stage = Stage()
    stage.give(*(ServerState(p) for p in (ServerPhase.LOADING, ServerPhase.LOADING, ServerPhase.READY)))
    assert [(e.before, e.after) for e in stage.events] == [(None, "loading"), ("loading", "ready")]


def test_each_source_is_a_screen_of_its_own() -> None:
    """Another game's smaller jackpot is no win."""
    stage = Stage()
    for number, (source, grand) in enumerate([("neon", "$100.00"), ("plain", "$10.00"), ("plain", "$10.00")]):
        stage.give(analysis(number, ocr(grand=grand), source=source))
    assert stage.events == []
    for number in range(10, 10 + 2 * MAX_SCREENS):
        stage.give(analysis(number, ocr(grand="$1.00"), source=f"s{number}"))
    assert stage.status["screens"] == MAX_SCREENS


def test_silence_makes_everything_stale_once() -> None:
    stage = Stage()
    stage.give(analysis(1, *WHOLE))
    stage.tick(9.9)
    assert len(stage.sets) == 1
    for _ in range(3):
        stage.tick(5)
    assert len(stage.sets) == 2
    assert {r.status for r in stage.sets[1].readings} == {ReadingStatus.STALE}
    assert stage.sets[1].id == "run-cabinet:plain-00000001-stale"
    grand = stage.sets[1].reading(Field.GRAND)
    assert grand is not None and (grand.value, grand.reason) == (Decimal("100.00"), "no answer for 10 s")
    stage.give(analysis(90, *WHOLE))
    stage.tick(11)
    assert stage.status["silences"] == 2


def test_nothing_wakes_the_actor_but_what_it_waits_for() -> None:
    stage = Stage()
    assert (stage.context.ticks, stage.context.due) == ([], [])
    for number in range(1, 31):  # ten seconds of frames
        stage.give(analysis(number, *WHOLE))
        stage.tick(1 / 3)
    assert len(stage.context.later) <= 2
    stage.tick(60)
    assert (stage.status["silences"], stage.context.due) == (1, [])


def test_silence_is_told_of_the_newest_frame() -> None:
    stage = Stage("a", "b")
    stage.give(analysis(5, *WHOLE, model="a"))
    stage.tick(10)
    stage.give(analysis(4, *WHOLE, model="b"))
    stage.tick(10)
    assert [s.id[-8:] for s in stage.sets] == ["00000005", "00000004", "05-stale"]


def test_the_sources_end_is_passed_on_and_its_silence_is_no_news() -> None:
    stage = Stage()
    stage.give(analysis(1, *WHOLE), SourceExhausted("pictures", 1))
    assert stage.context.sent_to("console")[-1] == SourceExhausted("pictures", 1)
    stage.tick(60)
    assert len(stage.sets) == 1


def test_stopping_tells_what_still_waits() -> None:
    stage = Stage("a", "b")
    stage.give(analysis(1, *WHOLE, model="a"), analysis(2, *WHOLE, model="a"))
    stage.actor.on_stop()
    assert [s.frame.sequence for s in stage.sets] == [1, 2]


def test_a_full_recorder_is_counted_reported_once_and_does_not_kill(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()
    tell, full = stage.context.tell, [True]

    def maybe(name: str, message: object) -> bool:
        if name == "recorder" and full[0]:
            raise InboxFull("recorder has 1000 messages waiting")
        return bool(tell(name, message))

    monkeypatch.setattr(stage.context, "tell", maybe)
    stage.give(*(analysis(n, *WHOLE) for n in (1, 2, 3)))
    faults = [m for m in stage.context.sent_to("bug") if isinstance(m, Fault)]
    assert [f.exception_type for f in faults] == ["supervisors.inbox.InboxFull"]
    assert faults[0].context["receiver"] == "recorder"
    assert len(stage.sets) == 3
    full[0] = False
    stage.give(analysis(4, *WHOLE))
    full[0] = True
    stage.give(analysis(5, *WHOLE))
    assert stage.status["undelivered"] == {"recorder": 4}
    assert len([m for m in stage.context.sent_to("bug") if isinstance(m, Fault)]) == 2


def test_an_unknown_message_is_an_error() -> None:
    with pytest.raises(TypeError, match="does not know str"):
        Stage().give("hello")


def test_in_the_fallback_every_reading_is_degraded_and_a_stale_one_says_why() -> None:
    stage = Stage()
    stage.give(analysis(1, *WHOLE), FallbackChanged(True, "it does not start"))
    stage.clock.advance(1)
    stage.give(analysis(2, *WHOLE), AnalysisFailed(frame(3), MODEL, tuple(Task), "ConnectFailed", "nobody listens"))
    stage.tick(10)
    assert [s.degraded for s in stage.sets] == [False, True, True, True]
    began = f"{stage.clock.utc_now() - timedelta(seconds=11):%H:%M:%S} UTC"
    silent = stage.sets[-1].readings
    reason = f"no answer for 10 s; the model server is away, polling fallback since {began}"
    assert {(r.status, r.reason) for r in silent} == {(ReadingStatus.STALE, reason)}
    assert [d["degraded"] for d in stage.documents(Collection.READINGS)] == [False, True, True, True]
    assert stage.status["degraded"]
    stage.give(FallbackChanged(False, "3 healthy probes"), analysis(4, *WHOLE))
    stage.tick(10)
    assert [s.degraded for s in stage.sets[4:]] == [False, False]
    assert {r.reason for r in stage.sets[-1].readings} == {"no answer for 10 s"}


def test_a_replacement_in_the_fallback_knows_of_it() -> None:
    stage = Stage(degraded=True)
    stage.give(analysis(1, *WHOLE), FallbackChanged(True, "still"))
    stage.tick(10)
    assert [s.degraded for s in stage.sets] == [True, True]
    assert {r.reason for r in stage.sets[-1].readings} == {
        "no answer for 10 s; the model server is away, polling fallback"
    }


# --- under pressure ---

ROUTING = Routing(
    (
        *(
            (task, ModelEntry(model_id="large", prompt="p", alternatives=("small",)))
            for task in Task
            if task != Task.OCR
        ),
        (Task.OCR, ModelEntry(model_id="ocr", prompt="p")),
    )
)


def ready(*models: str) -> ServerState:
    return ServerState(ServerPhase.READY, "http://127.0.0.1:1", models)


def test_a_frame_waits_for_whoever_is_asked_now() -> None:
    stage = Stage(routing=ROUTING)
    assert stage.status["expected"] == ["large", "ocr"]
    stage.give(ready("large", "ocr"), PressureChanged(PressureLevel.SMALLER))
    assert stage.status["expected"] == ["large", "ocr"], "the smaller one is not there yet"
    stage.give(analysis(1, WHOLE[0], model="ocr"))
    assert stage.sets == []
    stage.give(ready("small", "ocr"))
    stage.give(analysis(2, WHOLE[0], model="ocr"), analysis(2, *WHOLE[1:], model="small"))
    assert [s.models for s in stage.sets] == [("ocr",), ("ocr", "small")]
    stage.give(PressureChanged(PressureLevel.NORMAL))
    assert stage.status["expected"] == ["small", "ocr"]
    stage.give(ready("small", "large", "ocr"))
    assert stage.status["expected"] == ["large", "ocr"]


def test_a_replacement_begins_with_the_level_there_is() -> None:
    stage = Stage(routing=ROUTING, level=PressureLevel.SLOWER)
    assert stage.status["expected"] == ["small", "ocr"]
    stage.give(ServerState(ServerPhase.LOADING))
    assert stage.status["expected"] == ["small", "ocr"]


def test_without_a_routing_pressure_changes_nothing() -> None:
    stage = Stage("a", "b")
    stage.give(PressureChanged(PressureLevel.SMALLER), ready("a"))
    assert stage.status["expected"] == ["a", "b"]
