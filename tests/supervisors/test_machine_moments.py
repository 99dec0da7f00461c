"""Single moments of the machine that OTP's tests do not ask for; some were mistakes of ours once."""

from __future__ import annotations

from dataclasses import dataclass

from supervisors.children import State
from supervisors.commands import Close, Reply, Timer
from supervisors.decider import Bring, Failure, OtpDecider, Verdict
from supervisors.errors import (
    BeingRestarted,
    ShuttingDown,
    StartFailed,
)
from supervisors.machine import Machine
from supervisors.policy import NO_BACKOFF, AutoShutdown, Backoff, Restart, Strategy
from supervisors.specs import Flags
from tests.supervisors.simulation import Sim, error_of, spec, specs
from tests.supervisors.vices import (
    Vice,
    fails_to_start,
    finishes_after,
    hangs_in_start,
    hangs_in_stop,
    slow_to_start,
    slow_to_stop,
)


def test_a_timer_of_a_deleted_child_is_not_taken_for_the_new_ones() -> None:
    sim = Sim([], vices={"a": hangs_in_start().after(good=1)})
    sim.add(spec("a", start_timeout=5))
    sim.terminate("a")
    sim.delete("a")
    sim.advance(1)
    request = sim.add(spec("a", start_timeout=5))
    sim.advance(4.5)
    assert (sim.state("a"), sim.answer(request)) == (State.STARTING, "none yet")
    sim.advance(1)
    assert isinstance(sim.answer(request), StartFailed)
    assert sim.killed == [("a", 6.0)]


def test_a_child_added_while_its_group_fails_comes_up_with_it() -> None:
    sim = Sim(specs("a"), Flags(Strategy.ONE_FOR_ALL), {"b": Vice(start=1.0)})
    request = sim.add(spec("b"))
    sim.crash("a")
    assert sim.answer(request) == "none yet"
    sim.advance(3)
    assert (sim.answer(request), sim.up(), sim.starts) == (None, "ab", {"a": 2, "b": 2})


def test_a_shutdown_in_haste_does_not_wait_for_one_who_was_stopping_already() -> None:
    for children, ask in (
        ([spec("a", supervisor=True, stop_timeout=None)], "terminate"),
        ([spec("a", stop_timeout=100)], "shutdown"),
    ):
        sim = Sim(children, vices={"a": hangs_in_stop()})
        sim.shutdown() if ask == "shutdown" else sim.terminate("a")
        sim.advance(10)
        assert sim.end is None
        sim.shutdown(timeout=2.0)
        sim.advance(100)
        assert (error_of(sim), sim.killed) == (None, [("a", 12.0)])


def test_a_child_added_during_the_boot_is_no_part_of_it() -> None:
    sim = Sim(specs("a"), vices={"a": Vice(start=1.0), "b": fails_to_start()})
    assert isinstance(sim.answer(sim.add(spec("b"))), StartFailed)
    sim.advance(1)
    assert (sim.up(), sim.known(), sim.end) == ("a", "a", None)


def test_one_that_waits_for_its_first_start_is_not_touched_by_hand() -> None:
    sim = Sim(specs("ab"), vices={"a": Vice(start=1.0)})
    assert isinstance(sim.answer(sim.restart("b")), BeingRestarted)
    assert isinstance(sim.answer(sim.delete("b")), BeingRestarted)
    sim.advance(1)
    assert sim.up() == "ab"


def test_a_failure_during_the_boot_forgets_nobody() -> None:
    children = [spec("a"), spec("b"), spec("c", Restart.TEMPORARY)]
    sim = Sim(children, Flags(Strategy.ONE_FOR_ALL), {"b": Vice(start=1.0)})
    sim.crash("a")
    sim.advance(3)
    assert (sim.up(), sim.starts) == ("abc", {"a": 2, "b": 2, "c": 1})


def test_a_child_that_was_up_once_does_not_hold_up_the_boot() -> None:
    children = [spec("a", backoff=Backoff(first=50.0, longest=50.0)), spec("b")]
    sim = Sim(children, vices={"b": Vice(start=1.0)})
    sim.crash("a")
    sim.crash("a")
    assert sim.machine.booting
    sim.advance(1.0)
    assert (sim.machine.booting, sim.up(), sim.state("a")) == (False, "b", State.RESTARTING)


