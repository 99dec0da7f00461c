"""How well the whole is, by its failures of the last minutes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from foureyes_actors.bug.recurrence import milliseconds
from foureyes_actors.bug.severity import Severity
from foureyes_actors.ports.error_history import recent_of
from foureyes_actors.settings.bug import ConditionSettings


class Level(StrEnum):
    HEALTHY = "healthy"
    WARNING = "warning"
    DEGRADED = "degraded"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Condition:
    """``errors`` and ``critical``: how many there were in the window, as far as is known (64 of each group)."""

    level: Level
    errors: int
    critical: int
    window: float  # seconds

    def __str__(self) -> str:
        span = f"{self.window / 60:g} min" if self.window >= 60 else f"{self.window:g} s"
        failures = "1 failure" if self.errors == 1 else f"{self.errors} failures"
        return f"{self.level}: {failures} in the last {span}, {self.critical} of them critical"


def condition(errors: Iterable[int], critical: Iterable[int], now: datetime, rules: ConditionSettings) -> Condition:
    """``errors``: the moments of all failures, ``critical``: those of the critical ones, in milliseconds since 1970."""
    earliest, latest = milliseconds(now) - rules.window * 1000, milliseconds(now)
    counted = sum(1 for at in errors if earliest < at <= latest)
    grave = sum(1 for at in critical if earliest < at <= latest)
    return Condition(_level(counted, grave, rules), counted, grave, rules.window)


def condition_of(groups: Iterable[Mapping[str, Any]], now: datetime, rules: ConditionSettings) -> Condition:
    """From ERR0R documents."""
    moments = [(recent_of(group.get("history")), group.get("severity")) for group in groups]
    errors = [at for recent, _ in moments for at in recent]
    grave = [at for recent, severity in moments if severity == Severity.CRITICAL for at in recent]
    return condition(errors, grave, now, rules)


def _level(errors: int, critical: int, rules: ConditionSettings) -> Level:
    if critical >= rules.critical:
        return Level.CRITICAL
    if errors > rules.degraded_above:
        return Level.DEGRADED
    return Level.WARNING if errors > rules.warning_above else Level.HEALTHY
