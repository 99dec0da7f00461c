"""What the tree is made of when there are smaller models to move to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from foureyes_actors import wiring
from foureyes_actors.console.summary import summary_lines
from foureyes_actors.errors import ConnectFailed
from foureyes_actors.inference.actor import InferenceActor
from foureyes_actors.inference.cache import AnalysisCache
from foureyes_actors.inference.call import Call, Counts, Finished
from foureyes_actors.inference.routing import routing_of
from foureyes_actors.lm_studio.actor import LMStudioActor
from foureyes_actors.messages import Analysis, GetStatus, PressureLevel, Task
from foureyes_actors.resource.actor import Standing
from foureyes_actors.resource.pressure import Pressure
from foureyes_actors.settings import ModelEntry, Settings
from supervisors.specs import ChildSpec
from tests.inference.support import frame
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
        actor = wiring.inference(config, model, routing, standing, world, wiring.Shared.of(world)).make(FakeContext())
        assert isinstance(actor, InferenceActor)
        assert bool(actor._duty.asked) is (model == asked)


def test_what_a_model_answered_is_counted_over_all_reloads_of_its_actor(tmp_path: Path) -> None:
    """The summary tells of the run, and the frames in it are the run's."""
    settings = Settings(data_dir=tmp_path)
    world, standing = wiring.real_world(settings), Standing(Pressure(NORMAL))
    routing, shared = routing_of(table("S")), wiring.Shared.of(world)
    of_l, of_s = (wiring.inference(wiring.Config(settings), m, routing, standing, world, shared) for m in ("L", "S"))

    def lived(spec: ChildSpec) -> dict[str, Any]:
        """One incarnation's life, and what it says of the run at its end."""
        actor = spec.make(FakeContext())
        assert isinstance(actor, InferenceActor)
        answer = Analysis(frame(1).ref, "L", (), 0.5)
        for outcome in (answer, ConnectFailed("gone")):
            actor.on_receive(Finished(Call(frame(1), ("key",)), outcome))
        found = actor.on_receive(GetStatus())
        assert isinstance(found, dict)
        return found

    assert (lived(of_l)["answered"], lived(of_s)["answered"]) == (1, 1), "each model has its own"
    second = lived(of_l)
    assert (second["answered"], second["failures"], second["mean_latency"]) == (2, {"ConnectFailed": 2}, 0.5)
    (line,) = [each for each in summary_lines({"inference:L": second}) if "model" in each]
    assert "L: 2 answers, 500 ms each on average, 2 failed (ConnectFailed)" in line


def test_what_was_found_in_the_cache_is_counted_on_too() -> None:
    counts = Counts()
    for _ in range(2):
        cache = AnalysisCache(ttl=5.0, size=2, timer=lambda: 0.0, finds=counts.finds)
        cache.put(("key",), Analysis(frame(1).ref, "L", (), 0.1))
        assert cache.find(("key",)) is not None
        cache.missed()
    assert cache.shown() == {"hits": 2, "misses": 2}
