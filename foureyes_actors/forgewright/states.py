"""The life of a decision: one table of transitions. Pure.

    new -> captured -> reproduced | unreproducible -> triaged -> proposed -> verified -> awaiting approval -> applied
        -> watched -> resolved

A failure without a record goes from new to triaged at once. What Cerberus or a bounded setting mends goes from verified
to applied without anybody's approval; a patch never does. The same group again after it was applied: regressed, rolled
back, and triaged anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from foureyes_actors.errors import FourEyesError


class State(StrEnum):
    NEW = "new"
    CAPTURED = "captured"  # there is a record that can be run again
    REPRODUCED = "reproduced"
    UNREPRODUCIBLE = "unreproducible"
    TRIAGED = "triaged"
    PROPOSED = "proposed"  # a remedy is being tried
    VERIFIED = "verified"  # by a probe, on the wire, or by the gate
    AWAITING_APPROVAL = "awaiting approval"
    APPLIED = "applied"  # counts from the next start of FourEyes on
    WATCHED = "watched"
    RESOLVED = "resolved"
    REJECTED = "rejected"
    ROLLED_BACK = "rolled back"
    REGRESSED = "regressed"
    DUPLICATE = "duplicate"
    WONT_FIX = "won't fix"
    DEFERRED = "deferred"  # nothing more can be done now; the reason says why


class Status(StrEnum):
    """What a decision's document says."""

    PROPOSED = "Proposed"
    APPROVED = "Approved"
    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    REJECTED = "Rejected"
    BLOCKED = "Blocked"


class IllegalTransition(FourEyesError):
    """A defect: the table has no such step."""


S = State
TRANSITIONS: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        S.NEW: frozenset({S.CAPTURED, S.TRIAGED, S.DUPLICATE}),
        S.CAPTURED: frozenset({S.REPRODUCED, S.UNREPRODUCIBLE, S.WONT_FIX}),
        S.REPRODUCED: frozenset({S.TRIAGED}),
        S.UNREPRODUCIBLE: frozenset({S.TRIAGED}),
        S.TRIAGED: frozenset({S.CAPTURED, S.PROPOSED, S.DEFERRED, S.DUPLICATE, S.WONT_FIX}),
        S.PROPOSED: frozenset({S.VERIFIED, S.REJECTED, S.DEFERRED}),
        S.VERIFIED: frozenset({S.AWAITING_APPROVAL, S.APPLIED, S.REJECTED, S.DEFERRED}),
        S.AWAITING_APPROVAL: frozenset({S.APPLIED, S.REJECTED, S.DEFERRED}),
        S.APPLIED: frozenset({S.WATCHED, S.ROLLED_BACK}),
        S.WATCHED: frozenset({S.RESOLVED, S.REGRESSED, S.ROLLED_BACK}),
        S.RESOLVED: frozenset({S.REGRESSED, S.ROLLED_BACK}),
        S.REGRESSED: frozenset({S.ROLLED_BACK, S.DEFERRED}),
        S.ROLLED_BACK: frozenset({S.TRIAGED, S.REJECTED, S.DEFERRED}),
        S.REJECTED: frozenset({S.TRIAGED}),
        S.DEFERRED: frozenset({S.TRIAGED, S.WONT_FIX, S.REJECTED}),
        S.DUPLICATE: frozenset(),
        S.WONT_FIX: frozenset(),
    }
)
IN_FORCE = frozenset({S.APPLIED, S.WATCHED, S.RESOLVED})  # a remedy is
CLOSED = frozenset({S.RESOLVED, S.REJECTED, S.DUPLICATE, S.WONT_FIX})

_STATUS: Mapping[State, Status] = MappingProxyType(
    {
        S.AWAITING_APPROVAL: Status.PROPOSED,
        S.APPLIED: Status.APPROVED,
        S.WATCHED: Status.APPROVED,
        S.RESOLVED: Status.COMPLETED,
        S.REJECTED: Status.REJECTED,
        S.DUPLICATE: Status.REJECTED,
        S.WONT_FIX: Status.REJECTED,
        S.DEFERRED: Status.BLOCKED,
        S.REGRESSED: Status.BLOCKED,
    }
)


def status_of(state: State, *, approved: bool = True) -> Status:
    """``approved``: by a person. What came into force without asking is in progress until its watch is over."""
    found = _STATUS.get(state, Status.IN_PROGRESS)
    return Status.IN_PROGRESS if found is Status.APPROVED and not approved else found


def check(before: State, after: State) -> None:
    """Raises IllegalTransition."""
    if after not in TRANSITIONS[before]:
        known = ", ".join(sorted(TRANSITIONS[before])) or "nothing"
        raise IllegalTransition(f"from {before} to {after}: {before} is followed by {known}")
