"""What goes into a sandbox whose user is another one than ours, who could not read it where it lies."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from foureyes_actors.errors import ProcessError
from foureyes_actors.ports.private_folder import LocalPrivateFolder
from foureyes_actors.replay.platform import BLOB, FOLDER, MAX_BLOBS, RECORD
from foureyes_actors.text import one_line

BLOBS = "blobs"  # in a platform


def readable(folder: Path, below: str) -> Path:
    """A copy for another user. A platform is anybody's: of it what a run reads; of a folder of the caller's own all but
    links. Raises ProcessError."""
    copy = Path(below, folder.name)
    try:
        if FOLDER.fullmatch(folder.name):
            _copy_platform(folder, copy)
        else:
            for path in (folder, *folder.rglob("*")):
                _copy(path, copy / path.relative_to(folder))
    except OSError as error:
        raise ProcessError(f"{one_line(folder.name, 80)} cannot be copied for it: {error.strerror}") from error
    return copy


def _copy_platform(folder: Path, copy: Path) -> None:
    files = LocalPrivateFolder(folder)
    for each in (copy, copy / BLOBS):
        each.mkdir()
        each.chmod(0o755)
    there = (folder / BLOBS).iterdir() if (folder / BLOBS).is_dir() else iter(())
    blobs = [f"{BLOBS}/{path.name}" for path in islice(there, MAX_BLOBS) if BLOB.fullmatch(path.name)]
    for name in (RECORD, *blobs):
        if files.exists(name):
            (copy / name).write_bytes(files.read(name))
            (copy / name).chmod(0o644)


def _copy(path: Path, to: Path) -> None:
    if path.is_symlink():
        return
    if path.is_dir():
        to.mkdir()
        to.chmod(0o755)
    elif path.is_file():
        to.write_bytes(path.read_bytes())
        to.chmod(0o644)
