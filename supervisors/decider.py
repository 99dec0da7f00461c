"""What a failure leads to: the question, the possible answers, and OTP's way of giving them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from supervisors.policy import Backoff, Window, group, middle
from supervisors.specs import Flags


@dataclass(frozen=True, slots=True)
class Failure:
    """A child that died or reports that it is unwell. ``error`` None: a permanent one that ended without an error."""

    name: str
    error: BaseException | None
    why: str
    now: float
    failures_before: int  # in a row
    backoff: Backoff
    names: tuple[str, ...]  # all children, in start order


@dataclass(frozen=True, slots=True)
class Bring:
    """Stop those of ``group`` that live, wait ``delay`` seconds, start them in order."""

    group: tuple[str, ...]
    delay: float


@dataclass(frozen=True, slots=True)
class LeaveDown:
    """Restarting cannot help."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    why: str


Verdict = Bring | LeaveDown | GiveUp


class Decider(Protocol):
    """Says what a failure leads to. Called in the supervisor's thread."""

    def failed(self, failure: Failure) -> Verdict: ...

    def up(self, name: str, now: float) -> float | None:
        """It has started. Seconds after which ``still_up`` shall be called, or None."""

    def still_up(self, name: str, now: float) -> float | None:
        """Nothing has happened to it since. Seconds until the next call, or None."""

    def well(self, name: str, now: float) -> None:
        """It says that what it stands for works."""

    def change(self, flags: Flags) -> None:
        """The supervisor's flags are others from now on."""

    def shown(self, name: str) -> tuple[str, Mapping[str, int]]:
        """For the status: the head at work on a child, and how often each head has bitten it."""

    def close(self, now: float) -> None:
        """The supervisor ends."""


@dataclass
class OtpDecider:
    """One window for all children; beyond it the supervisor gives up."""

    flags: Flags
    random: Callable[[], float] = middle
    window: Window = field(init=False)

    def __post_init__(self) -> None:
        self.window = Window(self.flags.intensity, self.flags.period)

    def failed(self, failure: Failure) -> Verdict:
        self.window, too_many = self.window.hit(failure.now)
        if too_many:
            allowed = f"{self.flags.intensity} restarts in {self.flags.period:g} s"
            return GiveUp(f"{failure.name} failed once more than {allowed} allow: {failure.why}")
        delay = failure.backoff.delay(failure.failures_before, self.random)
        return Bring(group(self.flags.strategy, failure.names, failure.name), delay)

    def change(self, flags: Flags) -> None:
        """What has happened already is judged by the new numbers from now on."""
        self.flags = flags
        self.window = replace(self.window, intensity=flags.intensity, period=flags.period)

    def up(self, name: str, now: float) -> float | None:
        return None

    def still_up(self, name: str, now: float) -> float | None:
        return None

    def well(self, name: str, now: float) -> None:
        pass

    def shown(self, name: str) -> tuple[str, Mapping[str, int]]:
        return "", {}

    def close(self, now: float) -> None:
        pass
