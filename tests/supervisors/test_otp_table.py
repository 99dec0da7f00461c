"""What a real Erlang/OTP 25 answered to 23 questions, asked again of the machine. O09 differs on purpose."""

from __future__ import annotations

import pytest

from supervisors.children import State
from supervisors.errors import BootFailed, GaveUp
from supervisors.policy import AutoShutdown, Restart, Strategy
from supervisors.specs import Flags
from tests.supervisors.simulation import Sim, World, spec, specs
from tests.supervisors.vices import (
    Crash,
    crashes_after,
    fails_to_start,
    hangs_in_stop,
    is_a_supervisor,
    slow_to_start,
    slow_to_stop,
)

ALL = Strategy.ONE_FOR_ALL
REST = Strategy.REST_FOR_ONE


def ended_with(sim: Sim) -> type[BaseException] | None:
    assert sim.end is not None, "it has not ended"
    return None if sim.end.error is None else type(sim.end.error)


def test_o01_the_crash_after_three_restarts_ends_it() -> None:
    sim = Sim(specs("a"), Flags(intensity=3, period=5))
    for restarts in (1, 2, 3):
        sim.crash("a")
        assert (sim.starts["a"], sim.up()) == (1 + restarts, "a")
    sim.crash("a")
    assert (sim.starts["a"], sim.up(), ended_with(sim)) == (4, "", GaveUp)


def test_o02_a_failed_start_counts_like_a_crash() -> None:
    sim = Sim(specs("a"), Flags(intensity=3, period=5), {"a": fails_to_start(99).after(good=1)})
    assert sim.trace == ["start a"]
    sim.crash("a")
    assert sim.trace == ["start a"] * 3
    assert ended_with(sim) is GaveUp


def test_o03_with_intensity_0_the_first_crash_ends_it() -> None:
    sim = Sim(specs("ab"), Flags(intensity=0))
    assert sim.trace == ["start a", "start b"]
    sim.crash("a")
    assert sim.trace == ["stop b"]
    assert ended_with(sim) is GaveUp


def test_o04_one_for_all_stops_backwards_and_starts_forwards() -> None:
    sim = Sim(specs("abcd"), Flags(ALL))
    assert sim.trace == ["start a", "start b", "start c", "start d"]
    sim.crash("b")
    assert sim.trace == ["stop d", "stop c", "stop a", "start a", "start b", "start c", "start d"]
    sim.shutdown()
    assert sim.trace == ["stop d", "stop c", "stop b", "stop a"]
    assert ended_with(sim) is None


def test_o05_rest_for_one_leaves_the_earlier_ones_alone() -> None:
    sim = Sim(specs("abcd"), Flags(REST))
    assert sim.trace == ["start a", "start b", "start c", "start d"]
    sim.crash("b")
    assert sim.trace == ["stop d", "stop c", "start b", "start c", "start d"]


def test_o06_a_child_that_fails_at_the_first_start_ends_it() -> None:
    sim = Sim(specs("abcd"), vices={"c": fails_to_start()})
    assert sim.trace == ["start a", "start b", "start c", "stop b", "stop a"]
    assert ended_with(sim) is BootFailed
    assert sim.end is not None and isinstance(sim.end.error, BootFailed)
    assert sim.end.error.child == "c"
    assert isinstance(sim.end.error.error, Crash)


def test_o07_a_hung_child_is_fenced_at_its_deadline_and_brutal_kill_at_once() -> None:
    children = [spec("a"), spec("b", stop_timeout=0.2), spec("c", stop_timeout=0)]
    sim = Sim(children, vices={"b": hangs_in_stop()})
    assert sim.trace == ["start a", "start b", "start c"]
    sim.shutdown()
    sim.advance(10)
    assert sim.trace == ["kill c", "stop b", "kill b", "stop a"]  # no "stop c": its on_stop does not run
    assert sim.killed == [("c", 0.0), ("b", 0.2)]
    assert sim.end is not None and sim.end.killed == ("b",)


@pytest.mark.parametrize(
    ("restart", "crashed", "comes_back", "is_known"),
    [
        (Restart.PERMANENT, False, True, True),
        (Restart.PERMANENT, True, True, True),
        (Restart.TRANSIENT, False, False, True),
        (Restart.TRANSIENT, True, True, True),
        (Restart.TEMPORARY, False, False, False),
        (Restart.TEMPORARY, True, False, False),
    ],
)
def test_o08_who_comes_back(restart: Restart, crashed: bool, comes_back: bool, is_known: bool) -> None:
    sim = Sim(specs("a", restart))
    (sim.crash if crashed else sim.finish)("a")
    assert (sim.up() == "a", sim.known() == "a") == (comes_back, is_known)
    assert sim.end is None


def test_o09_the_window_is_exact_where_otp_counts_whole_seconds() -> None:
    """2 per 1 s and a crash each 0.6 s: OTP's ends with the 4th, ours counts two in a second and lives."""
    sim = Sim(specs("a"), Flags(intensity=2, period=1.0))
    for _ in range(20):
        sim.advance(0.6)
        sim.crash("a")
    assert (sim.up(), sim.end) == ("a", None)
    exactly = Sim(specs("a"), Flags(intensity=2, period=1.0))
    for pause in (0.0, 0.5, 0.5):
        exactly.advance(pause)
        exactly.crash("a")
    assert ended_with(exactly) is GaveUp  # one that is exactly a period old still counts, as in OTP


def test_o10_the_window_is_the_supervisors_not_the_childs() -> None:
    sim = Sim(specs("ab"), Flags(intensity=2))
    sim.crash("a")
    sim.crash("b")
    assert sim.up() == "ab"
    sim.crash("a")
    assert ended_with(sim) is GaveUp


