"""The decisions on the disk, ``data_dir/decisions``: a folder for each, with ``decision.json`` and the work on it.

FourEyes and the commands of a person write here at the same time: each writing is of one whole file, under a lock
between processes, and only onto the revision that it was made from.
"""

from __future__ import annotations

import errno
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from foureyes_actors.errors import FourEyesError
from foureyes_actors.forgewright.decision import ID, Decision, from_json, to_json
from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.private_folder import Entry, PrivateFolder
from foureyes_actors.ports.process_lock import LockHeld, ProcessLock
from foureyes_actors.text import one_line

FILE, LOCK, BY_HAND = "decision.json", "lock", "by_hand.lock"
LOCK_WITHIN = 1.5  # seconds; an actor waits for it
MAX_BYTES = 1024 * 1024
MAX_DECISIONS = 2000  # the newest, which are read
MAX_ODD = 50  # of what is no decision: told
LAST_NUMBER = 999_999  # of an id


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
    """``place``: where ``folder`` is. ``lock_within``: seconds; who has to answer others waits less. All methods raise
    OSError; those that write, LedgerBusy too. Any thread. What was read is kept: a file is read again when it is
    another one."""

    def __init__(self, folder: PrivateFolder, place: Path, clock: Clock, *, lock_within: float = LOCK_WITHIN) -> None:
        self._folder, self._place, self._clock, self._within = folder, place, clock, lock_within
        self._seen: dict[str, tuple[Entry, Decision | str]] = {}  # what a file says, or why it says nothing
        self._reading = threading.Lock()

    def page(self) -> Page:
        """All of them, the oldest first. A file that cannot be read now is left out, and told."""
        with self._reading:
            entries = self._entries()
            self._seen = {name: (entry, self._found(name, entry)) for name, entry in entries[-MAX_DECISIONS:]}
            found = [each for _, each in self._seen.values() if isinstance(each, Decision)]
            broken = [f"{name}: {each}" for name, (_, each) in self._seen.items() if isinstance(each, str)]
            broken += self._odd({name for name, _ in entries})
        return Page(tuple(sorted(found, key=lambda each: (each.opened, each.id))), tuple(broken))

    def stamp(self) -> object:
        """Another one when any decision was written: each writing leaves its trace in the lock's file."""
        try:
            return self._folder.look(LOCK)
        except FileNotFoundError:
            return None

    def get(self, decision_id: str) -> Decision | None:
        """None: there is none, or its file says nothing."""
        try:
            return kept_decision(self._folder, decision_id)
        except (FileNotFoundError, ValueError):
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

    @contextmanager
    def by_hand(self) -> Iterator[None]:
        """For one command of a person at a time: what it does to the world and what it writes belong together. Raises
        LedgerBusy."""
        with self._locked(BY_HAND):
            yield

    # --- the disk ---

    def _write(self, decision: Decision) -> Decision:
        made = replace(decision, revision=decision.revision + 1)
        self._folder.write(f"{made.id}/{FILE}", to_json(made))
        return made

    def _found(self, decision_id: str, entry: Entry) -> Decision | str:
        seen = self._seen.get(decision_id)
        if seen is not None and seen[0] == entry and isinstance(seen[1], Decision):
            return seen[1]
        try:
            return kept_decision(self._folder, decision_id, entry)
        except OSError as error:
            return type(error).__name__
        except ValueError as error:
            return one_line(str(error).partition("\n")[0], 100)

    def _entries(self) -> list[tuple[str, Entry]]:
        """By year and number."""
        found = [(entry.name.partition("/")[0], entry) for entry in self._folder.each(FILE)]
        return sorted(((name, entry) for name, entry in found if ID.fullmatch(name)), key=lambda each: _order(each[0]))

    def _odd(self, files: set[str]) -> list[str]:
        """What has the name of a decision and is none: a link, a pipe, a folder in the place of its file."""
        odd = [(name, self._oddity(name)) for name in self._ids() if name not in files]
        return [f"{name}: {each}" for name, each in odd if each][:MAX_ODD]

    def _oddity(self, decision_id: str) -> str:
        """Empty: a folder without the file, as a process that was killed leaves it."""
        try:
            self._folder.look(f"{decision_id}/{FILE}")
        except FileNotFoundError:
            return ""
        except OSError as error:
            return one_line(error.strerror or type(error).__name__, 100)
        return f"its {FILE} is no file"

    def _ids(self) -> list[str]:
        return [name for name in self._folder.names() if ID.fullmatch(name)]

    def _next_id(self, year: int) -> str:
        """After the last one, of which anything is there; when that has the last number, the first that is free."""
        taken = {number for of, number in map(_order, self._ids()) if of == year}
        number = max(taken, default=0) + 1
        if number > LAST_NUMBER:
            number = next(each for each in itertools.count(1) if each not in taken)
        return f"FORGE-{year:04d}-{number:03d}"

    @contextmanager
    def _locked(self, name: str = LOCK) -> Iterator[None]:
        lock = self._lock(self._place / name)
        try:
            yield
        finally:
            lock.release()

    def _lock(self, place: Path) -> ProcessLock:
        if place.is_symlink():
            raise OSError(errno.ELOOP, "is a link, which may lead anywhere", str(place))
        until, never = self._clock.monotonic() + self._within, threading.Event()
        while True:
            try:
                return ProcessLock(place)
            except LockHeld as held:
                if self._clock.monotonic() >= until:
                    raise LedgerBusy(f"the decisions are held by {held.holder}") from None
            self._clock.wait(never, 0.02)


def kept_decision(folder: PrivateFolder, decision_id: str, entry: Entry | None = None) -> Decision:
    """Of a folder of decisions. ``entry``: of its file, when that is known already. Raises OSError, ValueError."""
    if not ID.fullmatch(decision_id):
        raise ValueError(f"{ascii(decision_id)[:60]} is not the id of a decision")
    if (size := (entry or folder.look(f"{decision_id}/{FILE}")).size) > MAX_BYTES:
        raise ValueError(f"has {size} bytes, more than {MAX_BYTES}")
    decision = from_json(folder.read(f"{decision_id}/{FILE}"))
    if decision.id != decision_id:
        raise ValueError("is another decision's")
    return decision


def _order(decision_id: str) -> tuple[int, int]:
    _, year, number = decision_id.split("-")
    return int(year), int(number)
