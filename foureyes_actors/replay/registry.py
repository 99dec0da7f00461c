"""What a record may name: a closed list of modules, and of those their own data classes, enumerations, settings,
exceptions, replay points and named constants. Nothing else is ever looked up, imported or built for a record.
"""

from __future__ import annotations

import builtins
import importlib
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from enum import Enum
from functools import lru_cache
from types import MappingProxyType, ModuleType
from typing import Any

from pydantic import BaseModel

from foureyes_actors.replay.capture import type_name
from foureyes_actors.replay.point import spec_of

MODULES = (
    "foureyes_actors.capture.obs_source",
    "foureyes_actors.capture.picture",
    "foureyes_actors.errors",
    "foureyes_actors.inference.answers",
    "foureyes_actors.inference.client",
    "foureyes_actors.inference.reply",
    "foureyes_actors.inference.request",
    "foureyes_actors.inference.strict_json",
    "foureyes_actors.inference.tasks",
    "foureyes_actors.lm_studio.dialect",
    "foureyes_actors.lm_studio.dialects",
    "foureyes_actors.lm_studio.lms",
    "foureyes_actors.lm_studio.replies",
    "foureyes_actors.lm_studio.server_calls",
    "foureyes_actors.lm_studio.warmup",
    "foureyes_actors.messages",
    "foureyes_actors.ports.documents",
    "foureyes_actors.ports.http",
    "foureyes_actors.ports.obs",
    "foureyes_actors.ports.process",
    "foureyes_actors.ports.wire",
    "foureyes_actors.readings.events",
    "foureyes_actors.readings.fields",
    "foureyes_actors.readings.fusion",
    "foureyes_actors.readings.money",
    "foureyes_actors.readings.observe",
    "foureyes_actors.readings.screen",
    "foureyes_actors.recorder.store_calls",
    "foureyes_actors.settings",
)
CONSTANTS = tuple(  # types that hold functions: their values go by name
    f"foureyes_actors.lm_studio.dialect:{name}" for name in ("Change", "Details", "Dialect", "Listing", "Resident")
)


class Registry:
    """Immutable once made."""

    def __init__(self, modules: tuple[ModuleType, ...]) -> None:
        types: dict[str, type] = {}
        points: dict[str, Callable[..., Any]] = {}
        constants: dict[str, Any] = {}
        for module in modules:
            for name, value in vars(module).items():
                if isinstance(value, type) and value.__module__ == module.__name__ and _is_data(value):
                    types[name_of(value)] = value
                spec = spec_of(value)
                if spec is not None and spec.entry == f"{module.__name__}:{name}":
                    points[spec.entry] = value
                if name_of(type(value)) in CONSTANTS:
                    constants[f"{module.__name__}:{name}"] = value
        self.types: Mapping[str, type] = MappingProxyType(types)
        self.points: Mapping[str, Callable[..., Any]] = MappingProxyType(points)
        self.constants: Mapping[str, Any] = MappingProxyType(constants)
        self.exceptions: Mapping[str, type[BaseException]] = MappingProxyType(
            {type_name(kind): kind for kind in (*vars(builtins).values(), *types.values()) if _is_exception(kind)}
        )
        self._names = {id(value): name for name, value in constants.items()}

    def constant_name(self, value: object) -> str | None:
        return self._names.get(id(value))


def name_of(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _is_data(kind: type) -> bool:
    return is_dataclass(kind) or issubclass(kind, Enum | BaseException | BaseModel | str)


def _is_exception(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseException)


@lru_cache(maxsize=1)
def registry() -> Registry:
    """Made with the first failure: its modules import this package themselves."""
    return Registry(tuple(importlib.import_module(name) for name in MODULES))
