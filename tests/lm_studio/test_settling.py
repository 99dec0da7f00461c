"""Moving to other models while the server runs: as a table of events, and by the actor with a scripted server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from foureyes_actors.errors import ConnectFailed, LMStudioError, ModelLoadFailed, ServerRefused
from foureyes_actors.lm_studio.actor import LOOK, LMStudioActor
from foureyes_actors.lm_studio.advance import begin
from foureyes_actors.lm_studio.dialect import Dialect, server_at
from foureyes_actors.lm_studio.dialects import LM_STUDIO, OPENAI
from foureyes_actors.lm_studio.plan import (
    Alive,
    Choices,
    Chosen,
    Do,
    Finished,
    Healthy,
    Launched,
    Loaded,
    Rules,
    Stage,
    Suspected,
    Ticked,
    Unloaded,
    Wanted,
    Warm,
)
from foureyes_actors.lm_studio.residency import LET_IN, UNLOAD_TRIES, Loading, ensure_unloaded, on_disk
from foureyes_actors.lm_studio.server_state import server_state
from foureyes_actors.lm_studio.settling import choose
from foureyes_actors.messages import Fault, GetStatus, ModelsWanted, ServerPhase, ServerState, Tick
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.ports.http import HttpReply, HttpRequest
from foureyes_actors.settings import ModelServerSettings
from tests.lm_studio.support import URL, FakeProcesses, ScriptedHttp, reply
from tests.lm_studio.test_actor import LINE, EmbeddedServer
from tests.lm_studio.test_advance import Machine, ready, started
from tests.support import FakeContext, eventually

RULES = Rules(("L",), start_timeout=30.0, check_every=10.0, silent_after=3)
DOWN, BACK = (("S", "L"),), (("L",),)


def names(machine: Machine) -> list[str]:
    return [model for model, _ in machine.plan.ready]


def test_down_the_larger_one_goes_first_and_no_request_is_sent_to_it_meanwhile() -> None:
    machine = ready(RULES)
    machine.give(Wanted(DOWN, make_room=True))
    machine.expect(Do.CHOOSE, Stage.READY)
    assert names(machine) == ["L"], "it is asked until it is known that there is another one"
    machine.finish(Chosen(("S",)))
    machine.expect(Do.UNLOAD, Stage.LOADING, "L")
    assert server_state(machine.plan, machine.now, RULES, 1).models == ()
    machine.finish(Unloaded())
    machine.expect(Do.LOAD, Stage.LOADING, "S")
    machine.finish(Loaded("S"))
    machine.expect(Do.WARM_UP, Stage.WARMING_UP, "S")
    machine.finish(Warm())
    machine.expect(None, Stage.READY)
    assert names(machine) == ["S"] and machine.errors == []


def down() -> Machine:
    machine = ready(RULES)
    machine.give(Wanted(DOWN, make_room=True))
    for result in (Chosen(("S",)), Unloaded(), Loaded("S"), Warm()):
        machine.finish(result)
    return machine


def test_back_the_smaller_one_answers_until_the_larger_one_can() -> None:
    machine = down()
    machine.give(Wanted(BACK, make_room=False))
    machine.finish(Chosen(("L",)))
    machine.expect(Do.LOAD, Stage.READY, "L")
    machine.finish(Loaded("L"))
    machine.expect(Do.WARM_UP, Stage.READY, "L")
    assert names(machine) == ["S"]
    machine.finish(Warm())
    machine.expect(Do.UNLOAD, Stage.READY, "S")
    assert names(machine) == ["L"]
    machine.finish(Unloaded())
    machine.expect(None, Stage.READY)
    assert machine.errors == []


def test_what_is_wanted_already_is_no_news() -> None:
    machine = ready(RULES)
    machine.give(Wanted(BACK, make_room=False))
    machine.expect(None, Stage.READY)
    machine = down()
    machine.give(Wanted(DOWN, make_room=True))
    machine.expect(None, Stage.READY)


def test_a_smaller_one_that_the_server_lacks_leaves_all_as_it_is_and_is_told() -> None:
    machine = ready(RULES)
    machine.give(Wanted(DOWN, make_room=True))
    machine.finish(Chosen(("L",), lacking=("S",)))
    machine.expect(None, Stage.READY)
    assert names(machine) == ["L"]
    (error,) = machine.errors
    assert str(error) == "the model server has no S; asked instead: L" and isinstance(error, ServerRefused)


def test_a_smaller_one_that_cannot_be_loaded_gives_the_place_back() -> None:
    machine = ready(RULES)
    machine.give(Wanted(DOWN, make_room=True))
    machine.finish(Chosen(("S",)))
    machine.finish(Unloaded())
    machine.finish(ModelLoadFailed("no room for S"))
    machine.expect(Do.LOAD, Stage.LOADING, "L")
    machine.finish(Loaded("L"))
    machine.finish(Warm())
    machine.expect(None, Stage.READY)
    assert names(machine) == ["L"] and [str(e) for e in machine.errors] == ["no room for S"]


def test_a_larger_one_that_cannot_be_loaded_again_leaves_the_smaller_one_at_work() -> None:
    machine = down()
    machine.give(Wanted(BACK, make_room=False))
    machine.finish(Chosen(("L",)))
    machine.finish(ModelLoadFailed("no room for L"))
    machine.expect(None, Stage.READY)
    assert names(machine) == ["S"]
    machine.tick(61.0)
    while machine.command is not None and machine.command.do is Do.CHECK:
        machine.finish(Healthy(("S",)))
        machine.tick()
    machine.expect(Do.LOAD, Stage.READY, "L")  # tried again slowly


def test_when_both_cannot_be_loaded_it_has_failed() -> None:
    machine = ready(RULES)
    machine.give(Wanted(DOWN, make_room=True))
    for result in (Chosen(("S",)), Unloaded(), ModelLoadFailed("S"), ModelLoadFailed("L")):
        machine.finish(result)
    machine.expect(None, Stage.FAILED)
    machine.tick(61.0)
    machine.expect(Do.WAIT, Stage.STARTING)
    machine.finish(Alive(URL))
    machine.expect(Do.LOAD, Stage.LOADING, "S")  # what is wanted now


def test_another_wish_while_one_is_looked_at_wins() -> None:
    machine = ready(RULES)
    machine.give(Wanted(DOWN, make_room=True))
    choosing = machine.command
    machine.give(Wanted(BACK, make_room=False))
    assert choosing is not None
    machine.give(Finished(choosing, Chosen(("S",))))
    machine.expect(None, Stage.READY)
    assert names(machine) == ["L"], "the wish of before is not followed any more"
    machine.tick()
    machine.expect(Do.CHOOSE, Stage.READY)
    machine.finish(Chosen(("L",)))
    machine.expect(None, Stage.READY)


def test_a_wish_while_it_starts_is_followed_when_it_has_started() -> None:
    machine = started(RULES)
    machine.expect(Do.LOAD, Stage.LOADING, "L")
    loading = machine.command
    assert loading is not None
    plan = machine.give(Wanted(DOWN, make_room=True)).plan
    assert plan.busy and plan.unsettled


def test_a_new_start_under_pressure_loads_the_smaller_one_alone() -> None:
    machine = Machine(RULES)
    machine.step = begin(machine.now, choices=DOWN)
    machine.finish(Launched())
    machine.finish(Alive(URL))
    machine.expect(Do.LOAD, Stage.LOADING, "S")
    machine.finish(Loaded("S"))
    machine.finish(Warm())
    machine.expect(None, Stage.READY)
    machine.tick()
    machine.expect(Do.CHOOSE, Stage.READY)
    machine.finish(Chosen(("S",)))
    machine.expect(None, Stage.READY)
    assert names(machine) == ["S"]


def test_a_server_that_does_not_answer_the_choice_is_checked_and_found_dead() -> None:
    machine = ready(RULES)
    machine.give(Wanted(DOWN, make_room=True))
    asked = []
    for _ in range(RULES.silent_after):
        assert machine.command is not None
        asked.append(machine.command.do)
        machine.finish(ConnectFailed("nobody listens"))
        if machine.plan.stage is Stage.READY:
            machine.tick(2.0)
    assert asked == [Do.CHOOSE, Do.CHECK, Do.CHECK]
    machine.expect(None, Stage.FAILED)


def test_one_that_cannot_be_unloaded_is_told_and_the_move_goes_on() -> None:
    machine = ready(RULES)
    machine.give(Wanted(DOWN, make_room=True))
    machine.finish(Chosen(("S",)))
    machine.finish(LMStudioError("L stays"))
    machine.expect(Do.LOAD, Stage.LOADING, "S")
    assert [str(e) for e in machine.errors] == ["L stays"]


def test_a_suspicion_in_between_disturbs_nothing() -> None:
    machine = ready(RULES)
    machine.give(Wanted(DOWN, make_room=True))
    assert machine.give(Suspected()).command is None and machine.give(Ticked()).command is None


@pytest.mark.parametrize(
    ("choices", "has", "models", "lacking"),
    [
        ((("S", "L"),), ("S", "L"), ("S",), ()),
        ((("S", "L"),), ("L",), ("L",), ("S",)),
        ((("xs", "S", "L"),), ("S", "L"), ("S",), ("xs",)),
        ((("S", "L"), ("S", "M")), ("S",), ("S",), ()),
        ((("S", "L"), ("T", "L")), ("L",), ("L",), ("S", "T")),
        ((("S", "L"),), (), ("S",), ()),
    ],
)
def test_of_each_group_the_first_that_the_server_has(
    choices: Choices, has: tuple[str, ...], models: tuple[str, ...], lacking: tuple[str, ...]
) -> None:
    assert choose(choices, has) == Chosen(models, lacking)


# --- at the server ---


class Shelf(ScriptedHttp):
    """LM Studio's list, load and unload; ``sticky``: so often an unloaded model comes back."""

    def __init__(self, *instances: str, sticky: int = 0) -> None:
        super().__init__()
        self.instances, self.sticky = list(instances), sticky
        self.routes = {"GET /api/v1/models": self._list, "POST /api/v1/models/unload": self._unload}

    def _list(self, _: HttpRequest) -> HttpReply:
        row = {"key": "L", "loaded_instances": [{"id": each} for each in self.instances]}
        return reply({"models": [row, {"key": "S", "loaded_instances": []}]})

    def _unload(self, request: HttpRequest) -> HttpReply:
        instance = json.loads(request.body or b"")["instance_id"]
        if self.sticky:
            self.sticky -= 1
        else:
            self.instances.remove(instance)
        return reply({"instance_id": instance})


