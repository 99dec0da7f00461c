"""Whether a failure happened again, at which level, where: the answer of ``t00l5et reproduce``, kept in the platform.

What is read from a folder is data from anywhere: a value that is none is nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from foureyes_actors.ports.private_folder import PrivateFolder
from foureyes_actors.text import one_line

CONFIRMATION = "confirmation.json"
SCHEMA = 1
MAX_REASON = 300  # characters
MAX_LINE = 900  # characters of JSON: a child's longer line would be cut


class Level(StrEnum):
    WIRE = "wire"  # the real client library failed again, against a server that played the recorded exchange
    PORT = "port"  # what the ports gave was given again
    STAND_IN = "stand-in"  # one of these, with stand-ins for secrets
    UNCONFIRMED = "unconfirmed"


@dataclass(frozen=True, slots=True)
class Confirmation:
    """``seconds``: for all runs. ``sandbox``: in which they ran, in words. ``at``: ISO 8601, UTC."""

    level: Level
    reason: str
    runs: int
    same: int
    seconds: float
    sandbox: str = ""
    at: str = ""

    def __str__(self) -> str:
        runs = f"{self.same} of {self.runs} runs, {self.seconds:.1f} s, sandbox: {one_line(self.sandbox, 300)}"
        return f"{self.level}: {one_line(self.reason, 500)} ({runs})"


def as_line(found: Confirmation) -> str:
    """One line of JSON, its texts cut where it would be too long."""
    for limit in (MAX_REASON, 100, 30, 10):
        texts = {name: one_line(getattr(found, name), limit) for name in ("reason", "sandbox")}
        line = json.dumps({"schema": SCHEMA, **asdict(found), **texts, "seconds": round(found.seconds, 3)})
        if len(line) <= MAX_LINE:
            break
    return line


def confirmation_from(text: str | bytes) -> Confirmation | None:
    """None: it is no confirmation."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, Mapping) or found.get("schema") != SCHEMA:
        return None
    return _checked(found)


def _checked(found: Mapping[str, Any]) -> Confirmation | None:
    numbers = [found.get(name) for name in ("runs", "same", "seconds")]
    texts = [found.get(name) for name in ("reason", "sandbox", "at")]
    if found.get("level") not in list(Level) or not all(isinstance(text, str) for text in texts):
        return None
    if not all(isinstance(n, int | float) and not isinstance(n, bool) and 0 <= n < 1e9 for n in numbers):
        return None
    runs, same, seconds = numbers
    reason, sandbox, at = (one_line(str(text), MAX_REASON) for text in texts)
    assert runs is not None and same is not None and seconds is not None
    return Confirmation(Level(found["level"]), reason, int(runs), int(same), float(seconds), sandbox, at)


def kept_confirmation(folder: PrivateFolder, prefix: str = "") -> Confirmation | None:
    """``prefix``: of the name, e.g. ``repro_0123abcd/``."""
    try:
        return confirmation_from(folder.read(f"{prefix}{CONFIRMATION}"))
    except (OSError, ValueError):
        return None
