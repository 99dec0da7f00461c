"""What the doctor says about the sandbox in which failures run again."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from foureyes_actors.doctor.examination import examine
from foureyes_actors.doctor.findings import FINE, Finding, Status, verdict
from foureyes_actors.errors import ProcessError
from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.local_process import LocalProcesses
from foureyes_actors.ports.process import ProcessResult
from foureyes_actors.replay.program import t00l5et
from t00l5et.sandbox import NO_BWRAP, UNCOUNTED, Kind, Sandbox, advice, best_sandbox, may_run_foreign_code
from tests.doctor.world import SANDBOX, Programs, ScriptedInspection, TestWorld, look, settings

INSTALL = "install bubblewrap: apt-get install bubblewrap, dnf install bubblewrap"
WEAK = {"kind": "weak", "how": "limits alone; no bwrap; no unshare", "foreign_code": False, "advice": INSTALL}


def told(nowhere: int, said: ProcessResult | ProcessError) -> Finding:
    programs = Programs()
    programs.sandbox = said
    return look(settings(nowhere), TestWorld(processes=programs))["sandbox"]


def line(**fields: Any) -> ProcessResult:
    return ProcessResult(0, ("a warning", json.dumps(fields), "the end"))


def test_bubblewrap_is_said(nowhere: int) -> None:
    found = told(nowhere, line(**SANDBOX))
    assert (found.status, found.detail, found.advice) == (Status.OK, "bubblewrap: failures run again in it", "")


def test_a_weaker_one_is_said_with_the_reason_and_what_to_do_and_is_no_reason_to_fail(nowhere: int) -> None:
    found = told(nowhere, line(**WEAK))
    assert found.status is Status.MISSING and found.advice == INSTALL and not found.wanted
    assert found.detail == "weak (limits alone; no bwrap; no unshare); failures run again all the same"
    assert verdict((found,)) == FINE


@pytest.mark.parametrize(
    ("said", "detail"),
    [
        (ProcessError("no such program"), "what looks for one cannot be started: no such program"),
        (ProcessResult(None, ()), "what looks for one broke off: no end: no output"),
        (ProcessResult(1, ("Traceback", "KeyError")), "what looks for one broke off: exit code 1: KeyError"),
        (line(kind=1, how="", foreign_code=True, advice=""), "what looks for one broke off: exit code 0: the end"),
        (line(**{**SANDBOX, "foreign_code": "yes"}), "what looks for one broke off: exit code 0: the end"),
        (ProcessResult(0, ("[" * 100_000,)), "what looks for one broke off: exit code 0: [[["),
    ],
)
def test_no_answer_is_told(nowhere: int, said: ProcessResult | ProcessError, detail: str) -> None:
    found = told(nowhere, said)
    assert found.status is Status.PROBLEM and found.detail.startswith(detail)


def test_here_for_real(nowhere: int, tmp_path: Path) -> None:
    world = TestWorld(processes=LocalProcesses())
    findings = examine(settings(nowhere, data_dir=tmp_path), world, ScriptedInspection())  # type: ignore[arg-type]
    (found,) = [each for each in findings if each.part == "sandbox"]
    here = best_sandbox(LocalProcesses(), SystemClock())
    assert (found.status is Status.OK) == may_run_foreign_code(here) and str(here.kind) in found.detail


def test_the_program_says_it_for_people_too() -> None:
    result = LocalProcesses().run(t00l5et("sandbox"), timeout=90)
    assert result.exit_code == 0 and result.lines[0].startswith(str(best_sandbox(LocalProcesses(), SystemClock()).kind))


STRONG = Sandbox(Kind.BUBBLEWRAP)


@pytest.mark.parametrize(
    ("sandbox", "system", "begin"),
    [
        (STRONG, "linux", ""),
        (Sandbox(Kind.WEAK, "limits alone"), "darwin", ""),
        (Sandbox(Kind.WEAK, "an environment of its own, no limits on this system"), "win32", ""),
        (Sandbox(Kind.WEAK, f"limits alone; {NO_BWRAP}"), "linux", "install bubblewrap"),
        (Sandbox(Kind.WEAK, "limits alone; bwrap: No permissions; no unshare"), "linux", "bubblewrap is there and"),
        (replace(STRONG, how=UNCOUNTED), "linux", "let the system count"),
    ],
)
def test_what_there_is_to_do(sandbox: Sandbox, system: str, begin: str) -> None:
    said = advice(sandbox, system)
    assert said.startswith(begin) and bool(said) == bool(begin)


def test_without_the_program_bubblewrap_is_to_be_installed() -> None:
    class Nothing(LocalProcesses):
        def find_program(self, name: str) -> str | None:
            return None

    if sys.platform == "linux":
        assert advice(best_sandbox(Nothing(), SystemClock()), sys.platform) == INSTALL
