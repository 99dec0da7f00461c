"""A folder of files for this user alone, as a port: written whole, by names that cannot lead out of it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from foureyes_actors.ports.files import LocalFiles

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}(/[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}){0,2}")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # devices on Windows, in any folder


@dataclass(frozen=True, slots=True)
class Entry:
    """``changed``: seconds since 1970."""

    name: str
    size: int
    changed: float


class PrivateFolder(Protocol):
    """Names have at most three parts with ``/`` between; any other raises ValueError before anything is done. Raises
    OSError as the operating system does. Any thread."""

    def write(self, name: str, data: bytes) -> None:
        """At once: a reader sees all of it or nothing. Folders are made with mode 0700, the file with 0600."""

    def read(self, name: str) -> bytes: ...

    def exists(self, name: str) -> bool: ...

    def delete(self, name: str) -> None:
        """Nothing happens when it is not there."""

    def entries(self) -> list[Entry]: ...


class LocalPrivateFolder:
    """Implements PrivateFolder. Where there are no modes (Windows) the user's profile is what protects it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, name: str, data: bytes) -> None:
        path = self._path(name)
        self._make(path.parent)
        LocalFiles().write(path, data)  # by way of a temporary file, which is 0600

    def read(self, name: str) -> bytes:
        return self._path(name).read_bytes()

    def exists(self, name: str) -> bool:
        return self._path(name).is_file()

    def delete(self, name: str) -> None:
        self._path(name).unlink(missing_ok=True)

    def entries(self) -> list[Entry]:
        return sorted(self._entries(), key=lambda entry: entry.name)

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

    def _make(self, folder: Path) -> None:
        """``folder`` and those above it, up to this one."""
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        above = [each for each in folder.parents if each.is_relative_to(self._folder)]
        for each in (*reversed(above), folder):
            each.mkdir(mode=0o700, exist_ok=True)
            if os.name == "posix" and each.stat().st_mode & 0o077:
                each.chmod(0o700)
