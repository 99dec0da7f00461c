"""Any external command as a fixer: ``command < task.json > patch.diff``, no shell, within bounds."""

from __future__ import annotations

import json
import os
import shlex
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from foureyes_actors.errors import FourEyesError, ProcessError
from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.process import ChildProcess, ProcessPort
from foureyes_actors.text import bounded_middle, one_line
from t00l5et.fixing.diffs import is_diff
from t00l5et.fixing.fixer import MAX_DIFF, Answer, Assignment

LAUNCHER = Path(__file__).with_name("launch.py")
MAX_ERRORS = 64 * 1024  # bytes of standard error
MAX_SAID = 16 * 1024
LATER = 15.0  # seconds more for the launcher than for the command: it has to end what is left
GRACE = 1.0
POLL = 0.05
ALWAYS = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TEMP", "TMP")
WINDOWS = (
    *("SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT"),
    *("USERPROFILE", "HOMEDRIVE", "HOMEPATH", "APPDATA", "LOCALAPPDATA"),
)


class NoSuchFixer(FourEyesError):
    """The command cannot be run at all."""


def environment_of(environ: Mapping[str, str], passed: Sequence[str]) -> dict[str, str]:
    """What a command sees of our environment: where programs and its own settings lie, the language, and the variables
    that the user named. FourEyes's own settings, among which there may be passwords, are not in it."""
    names = (*ALWAYS, *(WINDOWS if os.name == "nt" else ()), *passed)
    return {name: environ[name] for name in names if name in environ}


class CommandFixer:
    """Implements Fixer. ``line``: split as a POSIX shell does; nothing in it is expanded."""

    budget = 120_000  # characters of source in a task

    def __init__(
        self, line: str, processes: ProcessPort, clock: Clock, environment: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Raises NoSuchFixer."""
        self._processes, self._clock, self._environment = processes, clock, dict(environment)
        try:
            parts = shlex.split(line)
        except ValueError as error:
            raise NoSuchFixer(f"the fixer's command cannot be split into words: {error}") from None
        program = processes.find_program(parts[0]) if parts else None
        if program is None:
            raise NoSuchFixer(
                f"there is no program {one_line(parts[0], 100) if parts else ''!r} for the fixer's command"
            )
        self._command = (program, *parts[1:])

    @property
    def name(self) -> str:
        return Path(self._command[0]).name

    def propose(self, assignment: Assignment) -> Answer:
        out, err = assignment.scratch / "out", assignment.scratch / "err"
        try:
            ended = self._run(assignment, out, err)
            said = _text(err, MAX_ERRORS)
            if reason := _trouble(ended, assignment.seconds, said):
                return Answer(None, reason, said)
            return _answer(out.read_bytes(), said)
        except OSError as error:
            return Answer(None, f"its output cannot be read: {error.strerror}")

    def close(self) -> None:
        return None

    def _run(self, assignment: Assignment, out: Path, err: Path) -> Mapping[str, Any]:
        places = {"FORGE_TASK": str(assignment.task), "FORGE_PROMPT": str(assignment.prompt)}
        specification = {
            "input": str(assignment.task),
            "output": str(out),
            "errors": str(err),
            "folder": str(assignment.tree),
            "environment": {**self._environment, **places},
            "seconds": assignment.seconds,
            "most": MAX_DIFF,
            "most_errors": MAX_ERRORS,
        }
        launch = [sys.executable, "-P", "-B", str(LAUNCHER), json.dumps(specification)]
        try:
            child = self._processes.start([*launch, *self._command])
        except ProcessError as error:
            return {"end": "not started", "words": str(error)}
        try:
            self._wait(child, assignment.seconds + LATER)
        finally:
            child.stop(GRACE)
        return _ended(child.tail())

    def _wait(self, child: ChildProcess, seconds: float) -> None:
        until, never = self._clock.monotonic() + seconds, threading.Event()
        while child.exit_code() is None and self._clock.monotonic() < until:
            self._clock.wait(never, POLL)


def _ended(lines: Sequence[str]) -> Mapping[str, Any]:
    try:
        found = json.loads(lines[-1])
    except (IndexError, ValueError):
        found = None
    return found if isinstance(found, dict) else {"end": "broke off"}


def _trouble(ended: Mapping[str, Any], seconds: float, said: str) -> str:
    """Empty: it ended well. The last line of what it said goes into the reason: it is what people look for."""
    last = next((line for line in reversed(said.splitlines()) if line.strip()), "")
    words = f"; it said: {one_line(last, 200)}" if last else ""
    match ended.get("end"):
        case "exit" if ended.get("code") == 0:
            return ""
        case "exit":
            return f"it ended with exit code {ended.get('code')}{words}"
        case "late":
            return f"no end within {seconds:g} s: it was ended with all that it started{words}"
        case "too much":
            return f"it printed more than {MAX_DIFF} bytes"
        case "not started":
            return f"it cannot be started: {one_line(str(ended.get('words', '')), 200)}"
        case _:
            return f"it was ended from outside{words}"


def _answer(data: bytes, said: str) -> Answer:
    if not data.strip():
        return Answer(None, "it printed nothing", said)
    if not is_diff(data):
        return Answer(None, f"what it printed ({len(data)} bytes) is no unified diff", said)
    return Answer(data, said=said)


def _text(path: Path, most: int) -> str:
    return bounded_middle(path.read_bytes()[:most].decode("utf-8", "replace"), MAX_SAID) if path.exists() else ""
