"""A command that is asked to end by a signal: Ctrl-C, SIGTERM, a terminal that was closed. For the main thread."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # those of them that the system has


@contextmanager
def scratch(prefix: str) -> Iterator[Path]:
    """A folder for a while. A signal to end raises KeyboardInterrupt in what is done with it, for what was started
    must be stopped again; not in its making and its removal, in which it would leave the folder behind."""
    asked: list[int] = []

    def later(number: int, _frame: object) -> None:
        asked.append(number)

    on_end(later)
    with tempfile.TemporaryDirectory(prefix=prefix) as folder:
        try:
            on_end(signal.default_int_handler)
            if asked:
                raise KeyboardInterrupt
            yield Path(folder)
        finally:
            on_end(later)


def on_end(handler: Callable[[int, FrameType | None], object] | signal.Handlers) -> None:
    """What each of the signals does from now on. One that is ignored stays so, as ``nohup`` wishes."""
    for name in NAMES:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)