def test_o11_a_restart_of_all_counts_once() -> None:
    sim = Sim(specs("abc"), Flags(ALL, intensity=2))
    sim.crash("a")
    sim.crash("b")
    assert (sim.up(), sim.end) == ("abc", None)
    sim.crash("c")
    assert ended_with(sim) is GaveUp


def test_o12_a_temporary_sibling_is_stopped_and_not_revived() -> None:
    sim = Sim([spec("a"), spec("b", Restart.TEMPORARY), spec("c")], Flags(ALL))
    assert sim.trace == ["start a", "start b", "start c"]
    sim.crash("a")
    assert sim.trace == ["stop c", "stop b", "start a", "start c"]
    assert (sim.up(), sim.known()) == ("ac", "ac")


def test_o13_a_transient_sibling_that_has_finished_is_revived_with_all() -> None:
    sim = Sim([spec("a"), spec("b", Restart.TRANSIENT)], Flags(ALL))
    sim.finish("b")
    assert (sim.up(), sim.state("b")) == ("a", State.STOPPED)
    sim.crash("a")
    assert sim.up() == "ab"


def test_o14_windows_of_nested_supervisors_multiply() -> None:
    insides: list[Sim] = []

    def inside(world: World) -> Sim:
        insides.append(Sim(specs("w"), Flags(intensity=1, period=5), world=world))
        return insides[-1]

    outer = Sim(
        [spec("s", supervisor=True, stop_timeout=None)],
        Flags(intensity=2, period=5),
        {"s": is_a_supervisor(inside)},
    )
    crashes = 0
    while outer.end is None:
        insides[-1].crash("w")
        crashes += 1
    assert (crashes, len(insides), ended_with(outer)) == (6, 3, GaveUp)


def test_o15_the_rest_waits_for_a_restart_that_fails_twice() -> None:
    sim = Sim(specs("abc"), Flags(REST), {"b": fails_to_start(2).after(good=1)})
    assert sim.trace == ["start a", "start b", "start c"]
    sim.crash("b")
    assert sim.trace == ["stop c", "start b", "start b", "start b", "start c"]
    assert (sim.up(), sim.end) == ("abc", None)


def test_o16_who_was_restarted_is_stopped_again_when_the_last_fails() -> None:
    sim = Sim(specs("abc"), Flags(ALL), {"c": fails_to_start(1).after(good=1)})
    assert sim.trace == ["start a", "start b", "start c"]
    sim.crash("c")
    first = ["stop b", "stop a", "start a", "start b", "start c"]
    assert sim.trace == [*first, "stop b", "stop a", "start a", "start b", "start c"]
    assert sim.up() == "abc"


def test_o17_a_crash_during_the_shutdown_is_not_answered() -> None:
    sim = Sim(specs("ab"), vices={"b": slow_to_stop(1.0), "a": crashes_after(0.5)})
    assert sim.trace == ["start a", "start b"]
    sim.shutdown()
    sim.advance(5)
    assert sim.trace == ["stop b"]
    assert ended_with(sim) is None


@pytest.mark.parametrize(
    ("strategy", "after"), [(ALL, "abc"), (REST, "abc"), (Strategy.ONE_FOR_ONE, "ac")], ids=lambda value: str(value)
)
def test_o18_o19_a_terminated_child_is_revived_with_its_group(strategy: Strategy, after: str) -> None:
    sim = Sim(specs("abc"), Flags(strategy))
    assert sim.answer(sim.terminate("b")) is None
    assert sim.up() == "ac"
    sim.crash("a")
    assert sim.up() == after


def test_o20_stopping_and_starting_by_hand_does_not_count() -> None:
    sim = Sim(specs("a"), Flags(intensity=0))
    for _ in range(3):
        assert sim.answer(sim.terminate("a")) is None
        assert sim.up() == ""
        assert sim.answer(sim.restart("a")) is None
        assert sim.up() == "a"
    assert sim.end is None


def test_o21_the_end_of_any_significant_child_ends_it_in_order() -> None:
    children = [spec("a"), spec("b", Restart.TRANSIENT, significant=True), spec("c"), spec("d")]
    sim = Sim(children, Flags(auto_shutdown=AutoShutdown.ANY_SIGNIFICANT))
    assert sim.trace == ["start a", "start b", "start c", "start d"]
    sim.finish("b")
    assert sim.trace == ["stop d", "stop c", "stop a"]
    assert ended_with(sim) is None


def test_o22_the_crash_of_a_temporary_child_does_not_count() -> None:
    sim = Sim([spec("a", Restart.TEMPORARY), spec("b")], Flags(intensity=0))
    sim.crash("a")
    assert (sim.up(), sim.known(), sim.end) == ("b", "b", None)


def test_o23_a_slow_restart_holds_up_its_group_but_no_request() -> None:
    """OTP's ``which_children`` waits 450 ms here; ours answers. Both start c only when b is up."""
    sim = Sim(specs("abc"), Flags(REST), {"b": slow_to_start(0.5)})
    sim.advance(0.5)
    assert sim.trace == ["start a", "start b", "start c"]
    sim.crash("b")
    sim.advance(0.05)
    assert [sim.state(name) for name in "abc"] == [State.RUNNING, State.STARTING, State.RESTARTING]
    assert sim.answer(sim.terminate("a")) is None
    assert sim.trace == ["stop c", "start b", "stop a"]
    sim.advance(0.45)
    assert sim.trace == ["start c"]
    assert sim.up() == "bc"
