"""Rows 19 to 40 of OTP's own tests (see ``test_otp_suite.py``): who comes back, in which order, and what it costs."""

from __future__ import annotations

import gc
import weakref

import pytest

from supervisors.children import State
from supervisors.commands import Start
from supervisors.errors import (
    AlreadyRunning,
    BeingRestarted,
    BootFailed,
    GaveUp,
)
from supervisors.machine import Machine
from supervisors.policy import Backoff, Restart, Strategy
from supervisors.specs import ChildSpec, Flags
from tests.supervisors.simulation import Sim, World, error_of, spec, specs
from tests.supervisors.vices import (
    declines_to_start,
    fails_to_start,
    hangs_in_stop,
    is_a_supervisor,
)


@pytest.mark.parametrize("how", ["finish", "crash", "stuck", "unwell"])
def test_permanent(how: str) -> None:
    sim = Sim(specs("ab"))
    getattr(sim, how)("a")
    assert (sim.up(), sim.starts["a"]) == ("ab", 2)


@pytest.mark.parametrize(("how", "after"), [("finish", "b"), ("crash", "ab"), ("stuck", "ab"), ("unwell", "ab")])
def test_transient(how: str, after: str) -> None:
    sim = Sim(specs("ab", Restart.TRANSIENT))
    getattr(sim, how)("a")
    assert (sim.up(), sim.known()) == (after, "ab")


@pytest.mark.parametrize("how", ["finish", "crash", "stuck", "unwell"])
def test_temporary(how: str) -> None:
    sim = Sim(specs("ab", Restart.TEMPORARY), Flags(intensity=0))
    getattr(sim, how)("a")
    assert (sim.up(), sim.known(), sim.end) == ("b", "b", None)


def test_faulty_application_shutdown() -> None:
    def inside(world: World) -> Sim:
        return Sim(specs("w"), vices={"w": fails_to_start()}, world=world)

    sim = Sim([spec("s", supervisor=True)], vices={"s": is_a_supervisor(inside)})
    error = error_of(sim)
    assert isinstance(error, BootFailed) and isinstance(error.error, BootFailed)
    assert (error.child, error.error.child, repr(error.error.error)) == ("s", "w", "Crash('w cannot start')")
    assert str(error) == "s could not be started: w could not be started: cannot start"


@pytest.mark.parametrize("strategy", [Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE])
def test_temporary_bystander(strategy: Strategy) -> None:
    sim = Sim([spec("a"), spec("b", Restart.TEMPORARY)], Flags(strategy), {"b": fails_to_start().after(good=1)})
    sim.crash("a")  # if b were started again, it would fail and that would count
    assert (sim.up(), sim.known(), sim.starts) == ("a", "a", {"a": 2, "b": 1})


def test_multiple_restarts() -> None:
    sim = Sim(specs("a"), Flags(intensity=1, period=1.0))
    for _ in range(20):
        sim.crash("a")
        sim.advance(1.001)
    assert (sim.up(), sim.starts["a"], sim.end) == ("a", 21, None)


def test_one_for_one() -> None:
    sim = Sim(specs("ab"), Flags(intensity=1))
    sim.crash("a")
    assert (sim.up(), sim.starts) == ("ab", {"a": 2, "b": 1})
    sim.crash("b")
    assert isinstance(error_of(sim), GaveUp)
    assert str(error_of(sim)) == "b failed once more than 1 restarts in 5 s allow: crashed"


def test_one_for_one_escalation() -> None:
    sim = Sim(specs("ab"), Flags(intensity=4), {"a": fails_to_start(99).after(good=1)})
    sim.crash("a")
    assert isinstance(error_of(sim), GaveUp)
    assert (sim.starts["a"], sim.trace[-1]) == (5, "stop b")


@pytest.mark.parametrize("how", ["crash", "finish", "stuck", "unwell"])
def test_one_for_all(how: str) -> None:
    sim = Sim(specs("ab"), Flags(Strategy.ONE_FOR_ALL, intensity=1))
    old = dict(sim.alive)
    getattr(sim, how)("a")
    assert sim.up() == "ab"
    assert all(sim.alive[name] is not old[name] for name in "ab")
    getattr(sim, how)("b")
    assert isinstance(error_of(sim), GaveUp)


def test_one_for_all_other_child_fails_restart() -> None:
    sim = Sim(specs("ab"), Flags(Strategy.ONE_FOR_ALL, intensity=3), {"b": fails_to_start(2).after(good=1)})
    sim.crash("a")
    assert sim.trace[2:] == ["stop b", *["start a", "start b", "stop a"] * 2, "start a", "start b"]
    assert (sim.up(), sim.end) == ("ab", None)


def test_rest_for_one() -> None:
    sim = Sim(specs("abc"), Flags(Strategy.REST_FOR_ONE, intensity=1))
    sim.crash("b")
    assert (sim.up(), sim.starts) == ("abc", {"a": 1, "b": 2, "c": 2})
    sim.crash("c")
    assert isinstance(error_of(sim), GaveUp)
    assert sim.trace[-2:] == ["stop b", "stop a"]


def test_rest_for_one_other_child_fails_restart() -> None:
    sim = Sim(specs("abc"), Flags(Strategy.REST_FOR_ONE, intensity=3), {"c": fails_to_start(2).after(good=1)})
    sim.crash("a")
    assert sim.trace[3:] == ["stop c", "stop b", "start a", "start b", "start c", "start c", "start c"]
    assert (sim.up(), sim.starts) == ("abc", {"a": 2, "b": 2, "c": 4})


