"""Which faults are the same one: the rule and its version are in ``replay.fingerprint``."""

from __future__ import annotations

from itertools import dropwhile

from foureyes_actors.messages import Fault
from foureyes_actors.replay.fingerprint import VERSION as VERSION
from foureyes_actors.replay.fingerprint import basis_of, digest_of


def fingerprint(fault: Fault) -> str:
    """``v2-`` and 64 bits of SHA-256 in hex."""
    return digest_of(basis(fault))


def basis(fault: Fault) -> tuple[str, ...]:
    """What is hashed, for people who ask why two faults are (not) the same."""
    return basis_of(fault.exception_chain or (fault.exception_type,), _frames(fault))


def _frames(fault: Fault) -> tuple[str, ...]:
    below_actor = tuple(dropwhile(lambda frame: frame.startswith("supervisors."), fault.frames))
    if below_actor or fault.frames:
        return below_actor or fault.frames
    # Nothing of ours: the door it came through and who knocked, or everything without frames would be one group.
    return (fault.source, fault.component)
