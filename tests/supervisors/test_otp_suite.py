"""OTP's own tests of its supervisor (``supervisor_SUITE.erl``, by the names of its cases), asked of the machine.

``ROWS`` says for each of the 51 groups of cases where it is shown; what needs live actors is in ``test_otp_live.py``.
"""

from __future__ import annotations

import gc
import itertools
import re
import weakref
from pathlib import Path

import pytest

from supervisors.children import State
from supervisors.commands import Close, Reply, Start, Timer
from supervisors.errors import (
    AlreadyPresent,
    AlreadyRunning,
    BeingRestarted,
    BootFailed,
    GaveUp,
    NotFound,
    ShuttingDown,
    StartFailed,
    TooMany,
)
from supervisors.machine import Machine
from supervisors.policy import NO_BACKOFF, AutoShutdown, Backoff, Restart, Strategy
from supervisors.specs import ChildSpec, Flags, SpecError
from tests.supervisors.simulation import (
    Sim,
    Vice,
    World,
    crashes_after,
    declines_to_start,
    fails_in_stop,
    fails_to_start,
    finishes_after,
    hangs_in_start,
    hangs_in_stop,
    is_a_supervisor,
    nobody,
    slow_to_stop,
    spec,
    specs,
)

TOP = Path(__file__).parents[2]
LIVE = "tests/supervisors/test_otp_live.py"
SPECS = "tests/supervisors/test_specs.py"

ROWS = {
    1: "here: test_sup_start_normal",
    2: "here: test_sup_start_ignore_child",
    3: "here: test_sup_start_ignore_temporary_child",
    4: "here: test_sup_start_error_return",
    5: "here: test_sup_start_child_returns_error",
    6: "here: test_sup_start_restart_child_returns_error",
    7: "here: test_sup_start_map",
    8: f"elsewhere: {SPECS}::test_a_bad_field_names_child_field_and_value",
    9: "here: test_sup_stop_infinity",
    10: "here: test_sup_stop_timeout",
    11: "here: test_sup_stop_brutal_kill",
    12: "here: test_sup_stop_timeout_dynamic",
    13: "here: test_sup_stop_race",
    14: "here: test_sup_stop_non_shutdown_exit_dynamic",
    15: "does not apply: a start has no extra result to hand on; that the child comes back is row 19",
    16: "here: test_child_adm",
    17: f"elsewhere: {SPECS}::test_significant_needs_auto_shutdown",
    18: f"elsewhere: {SPECS}::test_a_bad_flag_names_field_and_value",
    19: "here: test_permanent",
    20: "here: test_transient",
    21: "here: test_temporary",
    22: "here: test_faulty_application_shutdown",
    23: "here: test_temporary_bystander",
    24: "here: test_multiple_restarts",
    25: "here: test_one_for_one",
    26: "here: test_one_for_one_escalation",
    27: "here: test_one_for_all",
    28: "here: test_one_for_all_other_child_fails_restart",
    29: "here: test_simple_one_for_one",
    30: f"live: {LIVE}::test_simple_one_for_one_corruption",
    31: "here: test_rest_for_one",
    32: "here: test_rest_for_one_other_child_fails_restart",
    33: "here: test_child_unlink",
    34: "here: test_tree",
    35: f"live: {LIVE}::test_count_children",
    36: "here: test_hanging_restart_loop",
    37: "here: test_do_not_save_child_specs_for_temporary_children",
    38: "here: test_scale_start_stop_many_children",
    39: f"live: {LIVE}::test_simple_global_supervisor",
    40: "here: test_order_of_children",
    41: "here: test_code_change",
    42: f"live: {LIVE}::test_format_log",
    43: f"live: {LIVE}::test_external_start_no_progress_log",
    44: f"live: {LIVE}::test_already_started_outside_supervisor",
    45: "here: test_which_children",
    46: "here: test_nonsignificant",
    47: "here: test_significant",
    48: "does not apply: children that are added are of no strategy of their own; the rules of row 17 hold for them",
    49: "here: test_significant_bystander",
    50: "here: test_significant_escalation",
    51: "here: test_significant_upgrade",
}


