"""Of which failure a platform is made next: one of each group, the newest record of it, few a day. Pure; times are
seconds since 1970, because what was done yesterday counts after a restart too.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass

DAY = 86_400.0
MAX_WAITING = 32  # groups
MAX_KNOWN = 4096
AGAIN_AFTER = DAY  # a group that was not confirmed gets another try with a newer record
FAILURES, PAUSE = 3, 300.0  # so many failures of the making itself in a row, and for so long nothing is made


@dataclass(frozen=True, slots=True)
class Wanted:
    """``group``: the fingerprint under which ERR0R counts it. ``record``: its id. ``source``: an actor. ``at``: of the
    failure."""

    group: str
    record: str
    source: str
    at: float


@dataclass(frozen=True, slots=True)
class Known:
    """A platform that was made. ``level``: None while nobody knows."""

    record: str
    at: float
    confirmed: bool


class Queue:
    """Used in one thread."""

    def __init__(self, per_day: int) -> None:
        self._per_day = per_day
        self._waiting: OrderedDict[str, Wanted] = OrderedDict()
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._made: deque[float] = deque()  # when, of the last day
        self._failed_in_a_row = 0
        self._paused_until = 0.0
        self.dropped = 0

    def remember(self, group: str, known: Known, *, counts: bool = True) -> None:
        """Of an earlier run. ``counts``: as one of its day's."""
        if counts:
            self._made = deque(sorted([*self._made, known.at]))
        before = self._known.get(group)
        if before is None or (known.confirmed, known.at) > (before.confirmed, before.at):
            self._note(group, known)

    def offer(self, wanted: Wanted, now: float) -> bool:
        """True when it waits now, perhaps in place of an older record of its group."""
        if self._per_day == 0 or not wanted.record or self._has_its_own(wanted, now):
            return False
        if wanted.group not in self._waiting and len(self._waiting) >= MAX_WAITING:
            self.dropped += 1
            return False
        self._waiting[wanted.group] = wanted
        return True

    def next(self, now: float) -> Wanted | None:
        """What is to be made now; it waits on until ``finished`` or ``failed``."""
        return next(iter(self._waiting.values()), None) if self.hindrance(now) == "" else None

    def hindrance(self, now: float) -> str:
        """Why nothing is made now, in words; empty: nothing hinders."""
        while self._made and self._made[0] <= now - DAY:
            self._made.popleft()
        if len(self._made) >= self._per_day:
            return f"{self._per_day} platforms were made in 24 hours"
        return "making them failed several times in a row" if now < self._paused_until else ""

    def finished(self, wanted: Wanted, now: float, *, confirmed: bool) -> None:
        self._failed_in_a_row = 0
        self._made.append(now)
        self._note(wanted.group, Known(wanted.record, now, confirmed))
        self._forget(wanted)

    def failed(self, wanted: Wanted, now: float) -> None:
        """The making itself: it is not tried again with this record."""
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= FAILURES:
            self._failed_in_a_row, self._paused_until = 0, now + PAUSE
        self._note(wanted.group, Known(wanted.record, now, confirmed=False))
        self._forget(wanted)

    def postpone(self, wanted: Wanted) -> None:
        """To the end of the row."""
        if wanted.group in self._waiting:
            self._waiting.move_to_end(wanted.group)

    @property
    def waiting(self) -> tuple[Wanted, ...]:
        return tuple(self._waiting.values())

    @property
    def made_today(self) -> int:
        return len(self._made)

    def _has_its_own(self, wanted: Wanted, now: float) -> bool:
        known = self._known.get(wanted.group)
        if known is None:
            return False
        return known.confirmed or known.record == wanted.record or now - known.at < AGAIN_AFTER

    def _forget(self, wanted: Wanted) -> None:
        """A newer record that came meanwhile needs no platform either: its group has one, or had its try."""
        self._waiting.pop(wanted.group, None)

    def _note(self, group: str, known: Known) -> None:
        self._known.pop(group, None)
        self._known[group] = known
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)
