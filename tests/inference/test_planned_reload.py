"""A planned reload seen from the inference actor: it ends what it is at, says so, and waits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from foureyes_actors.inference.call import Finished
from foureyes_actors.messages import ModelAtRest, PictureAsked
from tests.inference.support import MODEL, Gate, ScriptedHttp, bodies, frame, good
from tests.inference.test_actor import READY, on, stages
from tests.support import eventually

__all__ = ["on", "stages"]  # fixtures
RESTING = replace(READY, wanted=(MODEL,), resting=(MODEL,))


def told(stage: Any, kind: type) -> list[object]:
    return [message for message in stage.context.sent_to("lm_studio") if isinstance(message, kind)]


def test_each_picture_is_told(on: Any) -> None:
    stage = on(ScriptedHttp(good(), good()))
    stage.give(READY, frame(1))
    stage.settle()
    stage.give(frame(2))
    stage.settle()
    assert told(stage, PictureAsked) == [PictureAsked(MODEL)] * 2
    assert told(stage, ModelAtRest) == []


def test_the_picture_in_work_is_read_to_its_end_and_the_next_one_waits(on: Any) -> None:
    gate = Gate(good(), good())
    stage = on(gate)
    stage.give(READY, frame(1))
    eventually(gate.entered.is_set, 10, "the request is on its way")
    stage.give(RESTING, frame(2))
    assert told(stage, ModelAtRest) == []
    gate.open.set()
    eventually(lambda: any(isinstance(m, Finished) for m in stage.context.to_self), 10, "it is answered")
    stage.give(*stage.context.to_self)
    stage.context.to_self.clear()
    assert [a.frame.sequence for a in stage.analyses] == [1] and not stage.failed
    assert told(stage, ModelAtRest) == [ModelAtRest(MODEL)]
    stage.give(frame(3))
    assert len(gate.requests) == 1 and len(told(stage, ModelAtRest)) == 1
    stage.give(READY)
    stage.settle()
    assert [a.frame.sequence for a in stage.analyses] == [1, 3]


def test_one_without_work_rests_at_once(on: Any) -> None:
    stage = on(ScriptedHttp(good()))
    stage.give(READY, RESTING)
    assert told(stage, ModelAtRest) == [ModelAtRest(MODEL)]
    stage.give(READY, RESTING)
    assert len(told(stage, ModelAtRest)) == 2  # each planned reload anew


def test_a_model_that_thinks_aloud_is_told_not_to(on: Any) -> None:
    stage = on(ScriptedHttp(good(), good()))
    stage.give(READY, frame(1))
    stage.settle()
    stage.give(replace(READY, reasoning=(MODEL,)), frame(2))
    stage.settle()
    assert [body.get("reasoning_effort") for body in bodies(stage.http.requests)] == [None, "none"]


def test_a_model_with_an_identifier_of_the_users_own(on: Any) -> None:
    stage = on(ScriptedHttp(good("my-eyes")))
    stage.give(replace(READY, models=("my-eyes",), wanted=(MODEL,)), frame(1))
    stage.settle()
    assert bodies(stage.http.requests)[0]["model"] == "my-eyes"
    assert stage.analyses[0].model == MODEL