def test_the_name_of_a_deleted_child_is_free() -> None:
    machine = Machine([spec("a")])
    machine.boot(0.0)
    machine.started("a", 0.0)
    machine.terminate(1, "a", 0.0)
    machine.exited("a", None, "stopped", 0.0)
    assert machine.delete(2, "a") == [Close("a"), Reply(2, None)]


def test_a_shutdown_before_the_boot_starts_nothing() -> None:
    sim = Sim(specs("a"), boots=False)
    sim.shutdown()
    sim.do(sim.machine.boot(sim.now))
    sim.settle()
    assert (error_of(sim), sim.trace) == (None, [])


def test_no_backoff_means_no_timer() -> None:
    machine = Machine([spec("a", backoff=NO_BACKOFF)])
    machine.boot(0.0)
    machine.started("a", 0.0)
    for _ in range(3):
        commands = machine.exited("a", ValueError(), "crashed", 0.0)
        assert [command.token.kind for command in commands if isinstance(command, Timer)] == ["start"]
        machine.started("a", 0.0)


ALL = Flags(Strategy.ONE_FOR_ALL, intensity=1)


def test_the_end_answers_who_waits_for_a_start() -> None:
    sim = Sim([], vices={"a": slow_to_start(1.0)})
    request = sim.add(spec("a"))
    sim.shutdown()
    assert isinstance(sim.answer(request), ShuttingDown)


@dataclass
class Pairs(OtpDecider):
    """``a`` takes b and c along, ``d`` takes c."""

    def failed(self, failure: Failure) -> Verdict:
        return Bring({"a": ("a", "b", "c"), "d": ("c", "d")}[failure.name], 0.0)


def test_a_new_plan_takes_over_what_the_old_one_had_still_to_stop() -> None:
    sim = Sim(specs("abcd"), decider=Pairs(Flags()), vices={"c": slow_to_stop(1.0)})
    sim.unwell("a")
    sim.crash("d")
    sim.advance(1.0)
    assert sim.trace[4:] == ["stop c", "stop b", "stop a", "start a", "start b", "start c", "start d"]


def test_a_temporary_child_that_was_starting_does_not_come_back_with_its_group() -> None:
    sim = Sim([spec("a"), spec("b", Restart.TEMPORARY), spec("c")], ALL, {"b": slow_to_start(1.0)})
    sim.crash("a")
    sim.advance(2.0)
    assert (sim.up(), sim.known(), sim.starts["b"]) == ("ac", "ac", 1)


def test_the_end_names_those_it_had_to_kill_not_those_of_former_days() -> None:
    sim = Sim(specs("ab"), ALL, {"b": hangs_in_stop()})
    sim.crash("a")
    sim.advance(5.0)
    assert sim.killed == [("b", 1.5)]
    assert sim.answer(sim.terminate("b")) == "none yet"
    sim.advance(5.0)
    sim.shutdown()
    assert sim.end is not None and sim.end.killed == ()


def test_together_is_for_the_end_alone() -> None:
    sim = Sim(specs("abc"), ALL, {"c": slow_to_stop(1.0)}, stop_together=True)
    sim.crash("a")
    assert sim.trace[3:] == ["stop c"]
    sim.advance(1.0)
    assert sim.trace[0] == "stop b"
    sim.shutdown()
    assert sim.trace == ["stop c", "stop b", "stop a"]


def test_one_that_is_added_and_waits_with_its_group_can_be_told_to_stop() -> None:
    sim = Sim(specs("a"), ALL, {"a": slow_to_start(1.0), "b": slow_to_start(5.0)})
    sim.advance(1.0)
    added = sim.add(spec("b"))
    sim.crash("a")
    sim.advance(5.0)  # b has been stopped and waits for a
    assert (sim.answer(added), sim.known()) == ("none yet", "ab")
    sim = Sim(specs("a"), ALL, {"a": slow_to_start(1.0), "b": Vice(start=0.5)})
    sim.advance(1.0)
    added = sim.add(spec("b"))
    sim.crash("a")
    sim.advance(0.5)
    assert sim.state("b") is State.RESTARTING
    assert sim.answer(sim.terminate("b")) is None
    assert isinstance(sim.answer(added), StartFailed)
    assert sim.known() == "a"


