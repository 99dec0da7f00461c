"""What a configuration that is read again changes: which keys, and which of them the parts that come back with a reload
take. Pure. Values are never told: some are secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from foureyes_actors.settings import Settings

# Which parts read a key when they are built; the first row that fits holds. Without parts: nothing but a new start of
# FourEyes takes it. A name that ends with a colon stands for all that begin with it.
_SERVER = ("lm_studio", "inference:")
READERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("model_server.models_file", ()),
    ("model_server.stop_grace", ()),
    ("model_server.manage", (*_SERVER, "resource")),
    ("model_server.", _SERVER),
    ("inference.", _SERVER),
    ("source.kind", ()),
    ("source.", ("capture",)),
    ("readings.", ("readings",)),
    ("resource.", ("resource",)),
    ("store.retention.", ("recorder",)),
    ("bug.", ("bug",)),
    ("forgewright.", ("forgewright",)),
)


@dataclass(frozen=True, slots=True)
class Changes:
    """Keys with dots. ``taken``: in force now; ``left``: after a restart of FourEyes."""

    taken: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.taken or self.left)

    def __str__(self) -> str:
        parts = (("in force now", self.taken), ("in force after a restart of FourEyes", self.left))
        return "; ".join(f"{what}: {', '.join(keys)}" for what, keys in parts if keys)


def changes(before: Settings, after: Settings, reloaded: Sequence[str], *, models: bool = False) -> Changes:
    """``reloaded``: the names of the parts that come back. ``models``: the table of models is another one."""
    keys = tuple(changed_keys(before, after))
    taken = tuple(key for key in keys if _taken(key, reloaded))
    left = tuple(key for key in keys if key not in taken)
    return Changes(taken, (*left, "the table of models") if models else left)


def changed_keys(before: BaseModel, after: BaseModel, prefix: str = "") -> Iterator[str]:
    """The full names of the keys whose values differ, in the settings' order."""
    for name in type(before).model_fields:
        yield from _changed(getattr(before, name), getattr(after, name), prefix + name)


def _changed(before: Any, after: Any, key: str) -> Iterator[str]:
    if isinstance(before, BaseModel) and type(before) is type(after):
        yield from changed_keys(before, after, f"{key}.")
    elif isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys((*before, *after)):
            yield from _changed(before.get(name), after.get(name), f"{key}.{name}")
    elif before != after:
        yield key


def _taken(key: str, reloaded: Sequence[str]) -> bool:
    parts = next((parts for start, parts in READERS if key.startswith(start)), ())
    return bool(parts) and all(any(_is(name, part) for name in reloaded) for part in parts)


def _is(name: str, part: str) -> bool:
    return name.startswith(part) if part.endswith(":") else name == part
