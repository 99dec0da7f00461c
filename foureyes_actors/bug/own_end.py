"""A process that ended itself, as a fault: read from the stacks that it left, by the next start. Pure."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime

from foureyes_actors.bug.native_crash import MAX_TRACE, SOURCE
from foureyes_actors.errors import EndedItself
from foureyes_actors.messages import Fault
from foureyes_actors.replay.capture import type_name
from foureyes_actors.text import bounded, bounded_middle, one_line
from supervisors.stacks import ending_of

GIL = "no Python code ran any more"
# Components are names, by which failures are grouped, and are stored as they are: no number and no text from outside.
_NAMES = (
    (re.compile(r"Cerberus has been in one message"), "Cerberus hangs"),
    (re.compile(r"\d+ threads of [a-z_]+\b"), "threads of {} hang"),
    (re.compile(r"\d+ threads hang"), "threads hang"),
    (re.compile(GIL), "the GIL is held"),
)


def own_end_fault(dump: bytes, at: datetime) -> Fault | None:
    """``at``: when it is found; nobody knows better. None when nothing in it is an end. The same dump is the same
    fault."""
    found = ending_of(dump.decode("utf-8", "replace"))
    if found is None:
        return None
    kind, reason = type_name(EndedItself), bounded(one_line(found.reason, 300) or GIL, 300)
    return Fault(
        id=hashlib.sha256(found.text.encode("utf-8", "replace")).hexdigest()[:32],
        at=at,
        source=SOURCE,
        component=component_of(reason),
        exception_type=kind,
        message=f"the run before this one ended itself: {reason}",
        stack_trace=bounded_middle(found.text, MAX_TRACE),
        context={"reason": reason},
        exception_chain=(kind,),
    )


def component_of(reason: str) -> str:
    for pattern, name in _NAMES:
        if found := pattern.match(reason):
            return name.format(found[0].rpartition(" ")[2])
    return "last resort"