def test_one_that_was_added_and_told_to_stop_is_not_revived() -> None:
    sim = Sim(specs("a"), ALL, {"b": Vice(start=1.0)})
    added = sim.add(spec("b"))
    sim.terminate("b")
    sim.crash("a")
    sim.advance(5.0)
    assert isinstance(sim.answer(added), StartFailed)
    assert (sim.up(), sim.known()) == ("a", "a")


def test_one_that_is_told_to_stop_while_a_plan_starts_it_stays_down() -> None:
    sim = Sim(specs("abc"), vices={"b": slow_to_start(1.0)})
    request = sim.terminate("b")
    sim.advance(1.0)
    assert (sim.answer(request), sim.up(), sim.state("b")) == (None, "ac", State.STOPPED)


def test_a_failure_of_one_that_is_to_be_stopped_anyway_does_not_count() -> None:
    sim = Sim(specs("abc"), ALL, {"c": slow_to_stop(1.0)})
    sim.unwell("a")
    sim.unwell("a")
    sim.crash("b")
    sim.advance(1.0)
    assert (sim.up(), sim.end) == ("abc", None)
    assert sim.trace[3:] == ["stop c", "stop a", "start a", "start b", "start c"]


def test_significant_ones_that_wait_for_their_first_start_count_as_there() -> None:
    children = [spec(name, Restart.TRANSIENT, significant=True) for name in "abc"]
    sim = Sim(children, Flags(auto_shutdown=AutoShutdown.ALL_SIGNIFICANT), {"b": finishes_after(0.0)})
    assert sim.up() == "ac"
    early = Sim([children[0], spec("b", Restart.TRANSIENT), children[2]], sim.flags, {"b": slow_to_start(1.0)})
    early.finish("a")
    early.advance(1.0)
    assert (early.up(), early.end) == ("bc", None)


def test_a_failed_restart_during_the_boot_is_no_failed_boot() -> None:
    sim = Sim(specs("ab"), vices={"a": fails_to_start().after(good=1), "b": slow_to_start(1.0)})
    sim.crash("a")
    sim.advance(1.0)
    assert (sim.up(), sim.starts["a"], sim.end) == ("ab", 3, None)


def test_a_second_shutdown_gives_nobody_more_time() -> None:
    children = [spec(name, stop_timeout=100) for name in "ab"]
    sim = Sim(children, vices=dict.fromkeys("ab", hangs_in_stop()))
    sim.shutdown(timeout=2.0)
    sim.shutdown(timeout=50.0)
    sim.advance(200)
    assert sim.killed == [("b", 2.0), ("a", 2.05)]


def test_one_that_declines_after_it_was_told_to_stop_is_down() -> None:
    sim = Sim(specs("a"), vices={"b": Vice(start=1.0, declines=1)})
    added = sim.add(spec("b"))
    request = sim.terminate("b")
    sim.advance(1.0)
    assert (sim.answer(request), sim.known()) == (None, "a")
    assert isinstance(sim.answer(added), StartFailed)


def test_one_that_was_well_has_failed_for_the_first_time_again() -> None:
    """A model server that passes its canary and fails a while later is not made to wait longer each time."""
    pauses = []
    for passes_probes in (False, True):
        machine = Machine([spec("a", backoff=Backoff(first=1.0, stable_after=60.0))], Flags(intensity=9))
        machine.boot(0.0)
        delays = []
        for number in range(3):
            now = 20.0 * number
            machine.started("a", now)
            if passes_probes:
                machine.well("a", now + 1)
            commands = machine.exited("a", RuntimeError("gone"), "gone", now + 15)
            waits = [c for c in commands if isinstance(c, Timer) and c.token.kind == "pause"]
            delays.append(waits[0].delay if waits else 0.0)
            for timer in waits:
                machine.fired(timer.token, now + 19)
        pauses.append(delays)
    assert pauses == [[0.0, 1.0, 2.0], [0.0, 0.0, 0.0]]
