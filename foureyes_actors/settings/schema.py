"""What shape each key of the configuration has, read from the pydantic models: pure functions of types.

The loader walks a file and this description side by side, so that every problem can be told with its place, and so
that a secret is known as one before its value is looked at.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr

Key = tuple[str, ...]  # ("source", "rate")


class Kind(StrEnum):
    SECTION = "a section of keys"
    TABLE = "a section of keys, whose names are given"
    LIST = "a list"
    SECRET = "a secret text"
    TEXT = "a text"
    FLAG = "true or false"
    NUMBER = "a number"


@dataclass(frozen=True, slots=True)
class Shape:
    """``model``: of a section, or of a table's rows; ``keys``: the names that it knows; ``item``: of a list."""

    kind: Kind
    nullable: bool = False
    model: type[BaseModel] | None = None
    keys: tuple[str, ...] = ()
    item: Shape | None = None

    def child(self, key: str) -> Shape:
        """The shape of one of ``keys``."""
        assert self.model is not None and key in self.keys
        if self.kind is Kind.TABLE:
            return section(self.model)
        return shape_of(self.model.model_fields[key].annotation)


def section(model: type[BaseModel]) -> Shape:
    return Shape(Kind.SECTION, model=model, keys=tuple(model.model_fields))


def shape_of(annotation: Any) -> Shape:
    """Raises TypeError for a type that no key of the configuration has yet."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return shape_of(arguments[0])
    if origin in (Union, types.UnionType):
        (inner,) = (a for a in arguments if a is not type(None))
        found = shape_of(inner)
        return Shape(found.kind, True, found.model, found.keys, found.item)
    if origin is dict:
        names, row = arguments
        return Shape(Kind.TABLE, model=row, keys=tuple(member.value for member in names))
    if origin is tuple:
        return Shape(Kind.LIST, item=shape_of(arguments[0]))
    if origin is Literal:
        return Shape(Kind.TEXT if isinstance(arguments[0], str) else Kind.NUMBER)
    return _plain(annotation)


def _plain(kind: Any) -> Shape:
    if not isinstance(kind, type):
        raise TypeError(f"the configuration has no keys of type {kind!r}")
    if issubclass(kind, BaseModel):
        return section(kind)
    if issubclass(kind, SecretStr):
        return Shape(Kind.SECRET)
    if issubclass(kind, str | Path | Enum):
        return Shape(Kind.TEXT)
    if issubclass(kind, bool):
        return Shape(Kind.FLAG)
    if issubclass(kind, int | float):
        return Shape(Kind.NUMBER)
    raise TypeError(f"the configuration has no keys of type {kind!r}")


def shape_at(root: Shape, key: Key) -> Shape | None:
    """None when there is no such key."""
    for part in key:
        if root.kind is Kind.LIST and root.item is not None:
            root = root.item
        elif part in root.keys:
            root = root.child(part)
        else:
            return None
    return root


def all_keys(root: Shape, prefix: Key = ()) -> Iterator[Key]:
    """Every key that can be written, sections included, parents first."""
    for name in root.keys:
        yield (*prefix, name)
        yield from all_keys(root.child(name), (*prefix, name))


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was most likely meant."""
    lower = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word[:100].lower(), lower, n=1, cutoff=0.6)
    return lower[found[0]] if found else None


def meant(root: Shape, section_key: Key, word: str) -> str | None:
    """A suggestion for an unknown key: of the same section, else the same name in another one, else a close one."""
    at = shape_at(root, section_key)
    sibling = closest(word, at.keys) if at else None
    if sibling:
        return ".".join((*section_key, sibling))
    everywhere = {key[-1]: ".".join(key) for key in reversed(list(all_keys(root)))}
    other = closest(word, everywhere)
    return everywhere[other] if other else None
