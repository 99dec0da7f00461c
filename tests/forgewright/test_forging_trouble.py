"""Trouble with the work, the machine and the disk stops nobody and loses nothing."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import pytest

from foureyes_actors.forgewright.ledger import LOCK
from foureyes_actors.forgewright.patience import TRIES
from foureyes_actors.forgewright.programs import NotYet, ProgramFailed
from foureyes_actors.forgewright.queue import PAUSE
from foureyes_actors.forgewright.states import State
from foureyes_actors.forgewright.triage import RemedyKind
from foureyes_actors.forgewright.work import Outcome
from foureyes_actors.messages import PressureLevel
from foureyes_actors.ports.private_folder import LocalPrivateFolder
from foureyes_actors.ports.process_lock import ProcessLock
from tests.forgewright.bench import Bench, at_work, confirmed, groups
from tests.forgewright.make import ID, a_ledger, in_state
from tests.support import eventually

CODE, SETTING, CERBERUS = RemedyKind.CODE, RemedyKind.CONFIGURATION, RemedyKind.OPERATIONAL
HOUR = 3600.0


def test_work_that_fails_has_a_pause_and_others_have_their_turn(bench: Bench) -> None:
    bench.workshop.answers = [ProgramFailed("exit code 1: x")]
    for group in ("g0", "g1"):
        bench.fail(group)
    for group in ("g0", "g1"):
        bench.reproduced(group)
    assert bench.workshop.asked == [("fix", ID)] and bench.status["held_back"] == "work failed several times in a row"
    assert bench.status["last_error"] == "ProgramFailed: exit code 1: x"
    bench.pass_time(PAUSE - 1)
    assert len(bench.workshop.asked) == 1
    bench.pass_time(10)
    assert bench.workshop.asked[1] == ("fix", "FORGE-2026-002"), "the other one first"
    assert {each.state for each in bench.ledger.page().decisions} == {State.AWAITING_APPROVAL}


@pytest.mark.parametrize("error", [ProgramFailed("x"), NotYet("x"), ZeroDivisionError("a secret, perhaps")])
def test_work_that_always_fails_is_given_up(bench: Bench, error: Exception) -> None:
    bench.workshop.answers = [error] * 100
    bench.fail()
    bench.reproduced()
    bench.pass_time(HOUR)
    assert bench.workshop.did == ["fix"] * TRIES and bench.state() is State.DEFERRED
    assert bench.decision().reason.startswith(f"the work on it failed {TRIES} times: {type(error).__name__}")
    assert "secret" not in bench.decision().reason


def test_an_answer_that_there_is_no_way_for_is_a_failure_of_the_work(bench: Bench) -> None:
    bench.workshop.answers = [Outcome(State.APPLIED, "trust me")]
    bench.fail()
    bench.reproduced()
    assert bench.state() is State.PROPOSED and bench.status["last_error"].startswith("IllegalTransition")
    bench.pass_time(HOUR)
    assert bench.state() is State.AWAITING_APPROVAL and not bench.decision().was(State.APPLIED)


def test_under_pressure_work_waits(bench: Bench) -> None:
    bench.forging.under_pressure(PressureLevel.SMALLER)
    bench.fail()
    bench.reproduced()
    assert bench.workshop.did == [] and bench.state() is State.PROPOSED
    assert bench.status["held_back"] == "the machine is short of something"
    bench.forging.under_pressure(PressureLevel.NORMAL)
    bench.settle()
    assert bench.state() is State.AWAITING_APPROVAL


def test_a_disk_that_is_full_for_a_while_loses_nothing_and_does_nothing_twice(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, full = LocalPrivateFolder.write, True

    def sick(self: LocalPrivateFolder, name: str, data: bytes) -> None:
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, name, data)

    monkeypatch.setattr(LocalPrivateFolder, "write", sick)
    bench.fail(remedy=SETTING, occurrences=3)
    bench.pass_time(60)
    assert bench.ledger.page().decisions == () and "No space left" in bench.status["last_error"]
    full = False
    bench.pass_time(10)
    assert bench.state() is State.CAPTURED
    bench.workshop.may_end.clear()
    bench.forging.reproduced("g", bench.workshop.confirmations.setdefault("g", confirmed()))
    eventually(lambda: bench.workshop.did == ["prove"], 20.0, "it is at work")
    full = True
    bench.workshop.may_end.set()
    eventually(lambda: bool(bench.context.to_self), 20.0, "it has ended")
    bench.context.to_self.clear()
    bench.forging.look()
    assert bench.state() is State.PROPOSED and bench.workshop.did == ["prove"]
    full = False
    bench.context.pass_time(10, lambda message: bench.forging.look(timer=True))
    bench.settle()
    assert bench.state() is State.APPLIED and bench.workshop.did == ["prove", "put"]


def test_a_lock_that_somebody_holds_costs_one_short_wait_for_all(bench: Bench) -> None:
    groups(bench, 3, CERBERUS)
    lock, began = ProcessLock(bench.folder / LOCK), bench.clock.monotonic()
    for number in range(100):
        bench.fail(f"new{number}", CERBERUS, record="")
    assert bench.clock.monotonic() - began < 2.0
    assert bench.status["last_error"].startswith("LedgerBusy")
    lock.release()
    bench.pass_time(10)
    assert len(bench.ledger.page().decisions) == 103, "and none of them is lost"


def test_a_folder_that_cannot_be_read_at_the_start_is_read_later(tmp_path: Path) -> None:
    place = tmp_path / "decisions"
    place.write_text("a file where a folder should be", encoding="utf-8")
    bench = Bench(place)
    bench.fail()
    assert bench.status["last_error"]
    place.unlink()
    bench.context.pass_time(10, lambda message: bench.forging.look(timer=True))
    bench.heard()
    bench.pass_time(10)
    assert bench.state() is State.CAPTURED
    bench.forging.stop()


def test_what_comes_before_the_disk_was_read_is_not_lost(tmp_path: Path) -> None:
    first = Bench(tmp_path)
    first.fail("known")
    first.forging.stop()
    bench = Bench.__new__(Bench)
    heard, Bench.heard = Bench.heard, lambda self: None  # type: ignore[method-assign]
    try:
        bench.__init__(tmp_path)  # type: ignore[misc]
    finally:
        Bench.heard = heard  # type: ignore[method-assign]
    for number in range(150):
        bench.fail(f"g{number}")
    bench.heard()
    assert len(bench.ledger.page().decisions) == 151
    bench.forging.stop()


def test_the_end_of_foureyes_ends_the_work(bench: Bench) -> None:
    bench.workshop.may_end.clear()
    bench.fail()
    bench.forging.reproduced("g", confirmed())
    at_work(bench, "fix")
    bench.forging.stop()
    assert bench.workshop.cancelled is not None and bench.workshop.cancelled.is_set()
    bench.forging.look()
    assert bench.state() is State.PROPOSED and "failed" not in bench.decision().reason


def test_a_decision_that_says_nonsense_stops_nobody(tmp_path: Path) -> None:
    ledger = a_ledger(tmp_path)
    ledger.save(in_state(State.VERIFIED, SETTING, remedy_facts={"files": 5, "value": "x"}))
    ledger.save(replace(in_state(State.TRIAGED, CODE, decision_id="FORGE-2026-002", group="h"), record="../../x"))
    (tmp_path / "FORGE-2026-003").mkdir()
    (tmp_path / "FORGE-2026-003" / "decision.json").write_bytes(b"{")
    bench = Bench(tmp_path).settle().pass_time(60)
    assert [line[:14] for line in bench.status["broken"]] == ["FORGE-2026-003"]
    assert len(bench.changed) >= 2
    bench.forging.stop()
