"""Where this supervisor differs from OTP's on purpose, as far as no other test shows it (docs/runtime-semantics.md)."""

from __future__ import annotations

from supervisors.children import State
from supervisors.errors import GaveUp, StartFailed
from supervisors.policy import Backoff, Restart, Strategy
from supervisors.specs import Flags
from tests.supervisors.simulation import Sim, World, spec, specs
from tests.supervisors.vices import fails_to_start, is_a_supervisor, slow_to_start

ALL = Strategy.ONE_FOR_ALL


def test_independent_children_are_restarted_at_the_same_time() -> None:
    sim = Sim(specs("ab"), vices={name: slow_to_start(1.0).after(good=1) for name in "ab"})
    sim.crash("a")
    sim.crash("b")
    sim.advance(0.9)
    assert sim.up() == ""
    sim.advance(0.1)
    assert (sim.up(), sim.now) == ("ab", 1.0)  # OTP: 2 s


def test_an_exit_cuts_a_half_done_restart_of_a_group_short_and_counts_once() -> None:
    sim = Sim(specs("abc"), Flags(ALL, intensity=2), {"b": slow_to_start(1.0).after(good=1)})
    assert sim.trace == ["start a", "start b", "start c"]
    sim.crash("a")
    sim.advance(0.5)
    sim.crash("a")
    sim.advance(2.0)
    assert sim.trace == ["stop c", "stop b", "start a", "start b", "stop b", "start a", "start b", "start c"]
    assert (sim.up(), sim.end) == ("abc", None)
    sim.crash("a")
    assert sim.end is not None and isinstance(sim.end.error, GaveUp)


def test_one_that_is_told_to_stop_while_it_restarts_fails_its_starter() -> None:
    sim = Sim(specs("a"), vices={"a": slow_to_start(1.0).after(good=1)})
    sim.terminate("a")
    starter = sim.restart("a")
    stopper = sim.terminate("a")
    sim.advance(1.0)
    assert isinstance(sim.answer(starter), StartFailed)
    assert (sim.answer(stopper), sim.state("a"), sim.end) == (None, State.STOPPED, None)


def test_without_the_one_that_does_not_come_up_the_rest_of_its_group_does() -> None:
    flags = Flags(ALL, intensity=1000)
    children = [spec("a"), spec("b", backoff=Backoff(first=1.0, longest=1.0)), spec("c")]
    sim = Sim(children, flags, {"b": fails_to_start(999).after(good=1)})
    sim.crash("b")
    sim.advance(3.5)
    assert (sim.up(), sim.starts["b"]) == ("", 5)
    assert sim.answer(sim.terminate("b")) is None
    sim.advance(1.0)
    assert (sim.up(), sim.state("b"), sim.starts["b"]) == ("ac", State.STOPPED, 5)


def test_a_transient_supervisor_that_gave_up_is_restarted() -> None:
    """OTP's ends with the reason ``shutdown``, which a transient child may end with."""
    made: list[Sim] = []

    def inside(world: World) -> Sim:
        made.append(Sim(specs("w"), Flags(intensity=0), world=world))
        return made[-1]

    sim = Sim([spec("s", Restart.TRANSIENT, supervisor=True, stop_timeout=None)], vices={"s": is_a_supervisor(inside)})
    made[0].crash("w")
    assert (sim.up(), len(made), made[1].up()) == ("s", 2, "w")


def test_a_second_failure_in_a_row_waits_and_a_stable_child_has_no_history() -> None:
    sim = Sim([spec("a", backoff=Backoff(first=1.0, stable_after=10.0, jitter=0.0))], Flags(intensity=100))
    sim.crash("a")
    assert sim.up() == "a"
    for waits in (1.0, 2.0, 4.0):
        sim.crash("a")
        sim.advance(waits - 0.01)
        assert sim.up() == ""
        sim.advance(0.01)
        assert sim.up() == "a"
    sim.advance(10.0)
    sim.crash("a")
    assert sim.up() == "a"
