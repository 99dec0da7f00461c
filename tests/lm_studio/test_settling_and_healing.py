"""Moving to other models while one of them is healed, set aside, or to be reloaded as planned."""

from __future__ import annotations

from dataclasses import replace

from foureyes_actors.errors import ErrorClass
from foureyes_actors.lm_studio.plan import (
    Alive,
    Chosen,
    Do,
    Finished,
    Healthy,
    Launched,
    Loaded,
    PictureRead,
    Rested,
    Rules,
    Stage,
    Suspected,
    Unloaded,
    Wanted,
    Warm,
)
from foureyes_actors.lm_studio.server_state import detail, server_state
from tests.lm_studio.test_advance import URL, Machine, ready

RULES = Rules(("L",), start_timeout=30.0, check_every=10.0, silent_after=3)
DOWN, BACK = (("S", "L"),), (("L",),)


def engine_gone(model: str) -> Suspected:
    return Suspected("HTTP 400: the model has crashed", model, ErrorClass.ENGINE)


def choosing(rules: Rules = RULES) -> Machine:
    machine = ready(rules)
    machine.give(Wanted(DOWN, make_room=True))
    return machine.expect(Do.CHOOSE, Stage.READY)


def finish(machine: Machine, *results: Chosen | Unloaded | Loaded | Warm) -> Machine:
    for result in results:
        machine.finish(result)
    return machine


def down(rules: Rules = RULES) -> Machine:
    return finish(choosing(rules), Chosen(("S",)), Unloaded(), Loaded("S"), Warm())


def test_one_whose_engine_dies_while_another_is_chosen_is_unloaded_and_not_healed() -> None:
    machine = choosing()
    command = machine.command
    assert command is not None
    machine.give(engine_gone("L"))
    assert dict(machine.plan.reloading) == {"L": "L"} and list(machine.plan.healing) == ["L"]
    machine.give(Finished(command, Chosen(("S",))))
    machine.expect(Do.UNLOAD, Stage.LOADING, "L")
    assert machine.plan.reloading == () and machine.plan.healing == ()
    finish(machine, Unloaded()).expect(Do.LOAD, Stage.LOADING, "S")
    finish(machine, Loaded("S"), Warm()).expect(None, Stage.READY)
    assert machine.plan.ready == (("S", "S"),) and machine.errors == []


def test_one_that_is_healed_and_wanted_on_is_not_loaded_a_second_time() -> None:
    machine = choosing()
    command = machine.command
    assert command is not None
    machine.give(engine_gone("L"))
    machine.give(Finished(command, Chosen(("L",), lacking=("S",))))
    machine.expect(Do.RELOAD, Stage.LOADING, "L")
    assert detail(machine.plan, machine.now, RULES) == "loading L anew, 0.0 s"
    finish(machine, Loaded("L"), Warm()).expect(None, Stage.READY)
    assert machine.plan.ready == (("L", "L"),)


def test_the_smaller_one_is_healed_as_any() -> None:
    machine = down()
    machine.give(engine_gone("S"))
    machine.expect(Do.RELOAD, Stage.LOADING, "S")
    finish(machine, Loaded("S"), Warm()).expect(None, Stage.READY)
    assert machine.plan.ready == (("S", "S"),) and machine.errors == []


def test_a_smaller_one_that_reloads_do_not_revive_gives_the_place_back() -> None:
    machine = down()
    for _ in range(2):
        machine.give(engine_gone("S"))
        finish(machine, Loaded("S"), Warm())
    machine.give(engine_gone("S"))
    machine.expect(Do.LOAD, Stage.LOADING, "L")
    finish(machine, Loaded("L"), Warm()).expect(None, Stage.READY)
    assert machine.plan.ready == (("L", "L"),)
    assert [str(error) for error in machine.errors] == ["S: HTTP 400: the model has crashed"]


def test_bad_news_about_one_that_has_gone_changes_nothing() -> None:
    machine = down()
    machine.give(engine_gone("L"))
    machine.expect(None, Stage.READY)
    assert machine.plan.ready == (("S", "S"),) and machine.plan.reloads == ()


def test_the_smaller_one_dies_on_the_way_back_and_answers_again_until_the_larger_one_can() -> None:
    machine = down()
    machine.give(Wanted(BACK, make_room=False))
    machine.finish(Chosen(("L",)))
    command = machine.expect(Do.LOAD, Stage.READY, "L").command
    assert command is not None
    machine.give(engine_gone("S"))
    assert machine.plan.stage is Stage.LOADING
    machine.give(Finished(command, Loaded("L")))
    machine.expect(Do.RELOAD, Stage.LOADING, "S")
    finish(machine, Loaded("S"), Warm(), Warm())
    machine.expect(Do.UNLOAD, Stage.READY, "S")
    assert machine.plan.ready == (("L", "L"),)
    finish(machine, Unloaded()).expect(None, Stage.READY)


def test_a_planned_reload_of_one_that_goes_is_forgotten() -> None:
    rules = replace(RULES, reload_after=2)
    machine = ready(rules)
    machine.give(PictureRead("L"))
    machine.give(PictureRead("L"))
    assert server_state(machine.plan, machine.now, rules, None).resting == ("L",)
    machine.give(Wanted(DOWN, make_room=True))
    machine.finish(Chosen(("S",)))
    machine.expect(Do.UNLOAD, Stage.LOADING, "L")
    assert server_state(machine.plan, machine.now, rules, None).resting == ()
    machine.give(Rested("L"))
    assert machine.plan.rested == ()


def test_a_planned_reload_waits_for_the_choice_and_comes_after_it() -> None:
    rules = replace(RULES, reload_after=1)
    machine = choosing(rules)
    command = machine.command
    assert command is not None
    machine.give(PictureRead("L"))
    machine.give(Rested("L"))
    machine.give(Finished(command, Chosen(("L",), lacking=("S",))))
    machine.tick()
    machine.expect(Do.RELOAD, Stage.LOADING, "L")


def test_the_smaller_one_is_reloaded_as_planned() -> None:
    machine = down(replace(RULES, reload_after=1))
    machine.give(PictureRead("S"))
    machine.give(Rested("S"))
    machine.expect(Do.RELOAD, Stage.LOADING, "S")
    finish(machine, Loaded("S"), Warm()).expect(None, Stage.READY)


def test_a_server_started_anew_for_its_memory_loads_what_is_wanted_now() -> None:
    rules = replace(RULES, reload_above=1000)
    machine = down(rules)
    for last in (False, True):
        machine.tick(10.0)
        machine.finish(Healthy(("S",), memory=2000))
        machine.give(Rested("S"))
        if not last:
            machine.expect(Do.RELOAD, Stage.LOADING, "S")
            finish(machine, Loaded("S"), Warm())
    machine.expect(Do.LAUNCH, Stage.STARTING)
    assert machine.plan.choices == DOWN and machine.plan.unsettled and machine.plan.heavy_until > machine.now
    machine.finish(Launched())
    machine.finish(Alive(URL))
    machine.expect(Do.LOAD, Stage.LOADING, "S")
