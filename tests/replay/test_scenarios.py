"""The failure scenarios: recorded, written down, run again; and what each is confirmed as."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from foureyes_actors.errors import RequestTimeout
from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.local_process import LocalProcesses
from foureyes_actors.replay.replaying import Outcome
from t00l5et.confirm import VERDICT, Level, confirm
from tests.replay.live_obs import missing
from tests.replay.make import best_verdict_of, failure, record_of, verdict_of, written
from tests.replay.scenario import WIRE, Scenario
from tests.replay.scenarios import asked, scenarios

OPAQUE = {"a type of nobody's", "an endless document"}  # what no record can hold; reported as such, never as confirmed


@pytest.mark.parametrize("scenario", scenarios(), ids=str)
def test_a_failure_happens_again_from_its_record(scenario: Scenario) -> None:
    """At the ports, and three times at the level that it must reach."""
    record = record_of(failure(scenario.act), scenario.secrets)
    expected = Outcome.OPAQUE if scenario.name in OPAQUE else Outcome.SAME
    assert verdict_of(record).outcome is expected
    verdicts = [best_verdict_of(record) for _ in range(3)]
    assert {(verdict.outcome, verdict.level) for verdict in verdicts} == {(expected, scenario.level)}, verdicts
    assert bool(record.document["lossy"]) is (expected is Outcome.OPAQUE)
    assert not any(secret in json.dumps(record.document) for secret in scenario.secrets)


def test_a_reply_of_obs_that_came_in_drips_answers_its_own_request() -> None:
    """As on a busy machine: the id of the request lies in two of the pieces in which it is played."""
    record = record_of(failure(missing), ())
    wires = [wire for wire in _wires(record.document) if wire["heard"]["size"]]
    for wire in wires:
        wire |= {"first": 0.0, "last": 0.2, "seconds": 0.25}
    found = best_verdict_of(record)
    assert wires and (found.outcome, found.level) == (Outcome.SAME, WIRE), found


def _wires(value: Any) -> Iterator[dict[str, Any]]:
    """What was heard on the wire, wherever it stands in a document."""
    if isinstance(value, dict):
        if str(value.get("type")).endswith(":WireFault"):
            yield value["fields"]
        for below in value.values():
            yield from _wires(below)
    elif isinstance(value, list):
        for below in value:
            yield from _wires(below)


def test_there_are_many_and_nearly_all_can_be_confirmed() -> None:
    names = Counter((s.group, s.name) for s in scenarios())
    assert max(names.values()) == 1 and len(names) >= 100
    assert len(OPAQUE) <= len(names) * 0.05
    assert Counter(s.level for s in scenarios())[WIRE] >= 60


def by_name(name: str) -> Scenario:
    return next(s for s in scenarios() if s.name == name)


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("KeyError: no state", Level.PORT),
        ("KeyError: a field is missing", Level.PORT),
        ("unauthorised", Level.STAND_IN),
        ("a type of nobody's", Level.UNCONFIRMED),
    ],
)
def test_confirmed_in_processes_of_their_own(name: str, level: Level, tmp_path: Path) -> None:
    scenario = by_name(name)
    folder = written(record_of(failure(scenario.act), scenario.secrets), tmp_path)
    found = confirm(folder, LocalProcesses(), SystemClock())
    assert (found.level, found.runs) == (level, 3), found
    assert found.same == (0 if level is Level.UNCONFIRMED else 3)


@pytest.mark.parametrize("name", ["reset within the body", "kicked (4011)", "write: not primary any more"])
def test_a_process_of_its_own_says_that_it_was_a_wire(name: str, tmp_path: Path) -> None:
    folder = written(record_of(failure(by_name(name).act)), tmp_path)
    command = [sys.executable, "-m", "t00l5et", "replay", str(folder)]
    for _ in range(3):
        lines = LocalProcesses().run(command, timeout=60).lines
        verdict = json.loads(lines[-1].removeprefix(VERDICT))
        assert (verdict["outcome"], verdict["level"], verdict["redacted"]) == (Outcome.SAME, WIRE, False), lines


def pytest_run(folder: Path, **environment: str) -> tuple[int, str]:
    """Plain pytest on the folder, in a process."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, str(folder)]
    child = LocalProcesses().start(command, environment={"COLUMNS": "200", **environment})
    child.wait_line(lambda line: False, 60)
    lines = child.tail()
    child.stop(5)
    return child.exit_code() or 0, "\n".join(lines)


def test_plain_pytest_fails_as_the_failure_did(tmp_path: Path) -> None:
    folder = written(record_of(failure(by_name("KeyError: a field is missing").act)), tmp_path)
    code, output = pytest_run(folder)
    assert code == 1 and "1 failed, 1 skipped" in output and "KeyError: 'major'" in output, output
    code, output = pytest_run(folder, FE_MODE="confirm")
    assert "1 failed, 1 passed" in output, output


def test_a_declared_failure_keeps_the_contract(tmp_path: Path) -> None:
    folder = written(record_of(failure(asked(RequestTimeout("late")))), tmp_path)
    code, output = pytest_run(folder, FE_MODE="confirm")
    assert code == 0 and "2 passed" in output, output
