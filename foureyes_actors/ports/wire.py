"""What happened on a connection when an exchange failed: data on the exception, for the record of the failure.

A port puts a ``WireFault`` on what it raises, as its attribute ``wire``; nothing in FourEyes decides by it. With it the
exchange can be played again, byte by byte, to the real client library.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

MOST = 256 * 1024  # bytes that are kept of what was heard
E = TypeVar("E", bound=BaseException)
_RESETS = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)


class End(StrEnum):
    """What came after the last byte that was heard."""

    REFUSED = "refused"  # nobody listens there
    UNRESOLVED = "unresolved"  # the name has no address
    SILENT = "silent"  # nothing more, until the deadline
    RESET = "reset"  # the connection was cut off (RST)
    CLOSED = "closed"  # the peer's side was closed in order (FIN), or what it had sent was wrong already
    ANSWERED = "answered"  # what came is an answer, and says that it is an error; the connection is as it was
    NO_PRIMARY = "no primary"  # a replica set without a primary
    CANCELLED = "cancelled"  # ended from this side
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class WireFault:
    """``heard``: the bytes that came, MOST of them at most; of MongoDB the BSON of the answer alone. ``size``: how many
    came. ``first``, ``last``: seconds from the beginning until the first and the last byte; ``seconds``: until the end.
    ``deadline``: seconds that were allowed. ``asked``: the request's id (OBS) or the command's name (MongoDB)."""

    end: End
    connected: bool = True
    heard: bytes = field(default=b"", repr=False)
    size: int = 0
    first: float = 0.0
    last: float = 0.0
    seconds: float = 0.0
    deadline: float = 0.0
    asked: str = ""

    @property
    def phase(self) -> str:
        """For people, of an HTTP exchange."""
        if not self.connected:
            return "connecting"
        return "in the body" if b"\r\n\r\n" in self.heard else "in the head" if self.heard else "before the head"

    @property
    def whole(self) -> bool:
        return len(self.heard) == self.size


class Hearing:
    """Collects what comes on one connection during one exchange. One thread at a time."""

    __slots__ = ("_began", "_heard", "_size", "connected", "first", "last")

    def __init__(self) -> None:
        self._began, self._heard, self._size = time.monotonic(), bytearray(), 0
        self.first = self.last = 0.0
        self.connected = False

    def elapsed(self) -> float:
        """Seconds from the beginning."""
        return time.monotonic() - self._began

    def add(self, data: bytes | memoryview) -> None:
        self.last = self.elapsed()
        if not self._size:
            self.first = self.last
        self._size += len(data)
        if len(self._heard) < MOST:
            self._heard += data[: MOST - len(self._heard)]

    def fault(self, end: End, *, deadline: float, asked: str = "") -> WireFault:
        return WireFault(
            end,
            self.connected,
            bytes(self._heard),
            self._size,
            self.first,
            self.last,
            self.elapsed(),
            deadline,
            asked,
        )


def end_of(chain: Iterator[BaseException] | list[BaseException]) -> End:
    """By an exception and what caused it."""
    found = End.OTHER
    for error in chain:
        if isinstance(error, ConnectionRefusedError):
            return End.REFUSED
        if isinstance(error, socket.gaierror):
            return End.UNRESOLVED
        if isinstance(error, _RESETS):
            return End.RESET
        if isinstance(error, TimeoutError):
            found = End.SILENT
    return found


def causes(error: BaseException) -> list[BaseException]:
    """The exception and what it came from."""
    chain: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and at not in chain:
        chain.append(at)
        at = at.__cause__ or at.__context__
    return chain


def wired(error: E, fault: WireFault) -> E:
    """``error``, with the fault as its attribute ``wire``."""
    error.__dict__.setdefault("wire", fault)
    return error


def fault_of(error: BaseException | None) -> WireFault | None:
    found = getattr(error, "__dict__", {}).get("wire")
    return found if isinstance(found, WireFault) else None
