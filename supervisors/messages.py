"""The few messages that supervision itself sends."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tick:
    """A scheduled moment. Ticks of one name conflate: a late actor gets one, not a pile."""

    name: str
    number: int  # counts the schedule's deadlines, the skipped ones included

    @property
    def conflation_key(self) -> str:
        return f"tick:{self.name}"
