"""Messages that harm whoever looks at them, one vice each. Supervision, which only hands them on, may look."""

from __future__ import annotations

import sys
import threading

LONGEST_HANG = 60.0  # seconds; no wait is endless


class Poison:
    """Kills with ``error``."""

    def __init__(self, error: type[BaseException] = RuntimeError) -> None:
        self._error = error

    @property  # type: ignore[misc]  # what isinstance and match ask for
    def __class__(self) -> type:
        if _supervision_asks():
            return Poison
        raise object.__getattribute__(self, "_error")("poisoned")


class Hang:
    """Holds until ``release`` is set, then lets go without harm. ``held``: somebody is in it."""

    def __init__(self) -> None:
        self.release, self.held = threading.Event(), threading.Event()

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        if not _supervision_asks():
            self.held.set()
            self.release.wait(LONGEST_HANG)
        return Hang


def _supervision_asks() -> bool:
    """Who asks is two frames up."""
    return str(sys._getframe(2).f_globals["__name__"]).startswith("supervisors.")
