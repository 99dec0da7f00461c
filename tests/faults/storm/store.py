"""The real store with a switch in front: away, full disk, a defect of its own, a call that hangs."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from foureyes_actors.errors import StoreUnavailable
from foureyes_actors.messages import Collection, Document
from foureyes_actors.ports.store import StorePort

LONGEST_HANG = 60.0  # seconds


class StoreVice(StrEnum):
    AWAY = "away"  # every call, and opening, as when a server is gone
    FULL = "full"  # writing alone, as SQLite says it of a full disk
    OS_ERROR = "os_error"  # what no store may raise: ENOSPC as it is
    HANG = "hang"  # the next write waits until ``release``


class Weather:
    """What the store does at present. Any thread may change it."""

    def __init__(self) -> None:
        self.vice: StoreVice | None = None
        self.met = 0  # calls that the vice has hit
        self.release = threading.Event()

    def turn(self, vice: StoreVice | None) -> None:
        if vice is StoreVice.HANG:
            self.release = threading.Event()
        elif vice is None:
            self.release.set()
        self.vice = vice

    def check(self, *, writing: bool) -> None:
        vice = self.vice
        if vice is None or (vice is not StoreVice.AWAY and not writing):
            return
        self.met += 1
        match vice:
            case StoreVice.AWAY:
                raise StoreUnavailable("the plug is out")
            case StoreVice.FULL:
                raise StoreUnavailable("database or disk is full (SQLITE_FULL)")
            case StoreVice.OS_ERROR:
                self.vice = None  # once: each one is the end of a recorder
                raise OSError(errno.ENOSPC, "No space left on device")
            case StoreVice.HANG:
                self.vice = None
                self.release.wait(LONGEST_HANG)


class OpensInWeather:
    """In the place of ``World.store``."""

    def __init__(self, open_store: Callable[[], StorePort], weather: Weather) -> None:
        self._open_store, self._weather = open_store, weather

    def __call__(self) -> StorePort:
        self._weather.check(writing=False)
        return StoreInWeather(self._open_store(), self._weather)


class StoreInWeather:
    """A StorePort."""

    def __init__(self, store: StorePort, weather: Weather) -> None:
        self._store, self._weather = store, weather

    def append(self, collection: Collection, documents: Sequence[Document]) -> int:
        self._weather.check(writing=True)
        return self._store.append(collection, documents)

    def count_occurrence(self, document: Document) -> int:
        self._weather.check(writing=True)
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
        self._weather.check(writing=False)
        return self._store.purge(collection, before)

    def describe(self) -> str:
        return self._store.describe()

    def close(self) -> None:
        self._store.close()
