"""The real engine behind ``engines``: screen readers on PP-OCRv6."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from foureyes_actors.messages import Task
from foureyes_actors.model_server.catalog import Level

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from foureyes_actors.model_server.engine import ScreenReader


class _Screen:
    def __init__(self, reader: ScreenReader) -> None:
        self._reader = reader

    def answer(self, image: NDArray[np.uint8], now: float, tasks: Sequence[Task]) -> dict[str, Any]:
        from foureyes_actors.model_server.engine import answer

        return answer(self._reader.read(image, now), tasks)


class ScreenEngine:
    """One level's networks, loaded."""

    def __init__(self, level: Level) -> None:
        from foureyes_actors.model_server.engine import ScreenReader

        self._level: Level = level
        self._spare: ScreenReader | None = ScreenReader(level)

    def screen(self) -> _Screen:
        from foureyes_actors.model_server.engine import ScreenReader

        reader, self._spare = self._spare or ScreenReader(self._level), None
        return _Screen(reader)


def load_engine(level: Level) -> ScreenEngine:
    """Raises MissingExtraError, ConfigurationError."""
    return ScreenEngine(level)