def loading(http: ScriptedHttp, *ours: str, dialect: Dialect = LM_STUDIO) -> Loading:
    """``ours``: the instances of L that FourEyes has loaded."""
    to = Loading(http, server_at(URL, dialect), ManualClock(), threading.Event(), 60.0)
    for instance in ours:
        to.ours.keep(to.server, instance, "L")
    return to


def test_every_instance_of_ours_is_unloaded_after_what_is_on_its_way_was_let_in() -> None:
    http = Shelf("L", "L:2")
    to = loading(http, "L", "L:2")
    began = to.clock.monotonic()
    ensure_unloaded(to, "L")
    assert http.instances == [] and to.clock.monotonic() - began == pytest.approx(2 * LET_IN)
    assert http.asked().count("POST /api/v1/models/unload") == 2
    assert to.ours.instances == {}


def test_what_somebody_else_has_loaded_stays() -> None:
    http = Shelf("L", "L:2")
    ensure_unloaded(loading(http, "L:2"), "L")
    assert http.instances == ["L"]
    ensure_unloaded(loading(http), "L")
    assert http.instances == ["L"]


def test_what_is_gone_already_is_forgotten() -> None:
    http = Shelf()
    to = loading(http, "L")
    ensure_unloaded(to, "L")
    assert to.ours.instances == {} and http.asked() == ["GET /api/v1/models"]


