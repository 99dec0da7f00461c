"""Which level three runs give, what is kept of it, and that a strange run, record or folder changes nothing else."""

from __future__ import annotations

import json
import os
import platform
import stat
import sys
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.local_process import LocalProcesses
from foureyes_actors.ports.private_folder import LocalPrivateFolder
from foureyes_actors.replay.confirmation import (
    MAX_LINE,
    Confirmation,
    Level,
    as_line,
    confirmation_from,
    kept_confirmation,
)
from foureyes_actors.replay.program import ROOT, t00l5et
from foureyes_actors.replay.record import Record
from t00l5et.confirm import VERDICT, Run, _judged, _read, confirm, keep, verdict_line
from t00l5et.sandbox import Limits, best_sandbox
from tests.replay.make import failure, record_of, written
from tests.replay.scenarios import joined

SAME, NONE = "same failure", "no failure"
FOUND = Confirmation(Level.PORT, "KeyError", 3, 3, 2.5, "bubblewrap", "2026-01-01T00:00:00+00:00")


def a_record(**code: str) -> Record:
    made = record_of(failure(joined({"grand": "1.00"})))
    return replace(made, document={**made.document, "code": {**code}})


@pytest.mark.parametrize(
    ("runs", "level", "reason"),
    [
        ([Run(SAME, "E")] * 3, Level.PORT, "E"),
        ([Run(SAME, "E", level="port")] * 3, Level.PORT, "E"),
        ([Run(SAME, "E", level="wire")] * 3, Level.WIRE, "E"),
        ([Run(SAME, "E", level="wire")] * 2 + [Run(SAME, "E")], Level.PORT, "E"),
        ([Run(SAME, "E", redacted=True, level="wire")] * 3, Level.STAND_IN, "E"),
        ([Run(NONE, "it returned")] * 3, Level.UNCONFIRMED, "no failure: it returned"),
        ([Run(SAME, "E"), Run("no end", ""), Run(SAME, "E")], Level.UNCONFIRMED, "flaky, 2 of 3: no end"),
        ([Run(SAME, "E", platform="Here")] * 3, Level.PORT, "E"),
        (
            [Run(SAME, "E", platform="Windows")] * 3,
            Level.UNCONFIRMED,
            "platform: recorded on Windows, run on Here (port: E)",
        ),
        (
            [Run(NONE, "it returned", platform="Windows")] * 3,
            Level.UNCONFIRMED,
            "platform: recorded on Windows, run on Here (unconfirmed: no failure: it returned)",
        ),
    ],
)
def test_the_level(runs: list[Run], level: Level, reason: str) -> None:
    assert _judged(runs, sum(run.outcome == SAME for run in runs), "Here") == (level, reason)


@given(st.text(max_size=3000))
def test_a_verdict_is_one_line_that_a_parent_reads_whole(reason: str) -> None:
    fields = {"outcome": SAME, "reason": reason, "redacted": False, "level": "wire", "platform": "Linux"}
    line = verdict_line(fields)
    assert len(line) <= 900 and line.isprintable()
    run = _read(line.removeprefix(VERDICT))
    assert run is not None and reason.startswith(run.reason) and (run.outcome, run.level) == (SAME, "wire")


@pytest.mark.parametrize("line", ["", "{", "[]", "3", '{"outcome": "same failure"}', "null", '"x"'])
def test_what_is_no_verdict_is_none(line: str) -> None:
    assert _read(line) is None


@given(st.text(max_size=2000), st.text(max_size=2000))
def test_what_was_confirmed_is_kept_as_one_line(reason: str, sandbox: str) -> None:
    line = as_line(replace(FOUND, reason=reason, sandbox=sandbox))
    found = confirmation_from(line)
    assert len(line) <= MAX_LINE and "\n" not in line
    assert found is not None and replace(found, reason="", sandbox="") == replace(FOUND, reason="", sandbox="")
    assert not any(unicodedata.category(c)[0] == "C" for c in str(found)), "nothing that steers a terminal"


@pytest.mark.parametrize(
    "change",
    [
        {"level": "sure"},
        {"level": ["port"]},
        {"runs": -1},
        {"runs": True},
        {"seconds": float("nan")},
        {"seconds": "3"},
        {"reason": None},
        {"schema": 2},
        {"same": 10**400},
    ],
)
def test_what_is_no_confirmation_is_none(change: dict[str, Any]) -> None:
    assert confirmation_from(json.dumps({**json.loads(as_line(FOUND)), **change})) is None


@pytest.mark.parametrize("text", [b"\xff", b"[" * 100_000, b"null", b"{}", b""])
def test_nor_is_anything_else(text: bytes) -> None:
    assert confirmation_from(text) is None


