"""``run.py errors`` and ``run.py reproduce``: the functions behind them, and once each for real."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from foureyes_actors.bug.document import error_document
from foureyes_actors.bug.faults import fault_from_exception
from foureyes_actors.bug.fingerprint import fingerprint
from foureyes_actors.bug.keeper import RecordKeeper, kept_record
from foureyes_actors.bug.redact import Redactor
from foureyes_actors.bug.severity import Severity
from foureyes_actors.commands.error_commands import (
    NoSuchError,
    Wanted,
    find_group,
    list_document,
    list_lines,
    make_platform,
    resolve,
    show_lines,
)
from foureyes_actors.messages import Collection, Fault
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.ports.private_folder import MAX_FILE, LocalPrivateFolder
from foureyes_actors.ports.store_sqlite import SqliteStore
from foureyes_actors.replay.confirmation import Confirmation, Level
from foureyes_actors.replay.platform_folder import Origin, origin_of, write_platform
from foureyes_actors.settings.bug import BugSettings
from t00l5et.confirm import keep
from tests.bug.make import a_fault
from tests.replay.make import failure
from tests.replay.scenarios import joined

ROOT = Path(__file__).parents[2]
CLOCK, RULES = ManualClock(), BugSettings()
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


def listed(store: SqliteStore, wanted: Wanted) -> list[str]:
    return list(list_lines(store, wanted, CLOCK.utc_now(), RULES))


def test_the_list_has_a_line_a_group_and_the_resolved_ones_on_demand(store: SqliteStore) -> None:
    first, second = a_fault(ValueError(HOSTILE)), a_fault(KeyError("k"), id="ab" * 16)
    count(store, first)
    count(store, first)
    count(store, second, record="ab" * 16)
    lines = listed(store, Wanted(10))
    assert len(lines) == 4 and all(line.isprintable() and len(line) < 200 for line in lines)
    assert lines[0] == "healthy: 2 failures in the last 5 min, 0 of them critical"
    assert first.id[:12] in lines[3] and " 1  no " in lines[3] and "ValueError" in lines[3]
    assert lines[2].startswith("abababababab ") and "yes" in lines[2]
    assert resolve(store, "abab", "mended", CLOCK.utc_now()) == second.id
    assert len(listed(store, Wanted(10))) == 3
    assert listed(store, Wanted(10, resolved=True))[2].endswith("(resolved)")
    assert len(listed(store, Wanted(1))) == 3


SHAPES: dict[str, dict[str, object]] = {
    "chain": {"exception_chain": [HOSTILE, 5, None]},
    "a chain that is a text": {"exception_chain": HOSTILE},
    "a chain that is a number": {"exception_chain": 5},
    "context": {"context": {HOSTILE: HOSTILE, "record": "../../../etc/passwd"}},
    "a context that is a number": {"context": 5},
    "names": dict.fromkeys(("severity", "source", "component", "error_type", "exception_type"), HOSTILE),
    "texts": {"message": HOSTILE * 1000, "stack_trace": HOSTILE * 1000},
    "no texts": {"message": None, "stack_trace": 5, "exception_type": 5},
    "times": {"last_at": HOSTILE, "first_at": 5, "resolved": "yes", "resolved_at": HOSTILE, "resolution": HOSTILE},
    "history": {"history": {"recent": ["x"], "days": {"a": "b"}}, "occurrences": HOSTILE},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_document_of_any_shape_is_shown_and_cannot_steer_a_terminal(shape: str, tmp_path: Path) -> None:
    fault = a_fault(ValueError("x"))
    group = {**error_document(fault, fingerprint(fault), {}), **SHAPES[shape]}
    lines = "\n".join(show_lines(group, LocalPrivateFolder(tmp_path), tmp_path))
    assert all(char == "\n" or char.isprintable() for char in lines) and fault.id in lines


BLOBS = {"a number": 5, "a list": ["00" * 32], "too many": {f"{n:064x}": "bytes" for n in range(5000)}}


@pytest.mark.parametrize("blobs", BLOBS)
def test_a_record_that_names_its_blobs_in_another_way_is_refused_in_words(blobs: str, tmp_path: Path) -> None:
    folder, fault = LocalPrivateFolder(tmp_path / "records"), a_recorded(tmp_path / "records")
    document = json.loads(folder.read(f"errors/{fault.id}.json"))
    folder.write(f"errors/{fault.id}.json", json.dumps({**document, "blobs": BLOBS[blobs]}).encode())
    with pytest.raises(NoSuchError, match=r"cannot be used: (what should name the blobs|5000 blobs)"):
        make_platform(folder, tmp_path / "platforms", fault.id)


def test_a_record_that_is_no_file_or_too_large_is_told_at_once(tmp_path: Path) -> None:
    folder, fault = LocalPrivateFolder(tmp_path), a_recorded(tmp_path)
    path = tmp_path / "errors" / f"{fault.id}.json"
    with path.open("r+b") as file:
        file.truncate(MAX_FILE + 1)  # sparse: it takes no place
    with pytest.raises(OSError, match="at most 67108864 are read"):
        kept_record(folder, fault.id)
    path.unlink()
    path.mkdir()
    assert kept_record(folder, fault.id) is None


def test_an_empty_store_says_so(store: SqliteStore) -> None:
    assert listed(store, Wanted(10))[1:] == ["no unresolved failures"]
    assert listed(store, Wanted(10, resolved=True))[1:] == ["no failures"]


def test_the_list_by_source_and_by_fingerprint(store: SqliteStore) -> None:
    here, there = a_fault(ValueError("x"), source="here"), a_fault(KeyError("x"), source="there")
    count(store, here)
    count(store, there)
    assert [here.id[:12]] == [line[:12] for line in listed(store, Wanted(10, source="here"))[2:]]
    found = Wanted(10, fingerprint=fingerprint(there)).of(store)
    assert [group["_id"] for group in found] == [there.id]
    assert listed(store, Wanted(10, source="here", fingerprint=fingerprint(there)))[1:] == ["no unresolved failures"]
    resolve(store, here.id, "mended", CLOCK.utc_now())
    assert Wanted(10, source="here").of(store) == []
    assert [group["_id"] for group in Wanted(10, resolved=True, source="here").of(store)] == [here.id]


def test_the_list_says_what_recurs_and_how_well_the_whole_is(store: SqliteStore) -> None:
    for number in range(22):
        count(store, a_fault(ValueError("again"), id=f"{number:032x}"))
    assert listed(store, Wanted(10))[0] == "degraded: 22 failures in the last 5 min, 0 of them critical"
    assert listed(store, Wanted(10))[2].endswith("[recurs: 22 in 10 min]")
    count(store, a_fault(MemoryError()))
    assert listed(store, Wanted(10))[0] == "critical: 23 failures in the last 5 min, 1 of them critical"
    later = CLOCK.utc_now() + timedelta(minutes=6)
    assert next(list_lines(store, Wanted(10), later, RULES)).startswith("healthy: 0 failures")
    found = json.loads(json.dumps(list_document(store, Wanted(10), CLOCK.utc_now(), RULES), default=str))
    assert found["condition"] == {"level": "critical", "errors": 23, "critical": 1}
    assert sorted(group["recurrence"] for group in found["groups"]) == ["", "22 in 10 min"]


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


def shown(store: SqliteStore, folder: Path) -> str:
    records, platforms = LocalPrivateFolder(folder / "records"), folder / "platforms"
    return "\n".join(show_lines(store.latest(Collection.ERRORS)[0], records, platforms))


def test_what_became_of_running_it_again_is_shown(store: SqliteStore, tmp_path: Path) -> None:
    fault = a_recorded(tmp_path / "records")
    count(store, fault, record=fault.id)
    assert "reproduced   not tried yet" in shown(store, tmp_path)
    folder = make_platform(LocalPrivateFolder(tmp_path / "records"), tmp_path / "platforms", fault.id, "g", 1.0)
    assert "reproduced   not tried yet" in shown(store, tmp_path)
    found = Confirmation(Level.PORT, "KeyError", 3, 3, 2.5, "bubblewrap", "")
    keep(folder, found)
    text = shown(store, tmp_path)
    assert "reproduced   port: KeyError (3 of 3 runs, 2.5 s, sandbox: bubblewrap)" in text
    assert f"platform     {folder}" in text


def test_the_platform_of_an_older_record_of_the_group_is_shown_too(store: SqliteStore, tmp_path: Path) -> None:
    fault = a_recorded(tmp_path / "records")
    group = fingerprint(fault)
    folder = make_platform(LocalPrivateFolder(tmp_path / "records"), tmp_path / "platforms", fault.id, group, 1.0)
    keep(folder, Confirmation(Level.UNCONFIRMED, "flaky \x1b[2J", 3, 1, 2.5, "weak (x)", ""))
    count(store, fault, record="ab" * 16)
    text = shown(store, tmp_path)
    assert "reproduced   unconfirmed: flaky [2J (1 of 3 runs" in text and str(folder) in text and "\x1b" not in text


def test_a_platform_is_written_anew_and_stays_its_groups(tmp_path: Path) -> None:
    """Asking for it by the record's id alone, later, does not make it forget whose it is."""
    fault = a_recorded(tmp_path / "records")
    records, platforms = LocalPrivateFolder(tmp_path / "records"), tmp_path / "platforms"
    folder = make_platform(records, platforms, fault.id, "g", 1.0)
    (folder / "record.json").write_text("broken", encoding="utf-8")
    keep(folder, Confirmation(Level.PORT, "KeyError", 3, 3, 2.5, "bubblewrap", ""))
    assert make_platform(records, platforms, fault.id, "", 2.0) == folder
    assert b"KeyError" in (folder / "record.json").read_bytes()
    assert not (folder / "confirmation.json").exists(), "it was of what was there before"
    origin = origin_of(LocalPrivateFolder(platforms), fault.id)
    assert origin is not None and (origin.group, origin.at, origin.unasked) == ("g", 1.0, False)


