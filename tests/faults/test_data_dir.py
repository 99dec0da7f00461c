"""The data folder is taken away, or is none, while or before the recorder uses it: nothing is lost in silence."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from foureyes_actors.errors import StoreUnavailable
from foureyes_actors.messages import Collection, StoreDocuments
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.ports.store_sqlite import SqliteStore
from foureyes_actors.recorder.journal import Journal
from foureyes_actors.recorder.writer import Writer
from foureyes_actors.settings import RetentionSettings

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def documents(*names: str) -> StoreDocuments:
    return StoreDocuments(Collection.EVENTS, tuple({"_id": name, "at": AT, "kind": "test"} for name in names))


class Recorder:
    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, ManualClock()
        self.writer = Writer(Journal(folder / "journal"), self.clock, RetentionSettings())

    def open(self) -> SqliteStore:
        return SqliteStore(self.folder / "foureyes.sqlite3")

    def stored(self) -> list[str]:
        self.writer.close()
        store = self.open()
        try:
            return [d["_id"] for d in store.latest(Collection.EVENTS)][::-1]
        finally:
            store.close()


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    it = Recorder(tmp_path / "data")
    yield it
    it.writer.close()


def take_away(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except PermissionError:
        pytest.skip("this system does not remove files that are open")


def test_a_removed_folder_is_noticed_and_made_again(recorder: Recorder) -> None:
    recorder.writer.start(recorder.open)
    recorder.writer.accept(documents("before"))
    take_away(recorder.folder)
    recorder.writer.accept(documents("after"))
    assert recorder.writer.status()["condition"] == "away"
    assert "removed or replaced" in str(recorder.writer.reports[0])
    recorder.writer.opened(recorder.open())
    recorder.writer.replay(10.0)
    recorder.writer.accept(documents("later"))
    counted: dict[str, Any] = recorder.writer.status()
    assert (counted["condition"], counted["dropped"]) == ("stored", 0)
    assert recorder.stored() == ["after", "later"]


def test_a_store_that_another_file_has_replaced(tmp_path: Path) -> None:
    path = tmp_path / "one.sqlite3"
    other = SqliteStore(tmp_path / "other.sqlite3")
    other.close()
    store = SqliteStore(path)
    try:
        try:
            (tmp_path / "other.sqlite3").replace(path)
        except PermissionError:
            pytest.skip("this system does not replace files that are open")
        with pytest.raises(StoreUnavailable, match="replaced"):
            store.append(Collection.EVENTS, documents("a").documents)
    finally:
        store.close()


def test_a_folder_among_the_journal_files_is_none_of_them(recorder: Recorder) -> None:
    (recorder.folder / "journal" / "00000007.journal").mkdir(parents=True)
    recorder.writer.start(recorder.open)
    recorder.writer.accept(documents("stored"))
    assert recorder.stored() == ["stored"]


def test_a_data_folder_that_is_none_is_a_store_that_is_away(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(StoreUnavailable, match="data_dir must be writable"):
        Recorder(tmp_path / "data").writer.start(lambda: pytest.fail("never asked"))


def test_a_store_whose_version_is_gone_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "foureyes.sqlite3"
    SqliteStore(path).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript("DROP TABLE schema_version; CREATE TABLE schema_version (version);")
        connection.execute("INSERT INTO schema_version VALUES (NULL)")
    with pytest.raises(StoreUnavailable, match="damaged"):
        SqliteStore(path)
