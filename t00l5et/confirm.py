"""Whether a platform's failure happens again: three runs, each in a process and a sandbox of its own, and the level it
is held at."""

from __future__ import annotations

import json
import platform as machine
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from foureyes_actors.errors import ProcessError
from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.private_folder import LocalPrivateFolder
from foureyes_actors.ports.process import ProcessPort
from foureyes_actors.replay.codec import CodecError, loads
from foureyes_actors.replay.confirmation import CONFIRMATION, Confirmation, Level, as_line
from foureyes_actors.replay.platform import FOLDER, README, RECORD, readme
from foureyes_actors.replay.program import t00l5et
from foureyes_actors.replay.replaying import Outcome
from foureyes_actors.text import bounded
from t00l5et.sandbox import Limits, Sandbox, best_sandbox, run_inside

__all__ = ["RUNS", "VERDICT", "Confirmation", "Level", "confirm", "keep", "record_id", "verdict_line"]

RUNS = 3
VERDICT = "verdict "  # begins the line that a run ends with
MAX_LINE = 900  # characters; of a child's line no more is seen
WIRE = "wire"  # what a verdict's field "level" says of a run with the real client library


@dataclass(frozen=True, slots=True)
class Run:
    """``platform``: the operating system on which the failure was recorded; empty: not known."""

    outcome: str
    reason: str
    redacted: bool = False
    level: str = ""
    platform: str = ""


def record_id(folder: Path) -> str | None:
    found = FOLDER.fullmatch(folder.name)
    return found[1] if found else None


def confirm(
    folder: Path,
    processes: ProcessPort,
    clock: Clock,
    runs: int = RUNS,
    sandbox: Sandbox | None = None,
    limits: Limits | None = None,
) -> Confirmation:
    """``sandbox`` None: the best one that works here. A weak one will do: the code that is run is FourEyes's own, and
    a record runs nothing else."""
    began = clock.monotonic()
    sandbox = sandbox or best_sandbox(processes, clock)
    found = [_run(folder.absolute(), processes, clock, sandbox, limits or Limits()) for _ in range(runs)]
    same = sum(run.outcome == Outcome.SAME for run in found)
    level, reason = _judged(found, same, machine.system())
    at = clock.utc_now().isoformat(timespec="seconds")
    return Confirmation(level, reason, runs, same, clock.monotonic() - began, str(sandbox), at)


def _judged(found: Sequence[Run], same: int, here: str) -> tuple[Level, str]:
    """What failed on another operating system may fail here for another reason: it is never called confirmed."""
    other = next((run for run in found if run.outcome != Outcome.SAME), None)
    if other is None:
        level, why = _level(found), found[0].reason
    else:
        level = Level.UNCONFIRMED
        why = f"flaky, {same} of {len(found)}: {other.outcome}" if same else other.outcome
        why += f": {other.reason}" if other.reason else ""
    there = found[0].platform
    if there and there != here:
        return Level.UNCONFIRMED, f"platform: recorded on {there}, run on {here} ({level}: {why})"
    return level, why


def _level(found: Sequence[Run]) -> Level:
    if any(run.redacted for run in found):
        return Level.STAND_IN
    return Level.WIRE if all(run.level == WIRE for run in found) else Level.PORT


def keep(folder: Path, found: Confirmation) -> None:
    """In the platform, for people and for who asks later. Raises OSError; a folder without its record is left alone."""
    files = LocalPrivateFolder(folder)
    files.write(CONFIRMATION, f"{as_line(found)}\n".encode())
    try:
        document = loads(files.read(RECORD).decode("utf-8", "replace"))
    except (CodecError, OSError):
        return
    if isinstance(document, Mapping):
        files.write(README, readme(document, found).encode("utf-8", "backslashreplace"))


def verdict_line(fields: Mapping[str, object]) -> str:
    """What a run says last. Its ``reason`` is cut where the line would be too long to be read."""
    reason = str(fields.get("reason", ""))
    while len(line := VERDICT + json.dumps({**fields, "reason": reason})) > MAX_LINE and reason:
        reason = reason[: len(reason) // 2]
    return line


def _run(folder: Path, processes: ProcessPort, clock: Clock, sandbox: Sandbox, limits: Limits) -> Run:
    try:
        result = run_inside(sandbox, lambda inside: t00l5et("replay", inside), folder, processes, clock, limits)
    except ProcessError as error:
        return Run("it could not be started", str(error))
    if result.exit_code is None:
        return Run("no end", f"not within {limits.seconds:g} s")
    for line in reversed(result.lines):
        if line.startswith(VERDICT) and (run := _read(line.removeprefix(VERDICT))) is not None:
            return run
    last = result.lines[-1] if result.lines else ""
    return Run("the run broke off", bounded(f"exit code {result.exit_code}: {last}", 300))


def _read(line: str) -> Run | None:
    try:
        found = json.loads(line)
        run = Run(str(found["outcome"]), str(found["reason"]), bool(found["redacted"]), found.get("level") or "")
        return replace(run, platform=found.get("platform") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
