"""Host names to addresses, within a deadline.

``getaddrinfo`` cannot be interrupted, so a name waits for it in a daemon thread of its own, which ends when the system
gives up the lookup, after half a minute or so. A numeric address needs no thread.
"""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

Addresses = list[Any]  # as ``socket.getaddrinfo`` gives them, TCP only


class Lookup:
    """One lookup. ``thread``: the name of its thread."""

    def __init__(self, host: str, port: int | None, thread: str) -> None:
        self._host, self._port = host, port
        self._found: Addresses | OSError | None = None
        self._thread: threading.Thread | None = None
        try:
            self._found = _addresses(host.strip("[]"), port, socket.AI_NUMERICHOST)
        except (socket.gaierror, ValueError):  # not an address: a name
            self._thread = threading.Thread(target=self._run, name=thread, daemon=True)
            self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def result(self, until: float) -> Addresses:
        """Raises socket.gaierror, and TimeoutError when ``time.monotonic()`` reaches ``until`` before the answer."""
        if self._thread is not None:
            self._thread.join(max(0.001, until - time.monotonic()))
        if self._found is None:
            raise TimeoutError(f"the name {self._host!r} was not resolved in time")
        if isinstance(self._found, OSError):
            raise self._found
        return self._found

    def _run(self) -> None:
        try:
            self._found = _addresses(self._host, self._port)
        except OSError as error:
            self._found = error
        except ValueError as error:  # a name that IDNA cannot encode
            self._found = socket.gaierror(str(error))


def _addresses(host: str, port: int | None, flags: int = 0) -> Addresses:
    return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=flags))
