"""The store is read beside the FourEyes that writes it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from foureyes_actors.errors import ConfigurationError, StoreUnavailable
from foureyes_actors.messages import Collection
from foureyes_actors.ports.sqlite_reader import SqliteReader
from foureyes_actors.ports.store_sqlite import SqliteStore
from foureyes_actors.ports.stores import open_there, open_to_read
from foureyes_actors.settings import StoreSettings

T0 = datetime(2026, 3, 1, tzinfo=UTC)
READINGS = Collection.READINGS


def document(number: int) -> dict[str, object]:
    return {"_id": f"r{number}", "at": T0 + timedelta(seconds=number), "value": number}


def test_what_is_written_is_read_at_once_and_nothing_is_in_the_way(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    with closing(SqliteStore(path)) as store, closing(SqliteReader(path)) as reader:
        for number in range(50):
            store.append(READINGS, [document(number)])
            assert reader.count(READINGS) == number + 1
            assert reader.latest(READINGS, 1)[0]["_id"] == f"r{number}"
        assert reader.get(READINGS, "r7") == store.get(READINGS, "r7")
        assert str(path) in reader.describe()
    with closing(SqliteStore(path)) as store:
        assert store.count(READINGS) == 50


def test_the_writer_may_end_before_the_reader(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    store = SqliteStore(path)
    store.append(READINGS, [document(1)])
    with closing(SqliteReader(path)) as reader:
        assert reader.count(READINGS) == 1
        store.close()
        assert reader.count(READINGS) == 1
    with closing(SqliteReader(path)) as reader, closing(SqliteStore(path)) as store:  # nobody had it
        store.append(READINGS, [document(2)])
        assert reader.count(READINGS) == 2


def test_it_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    with pytest.raises(StoreUnavailable):
        SqliteReader(path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite3"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE mine (a)")
    with pytest.raises(ConfigurationError, match="another program"):
        SqliteReader(path)


def test_the_tools_read_a_store_in_use_and_a_free_one(tmp_path: Path) -> None:
    settings = StoreSettings()
    with closing(SqliteStore(tmp_path / settings.path)) as store:
        store.append(READINGS, [document(1)])
        with closing(open_to_read(settings, tmp_path)) as reader:
            assert isinstance(reader, SqliteReader) and not isinstance(reader, SqliteStore)
            assert reader.count(READINGS) == 1
    with closing(open_to_read(settings, tmp_path)) as reader:
        assert reader.count(READINGS) == 1


def test_where_nothing_can_be_written_it_is_read_all_the_same(tmp_path: Path) -> None:
    settings = StoreSettings()
    path = tmp_path / settings.path
    with closing(SqliteStore(path)) as store:
        store.append(READINGS, [document(1)])
    lock = path.with_name(path.name + ".lock")
    lock.unlink()
    lock.mkdir()  # as on a disk that is only read: the lock cannot be had
    with closing(open_to_read(settings, tmp_path)) as reader:
        assert isinstance(reader, SqliteReader) and reader.count(READINGS) == 1
    path.write_bytes(b"no database " * 100)
    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        open_to_read(settings, tmp_path)
    path.unlink()
    with pytest.raises(StoreUnavailable, match="there is no store at"):
        open_to_read(settings, tmp_path)
    assert not path.exists()


def test_to_read_makes_nothing(tmp_path: Path) -> None:
    settings = StoreSettings()
    for opened in (open_to_read, open_there):
        with pytest.raises(StoreUnavailable, match=r"there is no store at .*FOUREYES_DATA_DIR"):
            opened(settings, tmp_path / "mistyped")
    (tmp_path / settings.path).mkdir()
    with pytest.raises(StoreUnavailable, match="is no file"):
        open_to_read(settings, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [settings.path.name]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_can_only_be_read(tmp_path: Path) -> None:
    settings = StoreSettings()
    with closing(SqliteStore(tmp_path / settings.path)) as store:
        store.append(READINGS, [document(1)])
    tmp_path.chmod(0o500)
    (tmp_path / (settings.path.name + ".lock")).chmod(0o400)
    try:
        with closing(open_to_read(settings, tmp_path)) as reader:
            assert isinstance(reader, SqliteReader) and reader.count(READINGS) == 1
    finally:
        tmp_path.chmod(0o700)


def test_a_closed_one_says_so(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    SqliteStore(path).close()
    reader = SqliteReader(path)
    reader.close()
    reader.close()
    with pytest.raises(StoreUnavailable, match="has been closed"):
        reader.count(READINGS)
