"""Does a group of failures recur? From the moments at which they happened, and the present one. Pure.

A group recurs when ``events`` of it came ``within`` so many seconds; or ``day_events`` on at least ``days`` different
days of the last ``within_days``; or today more than mean + ``sigma`` standard deviations of its days before, of which
there must be ``baseline_days``: the days since it was first seen, those without a failure too. One alone never does:
it is above what is usual of any rare failure. Days are UTC.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from statistics import fmean, pstdev

from foureyes_actors.ports.error_history import DAY, KEPT_DAYS, RECENT, Form, days_of, form, merged, recent_of
from foureyes_actors.settings.bug import RecurrenceSettings


class History:
    """When the failures of one group happened. Used in one thread; it stays small."""

    __slots__ = ("_days", "_recent")

    def __init__(self, stored: object = None) -> None:
        """``stored``: the form in which a store has it (``ports/error_history.py``)."""
        self._recent = deque(recent_of(stored), maxlen=RECENT)
        self._days = Counter(days_of(stored))

    def add(self, at: datetime) -> None:
        moment = milliseconds(at)
        self._recent.append(moment)
        self._days[moment // DAY] += 1
        if len(self._days) > 2 * KEPT_DAYS:
            self._days = Counter(days_of(self.form()))

    def form(self) -> Form:
        return form(sorted(self._recent), self._days)

    def merge(self, stored: object) -> History:
        """With what another one has seen."""
        return History(merged(self.form(), stored))

    @property
    def recent(self) -> Sequence[int]:
        return self._recent

    @property
    def days(self) -> Mapping[int, int]:
        return self._days


def milliseconds(at: datetime) -> int:
    """Since 1970."""
    return int(at.timestamp() * 1000)


def recurrence(history: History, now: datetime, rules: RecurrenceSettings) -> str:
    """Why it recurs, in words; empty when it does not."""
    moment = milliseconds(now)
    quick = sum(1 for at in history.recent if 0 <= moment - at < rules.within * 1000)
    if quick >= rules.events:
        return f"{quick}{'+' if quick == RECENT else ''} in {_span(rules.within)}"
    today = moment // DAY
    lately = {day: count for day, count in history.days.items() if today - rules.within_days < day <= today}
    if len(lately) >= rules.days and sum(lately.values()) >= rules.day_events:
        return f"{sum(lately.values())} on {len(lately)} of {rules.within_days} days"
    return _above(history.days, today, rules)


def recurs(times: Iterable[datetime], now: datetime, rules: RecurrenceSettings) -> bool:
    """As ``recurrence``, of plain timestamps."""
    history = History()
    for at in sorted(times):
        history.add(at)
    return bool(recurrence(history, now, rules))


def _above(days: Mapping[int, int], today: int, rules: RecurrenceSettings) -> str:
    before = [day for day in days if today - KEPT_DAYS < day < today]
    if not before or today - min(before) < rules.baseline_days:
        return ""
    usual = [days.get(day, 0) for day in range(min(before), today)]
    mark = fmean(usual) + rules.sigma * pstdev(usual)
    found = days.get(today, 0)
    return f"{found} today, usual are {fmean(usual):.1f} a day" if found > max(mark, 1) else ""


def _span(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"
