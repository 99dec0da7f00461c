"""What a platform's own test does, and what a folder that somebody else made cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.local_process import LocalProcesses
from foureyes_actors.replay.confirmation import CONFIRMATION, Level, confirmation_from
from foureyes_actors.replay.program import t00l5et
from t00l5et.confirm import confirm, record_id
from t00l5et.reproduction import Reproduction
from t00l5et.sandbox import best_sandbox
from tests.replay.make import failure, record_of, written
from tests.replay.scenarios import joined
from tests.replay.test_scenarios import pytest_run


@pytest.fixture
def platform(tmp_path: Path) -> Path:
    return written(record_of(failure(joined({"grand": "1.00"}))), tmp_path)


def test_what_is_asked_to_confirm_runs_in_the_sandbox_that_reproduce_has(
    platform: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FE_MODE", "confirm")
    reproduction = Reproduction(platform, record_id(platform) or "")
    reproduction.same_failure()
    record = json.loads((platform / "record.json").read_text())
    record["fingerprints"]["strict"] = "v2-0000000000000000"
    (platform / "record.json").write_text(json.dumps(record))
    with pytest.raises(AssertionError, match=r"unconfirmed: other failure.*\(0 of 3 runs, .*sandbox: ") as caught:
        reproduction.same_failure()
    assert f"sandbox: {best_sandbox(LocalProcesses(), SystemClock())}" in str(caught.value)


def test_a_folder_of_another_name_is_told(platform: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FE_MODE", "confirm")
    record = record_id(platform) or ""
    elsewhere = platform.rename(platform.with_name("unpacked"))
    with pytest.raises(AssertionError, match=f"the folder is to be named repro_{record}"):
        Reproduction(elsewhere, record).same_failure()


HOSTILE = "from pathlib import Path\nPath({place!r}).write_text('it ran')\n"
NAMES = ("conftest.py", "sitecustomize.py", "json.py", "record.py", "__init__.py", "t00l5et.py", "test_more.py")


def test_of_a_strangers_folder_no_python_is_run(platform: Path, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    code = HOSTILE.format(place=str(marker))
    for name in (*NAMES, next(platform.glob("test_*.py")).name):
        (platform / name).write_text(code)
    assert confirm(platform, LocalProcesses(), SystemClock()).level is Level.PORT
    result = LocalProcesses().run([*t00l5et("reproduce", str(platform))], timeout=100)
    assert result.exit_code == 0 and not marker.exists(), result.lines
    kept = confirmation_from((platform / CONFIRMATION).read_bytes())
    assert kept is not None and kept.same == 3
    pytest_run(platform)
    assert marker.read_text() == "it ran", "pytest runs it: that is why the README names the other command"


def test_the_readme_names_the_command_that_runs_no_python_of_the_folder(platform: Path) -> None:
    text = (platform / "README.md").read_text()
    assert "where somebody else gave you the folder" in " ".join(text.split())
    assert text.index("t00l5et reproduce") < text.index("python -m pytest")
