"""A lock between processes: a file that the operating system unlocks when its holder ends, however it ends.

The file stays (deleting it would let two processes lock two files of one name) and holds the holder's process id.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import IO

if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        file.seek(1 << 30)  # far behind the text: Windows forbids others to read a locked byte
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

    def _unlock(file: IO[bytes]) -> None:
        file.seek(1 << 30)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(file: IO[bytes]) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_UN)


class LockHeld(Exception):
    """Somebody else has it; ``holder``: "process 123", for people."""

    def __init__(self, holder: str) -> None:
        super().__init__(f"held by {holder}")
        self.holder = holder


class ProcessLock:
    """Held from construction to ``release``. Raises LockHeld, also when this process has it already, and OSError."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(path, "a+b", buffering=0)  # noqa: SIM115, PTH123 - open as long as the lock is held
        try:
            _lock(self._file)
        except (BlockingIOError, PermissionError):  # what POSIX and Windows say when somebody else has it
            holder = _holder(self._file)
            self._file.close()
            raise LockHeld(holder) from None
        except OSError:
            self._file.close()
            raise
        with contextlib.suppress(OSError):  # on a full disk the lock holds without a name in it
            self._file.truncate(0)
            self._file.write(b"%d\n" % os.getpid())

    def release(self) -> None:
        """May be called twice."""
        if self._file.closed:
            return
        with contextlib.suppress(OSError):  # closing unlocks too
            self._file.truncate(0)
            _unlock(self._file)
        self._file.close()


def holder_of(path: Path) -> str | None:
    """Who holds the lock of this file ("process 123"), for people; None: nobody. Raises OSError."""
    try:
        file = open(path, "r+b")  # noqa: SIM115, PTH123 - closed below; NFS locks no file that is only read
    except FileNotFoundError:
        return None
    with file:
        try:
            _lock(file)
        except (BlockingIOError, PermissionError):
            return _holder(file)
        _unlock(file)
    return None


def _holder(file: IO[bytes]) -> str:
    file.seek(0)
    text = file.read(20).decode("ascii", "replace").strip()
    if not text.isdigit():
        return "another process"
    return "this process" if int(text) == os.getpid() else f"process {text}"
