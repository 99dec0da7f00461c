"""An end in order: Ctrl-C, SIGTERM and the end of standard input unwind the main thread, once, so that worktrees go and
children end."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ORPHANED = 3  # exit code
AT_LAST = 30.0  # seconds for an end in order


@contextmanager
def ended_in_order(*, with_input: bool) -> Iterator[None]:
    """In the main thread. ``with_input``: who started us holds the other end of our input for as long as it lives."""
    signals = (signal.SIGINT, signal.SIGTERM)

    def end(number: int, frame: FrameType | None) -> None:
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        raise SystemExit(128 + number)

    before = {each: signal.signal(each, end) for each in signals}
    if with_input:
        threading.Thread(target=_watch, name="stdin-watch", daemon=True).start()
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def undisturbed() -> Iterator[None]:
    """In the main thread: for something short that must not end in its middle. Children inherit it: a signal that is
    sent to all of them would end a git that is at work on the user's files."""
    before = {each: signal.signal(each, signal.SIG_IGN) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _watch() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    last = threading.Timer(AT_LAST, os._exit, (ORPHANED,))
    last.name, last.daemon = "last resort", True
    last.start()
    if sys.platform == "win32":
        _thread.interrupt_main(signal.SIGTERM)
    else:  # to that very thread: a blocking call in it must return
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
