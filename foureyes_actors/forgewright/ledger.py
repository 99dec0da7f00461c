"""The decisions on the disk, ``data_dir/decisions``: a folder for each, with ``decision.json`` and the work on it.

FourEyes and the commands of a person write here at the same time: each writing is of one whole file, under a lock
between processes, and only onto the revision that it was made from.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from foureyes_actors.errors import FourEyesError
from foureyes_actors.forgewright.decision import ID, Decision, from_json, to_json
from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.private_folder import Entry, PrivateFolder
from foureyes_actors.ports.process_lock import LockHeld, ProcessLock

FILE, LOCK = "decision.json", "lock"
LOCK_WITHIN = 1.5  # seconds; an actor waits for it
MAX_BYTES = 1024 * 1024
MAX_DECISIONS = 2000  # files that are read
_NAME = re.compile(rf"{ID.pattern}/{re.escape(FILE)}")


class Outdated(FourEyesError):
    """Somebody else has changed it meanwhile; read it again."""


class LedgerBusy(FourEyesError):
    """Another process holds the lock for too long."""


@dataclass(frozen=True, slots=True)
class Page:
    """``broken``: decisions whose file says nothing, and why."""

    decisions: tuple[Decision, ...]
    broken: tuple[str, ...] = ()


class Ledger:
    """``place``: where ``folder`` is. All methods raise OSError; those that write, LedgerBusy too. Any thread."""

    def __init__(self, folder: PrivateFolder, place: Path, clock: Clock) -> None:
        self._folder, self._place, self._clock = folder, place, clock

    def page(self) -> Page:
        """All of them, the oldest first."""
        found, broken = [], []
        for decision_id in self._ids()[-MAX_DECISIONS:]:
            try:
                found.append(self._read(decision_id))
            except (OSError, ValueError) as error:
                broken.append(f"{decision_id}: {type(error).__name__}")
        return Page(tuple(sorted(found, key=lambda each: (each.opened, each.id))), tuple(broken))

    def stamp(self) -> object:
        """Another one when any decision was written."""
        return tuple((entry.name, entry.changed, entry.size) for entry in self._entries())

    def get(self, decision_id: str) -> Decision | None:
        """None: there is none, or its file says nothing."""
        try:
            return self._read(decision_id)
        except (OSError, ValueError):
            return None

    def work(self, decision_id: str, number: int) -> Path:
        """The folder for the work on its ``number``th proposal."""
        if not ID.fullmatch(decision_id):
            raise ValueError(f"{ascii(decision_id)[:60]} is not the id of a decision")
        return self._place / decision_id / f"work_{number}"

    def open(self, key: str, year: int, make: Callable[[str], Decision]) -> Decision:
        """The one of this pattern; made, with the next id, when there is none."""
        with self._locked():
            known = next((each for each in self.page().decisions if each.key == key), None)
            return known or self._write(make(self._next_id(year)))

    def save(self, decision: Decision) -> Decision:
        """With the next revision. Raises Outdated when what is there is not the revision that it was made from."""
        with self._locked():
            there = self.get(decision.id)
            if there is not None and there.revision != decision.revision:
                raise Outdated(f"{decision.id} was changed meanwhile: it is {there.state} now")
            return self._write(decision)

    # --- the disk ---

    def _write(self, decision: Decision) -> Decision:
        made = replace(decision, revision=decision.revision + 1)
        self._folder.write(f"{made.id}/{FILE}", to_json(made))
        return made

    def _read(self, decision_id: str) -> Decision:
        if not ID.fullmatch(decision_id):
            raise ValueError(f"{ascii(decision_id)[:60]} is not the id of a decision")
        data = self._folder.read(f"{decision_id}/{FILE}")
        if len(data) > MAX_BYTES:
            raise ValueError("is too large")
        decision = from_json(data)
        if decision.id != decision_id:
            raise ValueError("is another decision's")
        return decision

    def _ids(self) -> Sequence[str]:
        return sorted(entry.name.partition("/")[0] for entry in self._entries())

    def _entries(self) -> list[Entry]:
        return [entry for entry in self._folder.entries() if _NAME.fullmatch(entry.name)]

    def _next_id(self, year: int) -> str:
        numbers = [int(each.rpartition("-")[2]) for each in self._ids() if each.startswith(f"FORGE-{year}-")]
        return f"FORGE-{year}-{max(numbers, default=0) + 1:03d}"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = self._lock()
        try:
            yield
        finally:
            lock.release()

    def _lock(self) -> ProcessLock:
        until, never = self._clock.monotonic() + LOCK_WITHIN, threading.Event()
        while True:
            try:
                return ProcessLock(self._place / LOCK)
            except LockHeld as held:
                if self._clock.monotonic() >= until:
                    raise LedgerBusy(f"the decisions are held by {held.holder}") from None
            self._clock.wait(never, 0.02)
