"""Planned reloads: when they are due, that they wait for the picture in work, and that they are no failure."""

from __future__ import annotations

from dataclasses import replace

import pytest

from foureyes_actors.errors import ErrorClass
from foureyes_actors.lm_studio.plan import (
    Alive,
    Do,
    Found,
    Healthy,
    Launched,
    Loaded,
    PictureRead,
    Rested,
    Stage,
    Suspected,
    Warm,
)
from foureyes_actors.lm_studio.renewal import HEAVY_PAUSE, KEPT_PAUSE
from foureyes_actors.lm_studio.server_state import server_state
from foureyes_actors.messages import ServerPhase
from tests.lm_studio.test_advance import RULES, URL, Machine, ready

COUNTED = replace(RULES, reload_after=3)
WEIGHED = replace(RULES, models=("a",), reload_above=1000)


def test_never_unless_asked_for() -> None:
    machine = ready()
    for _ in range(1000):
        machine.give(PictureRead("a"))
    machine.expect(None, Stage.READY)
    assert machine.plan.resting == () and dict(machine.plan.used) == {"a": 1000}


def test_after_so_many_pictures_and_not_before_the_model_is_at_rest() -> None:
    machine = ready(COUNTED)
    for _ in range(3):
        machine.expect(None, Stage.READY)
        assert machine.plan.resting == ()
        machine.give(PictureRead("a"))
    state = server_state(machine.plan, machine.now, COUNTED, None)
    assert (state.phase, state.resting, state.wanted) == (ServerPhase.READY, ("a",), ("a", "b"))
    assert "to be reloaded as planned" in state.detail
    machine.tick(1.0)
    machine.expect(None, Stage.READY)  # a picture may be in work
    machine.give(Rested("a"))
    machine.expect(Do.RELOAD, Stage.READY, "a")  # the other one is asked on
    assert machine.plan.ready == (("b", "b"),)
    machine.finish(Loaded("a"))
    machine.expect(Do.WARM_UP, Stage.READY, "a")
    machine.finish(Warm())
    machine.expect(None, Stage.READY)
    assert dict(machine.plan.ready) == {"a": "a", "b": "b"} and machine.plan.used == ()
    assert not machine.errors and machine.plan.reloads == ()  # nothing counts against the cap of the unplanned ones


def test_a_model_that_never_rests_is_reloaded_all_the_same() -> None:
    machine = ready(COUNTED)
    for _ in range(3):
        machine.give(PictureRead("a"))
    machine.tick(COUNTED.rest_timeout - 0.1)
    if machine.command is not None:  # a check in between
        machine.finish(Healthy(("a", "b")))
    machine.expect(None, Stage.READY)
    machine.tick(0.2)
    machine.expect(Do.RELOAD, Stage.READY, "a")


def test_the_only_model_is_away_meanwhile() -> None:
    machine = ready(replace(COUNTED, models=("a",)))
    for _ in range(3):
        machine.give(PictureRead("a"))
    machine.give(Rested("a"))
    machine.expect(Do.RELOAD, Stage.LOADING, "a")
    machine.finish(Loaded("a"))
    machine.expect(Do.WARM_UP, Stage.WARMING_UP, "a")
    machine.finish(Warm())
    machine.expect(None, Stage.READY)
    assert not machine.errors


def test_it_waits_for_a_check_in_work() -> None:
    machine = ready(COUNTED)
    machine.tick(RULES.check_every).command  # noqa: B018
    check = machine.command
    assert check is not None and check.do is Do.CHECK
    for _ in range(3):
        machine.give(PictureRead("a"))
    machine.give(Rested("a"))
    machine.expect(None, Stage.READY)
    machine.step = replace(machine.step, command=check)
    machine.finish(Healthy(("a", "b")))
    machine.tick(1.0)
    machine.expect(Do.RELOAD, Stage.READY, "a")


def reload_planned(machine: Machine, kept: str) -> None:
    for _ in range(3):
        machine.give(PictureRead("a"))
    machine.give(Rested("a"))
    machine.expect(Do.RELOAD, Stage.LOADING, "a")
    machine.finish(Loaded("a", kept=kept))
    machine.finish(Warm())
    machine.expect(None, Stage.READY)


