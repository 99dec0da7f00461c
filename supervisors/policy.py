"""Supervision's decisions as plain values and functions: no threads, no clock of their own.

The words and the answers are those of Erlang/OTP's ``supervisor``; what differs is said in docs/runtime-semantics.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum


class Restart(StrEnum):
    """When a child that has ended comes back."""

    PERMANENT = "permanent"  # always
    TRANSIENT = "transient"  # after an error only
    TEMPORARY = "temporary"  # never; its spec is forgotten


class Strategy(StrEnum):
    """Who is restarted along with a child that failed."""

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"  # the failed one and all that were started after it


class AutoShutdown(StrEnum):
    """Whether a supervisor ends when its significant children have ended by themselves."""

    NEVER = "never"
    ANY_SIGNIFICANT = "any_significant"
    ALL_SIGNIFICANT = "all_significant"


def comes_back(restart: Restart, *, failed: bool) -> bool:
    """Whether a child that ended by itself is started again."""
    return restart is Restart.PERMANENT or (restart is Restart.TRANSIENT and failed)


def group(strategy: Strategy, names: Sequence[str], failed: str) -> tuple[str, ...]:
    """Those who are restarted when ``failed`` has failed, in start order."""
    match strategy:
        case Strategy.ONE_FOR_ONE:
            return (failed,)
        case Strategy.ONE_FOR_ALL:
            return tuple(names)
        case Strategy.REST_FOR_ONE:
            return tuple(names[names.index(failed) :])


@dataclass(frozen=True, slots=True)
class Window:
    """At most ``intensity`` events within ``period`` seconds; ``marks`` are the moments of those that still count.

    An event that is exactly ``period`` old still counts, as in OTP (which counts whole seconds; we do not).
    """

    intensity: int
    period: float
    marks: tuple[float, ...] = ()

    def hit(self, now: float) -> tuple[Window, bool]:
        """The next window, and whether this event was one too many."""
        marks = (*(mark for mark in self.marks if now - mark <= self.period), now)
        return replace(self, marks=marks), len(marks) > self.intensity


def middle() -> float:
    """A random number that gives no jitter."""
    return 0.5


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds to wait before a restart: none the first time, then ``first``, doubled, at most ``longest``.

    ``jitter`` 0.2: up to 20 % more or less than that, of the longest too. A child that has stayed up for
    ``stable_after`` seconds has no history (supervisord's startsecs).
    """

    first: float = 0.1
    longest: float = 30.0
    stable_after: float = 60.0
    jitter: float = 0.2

    def delay(self, failures_before: int, random: Callable[[], float] = middle) -> float:
        """``failures_before``: failures in a row before this one. ``random``: uniform in [0, 1)."""
        if failures_before <= 0:
            return 0.0
        plain = min(self.longest, self.first * 2.0 ** min(failures_before - 1, 30))
        return plain * (1 + self.jitter * (2 * random() - 1))


NO_BACKOFF = Backoff(first=0.0)
