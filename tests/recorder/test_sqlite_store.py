"""What only the SQLite store has: one process, one file that may be locked, damaged, foreign, full."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from foureyes_actors.errors import ConfigurationError, StoreInUse, StoreUnavailable
from foureyes_actors.messages import Collection
from foureyes_actors.ports.process_lock import LockHeld, ProcessLock
from foureyes_actors.ports.store_sqlite import SqliteStore

T0 = datetime(2026, 3, 1, tzinfo=UTC)
PROJECT = Path(__file__).parents[2]
READINGS = Collection.READINGS


def doc(name: str, size: int = 0) -> dict[str, object]:
    return {"_id": name, "at": T0, "text": "x" * size}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "folder" / "foureyes.sqlite3"  # folders are made


def filled(path: Path, number: int = 3) -> None:
    with closing(SqliteStore(path)) as store:
        store.append(READINGS, [doc(f"d{n}", 1000) for n in range(number)])


def test_commits_reach_the_disk_before_they_return(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        (synchronous,) = store._connection.execute("PRAGMA synchronous").fetchone()
        (mode,) = store._connection.execute("PRAGMA journal_mode").fetchone()
    assert (synchronous, mode) == (2, "wal")  # 2: FULL


HOLDER = """
import sys, pathlib
from foureyes_actors.ports.store_sqlite import SqliteStore
store = SqliteStore(pathlib.Path(sys.argv[1]))
print("open", flush=True)
sys.stdin.read()
"""


def test_a_second_process_is_told_who_has_it_and_a_killed_one_blocks_nobody(path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == b"open"
        with pytest.raises(StoreInUse) as caught:
            SqliteStore(path)
        holder.kill()
        holder.wait(30)
    assert f"in use by process {holder.pid}" in str(caught.value)
    assert "data_dir" in str(caught.value)
    filled(path)


def test_a_second_opening_in_this_process_is_refused_too(path: Path) -> None:
    with closing(SqliteStore(path)), pytest.raises(StoreInUse, match="in use by this process"):
        SqliteStore(path)
    filled(path)


def test_a_lock_is_free_after_its_release_and_is_released_once(tmp_path: Path) -> None:
    lock = ProcessLock(tmp_path / "lock")
    with pytest.raises(LockHeld, match="this process"):
        ProcessLock(tmp_path / "lock")
    lock.release()
    lock.release()
    second = ProcessLock(tmp_path / "lock")
    lock.release()  # not the second one's
    with pytest.raises(LockHeld):
        ProcessLock(tmp_path / "lock")
    second.release()


def test_a_newer_file_is_refused_and_left_alone(path: Path) -> None:
    filled(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE schema_version SET version = 99")
        connection.commit()
    with pytest.raises(ConfigurationError, match=r"newer FourEyes \(schema 99, this one knows 1\): update FourEyes"):
        SqliteStore(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM readings").fetchone() == (3,)


def test_a_database_of_another_program_is_refused(path: Path) -> None:
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    with pytest.raises(ConfigurationError, match="another program"):
        SqliteStore(path)


@pytest.mark.parametrize(
    "content", [b"not a database, but long enough to be looked at" * 100, b"SQLite format 3\0" * 500]
)
def test_a_file_that_is_no_database_is_reported_and_left_as_it_is(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(StoreUnavailable) as caught:
        SqliteStore(path)
    assert str(path) in str(caught.value)
    assert "move it aside (with its -wal file) or set store.path" in str(caught.value)
    assert path.read_bytes() == content
    path.unlink()
    filled(path)  # the lock is free again


def test_a_damaged_page_is_reported_and_the_file_is_left(path: Path) -> None:
    filled(path, 200)
    data = bytearray(path.read_bytes())
    for page in range(4096, len(data), 4096):
        data[page : page + 100] = b"\xff" * 100  # every page but the first
    path.write_bytes(data)
    with pytest.raises(StoreUnavailable, match="is damaged"), closing(SqliteStore(path)) as store:
        store.latest(READINGS)
        store.append(READINGS, [doc("new")])
    assert path.exists()


def test_a_damaged_body_is_reported(path: Path) -> None:
    filled(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE readings SET body = x'05000000' WHERE id = 'd1'")
        connection.commit()
    with closing(SqliteStore(path)) as store:
        with pytest.raises(StoreUnavailable, match="is damaged"):
            store.latest(READINGS)
        assert store.get(READINGS, "d0") is not None


def test_a_folder_in_the_place_of_the_file(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(StoreUnavailable, match="unable to open"):
        SqliteStore(path)


def test_a_file_in_the_place_of_the_folder(path: Path) -> None:
    path.parent.parent.mkdir(parents=True)
    path.parent.write_bytes(b"")
    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        SqliteStore(path)


def test_when_it_is_full_writes_are_refused_whole_and_reads_go_on(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        store.append(READINGS, [doc("a", 1000)])
        (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
        store._connection.execute(f"PRAGMA max_page_count = {pages + 5}")
        with pytest.raises(StoreUnavailable, match="full"):
            store.append(READINGS, [doc(f"b{n}", 4000) for n in range(20)])
        assert store.count(READINGS) == 1
        assert store.get(READINGS, "a") is not None
        store._connection.execute("PRAGMA max_page_count = 100000")
        assert store.append(READINGS, [doc("c", 4000)]) == 1


LIMITED = """
import sys, pathlib, resource, datetime
from foureyes_actors.errors import StoreUnavailable
from foureyes_actors.messages import Collection
from foureyes_actors.ports.store_sqlite import SqliteStore
store = SqliteStore(pathlib.Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (800_000, 800_000))
at, number = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC), 0
try:
    while True:
        store.append(Collection.READINGS, [{"_id": str(number), "at": at, "text": "x" * 3000}])
        number += 1
