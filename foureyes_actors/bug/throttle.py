"""A storm at its source: making a fault takes some hundred microseconds, so of one kind only so many a second are made.
What is held back is counted by who asks. Used in one thread; time is an argument, in monotonic seconds."""

from __future__ import annotations

SECOND = 1.0
PER_KIND = 5  # faults a second of one kind; the bug actor records no more of a group (bug/storm.py)
IN_ALL = 50  # faults a second
MAX_KINDS = 256


class Throttle:
    def __init__(self) -> None:
        self._began = float("-inf")
        self._in_all = 0
        self._kinds: dict[object, int] = {}

    def admits(self, error: BaseException, now: float) -> bool:
        """Whether a fault is to be made of it. A kind is a type of exception and the code that raised it; a new kind is
        admitted also when the second has seen very many of others."""
        if now - self._began >= SECOND:
            self._began, self._in_all = now, 0
            self._kinds.clear()
        kind = _kind(error)
        seen = self._kinds.get(kind, 0)
        if seen >= PER_KIND or (seen and self._in_all >= IN_ALL) or (not seen and len(self._kinds) >= MAX_KINDS):
            return False
        self._kinds[kind] = seen + 1
        self._in_all += 1
        return True


def _kind(error: BaseException) -> object:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return (type(error), None if trace is None else trace.tb_frame.f_code)