def test_every_row_is_accounted_for() -> None:
    assert sorted(ROWS) == list(range(1, 52))
    for row, where in ROWS.items():
        kind, what = where.split(": ", 1)
        assert kind in ("here", "elsewhere", "live", "does not apply")
        if kind == "here":
            assert callable(globals().get(what)), f"row {row}: there is no {what}"
        if kind == "elsewhere":
            assert has_test(what), f"row {row}: there is no {what}"


def test_every_live_row_has_its_test() -> None:
    if not (TOP / LIVE).exists():
        pytest.skip(f"{LIVE} is not written yet")
    missing = [where for where in ROWS.values() if where.startswith("live: ") and not has_test(where[6:])]
    assert missing == []


def has_test(where: str) -> bool:
    path, name = where.split("::")
    return re.search(rf"^def {name}\(", (TOP / path).read_text(encoding="utf-8"), re.MULTILINE) is not None


def error_of(sim: Sim) -> BaseException | None:
    assert sim.end is not None, "it has not ended"
    return sim.end.error


# --- starting ---


def test_sup_start_normal() -> None:
    sim = Sim([])
    assert (sim.machine.booting, sim.end) == (False, None)
    sim.shutdown()
    assert error_of(sim) is None


def test_sup_start_ignore_child() -> None:
    sim = Sim(specs("ab"), vices={"a": declines_to_start(), "c": declines_to_start()})
    assert (sim.up(), sim.state("a")) == ("b", State.STOPPED)
    assert sim.answer(sim.add(spec("c"))) is None
    assert (sim.up(), sim.known(), sim.state("c")) == ("b", "abc", State.STOPPED)
    assert sim.answer(sim.restart("a")) is None  # its second start is no longer declined
    assert sim.up() == "ab"


def test_sup_start_ignore_temporary_child() -> None:
    at_boot = Sim([spec("a", Restart.TEMPORARY), spec("b")], vices={"a": declines_to_start()})
    assert (at_boot.up(), at_boot.known()) == ("b", "b")
    added = Sim([], vices={"a": declines_to_start()})
    assert added.answer(added.add(spec("a", Restart.TEMPORARY))) is None
    assert added.known() == ""
    again = Sim([], vices={"a": declines_to_start()})
    for up in ("", "a"):
        assert again.answer(again.add(spec("a", Restart.TEMPORARY))) is None
        assert again.up() == again.known() == up


def test_sup_start_error_return() -> None:
    with pytest.raises(SpecError):
        Machine([spec("a"), spec("a")])  # before anything has started
    sim = Sim(specs("a"), vices={"a": fails_to_start()})
    assert isinstance(error_of(sim), BootFailed)
    assert str(error_of(sim)) == "a could not be started: cannot start"
    slow = Sim([spec("a", start_timeout=3)], vices={"a": hangs_in_start()})
    slow.advance(10)
    assert str(error_of(slow)) == "a could not be started: on_start did not return within 3 s"
    assert slow.killed == [("a", 3.0)]


def test_sup_start_child_returns_error() -> None:
    sim = Sim(specs("a"), vices={"b": fails_to_start()})
    answer = sim.answer(sim.add(spec("b")))
    assert isinstance(answer, StartFailed)
    assert (sim.up(), sim.known(), sim.end) == ("a", "a", None)
    assert sim.answer(sim.add(spec("b"))) is None
    assert sim.up() == "ab"


def test_sup_start_restart_child_returns_error() -> None:
    sim = Sim(specs("a"), vices={"a": fails_to_start(1).after(good=1)})
    sim.terminate("a")
    assert isinstance(sim.answer(sim.restart("a")), StartFailed)
    assert (sim.known(), sim.state("a"), sim.end) == ("a", State.STOPPED, None)
    assert sim.answer(sim.restart("a")) is None
    assert sim.up() == "a"


