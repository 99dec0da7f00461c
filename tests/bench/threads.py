"""CPU time of this process's threads, by name."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

import psutil

THE_REST = "(ended meanwhile)"


def cpu_by_thread() -> dict[str, float]:
    """Seconds of CPU that each living thread has used so far. To the nanosecond where the system has a clock for each
    thread (POSIX), else to the scheduler's tick (Windows)."""
    used: dict[str, float] = {}
    ticks = {} if hasattr(time, "pthread_getcpuclockid") else _from_the_system()
    for thread in threading.enumerate():
        if thread.ident is None:
            continue
        if hasattr(time, "pthread_getcpuclockid"):
            seconds = time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
        else:
            seconds = ticks.get(thread.native_id or 0, 0.0)
        used[thread.name] = used.get(thread.name, 0.0) + seconds
    return used


def between(before: Mapping[str, float], after: Mapping[str, float], process: float) -> dict[str, float]:
    """Seconds of CPU by thread from ``before`` to ``after``, largest first. ``process``: what the whole process used
    meanwhile; what no living thread accounts for is the last row, so that nothing is left out."""
    used = {name: seconds - before.get(name, 0.0) for name, seconds in after.items()}
    ordered = dict(sorted(used.items(), key=lambda item: -item[1]))
    return {**ordered, THE_REST: process - sum(ordered.values())}


def _from_the_system() -> dict[int, float]:
    return {thread.id: thread.user_time + thread.system_time for thread in psutil.Process().threads()}
