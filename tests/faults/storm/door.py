"""The recorder's door: what it was told and took, which is what must be in the store at the end, once."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from foureyes_actors.messages import Collection, CountError, Fault, StoreDocuments
from foureyes_actors.ports.store import StorePort
from foureyes_actors.recorder.journal import REFUSED
from supervisors.directory import Directory
from supervisors.messages import ExitNotice

RECORDER = "recorder"


class Door:
    """Stands in the directory's ``tell``, and beside ``on_exit``. Any thread may call."""

    def __init__(self, directory: Directory) -> None:
        self._tell, self._lock = directory.tell, threading.Lock()
        directory.tell = self.tell  # type: ignore[method-assign]
        self.accepted: dict[Collection, list[str]] = {each: [] for each in Collection}
        self.named: list[ExitNotice] = []  # ends of the recorder that name a message of these kinds
        self.faults: list[str] = []  # told to the bug actor, which holds some of a flood back
        self.exits: Counter[str] = Counter()  # notices: child
        self.newest_frame: datetime | None = None  # of the readings that a model has said something about

    def tell(self, name: str, message: object) -> bool:
        told = self._tell(name, message)
        if told and type(message) in (StoreDocuments, CountError, Fault):
            with self._lock:
                self._note(message)
        return told

    def _note(self, message: object) -> None:
        if isinstance(message, CountError):
            self.accepted[Collection.ERRORS].append(message.document["_id"])
        elif isinstance(message, StoreDocuments):
            self.accepted[message.collection] += [document["_id"] for document in message.documents]
            if message.collection is Collection.READINGS:
                self._see(message.documents[-1])
        elif isinstance(message, Fault):
            self.faults.append(message.id)

    def _see(self, reading: Any) -> None:
        at = reading["captured_at"]
        if reading["models"] and (self.newest_frame is None or at > self.newest_frame):
            self.newest_frame = at

    def beside(self, on_exit: Callable[[ExitNotice], None]) -> Callable[[ExitNotice], None]:
        def noted(notice: ExitNotice) -> None:
            with self._lock:
                self.exits[notice.child] += 1
                if notice.child == RECORDER and notice.handling in (StoreDocuments.__name__, CountError.__name__):
                    self.named.append(notice)
            on_exit(notice)

        return noted


@dataclass(frozen=True)
class Account:
    """``missing``: accepted, and neither stored nor named in an exit notice nor set aside. ``twice``: stored more
    often than accepted. ``strange``: stored, but never accepted."""

    accepted: dict[str, int]
    stored: dict[str, int]
    named: int
    set_aside: int
    missing: tuple[str, ...]
    twice: tuple[str, ...]
    strange: tuple[str, ...]
    held_back: int  # faults that the bug actor was told and did not record one by one

    @property
    def right(self) -> bool:
        return not (self.missing or self.twice or self.strange)


def account(door: Door, store: StorePort, journal: Path) -> Account:
    """After the program has ended and its journal is empty."""
    aside = _set_aside(journal / REFUSED)
    excused = aside | {each for notice in door.named for each in notice.message_id.split()}
    documents = [_documents(door, store, each, excused) for each in (Collection.READINGS, Collection.EVENTS)]
    parts = [*documents, _errors(door, store, excused)]
    errors = door.accepted[Collection.ERRORS]
    return Account(
        accepted={collection.value: len(ids) for collection, ids in door.accepted.items() if ids},
        stored={part.name: part.stored for part in parts},
        named=len(door.named),
        set_aside=len(aside),
        missing=tuple(each for part in parts for each in part.missing),
        twice=tuple(each for part in parts for each in part.twice),
        strange=tuple(each for part in parts for each in part.strange),
        held_back=len({*door.faults} - {*errors}),
    )


@dataclass(frozen=True)
class _Part:
    name: str
    stored: int
    missing: list[str]
    twice: list[str]
    strange: list[str] = field(default_factory=list)


def _documents(door: Door, store: StorePort, collection: Collection, excused: set[str]) -> _Part:
    found = [document["_id"] for document in store.latest(collection, limit=1_000_000)]
    wanted = door.accepted[collection]
    missing = sorted({*wanted} - {*found} - excused)
    strange = sorted({*found} - {*wanted})
    return _Part(collection.value, len(found), missing, _repeated(found) + _repeated(wanted), strange)


def _errors(door: Door, store: StorePort, excused: set[str]) -> _Part:
    """The store keeps groups; each adds up what it was told."""
    counted = sum(error["occurrences"] for error in store.latest(Collection.ERRORS, limit=1_000_000))
    wanted = door.accepted[Collection.ERRORS]
    at_least = len({*wanted} - excused)
    missing = [f"{at_least - counted} errors of {len(wanted)}"] if counted < at_least else []
    twice = [f"{counted - len(wanted)} errors of {len(wanted)}"] if counted > len(wanted) else []
    return _Part(Collection.ERRORS.value, counted, missing, twice)


def _repeated(ids: list[str]) -> list[str]:
    return [each for each, times in Counter(ids).items() if times > 1]


def _set_aside(path: Path) -> set[str]:
    """Ids in the file of refused documents, which keeps each as a Python text."""
    if not path.exists():
        return set()
    texts = [json.loads(line)["document"] for line in path.read_text().splitlines()]
    return {text.partition("'_id': '")[2].partition("'")[0] for text in texts}
