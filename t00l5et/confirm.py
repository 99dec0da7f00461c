"""Whether a platform's failure happens again: three runs, each in a process of its own, and the level it is held at."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from foureyes_actors.errors import ProcessError
from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.process import ProcessPort
from foureyes_actors.replay.replaying import Outcome
from foureyes_actors.text import bounded

RUNS = 3
RUN_TIMEOUT = 60.0  # seconds
FOLDER = re.compile(r"repro_([0-9a-f]{8,64})")
ROOT = Path(__file__).parents[1]
# This very code, from wherever it is called, and not what may be installed besides.
START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from t00l5et.__main__ import app; app()"
VERDICT = "verdict "  # begins the line that a run ends with


class Level(StrEnum):
    PORT = "port"  # what the ports gave is given again
    STAND_IN = "stand-in"  # as port, with stand-ins for secrets
    UNCONFIRMED = "unconfirmed"


@dataclass(frozen=True, slots=True)
class Confirmation:
    """``seconds``: for all runs."""

    level: Level
    reason: str
    runs: int
    same: int
    seconds: float


def record_id(folder: Path) -> str | None:
    found = FOLDER.fullmatch(folder.name)
    return found[1] if found else None


def confirm(folder: Path, processes: ProcessPort, clock: Clock, runs: int = RUNS) -> Confirmation:
    """No sandbox: the code that is run is FourEyes's own, and a record runs nothing else."""
    began = clock.monotonic()
    verdicts = [_run(folder.absolute(), processes) for _ in range(runs)]
    same = sum(outcome == Outcome.SAME for outcome, _, _ in verdicts)
    seconds = clock.monotonic() - began
    if same == runs:
        redacted = verdicts[0][2]
        return Confirmation(Level.STAND_IN if redacted else Level.PORT, verdicts[0][1], runs, same, seconds)
    outcome, reason, _ = next(verdict for verdict in verdicts if verdict[0] != Outcome.SAME)
    why = f"flaky, {same} of {runs}: {outcome}" if same else outcome
    return Confirmation(Level.UNCONFIRMED, f"{why}: {reason}" if reason else why, runs, same, seconds)


def _run(folder: Path, processes: ProcessPort) -> tuple[str, str, bool]:
    """Outcome, reason, with stand-ins."""
    try:
        command = [sys.executable, "-c", START, str(ROOT), "replay", str(folder)]
        result = processes.run(command, timeout=RUN_TIMEOUT)
    except ProcessError as error:
        return "it could not be started", str(error), False
    if result.exit_code is None:
        return "no end", f"not within {RUN_TIMEOUT:g} s", False
    for line in reversed(result.lines):
        if line.startswith(VERDICT):
            found = json.loads(line.removeprefix(VERDICT))
            return str(found["outcome"]), str(found["reason"]), bool(found["redacted"])
    last = result.lines[-1] if result.lines else ""
    return "the run broke off", bounded(f"exit code {result.exit_code}: {last}", 300), False
