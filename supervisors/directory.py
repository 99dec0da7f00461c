"""Names to inboxes. Nobody keeps a sibling's ref: a name always means the present incarnation."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from pykka import ActorDeadError, ThreadingFuture

from supervisors.inbox import Envelope, Inbox


class Directory:
    """Any thread may call any method."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inboxes: dict[str, Inbox] = {}
        self._owners: dict[str, str] = {}

    def claim(self, name: str, owner: str, make: Callable[[str], Inbox]) -> Inbox:
        """The inbox of a supervisor's child: the one it has had, over restarts of the child and of the supervisor
        ``owner``, or a new one. Raises ValueError when the name belongs to somebody else."""
        with self._lock:
            if name not in self._inboxes:
                self._inboxes[name], self._owners[name] = make(name), owner
            if self._owners[name] != owner:
                raise ValueError(f"the name {name!r} is taken by a child of {self._owners[name]!r}")
            return self._inboxes[name]

    def release(self, name: str, owner: str) -> None:
        """Nobody has this name any more. Does nothing when it belongs to somebody else."""
        with self._lock:
            if self._owners.get(name) == owner:
                del self._owners[name], self._inboxes[name]

    def let_go(self, owner: str) -> None:
        """``owner`` will not come back: close and forget the inboxes of all that it had below it, however deep."""
        with self._lock:
            names = [name for name, its in self._owners.items() if its == owner and name != owner]
            inboxes = [self._inboxes.pop(name) for name in names]
            for name in names:
                del self._owners[name]
        for name, inbox in zip(names, inboxes, strict=True):
            inbox.close()
            self.let_go(name)

    def owned(self, name: str, owner: str) -> Inbox | None:
        """Its inbox; None when the name is nobody's or somebody else's."""
        with self._lock:
            return self._inboxes[name] if self._owners.get(name) == owner else None

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