def test_it_is_kept_in_the_folder_and_told_in_its_readme(tmp_path: Path) -> None:
    folder = written(a_record(), tmp_path)
    assert "confirmed: not yet tried" in (folder / "README.md").read_text(encoding="utf-8")
    keep(folder, FOUND)
    assert kept_confirmation(LocalPrivateFolder(tmp_path), f"{folder.name}/") == FOUND
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "confirmed: port: KeyError (3 of 3 runs, 2.5 s, sandbox: bubblewrap)" in text
    assert kept_confirmation(LocalPrivateFolder(tmp_path / "nothing")) is None


def program(*arguments: str) -> tuple[int | None, tuple[str, ...]]:
    done = LocalProcesses().run(t00l5et(*arguments), timeout=100)
    return done.exit_code, done.lines


@pytest.mark.skipif(sys.platform == "win32", reason="never confirmed there")
def test_the_program_says_it_as_json_and_keeps_it(tmp_path: Path) -> None:
    folder = written(a_record(platform=platform.system()), tmp_path)
    code, lines = program("reproduce", str(folder), "--json")
    found = confirmation_from(lines[-1])
    assert code == 0 and found is not None, lines
    assert (found.level, found.same, found.runs) == (Level.PORT, 3, 3) and found.seconds > 0
    assert kept_confirmation(LocalPrivateFolder(folder)) == found
    assert found.sandbox == str(best_sandbox(LocalProcesses(), SystemClock()))


def test_what_another_system_recorded_is_never_confirmed(tmp_path: Path) -> None:
    there = "Windows" if platform.system() != "Windows" else "Linux"
    code, lines = program("reproduce", str(written(a_record(platform=there), tmp_path)))
    assert code == 1 and lines[-1].startswith(f"unconfirmed: platform: recorded on {there}, run on "), lines
    assert "(port: KeyError)" in lines[-1]


def test_a_weak_sandbox_confirms_and_says_that_it_was_one(tmp_path: Path) -> None:
    processes, clock = LocalProcesses(), SystemClock()
    sandbox = best_sandbox(processes, clock, ())
    found = confirm(written(a_record(), tmp_path), processes, clock, runs=1, sandbox=sandbox)
    assert found.level is Level.PORT and found.sandbox.startswith("weak ("), found


def test_a_run_without_an_end_has_one(tmp_path: Path) -> None:
    processes, clock = LocalProcesses(), SystemClock()
    found = confirm(written(a_record(), tmp_path), processes, clock, runs=1, limits=Limits(seconds=0.01))
    assert (found.level, found.reason) == (Level.UNCONFIRMED, "no end: not within 0.01 s")


@pytest.mark.skipif(sys.platform == "win32", reason="no modes and no limits there")
def test_a_folder_that_cannot_be_written_and_a_full_disk_are_said(tmp_path: Path) -> None:
    """The answer comes all the same."""
    folder = written(a_record(), tmp_path)
    (folder / "confirmation.json").mkdir()  # a name that is taken, for root too
    code, lines = program("reproduce", str(folder))
    assert code == 0 and any(line.startswith("not kept in the folder: ") for line in lines), lines
    assert lines[-1].startswith("port: KeyError (3 of 3 runs")
    if os.geteuid() != 0:
        folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
        assert program("reproduce", str(folder))[0] == 0


@pytest.mark.skipif(sys.platform == "win32", reason="no limits there")
def test_where_nothing_can_be_written_the_answer_comes_all_the_same(tmp_path: Path) -> None:
    """No file may have a single byte, as on a full disk. Where a run needs some, it says so."""
    folder = written(a_record(), tmp_path)
    done = LocalProcesses().run(
        ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *t00l5et("reproduce", str(folder))], timeout=100
    )
    assert any(line.startswith("not kept in the folder: ") for line in done.lines), done
    expected = {0: "port: KeyError (3 of 3", 1: "unconfirmed: it could not be started: no folder can be made for it"}
    assert done.exit_code in expected and done.lines[-1].startswith(expected[done.exit_code]), done
    assert done.exit_code == 0 or os.geteuid() == 0 or "weak" in done.lines[-1]
    assert not (folder / "confirmation.json").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="classes of priority there")
def test_in_the_background_the_machine_is_left_to_others() -> None:
    """What it starts from then on inherits it."""
    code = "import os; from foureyes_actors.ports.local_process import be_background as b; b(); print(os.nice(0))"
    before = os.nice(0)
    done = LocalProcesses().run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}"], timeout=60
    )
    assert int(done.lines[-1]) >= min(19, max(10, before)), done


def test_in_the_background_it_ends_with_its_standard_input(tmp_path: Path) -> None:
    """Who started it has died, say."""
    folder = written(a_record(), tmp_path)
    child = LocalProcesses().start(t00l5et("reproduce", str(folder), "--background"))
    child._close_stdin()
    assert child.wait(30.0) == 3
    child.stop(0.0)
