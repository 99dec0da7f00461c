"""Supervision's decisions as plain values and functions: no threads, no clock of their own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds to wait before the n-th restart in a row: first, then doubled, at most ``longest``.

    A child that has stayed up for ``stable_after`` seconds starts again from ``first`` (supervisord's startsecs).
    """

    first: float = 0.1
    longest: float = 30.0
    stable_after: float = 60.0

    def delay(self, restarts_in_a_row: int) -> float:
        return float(min(self.longest, self.first * 2 ** min(max(0, restarts_in_a_row), 30)))


@dataclass(frozen=True, slots=True)
class Restarts:
    """How often a child has been replaced without having been stable in between."""

    in_a_row: int = 0
    total: int = 0

    def after_exit(self, uptime: float, backoff: Backoff) -> tuple[Restarts, float]:
        """The next value, and the seconds to wait before the replacement."""
        row = 0 if uptime >= backoff.stable_after else self.in_a_row
        return Restarts(row + 1, self.total + 1), backoff.delay(row)
