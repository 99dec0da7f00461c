"""A TCP socket with a deadline for a whole exchange and a bound on what it reads.

A socket's timeout starts anew with every ``recv``, so a peer that drips one byte at a time can hold a reader for
ever. Here the timeout of each call is what is left until the deadline.
"""

from __future__ import annotations

import socket
import time
from typing import Any

from foureyes_actors.ports.names import Addresses, Lookup
from foureyes_actors.ports.wire import Hearing


class TooMuchData(OSError):
    """The peer sent more than the exchange allows."""


class DeadlineSocket(socket.socket):
    """Without ``begin`` there is no time at all: every call raises TimeoutError."""

    def __init__(self, family: int = -1, kind: int = -1, protocol: int = -1) -> None:
        super().__init__(family, kind, protocol)
        self._until = 0.0
        self._allowed = 0
        self.hearing = Hearing()  # of the exchange that was begun last

    def begin(self, until: float, allowed: int) -> None:
        """A new exchange: until ``time.monotonic()`` reaches ``until``, at most ``allowed`` bytes in."""
        self._until, self._allowed = until, allowed
        self.hearing = Hearing()

    def connect(self, address: Any) -> None:
        self.settimeout(_left(self._until))
        super().connect(address)

    def recv(self, size: int, flags: int = 0) -> bytes:
        self.settimeout(_left(self._until))
        data = super().recv(size, flags)
        self._allowed -= len(data)
        self.hearing.add(data)
        if self._allowed < 0:
            raise TooMuchData("the reply is larger than allowed")
        return data

    def send(self, data: Any, flags: int = 0) -> int:
        self.settimeout(_left(self._until))
        return super().send(data, flags)


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("the deadline has passed")
    return left


class Dialer:
    """Opens TCP connections within a deadline, name resolution included. One thread uses it."""

    def __init__(self) -> None:
        self._lookup: Lookup | None = None

    def dial(self, host: str, port: int, until: float, allowed: int) -> DeadlineSocket:
        """Tries each address of the name with its share of the time left. Raises OSError (socket.gaierror for an
        unknown name, TimeoutError past the deadline). No proxy is ever asked."""
        addresses = self._resolve(host, port, until)
        for number, address in enumerate(addresses):
            share = time.monotonic() + _left(until) / (len(addresses) - number)
            try:
                return _open(address, share, until, allowed)
            except OSError:
                if number == len(addresses) - 1:
                    raise
        raise socket.gaierror(f"no address for {host!r}")

    def _resolve(self, host: str, port: int, until: float) -> Addresses:
        """At most one name at a time: a name server that hangs must not collect threads."""
        if self._lookup is not None and self._lookup.running:
            raise TimeoutError(f"the name {host!r} is still being resolved")
        self._lookup = Lookup(host, port, "obs-resolver")
        return self._lookup.result(until)


def _open(address: Any, share: float, until: float, allowed: int) -> DeadlineSocket:
    family, kind, protocol, _, where = address
    sock = DeadlineSocket(family, kind, protocol)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.begin(share, allowed)
        sock.connect(where)
        sock.begin(until, allowed)
    except BaseException:
        sock.close()
        raise
    return sock
