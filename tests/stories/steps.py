"""What a story tells while it goes on: each step with its time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")
POLL = 0.2  # seconds


class StoryFailed(Exception):
    """A step did not come about; says which, and what was seen instead."""


@dataclass
class Steps:
    """``say`` gets a line for each step; ``times``: seconds from the beginning, by step."""

    say: Callable[[str], None]
    began: float = field(default_factory=time.monotonic)
    times: dict[str, float] = field(default_factory=dict)

    def done(self, step: str, words: str = "") -> None:
        now = time.monotonic() - self.began
        before = max(self.times.values(), default=0.0)
        self.times[step] = now
        self.say(f"{now:7.1f} s  +{now - before:6.1f}  {step}{f': {words}' if words else ''}")


def until(look: Callable[[], T | None], within: float, what: Callable[[], str], every: float = POLL) -> T:
    """What ``look`` gives in the end that is not None. Raises StoryFailed after ``within`` seconds."""
    deadline, pause = time.monotonic() + within, threading.Event()
    while (found := look()) is None:
        if time.monotonic() > deadline:
            raise StoryFailed(f"not within {within:g} s: {what()}")
        pause.wait(every)
    return found
