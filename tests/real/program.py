"""``python run.py`` as a user has it: a process of its own, with a data folder of its own."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil

from foureyes_actors.messages import Collection
from foureyes_actors.ports.stores import open_store
from foureyes_actors.settings import StoreSettings

ROOT = Path(__file__).parent.parent.parent
# The tests load the machine themselves; the rate that is wanted is what they look at.
ALWAYS = {"PYTHONUNBUFFERED": "1", "FOUREYES_RESOURCE__PRESSURE__ENABLED": "false"}


def stored_readings(data: Path) -> int:
    """How many there are by now; it may be running."""
    path = data / "foureyes.sqlite3"
    if not path.exists():
        return 0
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        try:
            return int(connection.execute("SELECT count(*) FROM readings").fetchone()[0])
        except sqlite3.OperationalError:  # no such table yet
            return 0


def of_frames(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without those that say, with the number of the last frame, that none was answered for a while: as on a busy
    machine."""
    return [document for document in documents if not document["_id"].endswith("-stale")]


class Program:
    """A running FourEyes. Its output is read by a named thread; ``lines`` has all of it so far. ``root``: its
    checkout, when it is not this one."""

    def __init__(
        self, data: Path, environment: Mapping[str, str], arguments: tuple[str, ...] = (), root: Path = ROOT
    ) -> None:
        self.data = data
        clean = {k: v for k, v in os.environ.items() if not k.startswith("FOUREYES_")}
        self.process = subprocess.Popen(
            [sys.executable, str(root / "run.py"), *arguments],
            env=clean | ALWAYS | {"FOUREYES_DATA_DIR": str(data), **environment},
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, name="output of run.py")
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def says(self, text: str, timeout: float, after: int = 0) -> None:
        """Wait until ``text`` is in its output, from so many lines on; fail at once when it has ended without."""
        self.until(lambda: any(text in line for line in self.lines[after:]), timeout, f"it says {text!r}")

    def until(self, condition: Callable[[], bool], timeout: float, what: str) -> None:
        """Wait for ``condition`` while it runs; what it has printed is in the failure."""
        deadline = time.monotonic() + timeout
        pause = threading.Event()
        while not condition():
            assert not self.ended(), f"it ended before {what}:\n{self.output}"
            assert time.monotonic() < deadline, f"not within {timeout} s: {what}; it printed:\n{self.output}"
            pause.wait(0.05)

    def ended(self) -> bool:
        return self.process.poll() is not None

    def interrupt(self, number: int = signal.SIGINT, within: float = 60.0) -> int:
        self.process.send_signal(number)
        return self.wait(within)

    def wait(self, within: float) -> int:
        try:
            code = self.process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"run.py did not end within {within} s:\n{self.output}") from None
        self._reader.join(30)
        return code

    def readings(self) -> list[dict[str, Any]]:
        """Those of frames, oldest first; only after it has ended."""
        return of_frames(self._stored(Collection.READINGS))

    def events(self) -> list[dict[str, Any]]:
        return self._stored(Collection.EVENTS)

    def errors(self) -> list[dict[str, Any]]:
        return self._stored(Collection.ERRORS)

    def _stored(self, collection: Collection) -> list[dict[str, Any]]:
        store = open_store(StoreSettings(), self.data)
        try:
            return store.latest(collection, limit=100_000)[::-1]
        finally:
            store.close()

    def close(self) -> None:
        if not self.ended():
            self.process.kill()
            self.process.wait(30)
        self._reader.join(30)
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def program(data: Path, environment: Mapping[str, str] | None = None, *arguments: str) -> Iterator[Program]:
    running = Program(data, environment or {}, arguments)
    try:
        yield running
    finally:
        running.close()
