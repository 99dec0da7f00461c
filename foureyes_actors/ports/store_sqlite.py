"""The embedded store: SQLite, one file, one process, one connection.

WAL with ``synchronous=FULL``: a commit is on the disk before the call returns. One connection that writes and
checkpoints, under a lock, keeps clear of SQLite's WAL-reset bug (before 3.51.3), which needs two at the same instant;
a lock file keeps other processes of ours out. Documents are BSON beside real columns for what is searched.
A damaged or foreign file is reported and left as it is, never deleted.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from foureyes_actors.errors import StoreInUse, StoreUnavailable
from foureyes_actors.messages import Collection, Document
from foureyes_actors.ports import documents as form
from foureyes_actors.ports import error_groups, sqlite_tables
from foureyes_actors.ports.process_lock import LockHeld, ProcessLock
from foureyes_actors.ports.sqlite_reader import BUSY_TIMEOUT, SqliteReader, check_owner, translated
from foureyes_actors.ports.sqlite_tables import milliseconds

CLOSE_TIMEOUT = 3.0  # seconds to wait for a call in work
PAGE_CACHE = 512  # KiB; SQLite's default of 2000 fills over minutes for nothing
PURGE_SLICE = 5000  # rows in one transaction
PURGE_SECONDS = 0.5  # after which no further slice is begun


class SqliteStore(SqliteReader):
    """StorePort on a file. Any thread may call. Raises StoreInUse, StoreUnavailable, and ConfigurationError when the
    file belongs to a newer FourEyes or to another program."""

    def __init__(self, path: Path) -> None:
        self._process_lock = _process_lock(path)
        try:
            super().__init__(path)
            self._file = _identity(path)
        except BaseException:
            self._process_lock.release()
            raise

    def append(self, collection: Collection, documents: Sequence[Document]) -> int:
        rows = [sqlite_tables.row(form.encoded(document)) for document in documents]
        with self._transaction() as connection:
            before = connection.total_changes
            connection.executemany(sqlite_tables.insertion(collection), rows)
            return connection.total_changes - before

    def count_occurrence(self, document: Document) -> int:
        fields = error_groups.occurrence(document)
        form.body(fields)  # refused, if so, before anything is written
        with self._transaction() as connection:
            return sqlite_tables.count_occurrence(connection, fields)

    def resolve(self, document_id: str, resolution: str, at: datetime) -> bool:
        changes = error_groups.resolution(resolution, at)
        with self._transaction() as connection:
            fields = sqlite_tables.find(connection, Collection.ERRORS, form.clean_text(document_id))
            if fields is not None:
                sqlite_tables.replace_error(connection, {**fields, **changes})
            return fields is not None

    def purge(self, collection: Collection, before: datetime) -> int:
        end = milliseconds(form.instant(before))
        deleted = self._purge_table(sqlite_tables.table(collection), "n", end)
        if collection is Collection.ERRORS:
            self._purge_table("counted", "rowid", end)
        return deleted

    def close(self) -> None:
        """Waits at most CLOSE_TIMEOUT for a call in work, then interrupts it. May be called twice."""
        if not self._guard.acquire(timeout=CLOSE_TIMEOUT):
            self._connection.interrupt()  # a hung call ends with an error, and its transaction is rolled back
            if not self._guard.acquire(timeout=CLOSE_TIMEOUT):
                raise StoreUnavailable(f"{self._path}: a call is still in work after {2 * CLOSE_TIMEOUT:g} s")
        try:
            self._closed = True
            self._connection.close()
        finally:
            self._process_lock.release()
            self._guard.release()

    def _connected(self) -> sqlite3.Connection:
        with translated(self._path):
            connection = sqlite3.connect(
                self._path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
            )
            try:
                _prepare(connection, self._path)
            except BaseException:
                connection.close()
                raise
            return connection

    def _purge_table(self, table: str, key: str, end: int) -> int:
        query = f"DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} WHERE at < ? ORDER BY at LIMIT ?)"
        deleted, deadline = 0, time.monotonic() + PURGE_SECONDS
        while True:
            with self._transaction() as connection:
                found = connection.execute(query, (end, PURGE_SLICE)).rowcount
            deleted += found
            if found < PURGE_SLICE or time.monotonic() >= deadline:
                return deleted

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as connection:
            if _identity(self._path) != self._file:  # SQLite would go on to write into a file that nobody can open
                raise StoreUnavailable(f"the store {self._path} was removed or replaced while it was in use")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file it is; None: there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _process_lock(path: Path) -> ProcessLock:
    try:
        return ProcessLock(path.with_name(path.name + ".lock"))
    except LockHeld as held:
        raise StoreInUse(
            f"the store {path} is in use by {held.holder}: end it, or give this one a store of its own "
            f"(store.path or data_dir in foureyes.yaml)"
        ) from None
    except OSError as error:
        raise StoreUnavailable(f"the store {path} cannot be opened: {error}") from error


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    check_owner(connection, path)
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise StoreUnavailable(f"the store {path}: this file system cannot do WAL (mode {mode}); use a local disk")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA cache_size = -{PAGE_CACHE}")  # negative: in KiB
    connection.executescript(sqlite_tables.schema())
