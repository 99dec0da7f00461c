"""A folder of files for this user alone, as a port: written whole, by names that cannot lead out of it."""

from __future__ import annotations

import errno
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from foureyes_actors.ports.files import LocalFiles

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}(/[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}){0,2}")
MAX_FILE = 64 * 1024 * 1024  # bytes; nothing here is larger, so what is was put there by somebody else
_UNFINISHED = re.compile(r"\..+\.[a-z0-9_]{8}")  # of a write that never ended, as ``tempfile`` names them
_UNFINISHED_FOR = 3600.0  # seconds
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # devices on Windows, in any folder


@dataclass(frozen=True, slots=True)
class Entry:
    """``changed``: seconds since 1970. ``mark``: another one for each file that was written here under this name."""

    name: str
    size: int
    changed: float
    mark: int = 0


class PrivateFolder(Protocol):
    """Names have at most three parts with ``/`` between; any other raises ValueError before anything is done. Raises
    OSError as the operating system does, for what is reached by a link, which may lead anywhere, and for what is no
    file or larger than ``MAX_FILE``. Any thread."""

    def write(self, name: str, data: bytes) -> None:
        """At once: a reader sees all of it or nothing. Folders are made with mode 0700, the file with 0600. When it
        cannot be written, the folders that were made for it go again."""

    def read(self, name: str) -> bytes: ...

    def exists(self, name: str) -> bool: ...

    def look(self, name: str) -> Entry: ...

    def delete(self, name: str) -> None:
        """Nothing happens when it is not there."""

    def entries(self) -> list[Entry]: ...

    def each(self, name: str) -> list[Entry]:
        """The files of this name (one part) in the folders right below, without a look at anything else there."""

    def names(self) -> list[str]:
        """What lies right below, of any kind, whatever it is called; nothing is opened."""

    def prune(self) -> None:
        """Folders without anything in them go, and what a process that was killed had not written to its end."""


class LocalPrivateFolder:
    """Implements PrivateFolder. Where there are no modes (Windows) the user's profile is what protects it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, name: str, data: bytes) -> None:
        path = self._path(name)
        made: list[Path] = []
        try:
            self._make(path.parent, made)
            self._refuse_links(path.parent)
            LocalFiles().write(path, data)  # by way of a temporary file, which is 0600
        except OSError:
            for each in reversed(made):
                with suppress(OSError):  # somebody else has put something into it meanwhile
                    each.rmdir()
            raise

    def read(self, name: str) -> bytes:
        path = self._path(name)
        self._refuse_links(path)
        with open(path, "rb", opener=_at_once) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise OSError(errno.EINVAL, "is no file", str(path))
            if found.st_size > MAX_FILE:
                raise OSError(errno.EFBIG, f"has {found.st_size} bytes, at most {MAX_FILE} are read", str(path))
            return file.read(MAX_FILE)

    def exists(self, name: str) -> bool:
        path = self._path(name)
        with suppress(OSError):
            self._refuse_links(path)
            return path.is_file()
        return False

    def look(self, name: str) -> Entry:
        path = self._path(name)
        self._refuse_links(path)
        return _entry(name, path.stat())

    def delete(self, name: str) -> None:
        path = self._path(name)
        self._refuse_links(path.parent)
        path.unlink(missing_ok=True)

    def entries(self) -> list[Entry]:
        return sorted(self._entries(), key=lambda entry: entry.name)

    def each(self, name: str) -> list[Entry]:
        self._path(name)
        return sorted(self._each(name), key=lambda entry: entry.name)

    def names(self) -> list[str]:
        try:
            return sorted(os.listdir(self._folder))  # noqa: PTH208 - names are all that is wanted
        except FileNotFoundError:
            return []

    def _each(self, name: str) -> Iterator[Entry]:
        try:
            below = os.scandir(self._folder)
        except FileNotFoundError:
            return
        with below:
            for folder in below:
                with suppress(FileNotFoundError, NotADirectoryError):
                    if not folder.is_dir(follow_symlinks=False):
                        continue
                    found = os.lstat(f"{folder.path}{os.sep}{name}")
                    if stat.S_ISREG(found.st_mode) and NAME.fullmatch(whole := f"{folder.name}/{name}"):
                        yield _entry(whole, found)

    def prune(self) -> None:
        for path in self._folder.rglob(".*"):
            with suppress(OSError):
                old = time.time() - path.lstat().st_mtime > _UNFINISHED_FOR
                if old and _UNFINISHED.fullmatch(path.name) and path.is_file() and not path.is_symlink():
                    path.unlink()
        folders = [path for path in self._folder.rglob("*") if path.is_dir() and not path.is_symlink()]
        for path in sorted(folders, reverse=True):
            with suppress(OSError):  # there is something in it
                path.rmdir()

    def _refuse_links(self, path: Path) -> None:
        """Below this folder; where it lies itself is the user's matter."""
        for each in (path, *path.parents):
            if each == self._folder or not each.is_relative_to(self._folder):
                return
            if each.is_symlink():
                raise OSError(errno.ELOOP, "is a link, which may lead anywhere", str(each))

    def _entries(self) -> Iterator[Entry]:
        for path in self._folder.rglob("*"):
            with suppress(FileNotFoundError):  # somebody else may sweep too
                found = path.lstat()
                name = path.relative_to(self._folder).as_posix()
                if path.is_file() and not path.is_symlink() and NAME.fullmatch(name):
                    yield Entry(name, found.st_size, found.st_mtime)

    def _path(self, name: str) -> Path:
        parts = name.split("/")
        if not NAME.fullmatch(name) or any(".." in part or _RESERVED.fullmatch(part) for part in parts):
            raise ValueError(f"{ascii(name)[:100]} is not a name in this folder")
        return self._folder.joinpath(*parts)

    def _make(self, folder: Path, made: list[Path]) -> None:
        """``folder`` and those above it, up to this one. ``made``: gets those below this one that were not there."""
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        above = [each for each in folder.parents if each.is_relative_to(self._folder)]
        for each in (*reversed(above), folder):
            self._refuse_links(each)
            there = each.is_dir()
            each.mkdir(mode=0o700, exist_ok=True)
            if not there and each != self._folder:
                made.append(each)
            if os.name == "posix" and each.stat().st_mode & 0o077:
                each.chmod(0o700)


def _at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _entry(name: str, found: os.stat_result) -> Entry:
    return Entry(name, found.st_size, found.st_mtime, hash((found.st_ino, found.st_mtime_ns)))
