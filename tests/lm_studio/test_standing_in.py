"""What is loaded in the place of a model that cannot be."""

from __future__ import annotations

import pytest

from foureyes_actors.errors import ErrorClass, ModelLoadFailed, ServerRefused
from foureyes_actors.lm_studio.advance import SLOW_RETRY
from foureyes_actors.lm_studio.plan import Alive, Do, Launched, Loaded, Rules, Stage, Suspected, Unloaded, Warm
from foureyes_actors.lm_studio.server_state import detail
from tests.lm_studio.test_advance import URL, Machine, ready

RULES = Rules(("L",), start_timeout=30.0, check_every=100.0, silent_after=3, groups=(("L", "M", "S"),))
NO_MEMORY = ModelLoadFailed("L could not be loaded: not enough memory")
UNKNOWN = ServerRefused("LM Studio has no model 'M'")


def loading() -> Machine:
    machine = Machine(RULES)
    machine.finish(Launched())
    machine.finish(Alive(URL))
    machine.expect(Do.LOAD, Stage.LOADING, "L")
    return machine


def standing() -> Machine:
    """S reads, for L cannot be loaded and M is not there."""
    machine = loading()
    machine.finish(NO_MEMORY)
    machine.expect(Do.LOAD, Stage.LOADING, "M")
    machine.finish(UNKNOWN)
    machine.expect(Do.LOAD, Stage.LOADING, "S")
    machine.finish(Loaded("S"))
    machine.finish(Warm())
    machine.expect(None, Stage.READY)
    return machine


def test_the_first_alternative_that_can_be_loaded_stands_in() -> None:
    machine = standing()
    assert machine.plan.ready == (("S", "S"),)
    assert machine.errors == [NO_MEMORY, UNKNOWN]
    assert "not enough memory" in detail(machine.plan, machine.now, RULES)


def test_it_goes_when_the_wanted_model_can_be_loaded_after_all() -> None:
    machine = standing()
    machine.tick(SLOW_RETRY)
    machine.expect(Do.LOAD, Stage.READY, "L")
    assert machine.plan.ready == (("S", "S"),)  # it reads meanwhile
    machine.finish(Loaded("L"))
    machine.finish(Warm())
    machine.expect(Do.UNLOAD, Stage.READY, "S")
    assert machine.plan.ready == (("L", "L"),)
    machine.finish(Unloaded())
    machine.expect(None, Stage.READY)


def test_it_stays_when_the_wanted_model_still_cannot() -> None:
    machine = standing()
    machine.tick(SLOW_RETRY)
    machine.finish(NO_MEMORY)
    machine.expect(None, Stage.READY)
    assert machine.plan.ready == (("S", "S"),)


def test_when_none_can_be_loaded_the_wanted_one_is_told() -> None:
    machine = loading()
    machine.finish(NO_MEMORY)
    machine.finish(UNKNOWN)
    machine.finish(ServerRefused("LM Studio has no model 'S'"))
    machine.expect(None, Stage.FAILED)
    assert detail(machine.plan, machine.now, RULES) == f"{NO_MEMORY}; trying again after 60 s"


def test_one_that_is_set_aside_while_it_reads_is_stood_in_for() -> None:
    machine = ready(RULES)
    machine.give(Suspected("not enough memory", "L", ErrorClass.LOAD))
    machine.expect(Do.LOAD, Stage.LOADING, "M")
    assert machine.plan.ready == ()


@pytest.mark.parametrize("error", [ModelLoadFailed("the model has crashed")])
def test_an_engine_that_crashes_is_for_a_new_start_and_not_for_another_model(error: ModelLoadFailed) -> None:
    error.error_class = ErrorClass.ENGINE
    machine = loading()
    for _ in range(2):
        machine.finish(error)
        machine.expect(Do.RELOAD, Stage.LOADING, "L")
    machine.finish(error)
    machine.expect(None, Stage.FAILED)
    assert machine.plan.unwell
