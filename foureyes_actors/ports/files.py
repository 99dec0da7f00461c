"""Files, as a port."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol


class FilesPort(Protocol):
    """Raises OSError as the operating system does."""

    def read(self, path: Path) -> bytes: ...

    def write(self, path: Path, data: bytes) -> None:
        """Replace the file at once: a reader sees the old bytes or the new ones, also after a crash."""

    def listing(self, folder: Path, suffixes: Sequence[str]) -> list[Path]:
        """The files in ``folder`` with one of these suffixes (lower case, with dot), sorted by name."""

    def exists(self, path: Path) -> bool: ...

    def size(self, path: Path) -> int:
        """In bytes."""

    def append(self, path: Path, data: bytes) -> None:
        """Add to the end of the file, which is made when it is missing. Not synced to disk."""


class LocalFiles:
    """The machine's file system."""

    def read(self, path: Path) -> bytes:
        return path.read_bytes()

    def write(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def listing(self, folder: Path, suffixes: Sequence[str]) -> list[Path]:
        return sorted(p for p in folder.iterdir() if p.suffix.lower() in suffixes and p.is_file())

    def exists(self, path: Path) -> bool:
        return path.exists()

    def size(self, path: Path) -> int:
        return path.stat().st_size

    def append(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(data)
