"""Names to inboxes. Nobody keeps a sibling's ref: a name always means the present incarnation."""

from __future__ import annotations

import threading
from typing import Any

from pykka import ActorDeadError, ThreadingFuture

from supervisors.inbox import Envelope, Inbox


class Directory:
    """Any thread may call any method."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inboxes: dict[str, Inbox] = {}

    def add(self, name: str, inbox: Inbox) -> None:
        """Raises ValueError when the name is taken."""
        with self._lock:
            if name in self._inboxes:
                raise ValueError(f"there is an actor named {name!r} already")
            self._inboxes[name] = inbox

    def remove(self, name: str) -> None:
        with self._lock:
            self._inboxes.pop(name, None)

    def names(self) -> tuple[str, ...]:
        with self._lock:
            return tuple(self._inboxes)

    def inbox(self, name: str) -> Inbox | None:
        with self._lock:
            return self._inboxes.get(name)

    def tell(self, name: str, message: object) -> bool:
        """False when nobody has this name. Raises InboxFull."""
        inbox = self.inbox(name)
        if inbox is None:
            return False
        try:
            inbox.put(Envelope(message))
        except ActorDeadError:
            return False
        return True

    def ask(self, name: str, message: object, timeout: float) -> Any:
        """Raises ActorDeadError when nobody has this name, pykka.Timeout after ``timeout`` seconds, InboxFull, and
        whatever the actor raised."""
        inbox = self.inbox(name)
        if inbox is None:
            raise ActorDeadError(f"nobody is named {name!r}")
        future: ThreadingFuture[Any] = ThreadingFuture()
        inbox.put(Envelope(message, future))
        return future.get(timeout=timeout)