def test_sup_start_map() -> None:
    """OTP's defaults are permanent and 5 s to stop; ours are quicker, as a person waits for the end."""
    child = ChildSpec("a", nobody)
    assert (child.restart, child.significant, child.supervisor) == (Restart.PERMANENT, False, False)
    assert (child.start_timeout, child.stop_timeout, child.stuck_after) == (5.0, 1.5, 30.0)
    assert (child.backoff, child.depends_on, child.proves) == (Backoff(0.1, 30.0, 60.0, 0.2), (), False)
    flags = Flags()
    assert (flags.strategy, flags.intensity, flags.period) == (Strategy.ONE_FOR_ONE, 3, 5.0)
    assert (flags.auto_shutdown, flags.max_children) == (AutoShutdown.NEVER, None)


# --- stopping ---


def test_sup_stop_infinity() -> None:
    sim = Sim([spec("a", supervisor=True, stop_timeout=None), spec("b")], vices={"a": slow_to_stop(1000)})
    sim.shutdown()
    sim.advance(999)
    assert sim.end is None
    sim.advance(1)
    assert (error_of(sim), sim.killed) == (None, [])


def test_sup_stop_timeout() -> None:
    children = [spec("a"), spec("b", stop_timeout=1.0), spec("c")]
    sim = Sim(children, vices={"b": slow_to_stop(200)})
    sim.shutdown()
    sim.advance(300)
    assert sim.end is not None and sim.end.killed == ("b",)
    assert (error_of(sim), sim.killed) == (None, [("b", 1.0)])
    assert sim.trace[3:] == ["stop c", "stop b", "kill b", "stop a"]


def test_sup_stop_brutal_kill() -> None:
    sim = Sim([spec("a"), spec("b", stop_timeout=0)], vices={"b": hangs_in_stop()})
    sim.shutdown()
    assert sim.trace[2:] == ["kill b", "stop a"]
    assert (error_of(sim), sim.now) == (None, 0.0)


def test_sup_stop_timeout_dynamic() -> None:
    names = [f"model{number}" for number in range(50)]
    vices = {name: hangs_in_stop() if number % 2 else slow_to_stop(1.0) for number, name in enumerate(names)}
    for together, seconds in ((True, 1.5), (False, 25 * 1.5 + 25 * 1.0)):
        sim = Sim([], vices=vices, stop_together=together)
        for name in names:
            sim.add(spec(name))
        ends_at: list[float] = []
        sim.on_end = lambda _end, ends_at=ends_at, sim=sim: ends_at.append(sim.now)
        sim.shutdown()
        sim.advance(1000)
        assert ends_at == [seconds]
        assert len(sim.killed) == 25


RESTARTS = list(Restart)
ENDS = [finishes_after(0.5), crashes_after(0.5), fails_in_stop(), Vice(stop=0.25, fails_in_stop=True)]


@pytest.mark.parametrize(("restart", "vice"), list(itertools.product(RESTARTS, ENDS)))
def test_sup_stop_race(restart: Restart, vice: Vice) -> None:
    sim = Sim([spec("a"), spec("b", restart), spec("c")], vices={"b": vice, "c": slow_to_stop(1.0)})
    sim.shutdown()
    sim.advance(10)
    assert (error_of(sim), sim.killed, sim.starts) == (None, [], {"a": 1, "b": 1, "c": 1})
    if restart is not Restart.TEMPORARY and vice.lives < 1:
        assert sim.machine.children["b"].last_reason == "its time had come"


@pytest.mark.parametrize(("restart", "vice"), list(itertools.product(RESTARTS, ENDS)))
def test_sup_stop_non_shutdown_exit_dynamic(restart: Restart, vice: Vice) -> None:
    sim = Sim([], vices=dict.fromkeys("bdf", vice) | {"c": slow_to_stop(1.0)}, stop_together=True)
    for name in "abcdef":
        sim.add(spec(name, restart))
    sim.shutdown()
    sim.advance(10)
    assert (error_of(sim), sim.killed, set(sim.starts.values())) == (None, [], {1})


# --- requests ---


