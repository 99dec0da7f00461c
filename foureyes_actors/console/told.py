"""Failures that have been told: the same long reason is not printed with each attempt to mend it."""

from __future__ import annotations

import re
from dataclasses import replace

from foureyes_actors.messages import Event, EventKind

AGAIN_AFTER = 60.0  # seconds until the same reason is told in full again
MOST = 16  # that are remembered
SAME = "the same failure"
_KINDS = (EventKind.HEAD_BITTEN, EventKind.MODE_CHANGED)
_TYPE = re.compile(r"^\w+: ")  # of the error, in front of its words
_NUMBER = re.compile(r"\d+(\.\d+)?")  # makes no other reason


class ToldReasons:
    """Used in one thread."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}  # when each was told, the oldest first

    def add(self, reason: str, now: float) -> None:
        """It is being told. ``now``: monotonic seconds."""
        key = _key(reason)
        self._at.pop(key, None)
        self._at[key] = now
        while len(self._at) > MOST:
            self._at.pop(next(iter(self._at)))

    def clear(self) -> None:
        """All is well: what fails next is news."""
        self._at.clear()

    def shortened(self, event: Event, now: float) -> Event:
        """The event of a failed part without a reason that was told a moment ago; else it counts as told now."""
        if event.kind not in _KINDS or not event.reason:
            return event
        told = self._at.get(_key(event.reason))
        if told is not None and now - told < AGAIN_AFTER:
            return replace(event, reason=SAME)
        self.add(event.reason, now)
        return event


def _key(reason: str) -> str:
    return _NUMBER.sub("#", _TYPE.sub("", reason, count=1))
