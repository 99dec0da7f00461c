"""Threads that were fenced because they hung. Python cannot end a thread, so they are counted until they end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

logger = logging.getLogger("supervisors")


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
        self._open: dict[threading.Event, str] = {}

    def began(self, name: str, end: threading.Event) -> None:
        """``end`` is set when the thread has ended; one that has is not counted."""
        with self._lock:
            self._open[end] = name
        reason = self._reason(name)
        if reason:
            self._tell(reason)

    def _tell(self, reason: str) -> None:
        try:
            self._too_many(reason)
        except BaseException:  # its SystemExit would end a supervisor, not the process
            logger.exception("it could not be told that %s", reason)

    def names(self) -> tuple[str, ...]:
        """One for each thread that has not ended."""
        with self._lock:
            self._open = {end: name for end, name in self._open.items() if not end.is_set()}
            return tuple(self._open.values())

    def of(self, name: str) -> int:
        return self.names().count(name)

    @property
    def total(self) -> int:
        return len(self.names())

    def _reason(self, name: str) -> str:
        of_one, in_all = self.of(name), self.total
        if of_one >= self._limits.of_one_child:
            return f"{of_one} threads of {name} hang and cannot be ended"
        return f"{in_all} threads hang and cannot be ended" if in_all >= self._limits.in_all else ""
