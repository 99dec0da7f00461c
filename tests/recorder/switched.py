"""A real store with a switch: while it is away, opening and every call fail as they do when a server is gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from foureyes_actors.errors import StoreUnavailable
from foureyes_actors.messages import Collection, Document
from foureyes_actors.ports.store_sqlite import SqliteStore


class Switch:
    """``fail_in``: the call after so many more fails, and all after it. ``defect``: raised by the next write."""

    def __init__(self, path: Path) -> None:
        self.path, self.away, self.opened, self.calls = path, False, 0, 0
        self.fail_in: int | None = None
        self.defect: Exception | None = None

    def open(self) -> SwitchedStore:
        self.check()
        self.opened += 1
        return SwitchedStore(self)

    def check(self) -> None:
        self.calls += 1
        if self.fail_in is not None:
            self.fail_in -= 1
            if self.fail_in < 0:
                self.away, self.fail_in = True, None
        if self.away:
            raise StoreUnavailable("the plug is out")

    def look(self) -> SqliteStore:
        """For the test, once nobody has it."""
        return SqliteStore(self.path)


class SwitchedStore:
    def __init__(self, switch: Switch) -> None:
        self._switch, self._store = switch, SqliteStore(switch.path)

    def append(self, collection: Collection, documents: Sequence[Document]) -> int:
        self._check_write()
        return self._store.append(collection, documents)

    def count_occurrence(self, document: Document) -> int:
        self._check_write()
        return self._store.count_occurrence(document)

    def latest(
        self,
        collection: Collection,
        limit: int = 50,
        *,
        since: datetime | None = None,
        where: Mapping[str, str | bool] | None = None,
    ) -> list[dict[str, Any]]:
        return self._store.latest(collection, limit, since=since, where=where)

    def get(self, collection: Collection, document_id: str) -> dict[str, Any] | None:
        return self._store.get(collection, document_id)

    def resolve(self, document_id: str, resolution: str, at: datetime) -> bool:
        return self._store.resolve(document_id, resolution, at)

    def count(self, collection: Collection, *, since: datetime | None = None) -> int:
        return self._store.count(collection, since=since)

    def purge(self, collection: Collection, before: datetime) -> int:
        self._switch.check()
        return self._store.purge(collection, before)

    def describe(self) -> str:
        return self._store.describe()

    def close(self) -> None:
        self._store.close()

    def _check_write(self) -> None:
        defect, self._switch.defect = self._switch.defect, None
        if defect is not None:
            raise defect
        self._switch.check()