def test_one_that_a_late_request_has_loaded_again_is_unloaded_again() -> None:
    http = Shelf("L", sticky=1)
    ensure_unloaded(loading(http, "L"), "L")
    assert http.instances == []
    stuck = Shelf("L", sticky=99)
    with pytest.raises(LMStudioError, match="L is loaded again each time"):
        ensure_unloaded(loading(stuck, "L"), "L")
    assert stuck.asked().count("POST /api/v1/models/unload") == UNLOAD_TRIES


def test_a_server_without_the_route_is_left_alone() -> None:
    http = ScriptedHttp({"GET /v1/models": reply({"data": [{"id": "L"}]})})
    ensure_unloaded(loading(http, "L", dialect=OPENAI), "L")
    assert http.asked() == ["GET /v1/models"]
    assert on_disk(http, server_at(URL, OPENAI), ("S", "L")) == ("L",)


# --- by the actor ---


class TwoModels(EmbeddedServer):
    def __init__(self) -> None:
        super().__init__("L", "S")
        self.log: list[str] = []
        self.routes = {**self.routes, "POST /api/v1/models/unload": self._unload}

    def _load(self, request: HttpRequest) -> HttpReply:
        self.log.append("load " + json.loads(request.body or b"")["model"])
        return super()._load(request)

    def _unload(self, request: HttpRequest) -> HttpReply:
        instance = json.loads(request.body or b"")["instance_id"]
        self.log.append(f"unload {instance}")
        self.loaded.discard(instance)
        return reply({"instance_id": instance})


