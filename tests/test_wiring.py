"""What the tree is made of when there are smaller models to move to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from foureyes_actors import wiring
from foureyes_actors.inference.actor import InferenceActor
from foureyes_actors.inference.in_process import SharedEngine
from foureyes_actors.inference.routing import routing_of
from foureyes_actors.lm_studio.actor import LMStudioActor
from foureyes_actors.messages import PressureLevel, Task
from foureyes_actors.resource.actor import Standing
from foureyes_actors.resource.pressure import Pressure
from foureyes_actors.settings import ModelEntry, Settings
from supervisors.specs import ChildSpec
from tests.support import FakeContext

NORMAL, SMALLER, SLOWER = PressureLevel.NORMAL, PressureLevel.SMALLER, PressureLevel.SLOWER
RUN = wiring.Run("run", lambda line: None, lambda reason: None, lambda: None)


def table(*alternatives: str) -> wiring.ModelTasks:
    return {"L": tuple((task, ModelEntry(model_id="L", prompt="p", alternatives=alternatives)) for task in Task)}


def tree(models: wiring.ModelTasks, tmp_path: Path) -> list[ChildSpec]:
    settings = Settings(data_dir=tmp_path)
    return wiring.children(wiring.Config(settings), models, wiring.real_world(settings), RUN)


def test_each_alternative_has_an_actor_of_its_own_only_where_there_is_one(tmp_path: Path) -> None:
    names = [child.name for child in tree(table("S", "xs"), tmp_path)]
    assert [name for name in names if name.startswith("inference:")] == ["inference:L", "inference:S", "inference:xs"]
    assert wiring.askers(table("S", "xs")) == ("inference:L", "inference:S", "inference:xs")
    assert wiring.askers(table()) == ("inference:L",)


@pytest.mark.parametrize(
    ("alternatives", "server", "levels"),
    [
        (("S",), {}, (NORMAL, SMALLER, SLOWER)),
        ((), {}, (NORMAL, SLOWER)),
        (("S",), {"manage": False}, (NORMAL, SLOWER)),
    ],
)
def test_without_smaller_models_that_may_be_loaded_there_is_no_such_step(
    alternatives: tuple[str, ...], server: dict[str, Any], levels: tuple[PressureLevel, ...]
) -> None:
    settings = Settings.model_validate({"model_server": server})
    assert wiring.levels(settings, routing_of(table(*alternatives))) == levels


@pytest.mark.parametrize(("level", "asked", "choices"), [(NORMAL, "L", ()), (SMALLER, "S", (("S", "L"),))])
def test_what_is_built_anew_begins_with_the_level_there_is(
    level: PressureLevel, asked: str, choices: tuple[tuple[str, ...], ...], tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path)
    config, world, standing = wiring.Config(settings), wiring.real_world(settings), Standing(Pressure(level))
    routing = routing_of(table("S"))
    server = wiring.lm_studio(config, routing, standing, world, ()).make(FakeContext())
    assert isinstance(server, LMStudioActor) and server._choices == choices
    for model in routing.models:
        actor = wiring.inference(config, model, routing, standing, world, SharedEngine()).make(FakeContext())
        assert isinstance(actor, InferenceActor)
        assert bool(actor._duty.asked) is (model == asked)