# --- what may lie in the way ---


@pytest.mark.skipif(sys.platform == "win32", reason="links are for administrators there")
@pytest.mark.parametrize("planted", ["folder", "blobs", "record.json", "test"])
def test_a_planted_link_is_never_followed(tmp_path: Path, planted: str) -> None:
    fault = a_recorded(tmp_path / "records")
    records, platforms, outside = LocalPrivateFolder(tmp_path / "records"), tmp_path / "platforms", tmp_path / "outside"
    outside.mkdir()
    (outside / "mine").write_text("mine", encoding="utf-8")
    folder = platforms / f"repro_{fault.id}"
    place = {"folder": folder, "test": folder / f"test_repro_{fault.id}.py"}.get(planted, folder / planted)
    place.parent.mkdir(parents=True)
    place.symlink_to(outside if planted in ("folder", "blobs") else outside / "mine")
    try:
        make_platform(records, platforms, fault.id)
        assert not place.is_symlink() or planted == "blobs", "it was replaced, or nothing was written by it"
    except OSError as error:
        assert error.errno == errno.ELOOP and planted in ("folder", "blobs")
    assert [path.name for path in outside.iterdir()] == ["mine"]
    assert (outside / "mine").read_text(encoding="utf-8") == "mine"


@pytest.mark.skipif(sys.platform == "win32", reason="links are for administrators there")
def test_nothing_is_read_by_a_planted_link(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"x" * 10)
    folder = LocalPrivateFolder(tmp_path / "inside")
    folder.write("a/b", b"y")
    (tmp_path / "inside" / "link").symlink_to(secret)
    (tmp_path / "inside" / "away").symlink_to(tmp_path)
    for name in ("link", "away/secret"):
        with pytest.raises(OSError, match="is a link"):
            folder.read(name)
        assert not folder.exists(name)
    with pytest.raises(OSError, match="is a link"):
        folder.delete("away/secret")
    assert [entry.name for entry in folder.entries()] == ["a/b"] and secret.exists()
    (tmp_path / "inside" / "empty").mkdir()
    folder.prune()
    assert not (tmp_path / "inside" / "empty").exists() and folder.read("a/b") == b"y"


class FullDisk(LocalPrivateFolder):
    def write(self, name: str, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", name)


def test_a_full_disk_and_a_file_in_the_way_are_said(tmp_path: Path) -> None:
    fault = a_recorded(tmp_path / "records")
    document = kept_record(LocalPrivateFolder(tmp_path / "records"), fault.id)
    assert document is not None
    with pytest.raises(OSError, match="No space left"):
        write_platform(FullDisk(tmp_path / "x"), document, lambda _: b"", Origin(fault.id, "", "", 1.0))
    (tmp_path / "platforms").write_text("a file", encoding="utf-8")
    code, said = run(tmp_path, "reproduce", fault.id)
    assert code == 69 and "Traceback" not in said, said
    assert f"{tmp_path / 'platforms'} cannot be written: " in said
    code, said = run(tmp_path, "errors", "export", fault.id, "--to", str(tmp_path / "platforms" / "x.zip"))
    assert code == 69 and f"{tmp_path / 'platforms' / 'x.zip'} cannot be written: " in said, said


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
