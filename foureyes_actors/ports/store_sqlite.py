"""The embedded store: SQLite, one file, one process, one connection.

WAL with ``synchronous=FULL``: a commit is on the disk before the call returns. One connection that writes and
checkpoints, under a lock, keeps clear of SQLite's WAL-reset bug (before 3.51.3), which needs two at the same instant;
a lock file keeps other processes of ours out. Documents are BSON beside real columns for what is searched.
A damaged or foreign file is reported and left as it is, never deleted.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from bson.errors import BSONError

from foureyes_actors.errors import ConfigurationError, StoreInUse, StoreUnavailable
from foureyes_actors.messages import Collection, Document
from foureyes_actors.ports import documents as form
from foureyes_actors.ports import error_groups, sqlite_tables
from foureyes_actors.ports.process_lock import LockHeld, ProcessLock
from foureyes_actors.ports.sqlite_tables import milliseconds

BUSY_TIMEOUT = 3.0  # seconds to wait for a tool of the user's that has the file
CLOSE_TIMEOUT = 3.0  # seconds to wait for a call in work
PURGE_SLICE = 5000  # rows in one transaction
PURGE_SECONDS = 0.5  # after which no further slice is begun


class SqliteStore:
    """StorePort on a file. Any thread may call. Raises StoreInUse, StoreUnavailable, and ConfigurationError when the
    file belongs to a newer FourEyes or to another program."""

    def __init__(self, path: Path) -> None:
        self._path, self._guard, self._closed = path, threading.Lock(), False
        self._process_lock = _process_lock(path)
        try:
            self._connection = _connected(path)
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

    def latest(
        self,
        collection: Collection,
        limit: int = 50,
        *,
        since: datetime | None = None,
        where: Mapping[str, str | bool] | None = None,
    ) -> list[dict[str, Any]]:
        terms: dict[str, str | bool | int] = {f"{key} = ?": value for key, value in form.checked_filter(where).items()}
        if since is not None:
            terms["at >= ?"] = milliseconds(form.instant(since))
        query = f"SELECT body FROM {sqlite_tables.table(collection)} {sqlite_tables.where(list(terms))}"
        with self._reading() as connection:
            rows = connection.execute(f"{query} {sqlite_tables.NEWEST_FIRST}", (*terms.values(), max(0, limit)))
            return [form.decoded(form.parsed(data)) for (data,) in rows.fetchall()]

    def get(self, collection: Collection, document_id: str) -> dict[str, Any] | None:
        with self._reading() as connection:
            fields = sqlite_tables.find(connection, collection, form.clean_text(document_id))
        return None if fields is None else form.decoded(fields)

    def resolve(self, document_id: str, resolution: str, at: datetime) -> bool:
        changes = error_groups.resolution(resolution, at)
        with self._transaction() as connection:
            fields = sqlite_tables.find(connection, Collection.ERRORS, form.clean_text(document_id))
            if fields is not None:
                sqlite_tables.replace_error(connection, {**fields, **changes})
            return fields is not None

    def count(self, collection: Collection, *, since: datetime | None = None) -> int:
        query = f"SELECT count(*) FROM {sqlite_tables.table(collection)}"
        values: tuple[int, ...] = ()
        if since is not None:
            query, values = f"{query} WHERE at >= ?", (milliseconds(form.instant(since)),)
        with self._reading() as connection:
            return int(connection.execute(query, values).fetchone()[0])

    def purge(self, collection: Collection, before: datetime) -> int:
        end = milliseconds(form.instant(before))
        deleted = self._purge_table(sqlite_tables.table(collection), "n", end)
        if collection is Collection.ERRORS:
            self._purge_table("counted", "rowid", end)
        return deleted

    def describe(self) -> str:
        return f"SQLite {sqlite3.sqlite_version} at {self._path}"

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
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._guard:
            if self._closed:
                raise StoreUnavailable(f"the store {self._path} has been closed")
            with _translated(self._path):
                yield self._connection

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


def _connected(path: Path) -> sqlite3.Connection:
    with _translated(path):
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
        return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    _check_owner(connection, path)
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise StoreUnavailable(f"the store {path}: this file system cannot do WAL (mode {mode}); use a local disk")
    connection.execute("PRAGMA synchronous = FULL")
    connection.executescript(sqlite_tables.schema())


def _check_owner(connection: sqlite3.Connection, path: Path) -> None:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return
    found = connection.execute("SELECT version FROM schema_version").fetchone() if "schema_version" in tables else None
    if found is None:
        raise ConfigurationError(f"{path} is a database of another program: set store.path to another file")
    if not isinstance(found[0], int):  # cut off while it was in use, say
        raise sqlite3.DatabaseError("its schema version cannot be read")
    if found[0] > sqlite_tables.SCHEMA_VERSION:
        raise ConfigurationError(
            f"{path} was written by a newer FourEyes (schema {found[0]}, this one knows "
            f"{sqlite_tables.SCHEMA_VERSION}): update FourEyes, or set store.path to another file"
        )


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """SQLite's errors as ours: the store does not take or give documents now. Errors of our own use pass."""
    try:
        yield
    except sqlite3.OperationalError as error:
        code = getattr(error, "sqlite_errorname", "without a code")
        advice = ": make room on its disk" if code == "SQLITE_FULL" else ""
        raise StoreUnavailable(f"the store {path}: {error} ({code}){advice}") from error
    except (sqlite3.DatabaseError, BSONError) as error:
        if isinstance(error, sqlite3.DatabaseError) and type(error) is not sqlite3.DatabaseError:
            raise
        raise StoreUnavailable(
            f"the store {path} is damaged or no database ({error}): move it aside (with its -wal file) or set "
            f"store.path, and FourEyes starts a new one, or put a good copy there; it is left as it is"
        ) from error
