"""The places of a record's inputs at which another value can be put, in the record's own form (``replay.codec``), and
inside bytes that are JSON. Pure; nothing is decoded.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Path = tuple[str | int, ...]
MAX_CHANGED = 64 * 1024  # characters or bytes of a value that is changed; a longer one is only cut
MAX_LITERALS = 60  # numbers of one JSON text
_NUMBER = re.compile(r"(?<![\w.\"])-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![\w.\"])")


class Written(str):
    """A number as JSON writes it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Leaf:
    """``put``: the value that stands at ``path`` when this leaf is another; bytes are put there as a new blob."""

    path: Path
    where: str
    value: Any
    put: Callable[[Any], Any]
    late: bool = False


class Blobs:
    """Those of the record, and new ones."""

    def __init__(self, known: Mapping[str, bytes]) -> None:
        self.known, self.new = dict(known), dict[str, bytes]()

    def add(self, data: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        if digest not in self.known:
            self.new[digest] = data
        return {"$": "bytes", "sha256": digest, "size": len(data)}


def leaves(document: Mapping[str, Any], blobs: Blobs) -> list[Leaf]:
    found: list[Leaf] = []
    for name, value in (document.get("arguments") or {}).items():
        found += _leaves(value, ("arguments", name), name, blobs, False)
    for number, line in enumerate(document.get("tape") or ()):
        if isinstance(line, Mapping) and "result" in line:
            found += _leaves(line["result"], ("tape", number, "result"), f"reply {number + 1}", blobs, False)
    return found


def same(value: Any) -> Any:
    return value


def _leaves(value: Any, path: Path, where: str, blobs: Blobs, late: bool) -> Iterator[Leaf]:
    if isinstance(value, bool | int | float | str):
        yield Leaf(path, where, value, same, late)
    elif isinstance(value, list):
        yield Leaf(path, where, value, same, late)
        for number, item in enumerate(value):
            yield from _leaves(item, (*path, number), f"{where}[{number}]", blobs, late)
    elif isinstance(value, Mapping):
        yield from _tagged(value, path, where, blobs, late)


def _tagged(value: Mapping[str, Any], path: Path, where: str, blobs: Blobs, late: bool) -> Iterator[Leaf]:
    match value.get("$"):
        case "data":
            late = late or "settings" in str(value.get("type"))
            for name, item in value["fields"].items():
                yield from _leaves(item, (*path, "fields", name), f"{where}.{name}", blobs, late)
        case "tuple" | "set" | "frozenset":
            yield from _leaves(value["items"], (*path, "items"), where, blobs, late)
        case "dict" | "mapping":
            yield Leaf((*path, "items"), where, value["items"], same, late)
            for number, pair in enumerate(value["items"]):
                key = pair[0] if isinstance(pair[0], str) and pair[0].isidentifier() else number
                yield from _leaves(pair[1], (*path, "items", number, 1), f"{where}[{key}]", blobs, late)
        case "text":
            yield Leaf((*path, "text"), where, value["text"], same, late)
        case "bytes":
            data = blobs.known.get(str(value.get("sha256")))
            if data is not None:
                yield from _inside(data, path, where, blobs, late)
        case "int" | "float" | "decimal" | "datetime" | "date" | "timedelta" | "enum":
            yield Leaf(path, where, value, same, late)


def _inside(data: bytes, path: Path, where: str, blobs: Blobs, late: bool) -> Iterator[Leaf]:
    """Of bytes; when they are JSON, what is in it too, also a JSON text in a text of it."""
    yield Leaf(path, where, data, lambda new: blobs.add(new), late)
    document = _json(data)
    if document is not None and len(data) <= MAX_CHANGED:
        for inner in _json_leaves(document, where, lambda new: blobs.add(json.dumps(new).encode())):
            yield Leaf(path, inner.where, inner.value, inner.put, late)
        yield from _literals(data, path, where, blobs, late)


def _literals(data: bytes, path: Path, where: str, blobs: Blobs, late: bool) -> Iterator[Leaf]:
    """Numbers as they are written: JSON allows some that no float is, and reading them would make others of them."""
    text = data.decode("utf-8", "replace")
    for number, found in enumerate(list(_NUMBER.finditer(text))[:MAX_LITERALS]):
        head, tail = text[: found.start()], text[found.end() :]
        put = lambda new, head=head, tail=tail: blobs.add(f"{head}{new}{tail}".encode())  # noqa: E731
        yield Leaf(path, f"{where}, number {number + 1}", Written(found[0]), put, late)


def _json_leaves(value: Any, where: str, put: Callable[[Any], Any]) -> Iterator[Leaf]:
    yield Leaf((), where, value, put)
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _json_leaves(item, f"{where}[{number}]", lambda new, n=number: put(_with(value, n, new)))  # type: ignore[misc]
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _json_leaves(item, f"{where}.{key[:30]}", lambda new, k=key: put(_with(value, k, new)))  # type: ignore[misc]
    elif isinstance(value, str) and value[:1] in ("{", "[") and (document := _json(value)) is not None:
        yield from _json_leaves(document, where, lambda new: put(json.dumps(new)))


def _with(container: Any, key: Any, value: Any) -> Any:
    copy = container.copy()
    copy[key] = value
    return copy


def _json(data: str | bytes) -> Any:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict | list) else None
