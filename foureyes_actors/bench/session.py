"""A recorded session: a folder of pictures in the order in which a screen showed them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

from foureyes_actors.capture.cabinet import Cabinet, encode_jpeg
from foureyes_actors.capture.pictures_source import PicturesSource
from foureyes_actors.errors import BadPicture, SourceEnded
from foureyes_actors.ports.files import FilesPort
from foureyes_actors.settings import PictureLimits, PicturesSettings

RATE = 3.0  # pictures a second
PHASE = 10.0  # seconds of play, then as long a screen on which nothing changes, and so on
THEME, SEED, QUALITY = "lucky_gold", 7, 85


def record(folder: Path, seconds: float, files: FilesPort) -> None:
    """The demo cabinet, played and left standing in turn. Play shows no picture twice (its first jackpot grows with
    each); a screen that stands still gives the same bytes, as OBS's encoder does."""
    for number, picture in enumerate(_pictures(round(seconds * RATE))):
        files.write(folder / f"frame_{number:05d}.jpg", picture)


def repeated(folder: Path, files: FilesPort) -> tuple[int, frozenset[str]]:
    """How many pictures a run would read there, and the digests of those that come twice or more in a row.

    Raises SourceRefused, a ConfigurationError, when there is none.
    """
    digests = [sha256(picture).hexdigest() for picture in _read(folder, files)]
    return len(digests), frozenset(one for one, other in pairwise(digests) if one == other)


def _read(folder: Path, files: FilesPort) -> Iterator[bytes]:
    source = PicturesSource(PicturesSettings(path=folder), PictureLimits(), files)
    with suppress(SourceEnded):
        while True:
            with suppress(BadPicture):
                yield source.grab()


def _pictures(count: int) -> Iterator[bytes]:
    cabinet, played, picture = Cabinet(THEME, SEED), 0, b""
    for number in range(count):
        if int(number / RATE / PHASE) % 2 == 0 or not picture:
            picture = encode_jpeg(cabinet.draw(played / RATE), QUALITY)
            played += 1
        yield picture
