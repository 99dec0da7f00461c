"""What the machine tells its surroundings to do."""

from __future__ import annotations

from dataclasses import dataclass

from supervisors.errors import SupervisionError


@dataclass(frozen=True, slots=True)
class Start:
    name: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Ask it to stop."""

    name: str


@dataclass(frozen=True, slots=True)
class Kill:
    """Fence it: nothing it does counts any more. Its thread cannot be ended by force, so it may leak for a while.

    ``why`` is empty when its spec asks for no other end (``stop_timeout`` 0).
    """

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Close:
    """Nobody is going to take from its inbox: refuse what comes, answer who waits. If the machine does not know the
    child any more, its name is free. May be said again."""

    name: str


@dataclass(frozen=True, slots=True)
class Token:
    """What a timer was set for. One that was overtaken by events is ignored."""

    kind: str
    name: str
    number: int


@dataclass(frozen=True, slots=True)
class Timer:
    """Call ``fired(token)`` after ``delay`` seconds."""

    token: Token
    delay: float


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a request; an exception is to be raised at the asker."""

    request: int
    answer: object


@dataclass(frozen=True, slots=True)
class End:
    """All children are down; the supervisor ends. ``error`` None: in order."""

    error: SupervisionError | None
    killed: tuple[str, ...]  # those that did not stop in time when it ended


Command = Start | Stop | Kill | Close | Timer | Reply | End
