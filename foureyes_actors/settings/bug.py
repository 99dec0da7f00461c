"""The configuration's part about failures: when a group of them recurs, and how well the whole is."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from foureyes_actors.ports.error_history import KEPT_DAYS, RECENT
from foureyes_actors.settings.section import Positive, Section

Several = Annotated[int, Field(ge=2, le=RECENT)]
Days = Annotated[int, Field(ge=1, le=KEPT_DAYS)]


class RecurrenceSettings(Section):
    """A group recurs when one of three is so (``bug/recurrence.py``). ``within``: seconds."""

    events: Several = 3
    within: Positive = 600.0
    day_events: Several = 3
    days: Days = 2
    within_days: Days = 30
    sigma: Positive = 2.5
    baseline_days: Annotated[int, Field(ge=2, le=KEPT_DAYS - 1)] = 14

    @model_validator(mode="after")
    def _days_within_days(self) -> RecurrenceSettings:
        if self.days > self.within_days:
            raise ValueError(f"days {self.days} must be at most within_days {self.within_days}")
        return self


class ConditionSettings(Section):
    """How many failures in ``window`` seconds make which condition; the worst that fits is the one."""

    window: Positive = 300.0
    critical: Annotated[int, Field(ge=1, le=RECENT)] = 1  # critical ones, at least
    degraded_above: Annotated[int, Field(ge=0, lt=RECENT)] = 20
    warning_above: Annotated[int, Field(ge=0, lt=RECENT)] = 10

    @model_validator(mode="after")
    def _in_order(self) -> ConditionSettings:
        if self.warning_above > self.degraded_above:
            raise ValueError(f"warning_above {self.warning_above} must be at most degraded_above {self.degraded_above}")
        return self


class BugSettings(Section):
    recurrence: RecurrenceSettings = RecurrenceSettings()
    condition: ConditionSettings = ConditionSettings()
