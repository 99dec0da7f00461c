"""Whether a patch knows the captured data: a text, a number, a length or a digest of it among what it brings in. Pure.

What FourEyes's own code already says (names of keys, words of states) is no secret of the record and may be used.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foureyes_actors.syntax import tree_of
from t00l5et.gate.sources import Source

SHORTEST = 3  # characters of a text that says something
SHORTEST_BYTES = 4
COMMON = frozenset(range(-1, 11)) | {12, 16, 24, 32, 60, 64, 100, 128, 255, 256, 1000, 1024, 3600}
COMMON_LENGTHS = frozenset(range(4))
HOLDS = "a text around one of the captured data"
MAX_TEXTS = 20_000
MAX_TEXT = 4096  # characters of a captured text that are looked at
MAX_BLOB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Captured:
    texts: frozenset[str]
    numbers: frozenset[float]
    lengths: frozenset[int]
    blobs: tuple[bytes, ...]

    def digests(self) -> Iterator[str]:
        for data in (*(text.encode("utf-8", "replace") for text in self.texts), *self.blobs):
            for kind in ("md5", "sha1", "sha256"):
                yield hashlib.new(kind, data, usedforsecurity=False).hexdigest()
            yield f"{zlib.crc32(data):08x}"


def captured_of(document: Mapping[str, Any], blobs: Mapping[str, bytes]) -> Captured:
    """Of the arguments and the tape; of bytes that are JSON what is in them too."""
    texts, numbers, lengths = set[str](), set[float](), set[int]()
    left: list[Any] = [document.get("arguments"), [_results(line) for line in document.get("tape") or ()]]
    kept = [data[:MAX_BLOB] for data in blobs.values()]
    lengths |= {len(data) for data in blobs.values()}
    left += [found for data in kept if (found := _json(data)) is not None]
    while left and len(texts) < MAX_TEXTS:
        value = left.pop()
        if isinstance(value, str):
            texts.add(value[:MAX_TEXT])
            lengths.add(len(value))
            if value[:1] in ("{", "[") and (inner := _json(value)) is not None:
                left.append(inner)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            numbers.add(value)
        elif isinstance(value, list):
            lengths.add(len(value))
            left += value
        elif isinstance(value, Mapping):
            left += [item for key, item in value.items() if key not in ("$", "type", "sha256", "size", "name")]
            left += [key for key in value if key not in ("$", "fields", "items")] if "$" not in value else []
    return Captured(frozenset(texts), frozenset(numbers), frozenset(lengths), tuple(kept))


def _results(line: Any) -> Any:
    return [line.get("result"), line.get("raised")] if isinstance(line, Mapping) else None


def _json(data: str | bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


# --- what the patch brings in ---


def known_literals(
    sources: Sequence[Source], captured: Captured, product: Callable[[], frozenset[str | bytes]]
) -> list[str]:
    """In words. ``product``: the texts that FourEyes's code has already; asked only when something was found."""
    new = _new(sources, _literals)
    found = [(value, why) for value in new if (why := _known(value, captured))]
    lengths = [words for words, length in _new(sources, _lengths) if length in captured.lengths - COMMON_LENGTHS]
    if found:
        ours = product()
        found = [(value, why) for value, why in found if not _ours(value, why, ours)]
    return [why for _, why in found] + [f"a length of the captured data: {words}" for words in lengths]


