"""What bad news about one model changes: reloads and their cap, the canary for a hang, and what is left alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from foureyes_actors.errors import EngineGone, ErrorClass, FourEyesError, ModelLoadFailed, RequestTimeout, ServerFault
from foureyes_actors.inference.server_faults import fault_of
from foureyes_actors.lm_studio.advance import CHECK_AGAIN, SLOW_RETRY
from foureyes_actors.lm_studio.healing import RELOAD_WINDOW
from foureyes_actors.lm_studio.plan import Do, Found, Healthy, Loaded, Stage, Suspected, Warm
from foureyes_actors.lm_studio.server_state import detail
from tests.lm_studio.test_advance import RULES, URL, Machine, ready, started

ONE = replace(RULES, models=("a",))


def bad_news(error_class: ErrorClass, model: str = "a") -> Suspected:
    return Suspected("HTTP 400: the model has crashed", model, error_class)


def failed(cause: FourEyesError) -> ModelLoadFailed:
    """As the steps raise it."""
    error = ModelLoadFailed(f"x: {cause}")
    error.__cause__ = cause
    return error


def words(text: str, status: int = 400) -> ModelLoadFailed:
    cause = fault_of(status, text)
    assert isinstance(cause, ServerFault)
    return failed(cause)


CRASH = failed(EngineGone("crashed", status=400))


@pytest.mark.parametrize("error_class", [ErrorClass.ENGINE, ErrorClass.SERVER_ERROR])
def test_a_dead_engine_is_loaded_anew_and_has_to_pass_the_canary(error_class: ErrorClass) -> None:
    machine = ready(ONE)
    machine.give(bad_news(error_class))
    machine.expect(Do.RELOAD, Stage.LOADING, "a")
    assert machine.command is not None and machine.command.known_as == "a"
    assert not machine.plan.ready
    assert detail(machine.plan, machine.now, ONE) == "loading a anew, 0.0 s"
    machine.finish(Loaded("a:2"))
    machine.expect(Do.WARM_UP, Stage.WARMING_UP, "a")
    machine.finish(Warm())
    machine.expect(None, Stage.READY)
    assert machine.plan.ready == (("a", "a:2"),)
    assert (machine.plan.healing, machine.errors) == ((), [])


def test_the_other_model_stays_ready_meanwhile() -> None:
    machine = ready()
    machine.give(bad_news(ErrorClass.ENGINE, "A"))
    machine.expect(Do.RELOAD, Stage.READY, "a")
    assert machine.plan.ready == (("b", "b"),)
    assert detail(machine.plan, machine.now, RULES) == "1 model ready; a is being healed"
    reload = machine.step
    machine.give(bad_news(ErrorClass.ENGINE))  # the same trouble, told twice
    assert machine.plan == reload.plan
    machine.step = reload
    machine.finish(Loaded("a"))
    machine.expect(Do.WARM_UP, Stage.READY, "a")
    machine.finish(Warm())
    machine.expect(None, Stage.READY)
    assert len(machine.plan.reloads) == 1


def test_a_check_in_work_is_waited_for() -> None:
    machine = ready(ONE)
    machine.tick(10.0)
    check = machine.expect(Do.CHECK, Stage.READY).command
    machine.give(bad_news(ErrorClass.ENGINE))
    machine.expect(None, Stage.LOADING)
    machine.step = replace(machine.step, command=check)
    machine.finish(Healthy(("a",)))
    machine.expect(Do.RELOAD, Stage.LOADING, "a")


def test_a_check_in_work_that_fails() -> None:
    machine = ready(ONE)
    machine.tick(10.0)
    check = machine.command
    machine.give(bad_news(ErrorClass.ENGINE))
    machine.step = replace(machine.step, command=check)
    machine.finish(RequestTimeout("silent"))
    machine.tick()
    machine.expect(Do.RELOAD, Stage.LOADING, "a")


def test_a_third_crash_in_ten_minutes_is_a_reason_to_start_anew() -> None:
    machine = ready(ONE)
    for _ in range(2):
        machine.give(bad_news(ErrorClass.ENGINE))
        machine.finish(Loaded("a"))
        machine.finish(Warm())
        machine.expect(None, Stage.READY)
    machine.give(bad_news(ErrorClass.ENGINE))
    machine.expect(None, Stage.FAILED)
    assert machine.plan.unwell
    assert str(machine.errors[-1]) == "a: HTTP 400: the model has crashed"


def test_crashes_that_are_far_apart_are_healed_each_time() -> None:
    machine = ready(ONE)
    for _ in range(4):
        machine.give(bad_news(ErrorClass.ENGINE), after=RELOAD_WINDOW / 2 + 1)
        machine.finish(Loaded("a"))
        machine.finish(Warm())
        machine.expect(None, Stage.READY)


def test_a_model_that_cannot_be_healed_is_set_aside_while_the_other_works() -> None:
    machine = ready()
    machine.give(bad_news(ErrorClass.ENGINE))
    machine.finish(CRASH)
    machine.expect(Do.RELOAD, Stage.READY, "a")
    machine.finish(Loaded("a"))
    machine.finish(CRASH)
    machine.expect(None, Stage.READY)
    assert [model for model, _ in machine.plan.broken] == ["a"]
    assert machine.plan.ready == (("b", "b"),)
    assert machine.plan.healing == ()


@pytest.mark.parametrize("error", [CRASH, RequestTimeout("no answer"), words("what?")])
def test_a_reload_is_tried_twice_then_the_server_is_unwell(error: Exception) -> None:
    machine = ready(ONE)
    machine.give(bad_news(ErrorClass.ENGINE))
    machine.finish(error)
    machine.expect(Do.RELOAD, Stage.LOADING, "a")
    machine.finish(error)
    machine.expect(None, Stage.FAILED)
    assert machine.plan.unwell
    assert machine.errors == [error]


@pytest.mark.parametrize(
    "text",
    ["insufficient system resources", "Unrecognized key(s) in object: 'x'", "No models loaded", "Jinja Exception: x"],
)
@pytest.mark.parametrize("at", [Do.LOAD, Do.WARM_UP, Do.RELOAD])
@pytest.mark.parametrize("attached", [False, True])
def test_classes_b_c_and_d_start_nothing_anew(text: str, at: Do, attached: bool) -> None:
    machine = _attached() if attached else started(ONE)
    if at is not Do.LOAD:
        machine.finish(Loaded("a"))
    if at is Do.RELOAD:
        machine.finish(Warm())
        machine.give(bad_news(ErrorClass.ENGINE))
    machine.finish(words(text), after=1000.0)
    machine.expect(None, Stage.FAILED)
    assert not machine.plan.unwell
    machine.tick(SLOW_RETRY)
    machine.expect(Do.LAUNCH if attached else Do.WAIT, Stage.STARTING)


def _attached() -> Machine:
    machine = Machine(ONE)
    machine.finish(Found(URL))
    return machine


@pytest.mark.parametrize("do", [Do.LOAD, Do.WARM_UP])
def test_an_engine_that_dies_at_the_start_is_loaded_anew_before_the_server_is(do: Do) -> None:
    machine = started(ONE)
    if do is Do.WARM_UP:
        machine.finish(Loaded("a"))
    for _ in range(2):
        machine.finish(CRASH)
        machine.expect(Do.RELOAD, Stage.LOADING, "a")
    machine.finish(CRASH)
    assert machine.plan.unwell


def test_a_hang_is_a_check_then_the_canary() -> None:
    machine = ready(ONE)
    machine.give(bad_news(ErrorClass.HANG))
    machine.expect(Do.CHECK, Stage.READY)
    machine.finish(Healthy(("a",)))
    machine.expect(Do.WARM_UP, Stage.WARMING_UP, "a")
    assert not machine.plan.ready  # nobody asks it meanwhile
    machine.finish(Warm())
    machine.expect(None, Stage.READY)
    assert not machine.plan.reloads  # it was only slow


def test_a_canary_that_hangs_too_is_a_stuck_engine() -> None:
    machine = ready(ONE)
    machine.give(bad_news(ErrorClass.HANG))
    machine.finish(Healthy(("a",)))
    machine.finish(RequestTimeout("120 s"))
    machine.expect(Do.RELOAD, Stage.LOADING, "a")
    machine.finish(Loaded("a"))
    machine.finish(Warm())
    machine.expect(None, Stage.READY)


def test_a_hang_of_the_whole_server_is_seen_by_its_checks() -> None:
    machine = ready(ONE)
    machine.give(bad_news(ErrorClass.HANG))
    for _ in range(2):
        machine.finish(RequestTimeout("silent"))
        machine.tick(CHECK_AGAIN)
        machine.expect(Do.CHECK, Stage.READY)
    machine.finish(RequestTimeout("silent"))
    assert machine.plan.unwell


def test_a_model_that_cannot_be_loaded_on_demand_makes_way_for_a_minute() -> None:
    machine = ready()
    machine.give(bad_news(ErrorClass.LOAD))
    machine.expect(None, Stage.READY)
    assert machine.plan.ready == (("b", "b"),)
    assert "a: HTTP 400: the model has crashed" in detail(machine.plan, machine.now, RULES)
    machine.tick(10.0)
    machine.finish(Healthy(("b",)))
    machine.tick(SLOW_RETRY - 10.0)
    machine.finish(Healthy(("b",)))
    machine.tick()
    machine.expect(Do.LOAD, Stage.READY, "a")


def test_the_only_model_that_cannot_be_loaded_starts_nothing_anew() -> None:
    machine = ready(ONE)
    machine.give(bad_news(ErrorClass.LOAD))
    machine.expect(None, Stage.FAILED)
    assert not machine.plan.unwell and not machine.errors  # who suspected it has told the fault


@pytest.mark.parametrize("error_class", [ErrorClass.REQUEST, ErrorClass.DEFECT, ErrorClass.ANSWER, ErrorClass.OTHER])
def test_what_is_not_the_servers_fault_only_looks_at_it(error_class: ErrorClass) -> None:
    """The inference actors do not tell of these; a look does no harm."""
    machine = ready(ONE)
    machine.give(bad_news(error_class))
    machine.expect(Do.CHECK, Stage.READY)
    assert machine.plan.ready == (("a", "a"),)


def test_news_of_a_model_that_nobody_has_changes_nothing() -> None:
    machine = ready(ONE)
    before = machine.plan
    machine.give(bad_news(ErrorClass.ENGINE, "z"))
    assert machine.plan == before and machine.command is None
