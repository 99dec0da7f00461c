"""The file into which ``faulthandler`` writes all stacks when the process dies in native code, as a port."""

from __future__ import annotations

import faulthandler
import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import IO

MAX_BYTES = 256 * 1024  # of what is read; the crashed thread comes first
_ASIDE = ".last"

logger = logging.getLogger("foureyes")


class CrashFile:
    """One process has it at a time: ``take`` what an earlier one left, then ``arm``. Neither raises: a run without
    this file is still a run."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def take(self) -> bytes:
        """Empty when the process before died in no native code. What was found is put aside as ``<name>.last``."""
        try:
            if not self._path.exists() or self._path.stat().st_size == 0:
                return b""
            with self._path.open("rb") as file:
                found = file.read(MAX_BYTES)
            self._path.replace(self._path.with_name(self._path.name + _ASIDE))
        except OSError as error:
            logger.warning("%s cannot be read: %s", self._path, error)
            return b""
        return found

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
