"""Frames from a folder of pictures."""

from __future__ import annotations

import re
from pathlib import Path

from foureyes_actors.capture.conversion import to_jpeg
from foureyes_actors.capture.picture import check_bytes, examine
from foureyes_actors.errors import BadPicture, SourceEnded, SourceRefused
from foureyes_actors.ports.files import FilesPort
from foureyes_actors.settings import PictureLimits, PicturesSettings

AS_THEY_ARE = (".jpg", ".jpeg", ".png")
CONVERTED = (".webp", ".bmp", ".gif")
JPEG_QUALITY = 92  # of what is converted


class PicturesSource:
    """A ``FrameSource``: one picture a grab, in natural order of the names ("2" before "10").

    JPEG and PNG are given byte for byte, whatever the name's ending; WebP, BMP and GIF become JPEG. A broken picture
    raises BadPicture with the file's name, and the next grab goes on after it. With ``loop`` the folder is listed
    again for each round.
    """

    def __init__(self, settings: PicturesSettings, limits: PictureLimits, files: FilesPort) -> None:
        self._settings, self._limits, self._files = settings, limits, files
        self._waiting: list[Path] | None = None  # last first; None: not listed yet

    @property
    def name(self) -> str:
        return f"pictures:{self._settings.path.name or self._settings.path}"

    def grab(self) -> bytes:
        if self._waiting is None or (not self._waiting and self._settings.loop):
            self._waiting = self.listed()
        if not self._waiting:
            raise SourceEnded(f"no more pictures in {self._settings.path}")
        return self._read(self._waiting.pop())

    def close(self) -> None:
        self._waiting = None

    def listed(self) -> list[Path]:
        """All pictures, the last one first. Raises SourceRefused when there is none."""
        folder = self._settings.path
        try:
            found = self._files.listing(folder, (*AS_THEY_ARE, *CONVERTED))
        except FileNotFoundError:
            raise SourceRefused(f"source.pictures.path: there is no folder {folder.absolute()}") from None
        except NotADirectoryError:
            raise SourceRefused(f"source.pictures.path: {folder.absolute()} is not a folder") from None
        except OSError as error:
            raise SourceRefused(f"source.pictures.path: {folder.absolute()}: {error.strerror or error}") from error
        if not found:
            kinds = " ".join((*AS_THEY_ARE, *CONVERTED))
            raise SourceRefused(f"source.pictures.path: no picture in {folder.absolute()} (looked for {kinds})")
        return sorted(found, key=natural_order, reverse=True)

    def _read(self, path: Path) -> bytes:
        try:
            check_bytes(self._files.size(path), self._limits)
            data = self._files.read(path)
            if not _is_final(data):
                return to_jpeg(data, self._limits, JPEG_QUALITY)
            examine(data, self._limits)  # here, where the file's name is known
            return data
        except BadPicture as error:
            raise BadPicture(f"{path.name}: {error}") from error
        except OSError as error:
            raise BadPicture(f"{path.name} cannot be read: {error.strerror or error}") from error


def natural_order(path: Path) -> tuple[tuple[tuple[int, int, str], ...], str]:
    """Sort key: runs of digits count as numbers, upper and lower case are the same."""
    parts = re.findall(r"[0-9]+|[^0-9]+", path.name)
    return tuple((0, int(p), "") if p.isascii() and p.isdigit() else (1, 0, p.casefold()) for p in parts), path.name


def _is_final(data: bytes) -> bool:
    return data.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"))