def test_one_that_is_not_unloaded_is_told_once_and_not_tried_again_soon() -> None:
    machine = ready(replace(COUNTED, models=("a",)))
    reload_planned(machine, "HTTP 400: no")
    assert [str(error) for error in machine.errors] == [
        "a was not reloaded as planned, and the memory that it took is not free: HTTP 400: no"
    ]
    for _ in range(30):
        machine.give(PictureRead("a"))
    assert machine.plan.resting == ()
    machine.now += KEPT_PAUSE
    reload_planned(machine, "HTTP 400: no")
    assert len(machine.errors) == 1
    machine.now += KEPT_PAUSE
    reload_planned(machine, "")  # it works again
    reload_planned(machine, "HTTP 400: no")
    assert len(machine.errors) == 2


def test_one_that_is_to_be_healed_and_is_not_unloaded_is_for_the_canary_to_tell() -> None:
    machine = ready(replace(COUNTED, models=("a",)))
    machine.give(Suspected("it crashed", "a", ErrorClass.ENGINE))
    machine.expect(Do.RELOAD, Stage.LOADING, "a")
    machine.finish(Loaded("a", kept="HTTP 400: no"))
    machine.finish(Warm())
    machine.expect(None, Stage.READY)
    assert not machine.errors and machine.plan.kept == ()


# --- by the memory ---


def heavy(machine: Machine, memory: int | None) -> None:
    machine.tick(RULES.check_every)
    machine.expect(Do.CHECK, machine.plan.stage)
    machine.finish(Healthy(("a",), memory))


@pytest.mark.parametrize("memory", [None, 0, 1000])
def test_unknown_or_enough_is_no_reason(memory: int | None) -> None:
    machine = ready(WEIGHED)
    heavy(machine, memory)
    machine.expect(None, Stage.READY)
    assert machine.plan.resting == ()


def test_too_much_memory_reloads_and_when_that_did_not_help_starts_our_server_anew() -> None:
    machine = ready(WEIGHED)
    heavy(machine, 1001)
    machine.give(Rested("a"))
    machine.expect(Do.RELOAD, Stage.LOADING, "a")
    machine.finish(Loaded("a"))
    machine.finish(Warm())
    heavy(machine, 1001)
    machine.give(Rested("a"))
    machine.expect(Do.LAUNCH, Stage.STARTING)
    machine.finish(Launched())
    machine.finish(Alive(URL))
    machine.finish(Loaded("a"))
    machine.finish(Warm())
    machine.expect(None, Stage.READY)
    assert not machine.errors and not machine.plan.unwell
    heavy(machine, 1001)  # a mark below what it needs must not make it start for ever
    assert machine.plan.resting == ()
    machine.now += HEAVY_PAUSE
    heavy(machine, 1001)
    assert server_state(machine.plan, machine.now, WEIGHED, None).resting == ("a",)


def test_a_process_that_is_not_ours_is_not_started_anew() -> None:
    machine = Machine(WEIGHED)
    machine.finish(Found(URL))
    machine.finish(Loaded("a"))
    machine.finish(Warm())
    heavy(machine, 1001)
    machine.give(Rested("a"))
    machine.expect(Do.RELOAD, Stage.LOADING, "a")
    machine.finish(Loaded("a"))
    machine.finish(Warm())
    for _ in range(5):
        heavy(machine, 1001)
        machine.expect(None, Stage.READY)
        assert machine.plan.resting == ()


def test_a_reload_that_helped_is_forgotten() -> None:
    machine = ready(WEIGHED)
    heavy(machine, 1001)
    machine.give(Rested("a"))
    machine.finish(Loaded("a"))
    machine.finish(Warm())
    heavy(machine, 500)
    heavy(machine, 1001)
    machine.give(Rested("a"))
    machine.expect(Do.RELOAD, Stage.LOADING, "a")


def test_one_that_thinks_aloud_is_known_to_those_who_ask_it() -> None:
    machine = Machine(WEIGHED)
    machine.finish(Launched())
    machine.finish(Alive(URL))
    machine.finish(Loaded("a:2", reasons=True))
    machine.expect(Do.WARM_UP, Stage.WARMING_UP, "a")
    assert machine.command is not None and machine.command.reasons
    machine.finish(Warm())
    state = server_state(machine.plan, machine.now, WEIGHED, None)
    assert (state.models, state.wanted, state.reasoning) == (("a:2",), ("a",), ("a:2",))
