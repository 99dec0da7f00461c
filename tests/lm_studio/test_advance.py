"""The state machine as tables: (plan, event, time) -> (plan, command, error)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from foureyes_actors.errors import (
    ConfigurationError,
    ConnectFailed,
    LMStudioTimeoutError,
    ModelLoadFailed,
    PortTaken,
    RequestTimeout,
    ServerRefused,
    ServerStartFailed,
)
from foureyes_actors.lm_studio.advance import CHECK_AGAIN, SLOW_RETRY, advance, begin
from foureyes_actors.lm_studio.plan import (
    Alive,
    Command,
    Do,
    Finished,
    Found,
    Healthy,
    Launched,
    Loaded,
    NotYet,
    Plan,
    PlanEvent,
    Result,
    Rules,
    Stage,
    Step,
    Suspected,
    Ticked,
    Warm,
)
from foureyes_actors.lm_studio.server_state import detail, server_state
from foureyes_actors.messages import ServerPhase

URL = "http://127.0.0.1:5555"
RULES = Rules(("a", "b"), start_timeout=30.0, check_every=10.0, silent_after=3)
EXIT = ServerStartFailed("ended with code 1", ("last words",))


class Machine:
    """Drives the plan by hand. ``now`` moves only when told to."""

    def __init__(self, rules: Rules = RULES) -> None:
        self.rules, self.now = rules, 100.0
        self.step = begin(self.now)
        self.errors: list[Exception] = []

    @property
    def plan(self) -> Plan:
        return self.step.plan

    @property
    def command(self) -> Command | None:
        return self.step.command

    def give(self, event: PlanEvent, after: float = 0.0) -> Step:
        self.now += after
        was_busy = self.plan.busy
        self.step = advance(self.plan, event, self.now, self.rules)
        assert not (was_busy and not isinstance(event, Finished) and self.step.command), "two commands at once"
        assert self.step.command is None or self.step.plan.busy
        if self.step.error is not None:
            self.errors.append(self.step.error)
        return self.step

    def finish(self, result: Result, after: float = 0.0) -> Step:
        command = self.command
        assert command is not None
        return self.give(Finished(command, result), after)

    def tick(self, after: float = 1.0, exited: Exception | None = None) -> Step:
        return self.give(Ticked(exited), after)

    def expect(self, do: Do | None, stage: Stage, model: str = "") -> Machine:
        assert (self.command.do if self.command else None) is do
        assert self.plan.stage is stage
        if model:
            assert self.command is not None and self.command.model == model
        return self


def started(rules: Rules = RULES) -> Machine:
    machine = Machine(rules)
    machine.finish(Launched())
    machine.finish(Alive(URL), after=1.0)
    return machine


def ready(rules: Rules = RULES) -> Machine:
    machine = started(rules)
    for model in rules.models:
        machine.finish(Loaded(model))
    for _ in rules.models:
        machine.finish(Warm())
    return machine


def test_the_way_to_ready() -> None:
    machine = Machine().expect(Do.LAUNCH, Stage.STARTING)
    machine.finish(Launched())
    machine.expect(Do.WAIT, Stage.STARTING)
    machine.finish(NotYet("nobody listens"), after=1.0)
    machine.expect(Do.WAIT, Stage.STARTING)
    machine.finish(Alive(URL), after=1.0)
    machine.expect(Do.LOAD, Stage.LOADING, "a")
    assert machine.command is not None and machine.command.url == URL
    machine.finish(Loaded("a:2"))
    machine.expect(Do.LOAD, Stage.LOADING, "b")
    machine.finish(Loaded("b"))
    machine.expect(Do.WARM_UP, Stage.WARMING_UP, "a")
    assert machine.command.known_as == "a:2"
    machine.finish(Warm())
    machine.expect(Do.WARM_UP, Stage.WARMING_UP, "b")
    machine.finish(Warm())
    machine.expect(None, Stage.READY)
    assert machine.plan.ready == (("a", "a:2"), ("b", "b"))
    assert machine.plan.mine and not machine.errors


def test_one_that_was_started_after_somebody_elses_had_gone_is_ours() -> None:
    machine = Machine()
    machine.finish(Found(URL))
    machine.finish(ConnectFailed("gone"))
    machine.tick(CHECK_AGAIN)
    machine.finish(Launched())
    assert machine.plan.mine and not machine.plan.attached
    assert not server_state(machine.plan, machine.now, RULES, 1).foreign


def test_a_server_that_was_there_is_attached_to_and_stays_so() -> None:
    machine = Machine()
    machine.finish(Found(URL))
    machine.expect(Do.LOAD, Stage.LOADING, "a")
    machine.finish(ConnectFailed("gone"))
    machine.expect(None, Stage.FAILED)
    assert not machine.plan.unwell  # it gets time to come back by itself
    machine.tick(CHECK_AGAIN)
    machine.expect(Do.LAUNCH, Stage.STARTING)
    assert machine.command is not None and machine.command.attach
    assert machine.plan.attached and not machine.plan.mine
    machine.now += RULES.start_timeout
    machine.finish(ConnectFailed("gone"))
    assert machine.plan.unwell  # enough: the system has to go on without it
    assert begin(0.0, attached=True).plan.attached  # what the next actor starts with


def test_a_server_that_may_not_be_started_gets_time_to_come() -> None:
    machine = Machine(replace(RULES, manage=False))
    machine.finish(ServerStartFailed("nobody answers"))
    assert not machine.plan.unwell
    machine.tick(CHECK_AGAIN)
    machine.expect(Do.LAUNCH, Stage.STARTING)


def test_not_in_time() -> None:
    machine = Machine()
    machine.finish(Launched())
    machine.finish(NotYet("silence"), after=29.9)
    machine.expect(Do.WAIT, Stage.STARTING)
    machine.finish(NotYet("silence"), after=0.2)
    machine.expect(None, Stage.FAILED)
    assert isinstance(machine.errors[0], LMStudioTimeoutError)
    assert str(machine.errors[0]) == "not ready within 30 s: silence"


# --- death ---


@pytest.mark.parametrize("at", ["waiting", "loading", "ready"])
def test_a_dead_process_is_seen_at_the_next_tick(at: str) -> None:
    machine = ready() if at == "ready" else started() if at == "loading" else Machine()
    if at == "waiting":
        machine.finish(Launched())
    before = machine.plan
    machine.tick(exited=EXIT)
    machine.expect(None, Stage.FAILED)
    assert machine.errors == [EXIT]
    assert machine.plan.ready == ()
    assert machine.plan.round == before.round + 1
    assert machine.plan.busy == before.busy
    machine.tick(exited=EXIT)
    assert machine.errors == [EXIT]  # once


def test_what_a_former_round_brings_is_not_looked_at() -> None:
    machine = started()
    loading = machine.command
    assert loading is not None
    machine.tick(exited=EXIT)
    machine.expect(None, Stage.FAILED)  # the worker is still at it
    machine.give(Finished(loading, Loaded("a")))
    machine.expect(None, Stage.FAILED)
    assert not machine.plan.busy
    assert machine.plan.warming == ()


def test_three_failed_checks_in_a_row() -> None:
    machine = ready()
    machine.tick(9.9)
    machine.expect(None, Stage.READY)
    machine.tick(0.1)
    machine.expect(Do.CHECK, Stage.READY)
    for number in (1, 2):
        machine.finish(RequestTimeout("silent"), after=2.0)
        machine.expect(None, Stage.READY)
        assert machine.plan.failed_checks == number
        machine.tick(CHECK_AGAIN)
        machine.expect(Do.CHECK, Stage.READY)
    last = RequestTimeout("silent")
    machine.finish(last, after=2.0)
    machine.expect(None, Stage.FAILED)
    assert isinstance(machine.errors[0], LMStudioTimeoutError) and machine.errors[0].__cause__ is last
    assert "3 checks in a row: silent" in str(machine.errors[0])


def test_a_check_that_passes_forgets_the_failed_ones() -> None:
    machine = ready()
    machine.tick(10.0)
    machine.finish(RequestTimeout("silent"))
    machine.tick(CHECK_AGAIN)
    machine.finish(Healthy(("a", "b")))
    assert (machine.plan.failed_checks, machine.plan.due) == (0, machine.now + 10.0)
    assert not machine.errors


@pytest.mark.parametrize("stage", [Stage.READY, Stage.LOADING, Stage.FAILED])
def test_a_suspicion_is_looked_at_now(stage: Stage) -> None:
    machine = ready() if stage is Stage.READY else started()
    if stage is Stage.FAILED:
        machine.tick(exited=EXIT)
    machine.give(Suspected())
    assert (machine.command is not None) is (stage is Stage.READY)
    machine.give(Suspected())
    assert machine.command is None  # one look is enough


def test_a_stranger_on_the_port_gets_time_to_leave_and_then_the_system_goes_on_without_the_server() -> None:
    machine = Machine()
    machine.finish(PortTaken("held by nc (pid 7)"))
    assert not machine.plan.unwell
    machine.tick(CHECK_AGAIN)
    machine.expect(Do.LAUNCH, Stage.STARTING)
    machine.now += RULES.start_timeout
    machine.finish(PortTaken("held by nc (pid 7)"))
    assert machine.plan.unwell


def test_what_a_new_start_may_mend_waits_for_the_supervisor() -> None:
    machine = ready()
    machine.tick(exited=EXIT)
    assert machine.plan.unwell
    machine.tick(10_000.0)
    machine.expect(None, Stage.FAILED)


@pytest.mark.parametrize("error", [ServerRefused("token"), ConfigurationError("pip install")])
def test_what_people_must_change_is_tried_slowly(error: Exception) -> None:
    machine = Machine()
    machine.finish(error)
    assert machine.plan.due == machine.now + SLOW_RETRY and not machine.plan.unwell
    assert machine.errors == [error]


# --- models ---


def test_a_model_that_is_gone_is_loaded_again_behind_the_others_backs() -> None:
    machine = ready()
    machine.tick(10.0)
    machine.finish(Healthy(("b",)))
    machine.expect(Do.LOAD, Stage.READY, "a")
    assert machine.plan.ready == (("b", "b"),)
    machine.finish(Loaded("a"))
    machine.expect(Do.WARM_UP, Stage.READY, "a")
    machine.finish(Warm())
    machine.expect(None, Stage.READY)
    assert list(machine.plan.ready) == [("b", "b"), ("a", "a")]


def test_when_all_are_gone_it_is_not_ready() -> None:
    machine = ready()
    machine.tick(10.0)
    machine.finish(Healthy(()))
    machine.expect(Do.LOAD, Stage.LOADING, "a")


def test_one_broken_model_does_not_take_the_other_with_it() -> None:
    machine = started()
    refused = ServerRefused("no model 'a'; it has: b")
    machine.finish(refused)
    machine.expect(Do.LOAD, Stage.LOADING, "b")
    machine.finish(Loaded("b"))
    machine.finish(Warm())
    machine.expect(None, Stage.READY)
    assert machine.plan.broken == (("a", str(refused)),)
    assert machine.errors == [refused]
    assert "a: no model 'a'; it has: b" in detail(machine.plan, machine.now, RULES)
    for _ in range(6):
        machine.tick(10.0)
        if machine.command and machine.command.do is Do.CHECK:
            machine.finish(Healthy(("b",)))
    machine.expect(None, Stage.READY)
    machine.tick(0.0)
    machine.expect(Do.LOAD, Stage.READY, "a")
    machine.finish(RequestTimeout("slow"))  # while others are ready, even this is about the model
    machine.expect(None, Stage.READY)
    assert machine.plan.broken == (("a", "slow"),)


def test_a_model_that_fails_its_warm_up() -> None:
    machine = started()
    machine.finish(Loaded("a"))
    machine.finish(Loaded("b"))
    machine.finish(ModelLoadFailed("does not read"))
    machine.expect(Do.WARM_UP, Stage.WARMING_UP, "b")
    machine.finish(Warm())
    machine.expect(None, Stage.READY)
    assert machine.plan.ready == (("b", "b"),)


@pytest.mark.parametrize(
    ("error", "at", "kept"),
    [
        (ServerRefused("unknown"), Do.LOAD, True),
        (ModelLoadFailed("memory"), Do.LOAD, True),
        (ServerRefused("token"), Do.WARM_UP, True),
        (ModelLoadFailed("does not read"), Do.WARM_UP, False),
        (RequestTimeout("late"), Do.WARM_UP, False),
        (ConnectFailed("gone"), Do.LOAD, False),
    ],
)
def test_when_no_model_is_left(error: Exception, at: Do, kept: bool) -> None:
    """A model that cannot be loaded is no reason to start the server anew."""
    machine = started(replace(RULES, models=("a",)))
    if at is Do.WARM_UP:
        machine.finish(Loaded("a"))
    machine.finish(error)
    machine.expect(None, Stage.FAILED)
    assert machine.plan.keep is kept
    assert machine.plan.unwell is not kept
    if kept:
        machine.tick(SLOW_RETRY)
        machine.expect(Do.WAIT, Stage.STARTING)
        machine.finish(Alive(URL))
        machine.expect(Do.LOAD, Stage.LOADING, "a")


def test_a_kept_server_that_has_died_meanwhile() -> None:
    machine = started(replace(RULES, models=("a",)))
    machine.finish(ServerRefused("unknown"))
    machine.tick(SLOW_RETRY)
    machine.finish(EXIT)
    machine.expect(None, Stage.FAILED)
    assert machine.plan.unwell


# --- telling ---


def test_what_is_told_on_the_way() -> None:
    machine = Machine()
    told = [detail(machine.plan, machine.now + 0.5, RULES)]
    machine.finish(Launched())
    machine.finish(Alive(URL))
    told.append(detail(machine.plan, machine.now + 1.24, RULES))
    machine.finish(Loaded("a"))
    told.append(detail(machine.plan, machine.now + 2.0, RULES))
    machine.finish(Loaded("b"))
    machine.finish(Warm())
    told.append(detail(machine.plan, machine.now + 3.0, RULES))
    machine.finish(Warm())
    told.append(detail(machine.plan, machine.now + 99.0, RULES))
    assert told == [
        "",
        "a (1 of 2), 1 s",
        "b (2 of 2), 2 s",
        "b (2 of 2), 3 s",
        "a, b",
    ]
    state = server_state(machine.plan, machine.now, RULES, 17)
    assert (state.phase, state.models, state.base_url, state.pid) == (ServerPhase.READY, ("a", "b"), URL, 17)
    machine.tick(exited=EXIT)
    state = server_state(machine.plan, machine.now, RULES, None)
    assert (state.phase, state.models, state.detail) == (
        ServerPhase.FAILED,
        (),
        "ended with code 1; to be started again",
    )
