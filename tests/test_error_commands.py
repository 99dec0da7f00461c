"""``run.py errors`` and ``run.py reproduce``: the functions behind them, and once each for real."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from foureyes_actors.bug.document import error_document
from foureyes_actors.bug.faults import fault_from_exception
from foureyes_actors.bug.fingerprint import fingerprint
from foureyes_actors.bug.keeper import RecordKeeper
from foureyes_actors.bug.redact import Redactor
from foureyes_actors.bug.severity import Severity
from foureyes_actors.error_commands import NoSuchError, find_group, list_lines, make_platform, resolve, show_lines
from foureyes_actors.messages import Collection, Fault
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.ports.private_folder import LocalPrivateFolder
from foureyes_actors.ports.store_sqlite import SqliteStore
from tests.bug.make import a_fault
from tests.replay.make import failure
from tests.replay.scenarios import joined

ROOT = Path(__file__).parent.parent
CLOCK = ManualClock()
HOSTILE = "\x1b[2J\nsecond line \u202e ``` " + "x" * 300


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "foureyes.sqlite3")
    yield opened
    opened.close()


def a_recorded(folder: Path) -> Fault:
    """A defect, with its record on the disk."""
    fault = fault_from_exception(failure(joined({"grand": "1.00"})), source="readings", clock=CLOCK)
    keeper = RecordKeeper(LocalPrivateFolder(folder), files=LocalFiles(), clock=CLOCK, redactor=Redactor())
    keeper.keep(fault, Severity.HIGH)
    return fault


def count(store: SqliteStore, fault: Fault, **extra: str) -> None:
    store.count_occurrence(error_document(fault, fingerprint(fault), extra))


def test_the_list_has_a_line_a_group_and_the_resolved_ones_on_demand(store: SqliteStore) -> None:
    first, second = a_fault(ValueError(HOSTILE)), a_fault(KeyError("k"), id="ab" * 16)
    count(store, first)
    count(store, first)
    count(store, second, record="ab" * 16)
    lines = list(list_lines(store, 10))
    assert len(lines) == 3 and all(line.isprintable() and len(line) < 200 for line in lines)
    assert first.id[:12] in lines[2] and " 1  no " in lines[2] and "ValueError" in lines[2]
    assert lines[1].startswith("abababababab ") and "yes" in lines[1]
    assert resolve(store, "abab", "mended", CLOCK.utc_now()) == second.id
    assert len(list(list_lines(store, 10))) == 2
    assert list(list_lines(store, 10, resolved=True))[1].endswith("(resolved)")
    assert len(list(list_lines(store, 1))) == 2


def test_an_empty_store_says_so(store: SqliteStore) -> None:
    assert list(list_lines(store, 10)) == ["no unresolved failures"]


def test_a_group_is_found_by_what_its_id_or_fingerprint_begins_with(store: SqliteStore) -> None:
    count(store, a_fault(ValueError("x"), id="aa11"))
    count(store, a_fault(KeyError("x"), id="aa22"))
    assert find_group(store, "aa1")["_id"] == "aa11"
    assert find_group(store, fingerprint(a_fault(KeyError("x"))))["_id"] == "aa22"
    for wanted, words in (("aa", "2 failures have"), ("zz", "no failure has"), ("", "no failure has")):
        with pytest.raises(NoSuchError, match=words):
            find_group(store, wanted)


def test_a_group_is_shown_without_steering_the_terminal(store: SqliteStore, tmp_path: Path) -> None:
    count(store, a_fault(ValueError(HOSTILE), context={"no\x1bte": HOSTILE}))
    text = "\n".join(show_lines(store.latest(Collection.ERRORS)[0], LocalPrivateFolder(tmp_path)))
    assert "\x1b" not in text and "\u202e" not in text
    assert "second line" in text and "no record: it came through no replay point" in text


def test_a_record_that_is_there_can_be_run_again(store: SqliteStore, tmp_path: Path) -> None:
    fault = a_recorded(tmp_path / "records")
    count(store, fault, record=fault.id)
    text = "\n".join(show_lines(store.latest(Collection.ERRORS)[0], LocalPrivateFolder(tmp_path / "records")))
    assert f"python run.py reproduce {fault.id}" in text
    text = "\n".join(show_lines(store.latest(Collection.ERRORS)[0], LocalPrivateFolder(tmp_path / "nothing")))
    assert "is not there (any longer)" in text


@pytest.mark.parametrize("wanted", ["ab" * 16, "../../x", ""])
def test_no_record_no_platform(tmp_path: Path, wanted: str) -> None:
    with pytest.raises(NoSuchError):
        make_platform(LocalPrivateFolder(tmp_path / "records"), tmp_path / "platforms", wanted)
    assert not (tmp_path / "platforms").exists()


def run(data: Path, *arguments: str) -> tuple[int, str]:
    """From another folder than the project's."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "run.py"), *arguments],
        cwd=data,
        env={**os.environ, "FOUREYES_DATA_DIR": str(data)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_for_real(tmp_path: Path) -> None:
    """List, show and reproduce while another holds the store; resolve."""
    store = SqliteStore(tmp_path / "foureyes.sqlite3")
    fault = a_recorded(tmp_path / "records")
    count(store, fault, record=fault.id)
    code, said = run(tmp_path, "errors", "list")
    assert code == 0 and fault.id[:12] in said, said
    code, said = run(tmp_path, "errors", "show", fault.id[:12])
    assert code == 0 and f"python run.py reproduce {fault.id}" in said, said
    code, said = run(tmp_path, "errors", "resolve", fault.id[:12])
    assert code == 69 and "in use by process" in said, said
    code, said = run(tmp_path, "reproduce", fault.id)
    assert code == 0 and "port: KeyError (3 of 3 runs" in said, said
    assert (tmp_path / "platforms" / f"repro_{fault.id}" / f"test_repro_{fault.id}.py").is_file()
    store.close()
    code, said = run(tmp_path, "errors", "resolve", fault.id[:12], "--as", "mended")
    assert code == 0 and said.strip() == f"resolved: {fault.id}", said
    code, said = run(tmp_path, "reproduce", "zz")
    assert code == 69 and "no failure has an id" in said, said
