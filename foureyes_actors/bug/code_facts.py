"""Which code failed: FourEyes's revision and the versions of what it stands on. For people, and for a later look."""

from __future__ import annotations

import platform
import re
from importlib import metadata
from pathlib import Path
from typing import Any

from foureyes_actors.ports.files import FilesPort

LIBRARIES = ("foureyes", "pykka", "requests", "urllib3", "pymongo", "obsws-python", "tenacity", "pydantic", "pillow")
ROOT = Path(__file__).parents[2]
_COMMIT = re.compile(r"[0-9a-f]{40,64}")


def code_facts(files: FilesPort, root: Path = ROOT) -> dict[str, Any]:
    return {
        "revision": revision(files, root),
        "python": platform.python_version(),
        "platform": platform.system(),
        "versions": {name: found for name in LIBRARIES if (found := _version(name))},
    }


def revision(files: FilesPort, root: Path) -> str:
    """The commit that is checked out; ``unknown`` outside of a clone. Local changes are not seen here: a record has
    the digests of the source files that it went through."""
    try:
        return _commit(files, root / ".git") or "unknown"
    except (OSError, ValueError):
        return "unknown"


def _commit(files: FilesPort, git: Path) -> str:
    head_folder = git
    if (text := _text(files, git)).startswith("gitdir: "):  # a worktree
        head_folder = git.parent / text.removeprefix("gitdir: ")
    common = head_folder / (_text(files, head_folder / "commondir") or ".")
    head = _text(files, head_folder / "HEAD")
    reference = head.removeprefix("ref: ")
    for found in (head, _text(files, head_folder / reference), _text(files, common / reference)):
        if _COMMIT.fullmatch(found):
            return found
    packed = _text(files, common / "packed-refs").splitlines()
    return next((line.split()[0] for line in packed if line.endswith(f" {reference}")), "")


def _text(files: FilesPort, path: Path) -> str:
    try:
        return files.read(path).decode("utf-8", "replace").strip()
    except OSError:
        return ""


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