except StoreUnavailable as error:
    print(number, store.count(Collection.READINGS), len(store.latest(Collection.READINGS)), error, flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="only POSIX can limit the size of a process's files")
def test_when_the_operating_system_takes_no_more_bytes(path: Path) -> None:
    command = [sys.executable, "-c", LIMITED, str(path)]
    run = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=True)
    acked, count, latest, error = run.stdout.split(maxsplit=3)
    assert int(acked) == int(count) > 10
    assert int(latest) == min(50, int(count))
    assert str(path) in error
    assert "SQLITE_IOERR" in error
    with closing(SqliteStore(path)) as store:
        assert store.count(READINGS) == int(acked)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_the_right_to_write(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.parent.chmod(0o500)
    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        SqliteStore(path)


def test_a_tool_that_holds_the_file_is_waited_for(path: Path) -> None:
    with closing(SqliteStore(path)) as store, closing(sqlite3.connect(path, check_same_thread=False)) as tool:
        tool.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.2, tool.execute, ("ROLLBACK",))
        release.name = "release"
        release.start()
        assert store.append(READINGS, [doc("a")]) == 1
        release.join(10)


def test_a_large_purge_goes_in_slices(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        old = [{"_id": f"o{n}", "at": T0 + timedelta(milliseconds=n)} for n in range(11_000)]
        store.append(READINGS, old)
        store.append(READINGS, [{"_id": "new", "at": T0 + timedelta(days=1)}])
        deleted = []
        while found := store.purge(READINGS, T0 + timedelta(hours=1)):
            deleted.append(found)
        assert sum(deleted) == 11_000
        assert [found["_id"] for found in store.latest(READINGS)] == ["new"]


@pytest.mark.parametrize("collection", list(Collection))
def test_latest_uses_an_index(path: Path, collection: Collection) -> None:
    with closing(SqliteStore(path)) as store:
        plain = store._connection.execute(
            f"EXPLAIN QUERY PLAN SELECT body FROM {collection} WHERE at >= 1 ORDER BY at DESC, n DESC LIMIT 50"
        ).fetchall()
    assert "USING INDEX" in str(plain)
    assert "TEMP B-TREE" not in str(plain)