def test_child_adm() -> None:
    sim = Sim([], vices={"slow": slow_to_stop(1.0)})
    for answer in (sim.answer(sim.restart("a")), sim.answer(sim.terminate("a")), sim.answer(sim.delete("a"))):
        assert isinstance(answer, NotFound)
    assert sim.answer(sim.add(spec("a"))) is None
    for answer in (sim.answer(sim.add(spec("a"))), sim.answer(sim.restart("a")), sim.answer(sim.delete("a"))):
        assert isinstance(answer, AlreadyRunning)
    for _ in (1, 2):  # OTP: terminate is idempotent
        assert sim.answer(sim.terminate("a")) is None
        assert sim.state("a") is State.STOPPED
    assert isinstance(sim.answer(sim.add(spec("a"))), AlreadyPresent)
    assert sim.answer(sim.restart("a")) is None
    sim.terminate("a")
    assert sim.answer(sim.delete("a")) is None
    assert isinstance(sim.answer(sim.delete("a")), NotFound)
    sim.add(spec("slow"))
    first, second = sim.terminate("slow"), sim.terminate("slow")
    assert (sim.answer(first), sim.answer(second)) == ("none yet", "none yet")
    assert isinstance(sim.answer(sim.restart("slow")), AlreadyRunning)
    sim.advance(1)
    assert (sim.answer(first), sim.answer(second)) == (None, None)
    sim.change([], Flags(max_children=1))
    assert isinstance(sim.answer(sim.add(spec("b"))), TooMany)
    sim.shutdown()
    late = [sim.add(spec("z")), sim.restart("slow"), sim.terminate("slow"), sim.delete("slow"), sim.change([])]
    assert all(isinstance(sim.answer(request), ShuttingDown) for request in late)


def test_which_children() -> None:
    vices = {"b": declines_to_start(), "c": hangs_in_start().after(good=1), "e": slow_to_stop(1.0)}
    sim = Sim([*specs("abcde"), spec("f", backoff=Backoff(first=5.0))], vices=vices)
    sim.crash("c")
    sim.terminate("d")
    sim.terminate("e")
    sim.crash("f")
    sim.crash("f")
    assert {name: child.state for name, child in sim.machine.children.items()} == {
        "a": State.RUNNING,
        "b": State.STOPPED,
        "c": State.STARTING,
        "d": State.STOPPED,
        "e": State.STOPPING,
        "f": State.RESTARTING,
    }
    assert sim.machine.children.get("unknown") is None


# --- who comes back ---


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


# --- changing a running supervisor ---


def test_code_change() -> None:
    sim = Sim(specs("ab"), Flags(intensity=1))
    assert (
        sim.answer(sim.change([spec("b", stop_timeout=9), spec("c")], Flags(Strategy.ONE_FOR_ALL, intensity=5))) is None
    )
    assert (sim.up(), sim.known(), sim.trace) == ("ab", "abc", ["start a", "start b"])  # nothing started or stopped
    before = {name: child.spec for name, child in sim.machine.children.items()}
    for bad in (
        sim.change([spec("d", Restart.TRANSIENT, significant=True)]),
        sim.change([spec("d"), spec("d")]),
        sim.change([spec("d", depends_on=("nobody",))]),
        sim.change([spec("d")], Flags(max_children=1)),
    ):
        assert isinstance(sim.answer(bad), SpecError)
    assert {name: child.spec for name, child in sim.machine.children.items()} == before
    assert sim.machine.flags == Flags(Strategy.ONE_FOR_ALL, intensity=5)
    sim.crash("a")
    assert sim.trace == ["stop b", "start a", "start b", "start c"]
    for _ in range(4):
        sim.crash("b")
    assert sim.up() == "abc"
    sim.crash("c")
    assert isinstance(error_of(sim), GaveUp)


def test_code_change_judges_what_has_happened_by_the_new_numbers() -> None:
    sim = Sim(specs("a"), Flags(intensity=5))
    sim.crash("a")
    sim.crash("a")
    sim.change([], Flags(intensity=2))
    sim.crash("a")
    assert isinstance(error_of(sim), GaveUp)


# --- significant children ---

MODES = list(AutoShutdown)


@pytest.mark.parametrize(
    ("mode", "restart", "how"),
    list(itertools.product(MODES, [Restart.TEMPORARY, Restart.TRANSIENT], ["finish", "crash", "stuck", "terminate"])),
)
def test_nonsignificant(mode: AutoShutdown, restart: Restart, how: str) -> None:
    sim = Sim([spec("a", restart), spec("b")], Flags(auto_shutdown=mode))
    getattr(sim, how)("a")
    assert sim.end is None


