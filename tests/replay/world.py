"""What this machine does to FourEyes: programs that are gone, disks that are full, times that no calendar has."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

from foureyes_actors.inference.tasks import AMOUNTS
from foureyes_actors.lm_studio.lms import load, unload
from foureyes_actors.messages import Collection, Field, FrameRef, StoreDocuments, Task, TaskAnswer
from foureyes_actors.ports.local_process import LocalProcesses
from foureyes_actors.ports.store_sqlite import SqliteStore
from foureyes_actors.readings.events import Told
from foureyes_actors.readings.fusion import Joined, Part
from foureyes_actors.readings.screen import Screen, read
from foureyes_actors.recorder.store_calls import open_store, purge, write
from foureyes_actors.settings import ReadingsSettings
from tests.replay.scenario import Scenario

AT = datetime(2026, 1, 1, tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=timezone(-timedelta(hours=9)))  # in UTC it lies in the year 10000
Act = Callable[[SqliteStore, Path], object]


def run(*command: str, seconds: float = 20.0) -> Callable[[], object]:
    return lambda: load(LocalProcesses(), command, seconds)


def python(code: str, seconds: float = 20.0) -> Callable[[], object]:
    return run(sys.executable, "-c", code, seconds=seconds)


def denied() -> object:
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "lms"
        program.write_text("this is no program")
        return unload(LocalProcesses(), (str(program), "unload", "m"))


def stored(act: Act) -> Callable[[], object]:
    def acted() -> object:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "store.sqlite3"
            with closing(SqliteStore(path)) as store:
                return act(store, path)

    return acted


def documents(size: int = 10) -> StoreDocuments:
    return StoreDocuments(Collection.READINGS, ({"_id": "a", "at": AT, "text": "x" * size},))


def full(store: SqliteStore, _path: Path) -> object:
    """SQLite's own limit gives the very error of a full disk (SQLITE_FULL)."""
    (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    return write(store, documents(1_000_000))


def table_gone(store: SqliteStore, _path: Path) -> object:
    store._connection.execute("DROP TABLE readings")
    return write(store, documents())


def in_use(_store: SqliteStore, path: Path) -> object:
    return open_store(lambda: SqliteStore(path))


def no_database(_store: SqliteStore, path: Path) -> object:
    other = path.with_name("other.sqlite3")
    other.write_bytes(b"this is no database" * 1000)
    return open_store(lambda: SqliteStore(other))


def before(at: datetime) -> Act:
    return lambda store, _path: purge(store, Collection.READINGS, at)


def read_after(told: object, text: str = "1.00") -> object:
    """A frame whose grand jackpot is told against what was told before."""
    values = MappingProxyType(dict.fromkeys(AMOUNTS, text))
    frame = FrameRef("cabinet", 1, AT, 1.0, "0" * 64, "image/jpeg", 1280, 720)
    joined = Joined(frame, (Part("m", (TaskAnswer(Task.OCR, values, None),)),))
    value: Any = told
    return read(replace(Screen(), told=(Told(Field.GRAND, True, value),)), joined, ReadingsSettings())


def processes() -> list[Scenario]:
    named = [
        ("gone", run("/no/such/folder/lms", "load", "m", "-y")),
        ("denied", denied),
        ("ends with a code", python("raise SystemExit('no such model')")),
        ("killed", python("import os, signal; os.kill(os.getpid(), signal.SIGTERM)")),
        ("does not end in time", python("import threading; threading.Event().wait(20)", seconds=0.5)),
        ("IndexError: a command of nothing", run(sys.executable, "/no/such/file.py")),
    ]
    return [Scenario("process", name, act) for name, act in named]


def disks() -> list[Scenario]:
    named: list[tuple[str, Act]] = [
        ("full", full),
        ("a table is gone", table_gone),
        ("in use by another run", in_use),
        ("no database", no_database),
    ]
    return [Scenario("SQLite, live", name, stored(act)) for name, act in named]


def numbers() -> list[Scenario]:
    zone = AT.replace(tzinfo=None)
    named = [
        ("OverflowError: purge before the year 10000", stored(before(LATEST))),
        ("ValueError: purge before a naive time", stored(before(zone))),
        ("an amount that is no number", lambda: read_after(Decimal("sNaN"))),
        ("an amount compared with NaN", lambda: read_after(Decimal("NaN"))),
    ]
    return [Scenario("time and number", name, act) for name, act in named]


def failures() -> list[Scenario]:
    return [*processes(), *disks(), *numbers()]
