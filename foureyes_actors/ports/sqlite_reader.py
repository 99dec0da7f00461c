"""The embedded store's reading half: beside a FourEyes that has the file, or below the one that writes."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from bson.errors import BSONError

from foureyes_actors.errors import ConfigurationError, StoreUnavailable
from foureyes_actors.messages import Collection
from foureyes_actors.ports import documents as form
from foureyes_actors.ports import sqlite_tables
from foureyes_actors.ports.sqlite_tables import milliseconds

BUSY_TIMEOUT = 3.0  # seconds to wait for a tool of the user's that has the file


class SqliteReader:
    """StoreReader on a file that must be there. It takes no lock, writes nothing and makes no checkpoint, so it may
    read while a FourEyes writes. Any thread may call. Raises StoreUnavailable, and ConfigurationError when the file
    belongs to a newer FourEyes or to another program."""

    def __init__(self, path: Path) -> None:
        self._path, self._guard, self._closed = path, threading.Lock(), False
        self._connection = self._connected()

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

    def count(self, collection: Collection, *, since: datetime | None = None) -> int:
        query = f"SELECT count(*) FROM {sqlite_tables.table(collection)}"
        values: tuple[int, ...] = ()
        if since is not None:
            query, values = f"{query} WHERE at >= ?", (milliseconds(form.instant(since)),)
        with self._reading() as connection:
            return int(connection.execute(query, values).fetchone()[0])

    def describe(self) -> str:
        return f"SQLite {sqlite3.sqlite_version} at {self._path}"

    def close(self) -> None:
        """May be called twice."""
        with self._guard:
            self._closed = True
            self._connection.close()

    def _connected(self) -> sqlite3.Connection:
        with translated(self._path):
            try:
                return _opened(self._path, "mode=ro")
            except sqlite3.OperationalError:
                # SQLite wants to make a file beside it; where nobody can, and nothing waits in one, nobody changes it.
                if os.access(self._path.parent, os.W_OK) or _unfinished(self._path):
                    raise
                return _opened(self._path, "immutable=1")

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._guard:
            if self._closed:
                raise StoreUnavailable(f"the store {self._path} has been closed")
            with translated(self._path):
                yield self._connection


def check_file(path: Path) -> None:
    """Whether a store that nobody has open can be read: its head and its owner. Nothing is made beside it. Raises as
    SqliteReader."""
    with translated(path):
        _opened(path, "mode=ro" if _unfinished(path) else "immutable=1").close()


def _opened(path: Path, how: str) -> sqlite3.Connection:
    place = f"{path.absolute().as_uri()}?{how}"
    connection = sqlite3.connect(place, uri=True, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
    try:
        check_owner(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _unfinished(path: Path) -> bool:
    """What a writer that was killed left waits beside it."""
    log = path.with_name(path.name + "-wal")
    return log.exists() and log.stat().st_size > 0


def check_owner(connection: sqlite3.Connection, path: Path) -> None:
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
def translated(path: Path) -> Iterator[None]:
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
