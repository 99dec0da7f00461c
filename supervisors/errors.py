"""The answers to requests that cannot be met, and the ways a supervisor ends unasked.

SupervisionError
    BootFailed, GaveUp            the supervisor ends
    NotFound, AlreadyRunning, AlreadyPresent, BeingRestarted, TooMany, StartFailed, ShuttingDown   a request is refused
"""

from __future__ import annotations


class SupervisionError(RuntimeError):
    """Base of all."""


class BootFailed(SupervisionError):
    """A child could not be started the first time: not a crash but a reason to stop, with its cause."""

    def __init__(self, child: str, error: BaseException | None, why: str) -> None:
        super().__init__(f"{child} could not be started: {why}")
        self.child, self.error = child, error


class GaveUp(SupervisionError):
    """More failures than the supervisor's window allows."""


class StartFailed(SupervisionError):
    """A child that was added or restarted by hand did not come up."""


class NotFound(SupervisionError):
    """No child has this name."""


class AlreadyRunning(SupervisionError):
    """The child runs, or is being started."""


class AlreadyPresent(SupervisionError):
    """The child does not run, but its spec is there."""


class BeingRestarted(SupervisionError):
    """The child is down for the moment and about to be started."""


class TooMany(SupervisionError):
    """``max_children`` are there."""


class ShuttingDown(SupervisionError):
    """The supervisor takes no more requests."""

    def __init__(self) -> None:
        super().__init__("the supervisor is shutting down")
