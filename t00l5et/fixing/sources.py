"""The source of a failure's own frames, as it is at the base commit: what a fixer has to read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MODULE = re.compile(r"(?:foureyes_actors|supervisors)(?:\.[A-Za-z_][A-Za-z0-9_]*){0,8}")
_NAME = re.compile(r"[A-Za-z_<>][A-Za-z0-9_<>.]{0,200}")
MAX_FRAMES = 24
MAX_FILE = 1024 * 1024  # bytes of a source file that is looked at
WHOLE = 400  # lines up to which a file is given whole
AROUND = 60  # lines before and behind a frame's line in a longer one


@dataclass(frozen=True, slots=True)
class Place:
    """A frame of the failure, from the outermost inwards. ``path``: relative to the repository."""

    module: str
    qualname: str
    line: int
    path: str


@dataclass(frozen=True, slots=True)
class Source:
    """``first``: the number of its first line. ``recorded``: it is what the failure went through; if not, the frames'
    line numbers are of another version."""

    path: str
    first: int
    text: str
    recorded: bool


def places(document: Mapping[str, Any], tree: Path) -> tuple[Place, ...]:
    """Of a record, of which nothing is believed: a module is looked for in ``tree``, below its packages alone."""
    frames = document.get("frames")
    found: list[Place] = []
    for frame in frames[-MAX_FRAMES:] if isinstance(frames, list) else ():
        module, name, line = (frame.get(key) if isinstance(frame, Mapping) else None for key in _KEYS)
        if not isinstance(module, str) or not isinstance(name, str) or not isinstance(line, int):
            continue
        if _MODULE.fullmatch(module) and _NAME.fullmatch(name) and (path := _path(module, tree)):
            found.append(Place(module, name, max(0, min(line, 1_000_000)), path))
    return tuple(found)


_KEYS = ("module", "qualname", "line")


def sources(document: Mapping[str, Any], tree: Path, budget: int) -> tuple[Source, ...]:
    """The innermost frame's file first; at most ``budget`` characters in all. What is a link is not read."""
    digests = {str(each.get("module")): each.get("source") for each in document.get("frames") or () if _is(each)}
    lines: dict[str, list[Place]] = {}
    for place in reversed(places(document, tree)):
        lines.setdefault(place.path, []).append(place)
    found: list[Source] = []
    for path, frames in lines.items():
        data = _read(tree, path)
        recorded = hashlib.sha256(data).hexdigest() == digests.get(frames[0].module)
        for source in _excerpts(path, data, [frame.line for frame in frames], recorded):
            if len(source.text) <= budget:
                budget -= len(source.text)
                found.append(source)
    return tuple(found)


def lines_in(tree: Path, path: str) -> tuple[str, ...]:
    """Of a file of the tree, whoever names it; none when it is none of it."""
    fine = not Path(path).is_absolute() and ".." not in Path(path).parts
    return tuple(_read(tree, path).decode("utf-8", "replace").splitlines()) if fine else ()


def _excerpts(path: str, data: bytes, at: Sequence[int], recorded: bool) -> list[Source]:
    text = data.decode("utf-8", "replace").splitlines(keepends=True)
    if len(text) <= WHOLE:
        return [Source(path, 1, "".join(text), recorded)]
    spans: list[tuple[int, int]] = []
    for line in sorted(at):
        first, last = max(1, line - AROUND), min(len(text), line + AROUND)
        if spans and first <= spans[-1][1]:
            first = spans.pop()[0]
        spans.append((first, last))
    return [Source(path, first, "".join(text[first - 1 : last]), recorded) for first, last in spans]


def _path(module: str, tree: Path) -> str:
    base = module.replace(".", "/")
    for path in (f"{base}.py", f"{base}/__init__.py"):
        if _read(tree, path):
            return path
    return ""


def _read(tree: Path, path: str) -> bytes:
    file = tree / path
    try:
        if any(each.is_symlink() for each in (file, *file.parents) if each.is_relative_to(tree) and each != tree):
            return b""
        return file.read_bytes() if file.is_file() and file.stat().st_size <= MAX_FILE else b""
    except OSError:
        return b""


def _is(frame: object) -> bool:
    return isinstance(frame, Mapping)
