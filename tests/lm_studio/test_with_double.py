"""LMStudioActor and InferenceActor through what befalls LM Studio: it ends, forgets, wedges, runs out of memory."""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

import pytest

from foureyes_actors.lm_studio import steps
from foureyes_actors.lm_studio.actor import LMStudioActor
from foureyes_actors.lm_studio.dialects import DIALECTS
from foureyes_actors.messages import Analysis, GetStatus, ServerPhase
from foureyes_actors.ports.http_requests import RequestsHttp
from foureyes_actors.ports.local_process import LocalProcesses
from foureyes_actors.settings import ModelServerSettings
from supervisors.context import Tree
from supervisors.specs import ChildSpec
from t00l5et.free_port import free_port
from tests.inference.support import MODEL
from tests.lm_studio.double_house import CHAT, CLOCK, NAME, PATIENCE, House
from tests.lm_studio.error_cases import DEADLINE, TOKEN
from tests.support import eventually, start_tree

LOAD = "POST /api/v1/models/load"
UNLOAD = "POST /api/v1/models/unload"


@pytest.fixture
def house_of() -> Iterator[Callable[..., House]]:
    made: list[House] = []

    def make(*rules: dict[str, Any], **settings: Any) -> House:
        made.append(House(rules, **settings))
        return made[-1]

    yield make
    for house in made:
        house.stop()


def on_chat(nth: int | list[int], **then: Any) -> dict[str, Any]:
    return {"when": {"route": CHAT, "nth": nth}, "then": then}


def _counted(house: House, expected: dict[str, int]) -> bool:
    return house.counts() == expected


def test_a_server_that_ends_is_started_again_and_its_models_are_loaded_again(house_of: Any) -> None:
    house = house_of(on_chat(2, do="exit"))
    house.until_ready()
    house.give(1)
    house.outcome(1)
    eventually(lambda: len(house.processes.doubles) == 2, PATIENCE, "it is started again")
    eventually(lambda: house.counts()["canaries"] == 1, PATIENCE, "its model passes the canary")
    house.until_ready()
    house.give(2)
    assert isinstance(house.outcome(2), Analysis)
    assert house.counts() == {"frames": 1, "canaries": 1, "unloads": 0, "loads": 1}
    assert house.incarnations() == {"lm_studio": 2, NAME: 1}


def test_an_engine_that_dies_again_and_again_leads_to_a_new_start_after_two_reloads(house_of: Any) -> None:
    """The canary is answered each time, the frame kills it each time."""
    house = house_of()
    house.until_ready()
    first = house.double
    for number in (1, 2, 3):
        first.add_rule(on_chat(1, error="Channel Error", engine="crashed"))
        house.give(number)
        house.outcome(number)
        if number < 3:
            expected = {"frames": number, "canaries": 1 + number, "unloads": number, "loads": 1 + number}
            eventually(partial(_counted, house, expected), PATIENCE, "it is loaded anew and passes the canary")
            house.until_ready()
    eventually(lambda: len(house.processes.doubles) == 2, PATIENCE, "it is started anew")
    eventually(lambda: house.counts()["canaries"] == 1, PATIENCE, "its model passes the canary")
    house.until_ready()
    house.give(4)
    assert isinstance(house.outcome(4), Analysis)
    assert len(first.asked("POST /api/v1/models/unload")) == 2
    assert house.incarnations() == {"lm_studio": 2, NAME: 1}


