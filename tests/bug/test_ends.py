"""The ends of a whole run: an error of the main program, before and in the run, a crash in native code, the last line
of defence. Each is one document in ERR0R, then or at the next start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from foureyes_actors.messages import Collection
from foureyes_actors.ports.store_sqlite import SqliteStore

ROOT = Path(__file__).parents[2]
CANARY = "c4n4ry-of-the-ends"
PROGRAM = f"""
import ctypes, sys, threading
from foureyes_actors import headless
from foureyes_actors import program

def raises(*_):
    raise RuntimeError("the main program fails, password={CANARY}, token {CANARY}")

def dies(*_):
    ctypes.string_at(0)

def leaks(program, *_):
    for _ in range(3):
        program._defence.leaks.began("capture", threading.Event())  # a thread that never ends

WHAT
sys.argv = ["run.py", *sys.argv[1:]]
program.main()
"""
DEEDS = {
    "in the run": "headless.Headless._wait = raises",
    "before the run": "headless.Headless.run = raises",
    "native": "headless.Headless._wait = dies",
    "too many leaks": "headless.Headless._wait = leaks",
    "": "",
}


def started(folder: Path, deed: str) -> subprocess.CompletedProcess[str]:
    own = {
        "FOUREYES_DATA_DIR": str(folder),
        "FOUREYES_MODEL_SERVER__KIND": "openai",
        "FOUREYES_MODEL_SERVER__BASE_URL": "http://127.0.0.1:9",
        "FOUREYES_API_TOKEN": CANARY,
    }
    command = [sys.executable, "-c", PROGRAM.replace("WHAT", DEEDS[deed]), "--seconds", "1"]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **own}, capture_output=True, text=True, timeout=90, check=False
    )


def stored(folder: Path, what: str) -> list[dict[str, Any]]:
    store = SqliteStore(folder / "foureyes.sqlite3")
    try:
        return [group for group in store.latest(Collection.ERRORS) if group["exception_type"].endswith(what)]
    finally:
        store.close()


def no_secret(folder: Path, *runs: subprocess.CompletedProcess[str]) -> None:
    on_disk = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert CANARY.encode() not in on_disk
    assert all(CANARY not in run.stdout + run.stderr for run in runs)


def test_an_error_of_the_main_program_in_the_run(tmp_path: Path) -> None:
    first = started(tmp_path, "in the run")
    assert first.returncode == 1 and "RuntimeError: the main program fails, password=[redacted]" in first.stderr
    second = started(tmp_path, "")
    (group,) = stored(tmp_path, "RuntimeError")
    assert (group["source"], group["occurrences"]) == ("main", 1)
    assert "foureyes_actors.headless" in group["component"] or "headless.py" in group["stack_trace"]
    no_secret(tmp_path, first, second)


def test_an_error_before_the_run_is_told_by_the_next_one(tmp_path: Path) -> None:
    first = started(tmp_path, "before the run")
    assert first.returncode == 1 and "RuntimeError" in first.stderr
    assert len(list((tmp_path / "leftovers").iterdir())) == 1
    second = started(tmp_path, "")
    assert list((tmp_path / "leftovers").iterdir()) == []
    (group,) = stored(tmp_path, "RuntimeError")
    assert (group["source"], group["occurrences"]) == ("main", 1)
    no_secret(tmp_path, first, second)


@pytest.mark.skipif(sys.platform == "win32", reason="reading address 0 is an exception there, not a crash")
def test_a_native_crash_is_told_by_the_next_run_once(tmp_path: Path) -> None:
    first = started(tmp_path, "native")
    assert first.returncode < 0
    assert b"Segmentation fault" in (tmp_path / "crash.log").read_bytes()
    for _ in range(2):
        started(tmp_path, "")
    (group,) = stored(tmp_path, "NativeCrash")
    assert (group["source"], group["severity"], group["occurrences"]) == ("process", "Critical", 1)
    assert group["message"] == "the run before this one ended in native code: Segmentation fault"
    assert group["component"] == "foureyes_actors.headless:_run" and "string_at" in group["stack_trace"]
    assert (tmp_path / "crash.log").read_bytes() == b"" and (tmp_path / "crash.log.last").stat().st_size > 100
    if os.name == "posix":
        assert (tmp_path / "crash.log").stat().st_mode & 0o077 == 0


def test_a_run_that_ended_itself_is_told_by_the_next_one_once(tmp_path: Path) -> None:
    first = started(tmp_path, "too many leaks")
    assert first.returncode == 70 and (tmp_path / "stacks.log").stat().st_size > 100
    assert stored(tmp_path, "EndedItself") == []
    for _ in range(2):
        second = started(tmp_path, "")
    (group,) = stored(tmp_path, "EndedItself")
    assert (group["source"], group["severity"], group["occurrences"]) == ("process", "Critical", 1)
    assert group["message"] == "the run before this one ended itself: 3 threads of capture hang and cannot be ended"
    assert group["component"] == "threads of capture hang" and "in leaks" in group["stack_trace"]
    assert stored(tmp_path, "NativeCrash") == [], "one end is one failure"
    assert not (tmp_path / "stacks.log").exists() or (tmp_path / "stacks.log").stat().st_size == 0
    assert "in leaks" in (tmp_path / "stacks.log.last").read_text()
    no_secret(tmp_path, first, second)
