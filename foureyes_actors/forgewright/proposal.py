"""What the fixers proposed for one failure: the answer of ``t00l5et fix``, kept in its work folder as proposal.json.

Both sides read it, and what is read is data from anywhere: a value that is none is nothing. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from foureyes_actors.forgewright.decision import ID
from foureyes_actors.text import one_line

PROPOSAL = "proposal.json"
SCHEMA = 1
MOST_ATTEMPTS = 3
MAX_FILES = 12
MAX_LINE = 900  # characters of JSON: a child's longer line would be cut
DECISION = ID
COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
# Characters: of the reason, of an attempt's, of a path, of a rule.
_LIMITS = ((300, 200, 120, 40), (160, 100, 80, 40), (80, 40, 40, 20), (20, 5, 10, 5))
_LONGEST = _LIMITS[0]


class Outcome(StrEnum):
    PASSED = "passed"  # a diff passed the gate; nothing is applied by that
    STOPPED = "stopped"  # each attempt, by the gate or for want of a diff
    IMPOSSIBLE = "impossible"  # no attempt could be made or judged here


@dataclass(frozen=True, slots=True)
class Attempt:
    """``rule``: what stopped it: one of the gate's, ``fixer`` (no diff), ``secret`` or ``repeated``; empty: it passed
    the gate."""

    number: int
    rule: str
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """``base``: the commit that a diff is for; ``digest``: SHA-256 of the one that passed, and ``files`` those that it
    touches: empty when none did."""

    outcome: Outcome
    reason: str
    base: str = ""
    digest: str = ""
    attempts: tuple[Attempt, ...] = ()
    files: tuple[str, ...] = ()

    def __str__(self) -> str:
        patch = f"; patch {self.digest}" if self.digest else ""
        return f"{self.outcome}: {one_line(self.reason, 500)} (attempts: {len(self.attempts)}){patch}"


def as_line(proposal: Proposal) -> str:
    """One line of JSON, its texts cut, and files left out, where it would be too long."""
    line = ""
    for limits in _LIMITS:
        for files in (proposal.files[:MAX_FILES], proposal.files[:4], proposal.files[:1], ()):
            line = _line(proposal, files, limits)
            if len(line) <= MAX_LINE:
                return line
    return line


def _line(proposal: Proposal, files: Sequence[str], limits: tuple[int, int, int, int]) -> str:
    document = {
        "schema": SCHEMA,
        **asdict(proposal),
        "reason": one_line(proposal.reason, limits[0]),
        "files": [one_line(file, limits[2]) for file in files],
        "attempts": [
            {**asdict(each), "reason": one_line(each.reason, limits[1]), "rule": one_line(each.rule, limits[3])}
            | {"seconds": round(each.seconds, 3)}
            for each in proposal.attempts[:MOST_ATTEMPTS]
        ],
    }
    return json.dumps(document)


def proposal_from(text: str | bytes) -> Proposal | None:
    """None: it is no proposal."""
    try:
        found = json.loads(text)
        return _checked(found) if isinstance(found, Mapping) and found.get("schema") == SCHEMA else None
    except (ValueError, RecursionError, KeyError, TypeError):
        return None


def _checked(found: Mapping[str, Any]) -> Proposal | None:
    attempts, files = found["attempts"], found["files"]
    if not isinstance(attempts, list) or not isinstance(files, list) or len(attempts) > MOST_ATTEMPTS:
        return None
    proposal = Proposal(
        outcome=Outcome(found["outcome"]),
        reason=_text(found["reason"], _LONGEST[0]),
        base=_text(found["base"], 64),
        digest=_text(found["digest"], 64),
        attempts=tuple(attempt_of(each) for each in attempts),
        files=tuple(_text(file, _LONGEST[2]) for file in files[:MAX_FILES]),
    )
    return proposal if _consistent(proposal) else None


def _consistent(proposal: Proposal) -> bool:
    passed = proposal.outcome is Outcome.PASSED
    if proposal.base and not COMMIT.fullmatch(proposal.base):
        return False
    if [each.number for each in proposal.attempts] != list(range(1, len(proposal.attempts) + 1)):
        return False
    rules = [each.rule for each in proposal.attempts]
    if any(not rule for rule in rules[:-1]) or passed != bool(rules and not rules[-1]):
        return False  # an attempt that passed is the last one
    whole = bool(_DIGEST.fullmatch(proposal.digest) and proposal.base)
    return whole if passed else not proposal.digest


def attempt_of(found: Mapping[str, Any]) -> Attempt:
    """Raises ValueError, KeyError, TypeError for what is none."""
    number, seconds = found["number"], found["seconds"]
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MOST_ATTEMPTS:
        raise ValueError("an attempt's number")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 1e9:
        raise ValueError("an attempt's seconds")
    return Attempt(number, _text(found["rule"], 40), _text(found["reason"], _LONGEST[1]), float(seconds))


def _text(found: object, limit: int) -> str:
    if not isinstance(found, str):
        raise TypeError("a text")
    return one_line(found, limit)
