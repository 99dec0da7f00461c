"""The frames' numbers of one run: 1, 2, 3, also after the capture actor was replaced."""

from __future__ import annotations

import threading


class FrameNumbers:
    """One for all incarnations. Any thread: one that was given up may still be at work while its replacement begins."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> int:
        with self._lock:
            self._last += 1
            return self._last
