"""A failure that can be made to happen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from foureyes_actors.replay.replaying import PORT, WIRE

__all__ = ["PORT", "WIRE", "Scenario"]


@dataclass(frozen=True)
class Scenario:
    """``act`` fails. ``group``: the class it stands for. ``level``: at which it must happen again."""

    group: str
    name: str
    act: Callable[[], object]
    secrets: tuple[str, ...] = ()
    level: str = PORT

    def __str__(self) -> str:
        return f"{self.group}: {self.name}"
