"""The files into which a process writes all stacks when it dies in native code, or ends itself, as a port."""

from __future__ import annotations

import faulthandler
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

MAX_BYTES = 256 * 1024  # of what is read
_ASIDE = ".last"

logger = logging.getLogger("foureyes")


class CrashFile:
    """One process has it at a time: ``take`` what an earlier one left, then ``arm``. Neither raises: a run without
    this file is still a run."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def take(self) -> bytes:
        """Empty when the process before died in no native code. What was found is put aside as ``<name>.last``. Of a
        large one the beginning: the crashed thread comes first."""
        found = _part(self._path, from_end=False)
        return found if found and _put_aside(self._path) else b""

    def arm(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._file = os.fdopen(handle, "ab", buffering=0)
            faulthandler.enable(file=self._file, all_threads=True)
        except OSError as error:
            logger.debug("no %s: %s", self._path, error)

    def disarm(self) -> None:
        """The run has ended in order: what was written was no end (Windows also reports what was then handled)."""
        if self._file is not None:
            faulthandler.disable()
            with suppress(OSError):
                self._file.truncate(0)
            self._file.close()
            self._file = None


def take_end(path: Path, is_end: Callable[[bytes], bool]) -> bytes:
    """The end of a file that several processes have added to, when it ``is_end`` of one; then it is put aside as
    ``<name>.last``. Empty when not. Never raises."""
    found = _part(path, from_end=True)
    return found if found and is_end(found) and _put_aside(path) else b""


def _part(path: Path, *, from_end: bool) -> bytes:
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - MAX_BYTES) if from_end else 0)
            return file.read(MAX_BYTES)
    except OSError as error:
        logger.warning("%s cannot be read: %s", path, error)
        return b""


def _put_aside(path: Path) -> bool:
    """False: it would be told at each start."""
    try:
        path.replace(path.with_name(path.name + _ASIDE))
    except OSError as error:
        logger.warning("%s cannot be put aside: %s", path, error)
        return False
    return True
