"""When the failures of one group happened, in a form that stays small however many there are. Pure.

``{"recent": [...], "days": {...}}``: the newest RECENT moments in milliseconds since 1970, ascending; and how many
there were on each of the last KEPT_DAYS days (UTC), by the day's number since 1970.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

RECENT = 64
KEPT_DAYS = 60
DAY = 86_400_000  # milliseconds

Form = dict[str, Any]


def merged(one: object, other: object) -> Form:
    """Of two parts that have no event in common. What is not of this form counts as nothing."""
    recent = sorted((*_recent(one), *_recent(other)))[-RECENT:]
    days = Counter(days_of(one)) + Counter(days_of(other))
    return form(recent, days)


def form(recent: list[int], days: Mapping[int, int]) -> Form:
    newest = max(days, default=0)
    kept = {str(day): count for day, count in sorted(days.items()) if day > newest - KEPT_DAYS}
    return {"recent": recent, "days": kept}


def recent_of(history: object) -> tuple[int, ...]:
    return tuple(_recent(history))


def days_of(history: object) -> dict[int, int]:
    found = history.get("days") if isinstance(history, Mapping) else None
    if not isinstance(found, Mapping):
        return {}
    return {int(day): count for day, count in found.items() if str(day).isdecimal() and _whole(count) and count > 0}


def _recent(history: object) -> list[int]:
    found = history.get("recent") if isinstance(history, Mapping) else None
    return [at for at in found if _whole(at)] if isinstance(found, list | tuple) else []


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
