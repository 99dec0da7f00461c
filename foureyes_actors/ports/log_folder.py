"""A folder of files that only grow, as a port: what was appended is on the disk when the call returns."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Protocol

from foureyes_actors.errors import StoreInUse
from foureyes_actors.ports.process_lock import LockHeld, ProcessLock

LOCK = "lock"  # a file in it


class LogFolder(Protocol):
    """One process has it at a time. Names are file names. Raises OSError as the operating system does."""

    def names(self, suffix: str) -> list[str]:
        """Sorted."""

    def read(self, name: str) -> bytes: ...

    def size(self, name: str) -> int:
        """In bytes; 0 when there is no such file."""

    def append(self, name: str, data: bytes) -> None:
        """Add all of ``data`` and wait for the disk. After an OSError the file is as it was, unless that failed too."""

    def truncate(self, name: str, size: int) -> None: ...

    def delete(self, name: str) -> None: ...

    def rename(self, name: str, new_name: str) -> None: ...

    def close(self) -> None: ...


class LocalLogFolder:
    """A folder of the machine, made when it is missing. Raises StoreInUse when another process has it, and OSError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            self._lock = ProcessLock(folder / LOCK)
        except LockHeld as held:
            raise StoreInUse(
                f"the journal {folder} is in use by {held.holder}: end it, or give this one a data_dir of its own"
            ) from None

    def names(self, suffix: str) -> list[str]:
        return sorted(path.name for path in self._folder.iterdir() if path.suffix == suffix and path.is_file())

    def read(self, name: str) -> bytes:
        return (self._folder / name).read_bytes()

    def size(self, name: str) -> int:
        path = self._folder / name
        return path.stat().st_size if path.exists() else 0

    def append(self, name: str, data: bytes) -> None:
        path = self._folder / name
        fresh, before = not path.exists(), self.size(name)
        if fresh:
            self._folder.mkdir(parents=True, exist_ok=True)  # somebody may have removed it meanwhile
        try:
            with path.open("ab", buffering=0) as file:
                _write_all(file.fileno(), data)
                os.fsync(file.fileno())
        except OSError:
            with contextlib.suppress(OSError):
                if fresh:
                    path.unlink(missing_ok=True)
                else:
                    self.truncate(name, before)
            raise
        if fresh:
            _sync_folder(self._folder)

    def truncate(self, name: str, size: int) -> None:
        with (self._folder / name).open("r+b") as file:
            file.truncate(size)
            os.fsync(file.fileno())

    def delete(self, name: str) -> None:
        (self._folder / name).unlink()

    def rename(self, name: str, new_name: str) -> None:
        (self._folder / name).replace(self._folder / new_name)

    def close(self) -> None:
        self._lock.release()


def _write_all(handle: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(handle, left) :]


def _sync_folder(folder: Path) -> None:
    """A new file's name is on the disk only with its folder. Windows has no such call and does not need it."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
