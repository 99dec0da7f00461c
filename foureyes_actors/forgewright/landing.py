"""What became of a decision's patch in the repository: the answer of ``t00l5et branch``, ``apply`` and ``rollback``.

What is read is data from a program's output: a value that is none is nothing. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from foureyes_actors.forgewright.proposal import COMMIT, DECISION
from foureyes_actors.text import one_line

SCHEMA = 1
MAX_REASON = 500  # characters


class Landed(StrEnum):
    DONE = "done"  # now
    ALREADY = "already"  # before; nothing more happened
    REFUSED = "refused"  # nothing happened, and ``reason`` says what a person would have to change


@dataclass(frozen=True, slots=True)
class Landing:
    """``step``: branch, apply or rollback. ``branch``: its name. ``commit``: the one that the step made or found."""

    step: str
    decision: str
    result: Landed
    reason: str = ""
    branch: str = ""
    commit: str = ""

    def __str__(self) -> str:
        parts = (f"{self.step} {self.decision}: {self.result}", self.commit[:12], self.reason)
        return one_line(", ".join(filter(None, parts)), 1000)


def as_line(landing: Landing) -> str:
    """One line of JSON."""
    return json.dumps({"schema": SCHEMA, **asdict(landing), "reason": _cut(landing.reason)})


def landing_from(text: str | bytes) -> Landing | None:
    """None: it is none."""
    try:
        found = json.loads(text)
        if not isinstance(found, Mapping) or found.pop("schema", None) != SCHEMA:  # type: ignore[attr-defined]
            return None
        landing = Landing(**{**found, "result": Landed(found["result"])})
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return None
    texts = (landing.step, landing.reason, landing.branch, landing.commit)
    if not all(isinstance(text, str) and len(text) <= MAX_REASON for text in texts):
        return None
    fine = isinstance(landing.decision, str) and DECISION.fullmatch(landing.decision)
    return landing if fine and (not landing.commit or COMMIT.fullmatch(landing.commit)) else None


def _cut(reason: str) -> str:
    """Each character may take six in JSON."""
    shown = one_line(reason, MAX_REASON)
    while len(json.dumps(shown)) > MAX_REASON:
        shown = one_line(shown, len(shown) * 3 // 4)
    return shown
