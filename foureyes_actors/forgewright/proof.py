"""Whether another value of a setting is proven to help with a recorded failure: the answer of ``t00l5et mitigate``.

What is read is data from anywhere: a line that is no proof is none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from foureyes_actors.text import one_line

SCHEMA = 1
MAX_REASON = 400  # characters
MAX_LINE = 900  # characters of JSON: a child's longer line would be cut


@dataclass(frozen=True, slots=True)
class Proof:
    """``proven``: with ``was`` (None: with the recorded value) the failure happens again in each of ``runs``, with
    ``value`` in none. ``late``: seconds after which a reply was assumed; None: none was. ``reason``: what was seen."""

    key: str
    value: float
    proven: bool
    reason: str
    runs: int
    was: float | None = None
    late: float | None = None
    sandbox: str = ""

    def __str__(self) -> str:
        said = "proven" if self.proven else "not proven"
        return f"{said}: {self.key} {self.value:g}: {one_line(self.reason, MAX_REASON)} ({self.runs} runs)"


def as_line(found: Proof) -> str:
    """One line of JSON, its texts cut where it would be too long."""
    for limit in (MAX_REASON, 100, 30, 10):
        texts = {name: one_line(getattr(found, name), limit) for name in ("key", "reason", "sandbox")}
        line = json.dumps({"schema": SCHEMA, **asdict(found), **texts})
        if len(line) <= MAX_LINE:
            break
    return line


def proof_from(text: str | bytes) -> Proof | None:
    """None: it is no proof."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, Mapping) or found.get("schema") != SCHEMA or type(found.get("proven")) is not bool:
        return None
    texts = [found.get(name) for name in ("key", "reason", "sandbox")]
    needed, optional = [found.get("value"), found.get("runs")], [found.get("was"), found.get("late")]
    if not all(isinstance(each, str) for each in texts) or not all(_is_number(each) for each in needed):
        return None
    if not all(each is None or _is_number(each) for each in optional):
        return None
    key, reason, sandbox = (one_line(str(each), MAX_REASON) for each in texts)
    value, runs = found["value"], int(found["runs"])
    return Proof(key, value, found["proven"], reason, runs, found.get("was"), found.get("late"), sandbox)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9
