"""A patch as text: may it be read at all, what does it change, and where. Pure; nothing of it is run or applied here.

What is applied later is written anew from what was understood (``Change.text``), never the bytes that came.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from t00l5et.gate.report import Stopped

MAX_BYTES = 64 * 1024
MAX_CHANGED = 60  # lines added and removed
MAX_FILES = 3
MAX_LINE = 200  # characters
HUNK = "@@ -"
_HEADER = re.compile(r"diff --git a/(\S+) b/(\S+)|index [0-9a-f]{4,64}\.\.[0-9a-f]{4,64}(?: 100644)?")
_KINDS = re.compile(
    r"(?:old mode|new mode|new file mode|deleted file mode|rename|copy|similarity|dissimilarity|GIT binary|Binary files"
    r"|literal |delta )"
)
_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
PRODUCT = "foureyes_actors/"
# What a patch may never touch, although it is the product's: contracts, doors to the world, what records and judges
# failures, what protects.
PROTECTED = tuple(
    PRODUCT + name
    for name in (
        *("ports/", "bug/", "replay/", "forgewright/", "bench/"),
        *("errors.py", "messages.py", "settings/", "defence.py", "redacted_log.py", "text.py"),
        *("wiring.py", "world.py", "upkeep.py", "__init__.py", "program.py", "entry.py"),
    )
)


@dataclass(frozen=True, slots=True)
class Change:
    """Of one file. ``text``: as a diff, in our own words."""

    path: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    text: str


def text_of(patch: bytes) -> str:
    """Raises Stopped."""
    if len(patch) > MAX_BYTES:
        raise Stopped(f"the patch has {len(patch)} bytes; at most {MAX_BYTES} are read", "size")
    try:
        text = patch.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Stopped(f"the patch is not UTF-8 (byte {error.start})") from None
    for number, line in enumerate(text.split("\n"), 1):
        for character in line:
            if character != " " and unicodedata.category(character)[0] in "CZ":
                raise Stopped(f"line {number} has the character U+{ord(character):04X}, which cannot be seen")
        if len(line) > MAX_LINE:
            raise Stopped(f"line {number} has {len(line)} characters; at most {MAX_LINE} are read", "size")
    return text


def changes_of(text: str) -> tuple[Change, ...]:
    """Raises Stopped; MissingExtraError without unidiff."""
    if not text.strip():
        raise Stopped("the patch is empty")
    lines = text.removesuffix("\n").split("\n")
    for line in lines:
        if _KINDS.match(line):
            raise Stopped(f"a patch changes lines of files that are there, nothing else: {line[:60]}", "paths")
    parsed = _parsed(text)
    _account(lines, [line for file in parsed for line in _lines_of(file)])
    return tuple(_change(file) for file in parsed)


def _parsed(text: str) -> Sequence[Any]:
    from unidiff.errors import UnidiffParseError
    from unidiff.patch import PatchSet

    try:
        parsed = PatchSet(text)
    except (UnidiffParseError, ValueError, IndexError, TypeError, AttributeError) as error:
        raise Stopped(f"not a unified diff: {error}") from None
    if not parsed or not all(len(file) for file in parsed):
        raise Stopped("no hunk in it: a unified diff begins with --- a/PATH, +++ b/PATH and @@")
    return list(parsed)


def _lines_of(file: Any) -> Iterator[str]:
    """As they must stand in the patch, but for the ranges of a hunk and what follows them."""
    yield f"--- {file.source_file}"
    yield f"+++ {file.target_file}"
    for hunk in file:
        yield HUNK
        for line in hunk:
            if line.line_type not in " +-":
                raise Stopped("a file's last line must keep its line feed")
            yield f"{line.line_type}{line.value}".removesuffix("\n")


def _account(lines: Sequence[str], expected: Sequence[str]) -> None:
    """Every line of the patch is part of what was understood, or a header that says nothing."""
    at, rest = 0, list(expected)
    for number, line in enumerate(lines, 1):
        wanted = rest[at] if at < len(rest) else None
        if wanted is not None and (line == wanted or (wanted == HUNK and line.startswith(HUNK))):
            at += 1
        elif line or at < len(rest):
            _header(number, line)
    if at < len(rest):
        raise Stopped("a hunk ends too early")


def _header(number: int, line: str) -> None:
    found = _HEADER.fullmatch(line)
    if found is None:
        named = line.startswith(("diff ", "--- ", "+++ "))
        raise Stopped(f"line {number} belongs to no hunk: {line[:60]!a}", "paths" if named else "diff")
    if found[1] != found[2]:
        raise Stopped("a file cannot be renamed", "paths")


def _change(file: Any) -> Change:
    source, target = str(file.source_file), str(file.target_file)
    if not (source.startswith("a/") and target == f"b/{source[2:]}"):
        raise Stopped("a file is named --- a/PATH and +++ b/PATH, with the same path; none is made or deleted", "paths")
    path = source[2:]
    body = [line for hunk in file for line in hunk]
    text = f"diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n"
    for hunk in file:
        text += f"@@ -{hunk.source_start},{hunk.source_length} +{hunk.target_start},{hunk.target_length} @@\n"
        text += "".join(f"{line.line_type}{line.value.removesuffix(chr(10))}\n" for line in hunk)
    added, removed = (tuple(line.value.rstrip("\n") for line in body if line.line_type == sign) for sign in "+-")
    return Change(path, added, removed, text)


def check_paths(changes: Sequence[Change]) -> None:
    """Raises Stopped."""
    for change in changes:
        path = change.path
        if not _PATH.fullmatch(path) or ".." in path or len(path) > 200:
            raise Stopped(f"{path[:100]!a} is no plain path")
        if not path.startswith(PRODUCT) or not path.endswith(".py"):
            raise Stopped(f"{path}: only the product's code may be changed (foureyes_actors/*.py)")
        protected = next((name for name in PROTECTED if path.startswith(name)), None)
        if protected is not None or path.endswith("/__init__.py"):
            raise Stopped(f"{path} is a contract or a guard ({protected or '__init__.py'}): no patch may change it")
    if len({change.path for change in changes}) < len(changes):
        raise Stopped("a file comes twice")


def check_size(changes: Sequence[Change]) -> str:
    """How much it changes, in words. Raises Stopped."""
    if len(changes) > MAX_FILES:
        raise Stopped(f"{len(changes)} files are changed; at most {MAX_FILES} may be")
    changed = sum(len(change.added) + len(change.removed) for change in changes)
    if changed > MAX_CHANGED:
        raise Stopped(f"{changed} lines are changed; at most {MAX_CHANGED} may be")
    if not changed:
        raise Stopped("nothing is changed")
    return f"{changed} lines in {len(changes)} file{'s' if len(changes) > 1 else ''}"
