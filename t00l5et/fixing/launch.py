"""Runs one command as ``command < input > output``, within bounds, and ends with it all that it started.

    python -P launch.py SPECIFICATION COMMAND...

A program of its own, so that it outlives its parent for a moment: when the parent has gone, however it went, its
standard input ends and it ends the command too. What it says last is a line of JSON (``Ended``).
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

import psutil

MARK = "FOUREYES_CHILD"  # what the process port marks its children with
POLL = 0.02  # seconds
END_WITHIN = 5.0  # seconds for the system to end what is killed
CHUNK = 64 * 1024
BECOME_SUBREAPER = 36  # prctl(2)


class Pump(threading.Thread):
    """From a pipe into a file, at most ``most`` bytes; the rest is read and dropped, so that nobody blocks."""

    def __init__(self, source: IO[bytes], target: Path, most: int, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._source, self._target, self._most = source, target, most
        self.size = 0
        self.start()

    def run(self) -> None:
        with self._target.open("wb") as file, contextlib.suppress(OSError, ValueError):
            while data := os.read(self._source.fileno(), CHUNK):
                file.write(data[: max(0, self._most - self.size)])
                file.flush()
                self.size += len(data)


def main() -> int:
    specification, command = json.loads(sys.argv[1]), sys.argv[2:]
    gone = threading.Event()
    threading.Thread(target=watch_input, args=(gone,), name="stdin-watch", daemon=True).start()
    adopt_orphans()
    try:
        sys.stdout.write(json.dumps(run(specification, command, gone)) + "\n")
    finally:
        end_all()
    sys.stdout.flush()
    return 0


def run(specification: dict[str, Any], command: list[str], gone: threading.Event) -> dict[str, Any]:
    environment = specification["environment"] | {name: os.environ[name] for name in (MARK,) if name in os.environ}
    with Path(specification["input"]).open("rb") as task:
        try:
            child = subprocess.Popen(
                command,
                stdin=task,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=specification["folder"],
                env=environment,
            )
        except OSError as error:
            return {"end": "not started", "words": error.strerror or type(error).__name__}
    assert child.stdout is not None and child.stderr is not None
    out = Pump(child.stdout, Path(specification["output"]), specification["most"], "stdout")
    err = Pump(child.stderr, Path(specification["errors"]), specification["most_errors"], "stderr")
    end = wait(child, out, specification, gone)
    code = child.returncode
    end_all()
    out.join(END_WITHIN)
    err.join(END_WITHIN)
    if out.size > specification["most"]:
        end = "too much"
    return {"end": end, "code": code, "size": out.size}


def wait(child: subprocess.Popen[bytes], out: Pump, specification: dict[str, Any], gone: threading.Event) -> str:
    until = time.monotonic() + specification["seconds"]
    while child.poll() is None:
        if gone.wait(POLL):
            return "orphaned"
        if out.size > specification["most"]:
            return "too much"
        if time.monotonic() > until:
            return "late"
    return "exit"


def watch_input(gone: threading.Event) -> None:
    """Who started us holds the other end for as long as it lives."""
    with contextlib.suppress(OSError):
        while os.read(sys.stdin.fileno(), 1024):
            pass
    gone.set()


def adopt_orphans() -> None:
    """What the command's children leave behind becomes ours, so that it is found (Linux)."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(BECOME_SUBREAPER, 1, 0, 0, 0)


def end_all() -> None:
    """Again and again: what is being ended may start something new meanwhile."""
    until = time.monotonic() + END_WITHIN
    while (left := started()) and time.monotonic() < until:
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, timeout=0.2)


def started() -> list[psutil.Process]:
    """All that descends from us or has our mark."""
    mark, own = os.environ.get(MARK), os.getpid()
    found = set(psutil.Process().children(recursive=True))
    for process in psutil.process_iter() if mark else ():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != own and process.environ().get(MARK) == mark:
                found.add(process)
    return [process for process in found if runs(process)]


def runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


if __name__ == "__main__":
    sys.exit(main())
