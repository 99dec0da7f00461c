"""The real engine behind ``engines``: screen readers on PP-OCRv6."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

from foureyes_actors.messages import Task
from foureyes_actors.model_server.catalog import Level

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from foureyes_actors.model_server.engine.reader import ScreenReader


class _Screen:
    def __init__(self, reader: ScreenReader) -> None:
        self._reader = reader

    def answer(self, image: NDArray[np.uint8], now: float, tasks: Sequence[Task]) -> dict[str, Any]:
        from foureyes_actors.model_server.engine.reader import answer

        return answer(self._reader.read(image, now), tasks)


class ScreenEngine:
    """One level's networks, loaded once."""

    def __init__(self, level: Level) -> None:
        from foureyes_actors.model_server.engine.reader import ScreenReader

        self._reader = ScreenReader(level)

    def screen(self) -> _Screen:
        """A reader with a memory of its own. Its networks are those of the first one: megabytes, and not changed by
        reading."""
        reader = copy(self._reader)
        reader.forget()
        return _Screen(reader)


def load_engine(level: Level) -> ScreenEngine:
    """Raises MissingExtraError, ConfigurationError."""
    return ScreenEngine(level)
