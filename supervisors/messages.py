"""The few messages that supervision itself sends."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Tick:
    """A scheduled moment. Ticks of one name conflate: a late actor gets one, not a pile."""

    name: str
    number: int  # counts the schedule's deadlines, the skipped ones included

    @property
    def conflation_key(self) -> str:
        return f"tick:{self.name}"


class Stage(StrEnum):
    """In which part of its life an actor ended."""

    INIT = "__init__"
    START = "on_start"
    RECEIVE = "on_receive"
    STOP = "on_stop"
    STUCK = "stuck"  # fenced: it had not come back from one message


@dataclass(frozen=True, slots=True)
class ExitNotice:
    """Sent exactly once at the end of every incarnation, whatever ended it. ``error`` None: it was asked to stop.

    ``error`` has no traceback, nor has its chain (they would keep frames and pictures alive); ``stack_trace`` is
    its text.
    """

    child: str
    incarnation: int
    stage: Stage
    error: BaseException | None
    stack_trace: str = ""
    frames: tuple[str, ...] = ()  # module:qualname along the traceback, outermost first
    handling: str = ""  # the type of the message that was being handled
