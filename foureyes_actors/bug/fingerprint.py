"""Which faults are the same one. Version 1; a new version would be a new grouping, never a rewrite of old records.

Of the fault go in: the exception's type and those of its causes, and our own frames from where it was caught down to
where it was raised, as ``module:qualname``. Not: line numbers, messages, threads, ports, the frames of supervision
above the actor, how often something recursed. So a shifted line or another message is the same group.
"""

from __future__ import annotations

import hashlib
from itertools import dropwhile

from foureyes_actors.messages import Fault

VERSION = "v1"


def fingerprint(fault: Fault) -> str:
    """``v1-`` and 64 bits of SHA-256 in hex."""
    digest = hashlib.sha256("|".join(basis(fault)).encode("utf-8", "backslashreplace")).hexdigest()
    return f"{VERSION}-{digest[:16]}"


def basis(fault: Fault) -> tuple[str, ...]:
    """What is hashed, for people who ask why two faults are (not) the same."""
    chain = fault.exception_chain or (fault.exception_type,)
    return (VERSION, " < ".join(chain), " > ".join(_frames(fault)))


def _frames(fault: Fault) -> tuple[str, ...]:
    below_actor = tuple(dropwhile(lambda frame: frame.startswith("supervisors."), fault.frames))
    if below_actor or fault.frames:
        return below_actor or fault.frames
    # Nothing of ours: the door it came through and who knocked, or everything without frames would be one group.
    return (fault.source, fault.component)
