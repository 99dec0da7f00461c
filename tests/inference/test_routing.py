"""Which model answers a task: by level, by what is ready, with shared and separate models."""

from __future__ import annotations

import pytest

from foureyes_actors.inference.routing import Asked, Routing, Situation, ready_models, routing_of
from foureyes_actors.messages import PressureLevel, ServerPhase, ServerState, Task
from foureyes_actors.settings import ModelEntry

NORMAL, SMALLER, SLOWER = PressureLevel.NORMAL, PressureLevel.SMALLER, PressureLevel.SLOWER


def entry(model: str, *alternatives: str) -> ModelEntry:
    return ModelEntry(model_id=model, prompt="p", alternatives=alternatives)


def names(asked: Asked) -> list[Task]:
    return [task for task, _ in asked]


ONE = Routing(tuple((task, entry("L", "S")) for task in Task))  # all tasks share a model, and its alternative
TWO = Routing(  # two models that move to one; a third that stays; a fourth with two choices
    (
        (Task.OCR, entry("ocr", "S")),
        (Task.STATE, entry("vl", "S")),
        (Task.ANIMATION, entry("still")),
        (Task.ERROR, entry("vl", "xs", "S")),
    )
)


@pytest.mark.parametrize(
    ("level", "ready", "expected"),
    [
        (NORMAL, ("L",), ("L",)),
        (NORMAL, (), ("L",)),  # not known: the one that is to become ready
        (NORMAL, ("S",), ("S",)),  # on the way back: until the larger one is loaded
        (NORMAL, ("L", "S"), ("L",)),
        (SMALLER, ("L",), ("L",)),  # on the way down: until the smaller one is loaded, or when it cannot be
        (SMALLER, ("L", "S"), ("S",)),
        (SMALLER, ("S",), ("S",)),
        (SMALLER, (), ("S",)),
        (SLOWER, ("S", "L"), ("S",)),
        (SMALLER, ("s:2",), ("S",)),  # by any instance
        (SMALLER, ("another",), ("S",)),
    ],
)
def test_one_model_for_all_tasks(level: PressureLevel, ready: tuple[str, ...], expected: tuple[str, ...]) -> None:
    now = Situation(level, ready)
    assert ONE.answering(now) == expected
    (model,) = expected
    assert names(ONE.asked(model, now)) == list(Task)
    assert ONE.asked({"L": "S", "S": "L"}[model], now) == ()


@pytest.mark.parametrize("level", list(PressureLevel))
@pytest.mark.parametrize("ready", [(), ("S",), ("ocr", "vl", "still"), ("S", "still", "xs"), ("vl", "S")])
def test_each_task_is_always_asked_of_exactly_one_model(level: PressureLevel, ready: tuple[str, ...]) -> None:
    now = Situation(level, ready)
    asked = [task for model in TWO.models for task in names(TWO.asked(model, now))]
    assert sorted(asked) == sorted(Task)
    assert set(TWO.answering(now)) == {model for model in TWO.models if TWO.asked(model, now)}
    for model in TWO.models:
        assert set(names(TWO.asked(model, now))) <= set(names(TWO.possible(model)))


def test_tasks_that_move_to_the_same_model_share_its_request() -> None:
    ready = ("ocr", "vl", "still", "S")
    assert TWO.answering(Situation(NORMAL, ready)) == ("ocr", "vl", "still")
    pressed = Situation(SMALLER, ready)
    assert TWO.answering(pressed) == ("S", "still")
    assert names(TWO.asked("S", pressed)) == [Task.OCR, Task.STATE, Task.ERROR]  # xs is not there: the next choice
    assert names(TWO.asked("xs", Situation(SMALLER, (*ready, "xs")))) == [Task.ERROR]


def test_what_is_to_be_loaded() -> None:
    assert TWO.choices(NORMAL) == (("ocr",), ("vl",), ("still",))
    assert TWO.choices(SMALLER) == TWO.choices(SLOWER) == (("S", "ocr"), ("S", "vl"), ("still",), ("xs", "S", "vl"))
    assert ONE.choices(SMALLER) == (("S", "L"),)


def test_all_models_that_may_ever_be_asked() -> None:
    assert TWO.models == ("ocr", "vl", "still", "S", "xs") and TWO.alternatives == ("S", "xs")
    assert names(TWO.possible("S")) == [Task.OCR, Task.STATE, Task.ERROR]
    assert not Routing(((Task.OCR, entry("a")),)).has_alternatives and ONE.has_alternatives


def test_a_model_can_be_one_tasks_own_and_anothers_alternative() -> None:
    both = Routing(((Task.OCR, entry("L", "S")), (Task.STATE, entry("S"))))
    assert both.alternatives == ()
    assert names(both.asked("S", Situation(NORMAL, ("L", "S")))) == [Task.STATE]
    assert names(both.asked("S", Situation(SMALLER, ("L", "S")))) == [Task.OCR, Task.STATE]


def test_it_is_made_of_the_table_as_grouped() -> None:
    grouped = {"L": ((Task.STATE, entry("L", "S")), (Task.OCR, entry("L", "S")))}
    assert names(routing_of(grouped).asked("L", Situation())) == [Task.STATE, Task.OCR]


def test_only_a_ready_server_has_ready_models() -> None:
    assert ready_models(None) == ()
    assert ready_models(ServerState(ServerPhase.LOADING, models=("a",))) == ()
    assert ready_models(ServerState(ServerPhase.READY, models=("a",))) == ("a",)
