"""What the server needs of an engine, so that its routes can be tested without one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from foureyes_actors.messages import Task
from foureyes_actors.model_server.catalog import CatalogModel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Screen(Protocol):
    """One screen that is followed over its frames. One thread at a time calls."""

    def answer(self, image: NDArray[np.uint8], now: float, tasks: Sequence[Task]) -> dict[str, Any]:
        """``image``: height x width x 3, RGB; ``now``: monotonic seconds. The answer is keyed by task name."""


@runtime_checkable
class Prompted(Protocol):
    """A screen that is asked in words: it gets the request's text before each ``answer``."""

    def prompt(self, text: str) -> None:
        """Raises ApiError 400 for a text that it cannot use."""


@runtime_checkable
class Closing(Protocol):
    """An engine with something to give back, a GPU's memory for instance."""

    def close(self) -> None:
        """The last call, in the thread that loaded it."""


class Engine(Protocol):
    """One loaded model. Its screens share the networks."""

    def screen(self) -> Screen: ...


EngineFactory = Callable[[CatalogModel], Engine]  # loads; may take seconds, and raise ConfigurationError
