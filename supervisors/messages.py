"""The messages that supervision itself sends, and those by which a supervisor is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from supervisors.commands import Token
from supervisors.specs import ChildSpec, Flags


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
    its text. The message that was being handled is not handled again (a poisonous one must not kill twice): it is
    named here by its type and, where it has one, its ``id``.
    """

    child: str
    incarnation: int
    stage: Stage
    error: BaseException | None
    stack_trace: str = ""
    frames: tuple[str, ...] = ()  # module:qualname along the traceback, outermost first
    handling: str = ""  # the type of the message that was being handled
    message_id: str = ""

    @property
    def why(self) -> str:
        return "it ended by itself" if self.error is None else said(self.error)


LONGEST = 500  # characters of an error's text in a reason


def said(error: BaseException) -> str:
    """The error's type and words, short. An error that cannot even say itself does no harm."""
    try:
        text = str(error)
    except BaseException as another:  # a hostile __str__ must not end the supervisor that only wants to log it
        text = f"(its text raised {type(another).__name__})"
    return f"{type(error).__name__}: {text}"[:LONGEST]


# --- from a child's context to its supervisor ---


@dataclass(frozen=True, slots=True)
class Started:
    child: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class Declined:
    """``make`` gave None."""

    child: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class Well:
    child: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class Unwell:
    child: str
    incarnation: int
    error: BaseException


@dataclass(frozen=True, slots=True)
class Fired:
    """A timer that the supervisor had set for itself."""

    token: Token


# --- requests to a supervisor (ask) ---


@dataclass(frozen=True, slots=True)
class AddChild:
    """Answers None when it runs. Raises at the asker: AlreadyRunning, AlreadyPresent, TooMany, SpecError,
    StartFailed, ShuttingDown."""

    spec: ChildSpec


@dataclass(frozen=True, slots=True)
class AddFromTemplate:
    """A child of a DynamicSupervisor. Answers and raises as AddChild."""

    name: str
    argument: object = None


@dataclass(frozen=True, slots=True)
class TerminateChild:
    """Answers None when it is down; asking again does no harm. Raises NotFound, ShuttingDown."""

    name: str


@dataclass(frozen=True, slots=True)
class RestartChild:
    """Answers None when it runs. Raises NotFound, AlreadyRunning, BeingRestarted, StartFailed, ShuttingDown."""

    name: str


@dataclass(frozen=True, slots=True)
class DeleteChild:
    """Answers None. Raises NotFound, AlreadyRunning, BeingRestarted, ShuttingDown."""

    name: str


@dataclass(frozen=True, slots=True)
class ChangeChildren:
    """Other specs (and flags) from the next start on. Answers None. Raises SpecError and changes nothing."""

    specs: tuple[ChildSpec, ...]
    flags: Flags | None = None


@dataclass(frozen=True, slots=True)
class ShutDown:
    """Stop all children in reverse order within ``timeout`` seconds, then end."""

    timeout: float


@dataclass(frozen=True, slots=True)
class WhichChildren:
    """Answers a tuple of ChildStatus, in start order."""


@dataclass(frozen=True, slots=True)
class ChildStatus:
    name: str
    state: str
    incarnation: int
    restarts: int  # how often it was started after the first time
    head: str  # the last head that bit it and whose success is not certain yet, or the fallback it is in; else empty
    busy_for: float  # seconds in its present message
    handling: str  # the type of that message
    waiting: int  # messages in its inbox
    leaked: int  # threads of fenced incarnations that have not ended
    last_reason: str
    supervisor: bool = False
    replaced: Mapping[str, int] = field(default_factory=dict)  # conflation key -> messages that a newer one replaced
    bites: Mapping[str, int] = field(default_factory=dict)  # head -> how often
