"""The tables of the SQLite store: statements and rows. Every function works on an open connection or on values."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from foureyes_actors.messages import Collection
from foureyes_actors.ports import documents as form
from foureyes_actors.ports import error_groups

SCHEMA_VERSION = 1
NEWEST_FIRST = "ORDER BY at DESC, n DESC LIMIT ?"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS = ("at", *form.FILTER_KEYS, "body")


def schema() -> str:
    """A script that makes what is not there yet, in one transaction."""
    parts = [
        "BEGIN IMMEDIATE",
        "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)",
        f"INSERT INTO schema_version SELECT {SCHEMA_VERSION} WHERE NOT EXISTS (SELECT 1 FROM schema_version)",
        "CREATE TABLE IF NOT EXISTS counted (id TEXT PRIMARY KEY, group_id TEXT NOT NULL, at INTEGER NOT NULL)",
        "CREATE INDEX IF NOT EXISTS counted_at ON counted (at)",
        *(part for collection in Collection for part in _table_schema(collection)),
        "COMMIT",
    ]
    return ";".join(parts) + ";"


def _table_schema(collection: Collection) -> Iterator[str]:
    name = table(collection)
    columns = ", ".join(form.FILTER_KEYS)  # without a type: text stays text, a truth value is 0 or 1
    yield (
        f"CREATE TABLE IF NOT EXISTS {name} (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, "
        f"at INTEGER NOT NULL, {columns}, body BLOB NOT NULL)"
    )
    yield f"CREATE INDEX IF NOT EXISTS {name}_at ON {name} (at)"
    for key in form.INDEXED[collection]:
        yield f"CREATE INDEX IF NOT EXISTS {name}_{key} ON {name} ({key}, at) WHERE {key} IS NOT NULL"


def table(collection: Collection) -> str:
    return Collection(collection).value  # never anything but one of ours, so it may stand in a statement


def where(terms: Sequence[str]) -> str:
    return f"WHERE {' AND '.join(terms)}" if terms else ""


def milliseconds(at: datetime) -> int:
    """Since 1970, UTC; what the column ``at`` holds."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def row(fields: Mapping[str, Any]) -> tuple[Any, ...]:
    """The values for ``id`` and _COLUMNS. Raises DocumentRefused when the document is too large."""
    columns = [fields.get(key) for key in form.FILTER_KEYS]
    return (fields["_id"], milliseconds(fields["at"]), *columns, form.body(fields))


def insertion(collection: Collection) -> str:
    """For ``row``; a known id is left as it is."""
    marks = ", ".join("?" * (len(_COLUMNS) + 1))
    return f"INSERT INTO {table(collection)} (id, {', '.join(_COLUMNS)}) VALUES ({marks}) ON CONFLICT (id) DO NOTHING"


def find(connection: sqlite3.Connection, collection: Collection, document_id: str) -> dict[str, Any] | None:
    """The document, encoded."""
    found = connection.execute(f"SELECT body FROM {table(collection)} WHERE id = ?", (document_id,)).fetchone()
    return None if found is None else form.parsed(found[0])


def replace_error(connection: sqlite3.Connection, fields: Mapping[str, Any]) -> None:
    identity, *values = row(fields)
    names = ", ".join(f"{name} = ?" for name in _COLUMNS)
    connection.execute(f"UPDATE ERR0R SET {names} WHERE id = ?", (*values, identity))


def count_occurrence(connection: sqlite3.Connection, fields: Mapping[str, Any]) -> int:
    """Inside a transaction. The occurrences of the group now; 0 when it was purged since this one was counted."""
    known = _known(connection, fields["_id"])
    if known is not None:
        return known
    group = _unresolved(connection, fields["fingerprint"])
    counted = _open_group(connection, fields) if group is None else _add(connection, group, fields)
    connection.execute(
        "INSERT INTO counted (id, group_id, at) VALUES (?, ?, ?)",
        (fields["_id"], counted["_id"], milliseconds(fields["at"])),
    )
    return error_groups.total(counted)


def _known(connection: sqlite3.Connection, occurrence_id: str) -> int | None:
    found = connection.execute("SELECT group_id FROM counted WHERE id = ?", (occurrence_id,)).fetchone()
    group = find(connection, Collection.ERRORS, found[0] if found else occurrence_id)
    if group is not None:
        return error_groups.total(group)
    return 0 if found else None


def _unresolved(connection: sqlite3.Connection, fingerprint: str) -> dict[str, Any] | None:
    query = f"SELECT body FROM ERR0R WHERE fingerprint = ? AND resolved IS NOT 1 {NEWEST_FIRST}"
    found = connection.execute(query, (fingerprint, 1)).fetchone()
    return None if found is None else form.parsed(found[0])


def _open_group(connection: sqlite3.Connection, fields: Mapping[str, Any]) -> dict[str, Any]:
    group = error_groups.first(fields)
    connection.execute(insertion(Collection.ERRORS), row(group))
    return group


def _add(connection: sqlite3.Connection, group: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    changed = {**group, **error_groups.changes(group, fields), "occurrences": error_groups.total(group) + 1}
    replace_error(connection, changed)
    return changed
