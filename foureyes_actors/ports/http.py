"""HTTP, as a port: one exchange, bytes in and bytes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """``deadline``: seconds for the whole exchange, connecting and reading included."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)
    connect_timeout: float = 3.0
    deadline: float = 30.0
    max_reply: int = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class HttpReply:
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    seconds: float = field(default=0.0, compare=False)  # that it took in all; 0: nobody measured


class HttpPort(Protocol):
    """Connections are kept open and used again. Any thread may call; a cancelled exchange closes its connection."""

    def exchange(self, request: HttpRequest) -> HttpReply:
        """Any status is a reply. Raises the ``TransportError`` branch when there is no complete reply."""

    def close(self) -> None:
        """Close every connection, those in the middle of an exchange too (their callers get ConnectionBroken)."""
