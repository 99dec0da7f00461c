"""The whole program beside a stranger that holds the model server's place: its failure is run again unasked, also when
the program is killed in the middle, and nothing is left of what it had started."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from foureyes_actors.ports.local_process import LocalChild, LocalProcesses, kill
from foureyes_actors.ports.private_folder import LocalPrivateFolder
from foureyes_actors.replay.confirmation import Level
from foureyes_actors.replay.platform_folder import platforms, waiting
from tests.replay.test_live import ROOT, TOKEN, run, stranger
from tests.support import eventually

__all__ = ["stranger"]
PATIENCE = 90.0


@pytest.fixture
def started() -> Iterator[list[LocalChild]]:
    children: list[LocalChild] = []
    yield children
    for child in children:
        child.stop(5.0)


def start(started: list[LocalChild], data: Path, url: str) -> LocalChild:
    environment = {
        "FOUREYES_DATA_DIR": str(data),
        "FOUREYES_MODEL_SERVER__KIND": "openai",
        "FOUREYES_MODEL_SERVER__BASE_URL": url,
        "FOUREYES_MODEL_SERVER__API_TOKEN": TOKEN,
        "FOUREYES_INFERENCE__FALLBACK_EVERY": "1000",
        "FOUREYES_RESOURCE__PRESSURE__ENABLED": "false",  # other tests may keep this machine busy
    }
    started.append(LocalProcesses().start([sys.executable, str(ROOT / "run.py")], environment=environment))
    return started[-1]


def of_the_run(data: Path) -> list[psutil.Process]:
    """All processes on this machine that were started for a platform below ``data``."""
    found = []
    for process in psutil.process_iter():
        try:
            if any(str(data / "platforms") in word for word in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.real
def test_a_failure_is_run_again_unasked_and_shown(stranger: str, tmp_path: Path, started: list[LocalChild]) -> None:
    child = start(started, tmp_path, stranger)
    line = child.wait_line(lambda line: "reproduced" in line, PATIENCE)
    assert line is not None and "LMStudioError in the model server reproduced at level" in line, child.tail()
    child.stop(10.0)
    group = next(line for line in run(tmp_path, stranger, "errors", "list").splitlines() if "PortTaken" in line)
    shown = run(tmp_path, stranger, "errors", "show", group[:12])
    assert "reproduced   stand-in: foureyes_actors.errors.LMStudioError (3 of 3 runs" in shown, shown
    assert str(tmp_path / "platforms" / "repro_") in shown
    assert not any(TOKEN.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


@pytest.mark.real
@pytest.mark.skipif(sys.platform == "win32", reason="a killed program's children are looked for by their command")
def test_killed_in_the_middle_it_goes_on(stranger: str, tmp_path: Path, started: list[LocalChild]) -> None:
    child = start(started, tmp_path, stranger)
    eventually(lambda: len(of_the_run(tmp_path)) > 0, PATIENCE, "a platform is being confirmed")
    kill(child.pid)
    eventually(lambda: not of_the_run(tmp_path), 20.0, "nothing is left of it")
    folder = LocalPrivateFolder(tmp_path / "platforms")
    (left,) = waiting(folder)
    child = start(started, tmp_path, stranger)
    line = child.wait_line(lambda line: "reproduced" in line, PATIENCE)
    assert line is not None and left.record in line, child.tail()
    child.stop(10.0)
    (made,) = platforms(folder)
    assert made.origin.record == left.record and waiting(folder) == []
    assert made.confirmation is not None and made.confirmation.level is Level.STAND_IN


@pytest.mark.real
def test_an_end_in_the_middle_leaves_nothing(stranger: str, tmp_path: Path, started: list[LocalChild]) -> None:
    child = start(started, tmp_path, stranger)
    eventually(lambda: len(of_the_run(tmp_path)) > 0, PATIENCE, "a platform is being confirmed")
    child.stop(10.0)
    assert child.exit_code() == 0 and not any("did not stop in time" in line for line in child.tail()), child.tail()
    eventually(lambda: not of_the_run(tmp_path), PATIENCE, "nothing is left of it")
    assert len(waiting(LocalPrivateFolder(tmp_path / "platforms"))) == 1
