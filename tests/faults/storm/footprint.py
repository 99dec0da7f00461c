"""What the process holds: threads, open files, memory, children."""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import psutil

M_ARENA_MAX = -8  # malloc.h
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
_glibc = _libc if hasattr(_libc, "malloc_trim") else None


@dataclass(frozen=True)
class Footprint:
    """What the process holds."""

    threads: Mapping[str, int]  # name without numbers -> how many
    files: int  # descriptors; handles on Windows
    memory: int  # resident, bytes
    processes: int  # children

    @property
    def thread_count(self) -> int:
        return sum(self.threads.values())


def measurable() -> None:
    """From now on glibc's allocator has one arena for all threads, not one for each up to eight a core: what remains in
    those says nothing of what is held, and is tens of MiB where threads come and go."""
    if _glibc is not None:
        _glibc.mallopt(M_ARENA_MAX, 1)


def footprint() -> Footprint:
    """``memory``: without what glibc's allocator only keeps for later."""
    gc.collect()
    if _glibc is not None:
        _glibc.malloc_trim(0)
    me = psutil.Process()
    threads = Counter("".join(c for c in thread.name if not c.isdigit()) for thread in threading.enumerate())
    return Footprint(threads, _files(me), me.memory_info().rss, len(me.children(recursive=True)))


def _files(process: psutil.Process) -> int:
    if sys.platform == "win32":
        return process.num_handles()
    return process.num_fds()