def test_simple_one_for_one() -> None:
    """Children of one template, added one by one; with ``stop_together`` they make a dynamic group."""
    vices = {"m3": declines_to_start().after(good=1)}
    sim = Sim([], Flags(intensity=2), vices, stop_together=True)
    for number in range(4):
        assert sim.answer(sim.add(spec(f"m{number}", Restart.PERMANENT))) is None
    sim.crash("m1")
    assert (sim.up(), sim.starts["m1"]) == ("m0m1m2m3", 2)
    sim.crash("m3")  # restart_ignore: it declines to come back
    assert (sim.up(), sim.state("m3")) == ("m0m1m2", State.STOPPED)
    sim.crash("m0")
    assert isinstance(error_of(sim), GaveUp)
    assert sim.trace[-2:] == ["stop m2", "stop m1"]


def test_child_unlink() -> None:
    """A child that neither stops nor says anything does not hold anybody up."""
    sim = Sim(specs("ab"), vices={"a": hangs_in_stop()})
    request = sim.terminate("a")
    assert sim.answer(request) == "none yet"
    assert sim.answer(sim.terminate("b")) is None
    sim.advance(1.5)
    assert (sim.answer(request), sim.killed) == (None, [("a", 1.5)])
    assert sim.answer(sim.restart("a")) is None
    sim.unwell("a")
    sim.advance(1.5)
    assert (sim.up(), sim.starts["a"]) == ("a", 3)


def test_tree() -> None:
    made: list[Sim] = []

    def inside(world: World) -> Sim:
        made.append(Sim(specs("w"), Flags(Strategy.ONE_FOR_ALL, intensity=0), world=world))
        return made[-1]

    children = [spec("a"), spec("s", supervisor=True, stop_timeout=None)]
    sim = Sim(children, Flags(intensity=1), {"s": is_a_supervisor(inside)})
    assert made[0].answer(made[0].add(spec("added"))) is None
    assert sim.trace == ["start a", "start s", "start w", "start added"]
    made[0].crash("added")
    assert sim.trace == ["stop w", "start s", "start w"]
    assert (len(made), made[1].known(), sim.up()) == (2, "w", "as")  # the added child is lost with its supervisor
    sim.shutdown()
    assert sim.trace == ["stop s", "stop w", "stop a"]
    assert (error_of(made[1]), error_of(sim)) == (None, None)


@pytest.mark.parametrize("strategy", list(Strategy))
def test_hanging_restart_loop(strategy: Strategy) -> None:
    """Also count_restarting_children: the supervisor of a child that never comes up again still does as it is told."""
    flags = Flags(strategy, intensity=10_000, period=1.0)
    backoff = Backoff(first=0.01, longest=0.01, jitter=0.0)
    sim = Sim([spec("a", backoff=backoff), spec("b")], flags, {"a": fails_to_start(99_999).after(good=1)})
    sim.crash("a")
    sim.advance(1.0)
    assert sim.starts["a"] > 50
    assert sim.state("a") is State.RESTARTING
    assert isinstance(sim.answer(sim.restart("a")), BeingRestarted)
    assert isinstance(sim.answer(sim.delete("a")), BeingRestarted)
    assert isinstance(sim.answer(sim.add(spec("a"))), AlreadyRunning)
    assert sim.answer(sim.add(spec("c"))) is None
    assert sim.answer(sim.terminate("a")) is None
    starts = sim.starts["a"]
    sim.advance(1.0)
    assert (sim.starts["a"], sim.up(), sim.state("a")) == (starts, "bc", State.STOPPED)
    assert sim.answer(sim.delete("a")) is None
    assert sim.answer(sim.terminate("b")) is None


@pytest.mark.parametrize("strategy", list(Strategy))
def test_hanging_restart_loop_ends_with_the_shutdown(strategy: Strategy) -> None:
    flags = Flags(strategy, intensity=10_000, period=1.0)
    backoff = Backoff(first=0.01, longest=0.01, jitter=0.0)
    sim = Sim([spec("a", backoff=backoff), spec("b")], flags, {"a": fails_to_start(99_999).after(good=1)})
    sim.crash("a")
    sim.advance(1.0)
    sim.shutdown()
    assert error_of(sim) is None


@pytest.mark.parametrize("how", ["finish", "crash", "stuck", "unwell", "terminate"])
def test_do_not_save_child_specs_for_temporary_children(how: str) -> None:
    def make(_context: object) -> None:
        return None

    kept = weakref.ref(make)
    sim = Sim([])
    sim.add(ChildSpec("a", make, Restart.TEMPORARY))
    del make
    assert kept() is not None
    getattr(sim, how)("a")
    sim.advance(100)
    gc.collect()
    assert kept() is None


def test_scale_start_stop_many_children() -> None:
    """What is done for each child does not grow with their number."""
    commands: dict[int, int] = {}
    for many in (10, 1000):
        machine = Machine([spec(f"c{number}") for number in range(many)])
        commands[many] = 0
        out = machine.boot(0.0)
        while starts := [command.name for command in out if isinstance(command, Start)]:
            commands[many] += len(out)
            out = machine.started(starts[0], 0.0)
        assert sum(child.state is State.RUNNING for child in machine.children.values()) == many
        out = machine.shutdown(1.0)
        for name in reversed(list(machine.children)):
            commands[many] += len(out)
            out = machine.exited(name, None, "stopped", 1.0)
        commands[many] += len(out)
        assert machine.ended
    assert (commands[10] - 1) * 100 == commands[1000] - 1  # one End each


def test_order_of_children() -> None:
    order = "dbeac"
    sim = Sim(specs(order), Flags(Strategy.REST_FOR_ONE))
    assert sim.trace == [f"start {name}" for name in order]
    sim.crash("e")
    assert sim.trace == ["stop c", "stop a", "start e", "start a", "start c"]
    sim.add(spec("0"))
    sim.shutdown()
    assert sim.trace == ["start 0", *(f"stop {name}" for name in reversed([*order, "0"]))]
