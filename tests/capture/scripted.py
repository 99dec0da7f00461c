"""A source that does what the test says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from itertools import chain, repeat

from foureyes_actors.errors import SourceEnded

Step = bytes | Exception | Callable[[], bytes]


class ScriptedSource:
    """Each grab takes one step: bytes are given, an exception is raised, a function is called. Then it has ended."""

    def __init__(self, steps: Iterable[Step], name: str = "scripted:one") -> None:
        self.name = name
        self._steps = chain(steps, repeat(SourceEnded("no more steps")))
        self.grabs = 0
        self.closed_in: list[str] = []  # the thread of each close

    def grab(self) -> bytes:
        self.grabs += 1
        step = next(self._steps)
        if isinstance(step, Exception):
            raise step.with_traceback(None)
        return step() if callable(step) else step

    def close(self) -> None:
        self.closed_in.append(threading.current_thread().name)


class Gate:
    """A step that waits until the test lets it go on, at most 20 s."""

    def __init__(self, picture: bytes) -> None:
        self._picture = picture
        self.entered, self._open = threading.Event(), threading.Event()

    def __call__(self) -> bytes:
        self.entered.set()
        assert self._open.wait(20), "nobody opened the gate"
        return self._picture

    def open(self) -> None:
        self._open.set()
