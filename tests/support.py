"""What tests share: a recording actor context, a patient poll for real processes, skips that CI does not forgive."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from foureyes_actors.ports.clock import ManualClock
from supervisors.actor import ActorContext
from supervisors.cerberus import Cerberus, Root, start_root
from supervisors.context import Tree
from supervisors.heads import Heads
from supervisors.heads_decider import Listeners
from supervisors.inbox import Inbox
from supervisors.messages import ExitNotice
from supervisors.specs import ChildSpec

ROOT = Path(__file__).parents[1]


class FakeContext:
    """An ActorContext that records instead of sending. ``absent``: names that nobody has."""

    def __init__(self, name: str = "subject", incarnation: int = 1, absent: tuple[str, ...] = ()) -> None:
        self.name, self.incarnation, self.absent = name, incarnation, absent
        self.sent: list[tuple[str, object]] = []
        self.inbox = Inbox(name)
        self.to_self: list[object] = []
        self.ticks: list[tuple[float, str]] = []
        self.later: list[tuple[float, object]] = []
        self.health: list[BaseException | None] = []  # None: it said that it is well

    def tell(self, name: str, message: object) -> bool:
        if name in self.absent:
            return False
        self.sent.append((name, message))
        return True

    def tell_self(self, message: object) -> bool:
        self.to_self.append(message)
        return True

    def every(self, seconds: float, name: str, *, early: float = 0.0) -> None:
        self.ticks.append((seconds, name))

    def after(self, seconds: float, message: object, *, early: float = 0.0) -> None:
        self.later.append((seconds, message))

    def well(self) -> None:
        self.health.append(None)

    def unwell(self, error: BaseException) -> None:
        self.health.append(error)

    def sent_to(self, name: str) -> list[object]:
        return [message for to, message in self.sent if to == name]


class TimedContext(FakeContext):
    """What is asked for with ``after`` comes when the clock gets there, and nothing else does."""

    def __init__(self, name: str, clock: ManualClock, incarnation: int = 1, absent: tuple[str, ...] = ()) -> None:
        super().__init__(name, incarnation, absent)
        self._clock = clock
        self.due: list[tuple[float, object]] = []  # monotonic seconds, message

    def after(self, seconds: float, message: object, *, early: float = 0.0) -> None:
        super().after(seconds, message)
        self.due.append((self._clock.monotonic() + seconds, message))

    def pass_time(self, seconds: float, receive: Callable[[object], object]) -> None:
        """``receive`` gets each message in its time."""
        end = self._clock.monotonic() + seconds
        while self.due and (first := min(self.due, key=lambda entry: entry[0]))[0] <= end:
            self.due.remove(first)
            self._clock.advance(max(0.0, first[0] - self._clock.monotonic()))
            receive(first[1])
        self._clock.advance(max(0.0, end - self._clock.monotonic()))


def start_tree(
    tree: Tree,
    children: Sequence[ChildSpec],
    *,
    on_exit: Callable[[ExitNotice], None] = lambda notice: None,
    fatal: tuple[type[BaseException], ...] = (),
    on_fatal: Callable[[str, BaseException], None] = lambda child, error: None,
    heads: Heads | None = None,
) -> Root:
    """Live actors under Cerberus. Raises BootFailed. The caller stops the root."""

    def make(context: ActorContext, tree: Tree) -> Cerberus:
        listeners = Listeners(fatal=on_fatal)
        return Cerberus(
            context, tree=tree, children=children, on_exit=on_exit, listeners=listeners, fatal=fatal, heads=heads
        )

    return start_root(make, tree)


def missing(reason: str) -> NoReturn:
    """A real part is not here: skip, saying what to install; where CI=true, fail instead."""
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(f"under CI this part must be there: {reason}", pytrace=False)
    pytest.skip(reason)


def need(*, modules: tuple[str, ...] = (), programs: tuple[str, ...] = (), install: str) -> None:
    """Skip (fail under CI) unless all modules and programs are there. ``install``: what to do about it."""
    absent = [m for m in modules if importlib.util.find_spec(m) is None]
    absent += [p for p in programs if shutil.which(p) is None]
    if absent:
        missing(f"{', '.join(absent)} not found; {install}")


def eventually(condition: Callable[[], bool], timeout: float, what: str, every: float = 0.02) -> None:
    """Poll a real process or thread until ``condition`` holds; fail after ``timeout`` seconds, naming ``what``."""
    deadline = time.monotonic() + timeout
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {timeout} s: {what}")
        pause.wait(every)


@contextmanager
def heard(number: int) -> Iterator[None]:
    """What is started meanwhile hears this signal, though the tests themselves be run by nohup or in the background."""
    before = signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(number, before)


def foureyes(
    folder: Path, *arguments: str, program: Sequence[str] = (str(ROOT / "run.py"),), **variables: str
) -> subprocess.CompletedProcess[str]:
    """A command to its end, in ``folder``, with its data below it."""
    own = {"FOUREYES_DATA_DIR": str(folder / "data"), "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(
        [sys.executable, *program, *arguments],
        cwd=folder,
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