def texts_of(folder: Path) -> frozenset[str | bytes]:
    """Of all Python files below: the texts and names that they are written with."""
    found: set[str | bytes] = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(tree_of(path.read_bytes())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
                found.add(node.value)
            elif isinstance(node, ast.arg | ast.keyword) and node.arg:
                found.add(node.arg)
            elif isinstance(node, ast.Name):
                found.add(node.id)
            elif isinstance(node, ast.Attribute):
                found.add(node.attr)
    return frozenset(found)


def _new(sources: Sequence[Source], find: Callable[[ast.Module], Iterator[Any]]) -> list[Any]:
    before = Counter(value for source in sources for value in find(source.before))
    after = Counter(value for source in sources for value in find(source.after))
    return list(after.keys() - before.keys())


def _literals(tree: ast.Module) -> Iterator[str | bytes | float]:
    quiet = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
    for node in ast.walk(tree):
        if id(node) in quiet:
            continue
        value = _folded(node)
        if isinstance(value, str | bytes | int | float) and not isinstance(value, bool):
            yield value


def _folded(node: ast.AST) -> Any:
    """The value of a constant, also of one that is put together from constants."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _folded(node.operand)
        return -inner if isinstance(inner, int | float) else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub | ast.Mult):
        left, right, minus = _folded(node.left), _folded(node.right), isinstance(node.op, ast.Sub)
        if all(isinstance(side, int | float) and abs(side) < 1e15 for side in (left, right)):
            return left * right if isinstance(node.op, ast.Mult) else left + (-right if minus else right)
        if isinstance(left, str) and isinstance(right, str) and isinstance(node.op, ast.Add):
            return left + right
    return None


def _lengths(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Where a length is compared with a number, or with several."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Compare):
            if isinstance(node, ast.Match) and "len(" in ast.unparse(node.subject):
                yield from ((f"case {n}", n) for c in ast.walk(node) if isinstance(n := _folded(c), int))
            continue
        sides = [node.left, *node.comparators]
        if any(isinstance(n, ast.Call) and getattr(n.func, "id", "") == "len" for s in sides for n in ast.walk(s)):
            several = [e for s in sides if isinstance(s, ast.Tuple | ast.Set | ast.List) for e in s.elts]
            for value in map(_folded, [*sides, *several]):
                if isinstance(value, int):
                    yield ast.unparse(node)[:80], value


def _known(value: str | bytes | float, captured: Captured) -> str:
    if isinstance(value, bytes):
        text = value.decode("utf-8", "replace")
        if len(value) >= SHORTEST_BYTES and any(value in blob for blob in captured.blobs):
            return f"bytes of the captured data: {value[:40]!r}"
        return _known_text(text, captured)
    if isinstance(value, str):
        return _known_text(value, captured)
    if value in captured.numbers and value not in COMMON:
        return f"a number of the captured data: {value}"
    digits = re.sub(r"\D", "", f"{value!r}")
    if len(digits) >= 4 and any(digits in _digits(text) for text in captured.texts):
        return f"digits of the captured data: {value}"
    return ""


def _known_text(value: str, captured: Captured) -> str:
    plain = re.sub(r"\\(.)", r"\1", value)  # of a pattern
    if len(plain) >= SHORTEST and any(plain in text for text in captured.texts):
        return f"a text of the captured data: {value[:40]!r}"
    plain = plain.strip("^$ ")
    if len(plain) < SHORTEST:
        return ""
    for text in captured.texts:
        if plain in text:
            return f"a text of the captured data: {value[:40]!r}"
        if len(text.strip()) > SHORTEST and text.strip() in plain:
            return f"{HOLDS}: {value[:40]!r}"
        digits = _digits(plain)
        if len(digits) >= SHORTEST and digits in _digits(text):
            return f"digits of the captured data: {value[:40]!r}"
    if re.fullmatch(r"[0-9a-fA-F]{6,128}", plain) and any(plain.lower() in d for d in captured.digests()):
        return f"a digest of the captured data: {value[:40]!r}"
    return ""


def _digits(text: str) -> str:
    return re.sub(r"[^0-9]", "", text)


def _ours(value: str | bytes | float, why: str, ours: Collection[str | bytes]) -> bool:
    """The whole of it is already said by FourEyes's code, or it is longer and holds only captured texts that are."""
    if value in ours:
        return True
    if not isinstance(value, str) or not why.startswith(HOLDS):
        return False
    words = re.findall(r"\w+", value)
    return bool(words) and all(word in ours or not re.search(r"\d", word) for word in words) and " " in value.strip()
