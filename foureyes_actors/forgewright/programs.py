"""t00l5et as a program: started, waited for, its last word read. Runs in a worker's thread.

A process of its own, because a broken record, a patch or a defect of ours may cost it its life and nobody else.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from foureyes_actors.errors import FourEyesError
from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.process import ChildProcess, ProcessPort
from foureyes_actors.replay.program import t00l5et
from foureyes_actors.text import one_line

POLL = 0.1  # seconds
GRACE = 2.0  # seconds in which a program that is not wanted any more puts away what it was working with
T = TypeVar("T")


class NotYet(FourEyesError):
    """To be tried again: something is not there yet, or somebody ended the program (whoever ends FourEyes may end all
    that it started at the same moment)."""


class ProgramFailed(FourEyesError):
    """The program itself: no answer."""


def last_word(
    processes: ProcessPort,
    clock: Clock,
    arguments: Sequence[str],
    parse: Callable[[str], T | None],
    cancelled: threading.Event,
    within: float,
    environment: Mapping[str, str] | None = None,
) -> T:
    """The last line of its output that ``parse`` knows. ``within``: seconds. Raises NotYet, ProgramFailed and
    ProcessError."""
    child = processes.start(t00l5et(*arguments), environment=environment)
    try:
        code = _ended(child, clock, cancelled, within)
    finally:
        child.stop(GRACE)
    lines = child.tail()
    found = next((found for line in reversed(lines) if (found := parse(line)) is not None), None)
    if found is not None:
        return found
    if code is not None and code < 0:
        raise NotYet(f"it was ended by signal {-code}")
    last = one_line(lines[-1], 200) if lines else "no output"
    raise ProgramFailed(f"{'no end' if code is None else f'exit code {code}'}: {last}")


def _ended(child: ChildProcess, clock: Clock, cancelled: threading.Event, within: float) -> int | None:
    until = clock.monotonic() + within
    while (code := child.exit_code()) is None and clock.monotonic() < until:
        if clock.wait(cancelled, POLL):
            return None
    return code