@pytest.mark.parametrize(
    ("restart", "how", "triggers"),
    [
        (Restart.TEMPORARY, "finish", True),
        (Restart.TEMPORARY, "crash", True),
        (Restart.TEMPORARY, "stuck", True),
        (Restart.TEMPORARY, "terminate", False),
        (Restart.TRANSIENT, "finish", True),
        (Restart.TRANSIENT, "crash", False),  # it comes back
        (Restart.TRANSIENT, "stuck", False),
        (Restart.TRANSIENT, "terminate", False),
    ],
)
def test_significant(restart: Restart, how: str, triggers: bool) -> None:
    children = [spec("a", restart, significant=True), spec("b", restart, significant=True), spec("c")]
    any_one = Sim(children, Flags(auto_shutdown=AutoShutdown.ANY_SIGNIFICANT))
    getattr(any_one, how)("a")
    assert (any_one.end is not None) == triggers
    all_of_them = Sim(children, Flags(auto_shutdown=AutoShutdown.ALL_SIGNIFICANT))
    getattr(all_of_them, how)("a")
    assert all_of_them.end is None
    getattr(all_of_them, how)("b")
    assert (all_of_them.end is not None) == triggers
    if triggers:
        assert (error_of(any_one), error_of(all_of_them)) == (None, None)


def test_significant_bystander() -> None:
    """One that is stopped with its group has not ended by itself."""
    children = [
        spec("a"),
        spec("b", Restart.TEMPORARY, significant=True),
        spec("c", Restart.TRANSIENT, significant=True),
    ]
    for mode in (AutoShutdown.ANY_SIGNIFICANT, AutoShutdown.ALL_SIGNIFICANT):
        for strategy in (Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE):
            sim = Sim(children, Flags(strategy, auto_shutdown=mode))
            sim.crash("a")
            assert (sim.up(), sim.end) == ("ac", None)
            sim.finish("c")
            assert error_of(sim) is None


@pytest.mark.parametrize("significant", [True, False])
def test_significant_escalation(significant: bool) -> None:
    made: list[Sim] = []

    def inside(world: World) -> Sim:
        worker = spec("w", Restart.TRANSIENT, significant=True)
        made.append(Sim([worker], Flags(auto_shutdown=AutoShutdown.ANY_SIGNIFICANT), world=world))
        return made[-1]

    inner = spec("s", Restart.TRANSIENT, significant=significant, supervisor=True, stop_timeout=None)
    flags = Flags(auto_shutdown=AutoShutdown.ANY_SIGNIFICANT)
    sim = Sim([spec("a"), inner], flags, {"s": is_a_supervisor(inside)})
    made[0].finish("w")
    assert made[0].end is not None
    assert (sim.end is not None) == significant
    assert sim.up() == ("" if significant else "a")


def test_significant_upgrade() -> None:
    plain = [spec("a", Restart.TRANSIENT), spec("b", Restart.TRANSIENT), spec("c")]
    marked = [spec(name, Restart.TRANSIENT, significant=True) for name in "ab"]
    for flags, both in (
        (Flags(auto_shutdown=AutoShutdown.ANY_SIGNIFICANT), False),
        (Flags(auto_shutdown=AutoShutdown.ALL_SIGNIFICANT), True),
    ):
        sim = Sim(plain)
        assert isinstance(sim.answer(sim.change(marked)), SpecError)  # never, and significant: neither changes
        assert sim.answer(sim.change(marked, flags)) is None
        sim.finish("a")
        assert (sim.end is None) == both
        if both:
            sim.finish("b")
            assert error_of(sim) is None
    back = Sim([*marked, spec("c")], Flags(auto_shutdown=AutoShutdown.ANY_SIGNIFICANT))
    assert isinstance(back.answer(back.change([], Flags())), SpecError)
    assert back.answer(back.change(plain, Flags())) is None
    back.finish("a")
    back.finish("b")
    assert (back.up(), back.end) == ("c", None)


# --- found here, not in OTP's suite: each was a mistake of ours once ---


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