def test_a_wedged_engine_is_revived_by_a_reload(house_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks loaded all the time; only the canary tells."""
    short = {**DIALECTS, "lm_studio": replace(DIALECTS["lm_studio"], warm_up_time=DEADLINE)}
    monkeypatch.setattr(steps, "DIALECTS", MappingProxyType(short))
    house = house_of(on_chat(2, engine="wedged"), deadline=DEADLINE)
    house.until_ready()
    house.give(1)
    house.outcome(1)
    eventually(lambda: house.counts()["canaries"] == 3, PATIENCE, "it answers the canary again")
    house.until_ready()
    house.give(2)
    assert isinstance(house.outcome(2), Analysis)
    assert house.counts() == {"frames": 4, "canaries": 3, "unloads": 1, "loads": 2}
    assert house.incarnations() == {"lm_studio": 1, NAME: 1}


def test_a_model_for_which_there_is_no_memory_starts_nothing_anew(house_of: Any) -> None:
    text = f'Failed to load model "{MODEL}". Error: Model loading was stopped due to insufficient system resources.'
    house = house_of({"when": {"route": LOAD, "nth": [1, 2]}, "then": {"error": text, "shape": "b"}})
    house.until_ready()  # two minutes later, by its clock
    failed = [state for state in house.states() if state.phase is ServerPhase.FAILED]
    assert "not enough memory" in failed[0].detail and "trying again after 60 s" in failed[0].detail
    assert len(house.double.asked(LOAD)) == 3
    assert house.incarnations() == {"lm_studio": 1, NAME: 1}
    assert [fault.exception_type.rpartition(".")[2] for fault in house.faults()] == ["ModelLoadFailed"]


def test_what_somebody_unloads_is_loaded_again(house_of: Any) -> None:
    house = house_of(check_every=60.0)  # a second, by its clock
    house.until_ready()
    house.double.memory.forget()
    eventually(lambda: len(house.double.asked(LOAD)) == 2, PATIENCE, "it is loaded again")
    house.until_ready()
    assert [instance.id for instance in house.double.memory.instances()] == [MODEL]


def _in_memory(house: House) -> list[str]:
    return [instance.id for instance in house.double.memory.instances()]


def test_a_load_that_comes_about_after_it_was_given_up_leaves_one_instance(house_of: Any) -> None:
    """The server goes on with a load whose answer nobody waits for any more, and then has the model twice. The
    actor's minute is a second, HTTP's is not: the timeout of 2 s is a real one."""
    slow = {"when": {"route": LOAD, "nth": 1}, "then": {"delay": 6.0}}
    house = house_of(slow, running=True, load_timeout=2.0, check_every=60.0)
    house.until_ready()
    assert len(house.double.asked(LOAD)) == 2 and _in_memory(house) == [MODEL]
    eventually(lambda: len(house.double.asked(UNLOAD)) == 1, PATIENCE, "the second one is unloaded")
    eventually(lambda: _in_memory(house) == [MODEL], PATIENCE, "one is left")
    house.until_ready()
    house.give(1)
    assert isinstance(house.outcome(1), Analysis)


@pytest.mark.parametrize(
    ("answer", "why"),
    [({"error": "it does not want to"}, "it does not want to"), ({"body": {"instance_id": MODEL}}, "lists it as")],
)
def test_a_planned_reload_that_unloads_nothing_is_told_once(house_of: Any, answer: dict[str, Any], why: str) -> None:
    house = house_of({"when": {"route": UNLOAD}, "then": answer}, reload_after=1)
    for number in (1, 2, 3):
        house.until_ready()
        house.give(number)
        assert isinstance(house.outcome(number), Analysis)
        eventually(lambda: len(house.double.asked(UNLOAD)) == 1, PATIENCE, "it is to be unloaded")
    house.until_ready()
    eventually(lambda: len(house.faults()) == 1, PATIENCE, "it is told")
    (fault,) = house.faults()
    assert "was not reloaded as planned" in fault.message and why in fault.message
    assert len(house.double.asked(LOAD)) == 1


def test_a_second_instance_that_somebody_else_loads_is_left_alone(house_of: Any) -> None:
    house = house_of(check_every=60.0)
    house.until_ready()
    house.double.memory.put(house.double.memory.models[0], None)
    assert _in_memory(house) == [MODEL, f"{MODEL}:2"]
    checks = len(house.double.asked("GET /api/v1/models"))
    eventually(lambda: len(house.double.asked("GET /api/v1/models")) > checks + 2, PATIENCE, "it was seen")
    assert house.double.asked(UNLOAD) == []


def test_a_context_above_the_maximum_is_not_asked_for(house_of: Any) -> None:
    house = house_of(context_length=65536)
    house.until_ready()
    (instance,) = house.double.memory.instances()
    assert instance.context == 16384


def test_a_process_and_no_token_in_its_log(caplog: pytest.LogCaptureFixture, tmp_path: Any) -> None:
    """Started by FourEyes as LM Studio would be, with a token that it takes for another one."""
    port = str(free_port())
    scenario = tmp_path / "scenario.json"
    scenario.write_text(f'{{"models": ["{MODEL}"], "token": "sk-lm-another:token"}}')
    command = [sys.executable, "-m", "t00l5et.doubles.lm_studio", "--port", port, "--scenario", str(scenario)]
    settings = ModelServerSettings.model_validate(
        {"kind": "lm_studio", "base_url": f"http://127.0.0.1:{port}", "command": command, "api_token": TOKEN}
    )
    tree = Tree()
    spec = ChildSpec(
        "lm_studio",
        lambda context: LMStudioActor(
            context, settings=settings, models=(MODEL,), http=RequestsHttp(), processes=LocalProcesses(), clock=CLOCK,
            audience=(),
        ),
    )  # fmt: skip
    with caplog.at_level(logging.DEBUG):
        root = start_tree(tree, [spec])
        try:
            eventually(lambda: _ask(tree)["phase"] == "failed", PATIENCE, "it is refused")
            status = _ask(tree)
        finally:
            root.stop(5.0)
    assert "set model_server.api_token" in status["detail"]
    assert TOKEN[:10] not in repr(status) + caplog.text
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", int(port)), 1).close()  # nothing is left of it


def _ask(tree: Tree) -> dict[str, Any]:
    answer: dict[str, Any] = tree.directory.ask("lm_studio", GetStatus(), PATIENCE)
    return answer


def test_the_status_says_what_is_being_healed(house_of: Any) -> None:
    house = house_of()
    house.until_ready()
    house.double.add_rule({"when": {"route": LOAD, "nth": 1}, "then": {"delay": 5.0}})
    house.double.add_rule(on_chat(1, error="Channel Error"))
    house.give(1)
    house.outcome(1)
    eventually(lambda: house.ask("lm_studio")["healing"] == [MODEL], PATIENCE, "it is being healed")
    eventually(lambda: house.ask(NAME)["ready"] is False, PATIENCE, "who asks it has been told")
    house.until_ready()
    assert house.ask("lm_studio")["healing"] == [] and house.ask("lm_studio")["reloads"] == 1
