"""What makes the end of a run no success although it was asked for: nothing was read, or nothing was kept. Pure.

Made of the actors' answers to GetStatus, as the summary is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from foureyes_actors.exit_codes import BAD_CONFIGURATION, NOT_KEPT, UNAVAILABLE
from foureyes_actors.invocation import PROGRAM

Statuses = Mapping[str, Mapping[str, Any]]
_NONE: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Trouble:
    """``code``: the exit code; ``line``: for the user; ``summed_up``: the summary has something to say all the same."""

    code: int
    line: str
    summed_up: bool = True


def trouble_of(statuses: Statuses, *, time_is_over: bool, exhausted: bool) -> Trouble | None:
    """``time_is_over``: the run's seconds ended it; ``exhausted``: the source has no more frames."""
    read = statuses.get("console", _NONE).get("read", 0)
    if time_is_over and not read:
        code = BAD_CONFIGURATION if statuses.get("lm_studio", _NONE).get("refused") else UNAVAILABLE
        return Trouble(code, f"nothing was read: see the lines above, or ask: {PROGRAM} doctor", summed_up=False)
    if exhausted and not read and statuses.get("capture", _NONE).get("frames") == 0:
        return Trouble(UNAVAILABLE, "nothing was read: the source ended without a picture that can be read")
    if nothing_kept(statuses):
        return Trouble(NOT_KEPT, "nothing was kept: neither the store nor the journal took anything of this run")
    return None


def nothing_kept(statuses: Statuses) -> bool:
    """Of all that was to be stored. A recorder that was replaced counts from then on only, so nobody can tell."""
    recorder, replaced = statuses.get("recorder", _NONE), statuses.get("cerberus", _NONE).get("replaced", {})
    kept = recorder.get("stored", 0) + recorder.get("journaled", 0)
    return bool(recorder.get("dropped")) and not kept and "recorder" not in replaced
