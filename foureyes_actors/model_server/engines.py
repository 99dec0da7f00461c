"""What the server needs of an engine, so that its routes can be tested without one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from foureyes_actors.messages import Task
from foureyes_actors.model_server.catalog import Level

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Screen(Protocol):
    """One screen that is followed over its frames. One thread at a time calls."""

    def answer(self, image: NDArray[np.uint8], now: float, tasks: Sequence[Task]) -> dict[str, Any]:
        """``image``: height x width x 3, RGB; ``now``: monotonic seconds. The answer is keyed by task name."""


class Engine(Protocol):
    """One loaded model. Its screens share the networks."""

    def screen(self) -> Screen: ...


EngineFactory = Callable[[Level], Engine]  # loads; may take seconds, and raise ConfigurationError
