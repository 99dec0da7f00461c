"""The three heads, as values and functions: restart, then reload, then the fallback, each with a window of its own.

    failure  --> restart   at most ``restarts`` in ``restart_period``
             --> reload    one too many: it and all that depends on it; at most ``reloads`` in ``reload_period``
             --> fallback  one too many: the system goes on without it, and probes
    fallback --> normal    after ``probes`` healthy probes in a row, and not before ``dwell`` is over

Success is a passed probe after the step, never the step itself. So failures without one between them escalate however
slowly they come: a server that hangs at each start fails every half a minute, which no window of a minute would see.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from supervisors.policy import Backoff, Window


class Head(StrEnum):
    RESTART = "restart"
    RELOAD = "reload"
    FALLBACK = "fallback"


PROBING = Backoff(first=10.0, longest=60.0)


@dataclass(frozen=True, slots=True)
class Heads:
    """The limits. Times in seconds."""

    restarts: int = 3
    restart_period: float = 60.0
    reloads: int = 1
    reload_period: float = 600.0
    dwell: float = 60.0  # the shortest stay in the fallback
    longest_dwell: float = 960.0
    again_within: float = 600.0  # falling back again so soon doubles the stay
    probes: int = 3  # healthy ones in a row that end the fallback
    probing: Backoff = PROBING  # between attempts while in the fallback
    settled: float = 2.0  # a child that proves nothing has recovered when it has stayed up for so long


@dataclass(frozen=True, slots=True)
class Ladder:
    """Where one child stands."""

    restarts: Window
    reloads: Window
    dwell: float
    fallback_since: float | None = None
    left_at: float | None = None
    row: int = 0  # failures since a probe passed
    healthy: int = 0  # probes passed in a row
    failed_probes: int = 0  # since the fallback was entered

    @property
    def in_fallback(self) -> bool:
        return self.fallback_since is not None


def ladder(heads: Heads) -> Ladder:
    """Of a child that has never failed."""
    return Ladder(Window(heads.restarts, heads.restart_period), Window(heads.reloads, heads.reload_period), heads.dwell)


def bite(state: Ladder, heads: Heads, now: float) -> tuple[Ladder, Head]:
    """A failure: the next state, and the head that answers it."""
    state = replace(state, healthy=0, row=state.row + 1)
    if state.in_fallback:
        return replace(state, failed_probes=state.failed_probes + 1), Head.FALLBACK
    restarts, too_many = state.restarts.hit(now)
    if not too_many and state.row <= heads.restarts:
        return replace(state, restarts=restarts), Head.RESTART
    reloads, too_many = state.reloads.hit(now)
    state = replace(state, restarts=restarts, reloads=reloads)
    if not too_many and state.row <= heads.restarts + heads.reloads:
        return state, Head.RELOAD
    return _fall_back(state, heads, now), Head.FALLBACK


def _fall_back(state: Ladder, heads: Heads, now: float) -> Ladder:
    again = state.left_at is not None and now - state.left_at <= heads.again_within
    dwell = min(heads.longest_dwell, 2 * state.dwell) if again else heads.dwell
    return replace(state, fallback_since=now, dwell=dwell, failed_probes=0)


def passed(state: Ladder, heads: Heads, now: float) -> tuple[Ladder, bool]:
    """A healthy probe: the next state, and whether the fallback is over."""
    state = replace(state, healthy=state.healthy + 1, row=0)
    if state.fallback_since is None or state.healthy < heads.probes or now - state.fallback_since < state.dwell:
        return state, False
    return replace(ladder(heads), dwell=state.dwell, left_at=now), True
