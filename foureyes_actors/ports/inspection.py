"""A look around on this machine, as a port: for the doctor. Nothing is changed by looking."""

from __future__ import annotations

import errno
import importlib
import shutil
import sqlite3
import sys
import tempfile
from pathlib import Path
from typing import Protocol

from foureyes_actors.errors import ConfigurationError, StoreUnavailable
from foureyes_actors.ports.process_lock import holder_of
from foureyes_actors.ports.screen import MssScreen
from foureyes_actors.ports.sqlite_reader import check_file
from foureyes_actors.ports.store_mongo import ping


class InspectionPort(Protocol):
    def python(self) -> tuple[int, int, int]: ...

    def import_module(self, name: str) -> None:
        """Really imported: a package can be there and not work. Raises whatever the import raises."""

    def writable(self, folder: Path) -> None:
        """A file can be made in ``folder``, or in what is there of its parents. Raises OSError."""

    def holder(self, lock: Path) -> str | None:
        """Who holds this lock file ("process 123"), for people; None: nobody. Raises OSError."""

    def open_store_file(self, path: Path) -> None:
        """What is there is opened to read, and closed. Raises StoreUnavailable for a damaged one, ConfigurationError
        for a folder and for a file of somebody else."""

    def free_bytes(self, folder: Path) -> int:
        """On the disk where ``folder`` is or would be. Raises OSError."""

    def home(self) -> Path: ...

    def monitors(self) -> tuple[str, ...]:
        """The screens that can be seen, for people. Raises SourceUnavailable, MissingExtraError."""

    def mongo_version(self, uri: str, timeout: float) -> str:
        """Raises StoreUnavailable, ConfigurationError."""


class LocalInspection:
    """Implements InspectionPort on this machine."""

    def python(self) -> tuple[int, int, int]:
        return sys.version_info[:3]

    def import_module(self, name: str) -> None:
        importlib.import_module(name)

    def writable(self, folder: Path) -> None:
        there = _existing(folder)
        if not there.is_dir():  # each system has its own error for this
            raise NotADirectoryError(errno.ENOTDIR, "not a folder", str(there))
        with tempfile.TemporaryFile(dir=there):
            pass

    def holder(self, lock: Path) -> str | None:
        return holder_of(lock)

    def open_store_file(self, path: Path) -> None:
        if path.is_dir():
            raise ConfigurationError(f"store.path: {path.absolute()} is a folder; name a file")
        if not path.exists():
            return
        try:
            check_file(path)
        except StoreUnavailable as error:
            if not isinstance(error.__cause__, sqlite3.OperationalError):  # as when a run that was killed left work
                raise

    def free_bytes(self, folder: Path) -> int:
        return shutil.disk_usage(_existing(folder)).free

    def home(self) -> Path:
        return Path.home()

    def monitors(self) -> tuple[str, ...]:
        screen = MssScreen()
        try:
            return tuple(map(str, screen.monitors()[1:]))
        finally:
            screen.close()

    def mongo_version(self, uri: str, timeout: float) -> str:
        return ping(uri, timeout=timeout)


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    return next(part for part in (folder, *folder.parents) if part.exists())
