"""Threads that were fenced because they hung. Python cannot end a thread, so they are counted until they end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LeakLimits:
    """So many at one time are too many: the process is no longer worth saving."""

    of_one_child: int = 3
    in_all: int = 8


class Leaks:
    """Shared by the supervisors of a tree; any thread may call.

    ``too_many`` is called, with the reason, in the thread that found it out; it is expected to end the process.
    """

    def __init__(self, limits: LeakLimits | None = None, too_many: Callable[[str], None] = lambda reason: None) -> None:
        self._limits, self._too_many = limits or LeakLimits(), too_many
        self._lock = threading.Lock()
        self._open: set[tuple[str, int]] = set()

    def began(self, name: str, incarnation: int) -> None:
        with self._lock:
            self._open.add((name, incarnation))
            reason = self._reason(name)
        if reason:
            self._too_many(reason)

    def ended(self, name: str, incarnation: int) -> None:
        with self._lock:
            self._open.discard((name, incarnation))

    def of(self, name: str) -> int:
        with self._lock:
            return sum(each == name for each, _ in self._open)

    @property
    def total(self) -> int:
        with self._lock:
            return len(self._open)

    def _reason(self, name: str) -> str:
        of_one, in_all = sum(each == name for each, _ in self._open), len(self._open)
        if of_one >= self._limits.of_one_child:
            return f"{of_one} threads of {name} hang and cannot be ended"
        return f"{in_all} threads hang and cannot be ended" if in_all >= self._limits.in_all else ""
