"""Memory that no reading uses any more goes back to the system.

What a network works with differs in size from frame to frame, so glibc's heaps keep holes between the pieces and grow
by them for minutes. Only glibc has the call for it; elsewhere the system's allocator is left alone.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable


def _trim() -> Callable[[int], int] | None:
    """glibc's ``malloc_trim`` (malloc_trim(3)); None where there is none, as with musl."""
    if sys.platform != "linux":
        return None
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None


def give_back() -> bool:
    """False when nothing was to be given, or the system has no such call. Some 4 ms for 200 MB of heap, without the
    GIL; other threads' allocations may wait for it. Any thread."""
    trim = _trim()
    return trim is not None and bool(trim(0))
