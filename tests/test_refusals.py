"""What a run refuses to begin with is told once, with an exit code of its own, and is no failure of FourEyes."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from foureyes_actors.errors import ConfigurationError, StoreInUse, StoreUnavailable
from foureyes_actors.exit_codes import BAD_CONFIGURATION, UNAVAILABLE
from foureyes_actors.messages import Fault
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.ports.store_sqlite import SqliteStore
from foureyes_actors.settings import Settings
from foureyes_actors.settings.config import Config
from foureyes_actors.upkeep import Upkeep
from supervisors.directory import Directory
from supervisors.messages import ExitNotice, Stage
from tests.support import foureyes


def nothing_recorded(folder: Path) -> bool:
    return not list((folder / "data").glob("leftovers/*"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, ": there is no such file"),
        ("rules: 5\n", ":1: rules: a list is expected"),
        ("", ": cannot be read: "),
    ],
)
def test_a_wrong_triage_file_ends_a_run_before_it_begins(text: str | None, told: str, tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    if text:
        path.write_text(text, encoding="utf-8")
    elif text == "":
        path.mkdir()
    done = foureyes(tmp_path, "--seconds", "3", FOUREYES_FORGEWRIGHT__TRIAGE_FILE="rules.yaml")
    assert done.returncode == BAD_CONFIGURATION and done.stdout == ""
    first, second = done.stderr.splitlines()
    assert first == "the configuration must be changed:"
    assert second.startswith(("forgewright.triage_file: ", str(path))) and f"{path}{told}" in second
    assert nothing_recorded(tmp_path)


def test_one_that_finds_the_store_in_use_leaves_no_failure_behind(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "data" / "foureyes.sqlite3")):
        done = foureyes(tmp_path, "--seconds", "3")
    assert done.returncode == UNAVAILABLE and "in use by process" in done.stdout, done.stdout + done.stderr
    assert nothing_recorded(tmp_path)


@pytest.mark.parametrize(
    ("error", "stage", "incarnation", "recorded"),
    [
        (StoreInUse("by 7"), Stage.START, 1, False),
        (ConfigurationError("no"), Stage.INIT, 1, False),
        (StoreUnavailable("away"), Stage.START, 1, True),
        (StoreInUse("by 7"), Stage.START, 2, True),
        (StoreInUse("by 7"), Stage.RECEIVE, 1, True),
        (ConfigurationError("no"), Stage.RECEIVE, 1, True),
    ],
)
def test_only_a_refusal_to_begin_is_no_failure(
    error: Exception, stage: Stage, incarnation: int, recorded: bool
) -> None:
    faults: list[Fault] = []
    upkeep = Upkeep(
        "r",
        config=Config(Settings()),
        directory=Directory(),
        clock=ManualClock(),
        fatal=lambda _error: None,
        fallback_audience=(),
        deliver=faults.append,
    )
    upkeep.on_exit(ExitNotice("recorder", incarnation, stage, error))
    assert bool(faults) is recorded


@pytest.mark.parametrize("words", [("errors", "list"), ("errors", "show", "ab"), ("errors", "resolve", "ab")])
def test_where_no_store_is_none_is_made(words: tuple[str, ...], tmp_path: Path) -> None:
    done = foureyes(tmp_path, *words)
    assert done.returncode == UNAVAILABLE and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"there is no store at {tmp_path / 'data' / 'foureyes.sqlite3'}: ")
    assert "FOUREYES_DATA_DIR" in line and not (tmp_path / "data").exists()


def test_decisions_of_a_folder_that_is_not_there(tmp_path: Path) -> None:
    done = foureyes(tmp_path, "decisions", "list")
    assert done.returncode == UNAVAILABLE and done.stdout == "" and not (tmp_path / "data").exists()
    assert f"no data folder at {tmp_path / 'data'}" in done.stderr and "FOUREYES_DATA_DIR" in done.stderr


def test_an_empty_store_is_healthy(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "data" / "foureyes.sqlite3").close()
    done = foureyes(tmp_path, "errors", "list")
    assert done.returncode == 0 and done.stdout.startswith("healthy: 0 failures")
