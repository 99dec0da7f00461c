"""OTP's own tests of its supervisor (``supervisor_SUITE.erl``, by the names of its cases), asked of the machine.

``ROWS`` says for each of the 51 groups of cases where it is shown; what needs live actors is in ``test_otp_live.py``.
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from supervisors.children import State
from supervisors.errors import (
    AlreadyPresent,
    AlreadyRunning,
    BootFailed,
    NotFound,
    ShuttingDown,
    StartFailed,
    TooMany,
)
from supervisors.machine import Machine
from supervisors.policy import AutoShutdown, Backoff, Restart, Strategy
from supervisors.specs import ChildSpec, Flags, SpecError
from tests.supervisors.simulation import Sim, error_of, nobody, spec, specs
from tests.supervisors.vices import (
    Vice,
    crashes_after,
    declines_to_start,
    fails_in_stop,
    fails_to_start,
    finishes_after,
    hangs_in_start,
    hangs_in_stop,
    slow_to_stop,
)

TOP = Path(__file__).parents[2]
LIVE = "tests/supervisors/test_otp_live.py"
HERE = "tests/supervisors/test_otp_suite.py"
BACK = "tests/supervisors/test_otp_suite_restarts.py"
CHANGES = "tests/supervisors/test_otp_suite_changes.py"
SPECS = "tests/supervisors/test_specs.py"

ROWS = {
    1: f"shown: {HERE}::test_sup_start_normal",
    2: f"shown: {HERE}::test_sup_start_ignore_child",
    3: f"shown: {HERE}::test_sup_start_ignore_temporary_child",
    4: f"shown: {HERE}::test_sup_start_error_return",
    5: f"shown: {HERE}::test_sup_start_child_returns_error",
    6: f"shown: {HERE}::test_sup_start_restart_child_returns_error",
    7: f"shown: {HERE}::test_sup_start_map",
    8: f"shown: {SPECS}::test_a_bad_field_names_child_field_and_value",
    9: f"shown: {HERE}::test_sup_stop_infinity",
    10: f"shown: {HERE}::test_sup_stop_timeout",
    11: f"shown: {HERE}::test_sup_stop_brutal_kill",
    12: f"shown: {HERE}::test_sup_stop_timeout_dynamic",
    13: f"shown: {HERE}::test_sup_stop_race",
    14: f"shown: {HERE}::test_sup_stop_non_shutdown_exit_dynamic",
    15: "does not apply: a start has no extra result to hand on; that the child comes back is row 19",
    16: f"shown: {HERE}::test_child_adm",
    17: f"shown: {SPECS}::test_significant_needs_auto_shutdown",
    18: f"shown: {SPECS}::test_a_bad_flag_names_field_and_value",
    19: f"shown: {BACK}::test_permanent",
    20: f"shown: {BACK}::test_transient",
    21: f"shown: {BACK}::test_temporary",
    22: f"shown: {BACK}::test_faulty_application_shutdown",
    23: f"shown: {BACK}::test_temporary_bystander",
    24: f"shown: {BACK}::test_multiple_restarts",
    25: f"shown: {BACK}::test_one_for_one",
    26: f"shown: {BACK}::test_one_for_one_escalation",
    27: f"shown: {BACK}::test_one_for_all",
    28: f"shown: {BACK}::test_one_for_all_other_child_fails_restart",
    29: f"shown: {BACK}::test_simple_one_for_one",
    30: f"live: {LIVE}::test_simple_one_for_one_corruption",
    31: f"shown: {BACK}::test_rest_for_one",
    32: f"shown: {BACK}::test_rest_for_one_other_child_fails_restart",
    33: f"shown: {BACK}::test_child_unlink",
    34: f"shown: {BACK}::test_tree",
    35: f"live: {LIVE}::test_count_children",
    36: f"shown: {BACK}::test_hanging_restart_loop",
    37: f"shown: {BACK}::test_do_not_save_child_specs_for_temporary_children",
    38: f"shown: {BACK}::test_scale_start_stop_many_children",
    39: f"live: {LIVE}::test_simple_global_supervisor",
    40: f"shown: {BACK}::test_order_of_children",
    41: f"shown: {CHANGES}::test_code_change",
    42: f"live: {LIVE}::test_format_log",
    43: f"live: {LIVE}::test_external_start_no_progress_log",
    44: f"live: {LIVE}::test_already_started_outside_supervisor",
    45: f"shown: {HERE}::test_which_children",
    46: f"shown: {CHANGES}::test_nonsignificant",
    47: f"shown: {CHANGES}::test_significant",
    48: "does not apply: children that are added are of no strategy of their own; the rules of row 17 hold for them",
    49: f"shown: {CHANGES}::test_significant_bystander",
    50: f"shown: {CHANGES}::test_significant_escalation",
    51: f"shown: {CHANGES}::test_significant_upgrade",
}


def test_every_row_is_accounted_for() -> None:
    assert sorted(ROWS) == list(range(1, 52))
    for row, where in ROWS.items():
        kind, what = where.split(": ", 1)
        assert kind in ("shown", "live", "does not apply")
        if kind == "shown":
            assert has_test(what), f"row {row}: there is no {what}"


def test_every_live_row_has_its_test() -> None:
    missing = [where for where in ROWS.values() if where.startswith("live: ") and not has_test(where[6:])]
    assert missing == []


def has_test(where: str) -> bool:
    path, name = where.split("::")
    return re.search(rf"^def {name}\(", (TOP / path).read_text(encoding="utf-8"), re.MULTILINE) is not None


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
    assert (child.start_timeout, child.stop_timeout, child.stuck_after) == (15.0, 1.5, 30.0)
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
