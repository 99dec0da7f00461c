"""The program of a story: ``python run.py`` of its checkout, beside its stage, from the first reading to the end."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import psutil

from tests.real.program import Program, stored_readings
from tests.stories.checkout import Checkout
from tests.stories.stages import Stage
from tests.stories.steps import POLL, StoryFailed, until

T = TypeVar("T")
STARTS = 90.0  # seconds to the first reading
ENDS = 60.0


class Running:
    """``told``: how to ask this checkout's commands."""

    def __init__(self, checkout: Checkout, data: Path, stage: Stage) -> None:
        self.checkout, self.data, self.stage = checkout, data, stage
        self._before = stored_readings(data)
        arguments = ("--config", str(checkout.config))
        self.program = Program(data, {"PYTHONPATH": str(checkout.place)}, arguments, root=checkout.place)

    @property
    def readings(self) -> int:
        """Stored since its start."""
        return stored_readings(self.data) - self._before

    def wait(self, look: Callable[[], T | None], within: float, what: str, every: float = POLL) -> T:
        """The stage goes on meanwhile. Raises StoryFailed, with the program's last words."""

        def looked() -> T | None:
            self.stage.go_on()
            if self.program.ended():
                raise StoryFailed(f"the program ended before {what}: {self._said()}")
            return look()

        return until(looked, within, lambda: f"{what}; it said: {self._said()}", every)

    def reads(self) -> None:
        self.wait(lambda: self.readings > 0 or None, STARTS, "the first reading")

    def stop(self) -> int:
        return self.program.interrupt(signal.SIGINT, ENDS)

    def _said(self) -> str:
        return "\n" + "\n".join(self.program.lines[-15:])


@contextmanager
def running(checkout: Checkout, data: Path, stage: Stage) -> Iterator[Running]:
    """Nothing of it is left afterwards, however that ends."""
    made = Running(checkout, data, stage)
    try:
        yield made
    finally:
        children = [] if made.program.ended() else made.program.children()
        made.program.close()
        _, alive = psutil.wait_procs(children, 5.0)
        for process in alive:
            process.kill()
