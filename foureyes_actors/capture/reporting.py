"""Which of many failed grabs is worth a fault: a source that is away fails three times a second."""

from __future__ import annotations

from dataclasses import dataclass

REPEAT_AFTER = 60.0  # seconds between two reports of one outage
MAX_REPORTS = 10  # in any REPEAT_AFTER seconds, for a source that comes and goes


@dataclass(frozen=True, slots=True)
class Reports:
    """What was told lately."""

    failing: str = ""  # the type of the last failure; empty after a good grab
    told_at: tuple[float, ...] = ()
    untold: int = 0  # failures since the last report


def after_good(reports: Reports) -> Reports:
    return Reports("", reports.told_at, reports.untold)


def after_failure(reports: Reports, now: float, kind: str) -> tuple[Reports, int]:
    """The next value, and how many failures a report now stands for, this one included; 0: do not report.

    Reported are the first failure of an outage, the first of another kind, and one each minute while it lasts.
    """
    recent = tuple(at for at in reports.told_at if now - at < REPEAT_AFTER)
    count = reports.untold + 1
    if (kind != reports.failing or not recent) and len(recent) < MAX_REPORTS:
        return Reports(kind, (*recent, now), 0), count
    return Reports(kind, recent, count), 0