class Moving:
    def __init__(self, choices: Choices = (), **values: Any) -> None:
        self.context, self.clock, self.http = FakeContext("lm_studio"), ManualClock(), TwoModels()
        self.actor = LMStudioActor(
            self.context, settings=ModelServerSettings.model_validate(values), models=("L",), http=self.http,
            processes=FakeProcesses([LINE]), clock=self.clock, audience=("console",),
            alternatives=("S",), choices=choices,
        )  # fmt: skip
        self.actor.on_start()
        self.pump()

    def pump(self) -> None:
        while self.actor.on_receive(GetStatus())["busy"]:
            eventually(lambda: bool(self.context.to_self), 20, "the worker is done")
            self.actor.on_receive(self.context.to_self.pop(0))

    def give(self, message: object) -> None:
        self.actor.on_receive(message)
        self.pump()

    @property
    def states(self) -> list[tuple[ServerPhase, tuple[str, ...]]]:
        return [(m.phase, m.models) for m in self.context.sent_to("console") if isinstance(m, ServerState)]


@pytest.fixture
def moving() -> Iterator[Any]:
    made: list[Moving] = []

    def make(*arguments: Any, **values: Any) -> Moving:
        made.append(Moving(*arguments, **values))
        return made[-1]

    yield make
    for each in made:
        each.actor.on_stop()


def test_the_actor_moves_down_and_back(moving: Any) -> None:
    it = moving()
    it.http.log.clear()
    it.give(ModelsWanted(DOWN, make_room=True))
    assert it.http.log == ["unload L", "load S"]
    assert it.states[-1] == (ServerPhase.READY, ("S",))
    it.give(ModelsWanted(BACK, make_room=False))
    assert it.http.log == ["unload L", "load S", "load L", "unload S"]
    assert it.states[-1] == (ServerPhase.READY, ("L",))
    back = it.states[it.states.index((ServerPhase.READY, ("S",))) :]
    assert {phase for phase, _ in back} == {ServerPhase.READY}, "on the way back somebody always answers"
    assert [m for m in it.context.sent_to("bug") if isinstance(m, Fault)] == []


def test_a_replacement_under_pressure_begins_with_the_smaller_one(moving: Any) -> None:
    it = moving(DOWN)
    it.give(Tick(LOOK, 1))
    assert it.http.log == ["load S"] and it.states[-1] == (ServerPhase.READY, ("S",))


def test_where_nothing_is_managed_nothing_is_unloaded(moving: Any) -> None:
    it = moving(manage=False, base_url="http://127.0.0.1:45678")
    it.give(ModelsWanted(DOWN, make_room=True))
    assert not any(line.startswith("unload") for line in it.http.log)
