"""What happens to one picture in the worker's thread: grab, examine, digest, now and then a look for black."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from foureyes_actors.capture.picture import PictureInfo, examine, is_black
from foureyes_actors.capture.source import FrameSource, clean_name
from foureyes_actors.ports.clock import Clock
from foureyes_actors.settings import SourceSettings
from supervisors.worker import Worker

LOOK_EVERY = 1.0  # seconds between two looks for black: a look decodes the picture
LOOK_LARGE_EVERY = 3.0  # seconds, while pictures are about as large as one that was seen not to be black
SHRUNK = 0.7  # of that size: a picture that goes black packs much smaller, so this one is looked at soon
STOP_TIMEOUT = 1.0  # seconds for a grab in work; then its thread closes the source by itself


@dataclass(frozen=True, slots=True)
class Grab:
    """One attempt. ``picture`` or ``error`` is None. The time is that of the request: a source renders or copies
    after it was asked, so the picture is at most that old, never older."""

    captured_at: datetime
    captured_monotonic: float
    seconds: float
    picture: Picture | None = None
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    data: bytes = field(repr=False)
    info: PictureInfo
    digest: str
    source: str  # the source's name for this picture
    black: bool | None  # None: nobody looked


class Grabber:
    """Owns the source and the thread that uses it. Its methods are for the actor's thread; ``done`` runs in the
    worker's and should only tell the actor. A grab that never comes back cannot hold ``close`` for long."""

    def __init__(self, name: str, source: FrameSource, settings: SourceSettings, clock: Clock) -> None:
        self._source, self._settings, self._clock = source, settings, clock
        self._worker = Worker(name)
        self._closing = threading.Event()
        self._looked_at: float | None = None
        self._judged = ("", False)  # the last digest that was looked at, and what was seen
        self._named = ("", "")  # the source's name, and how it is kept
        self._bright_size = 0  # bytes of the picture that was looked at last, when it was not black

    def start(self, done: Callable[[Grab | Exception], None]) -> bool:
        """False, and nothing done, while a grab is in work."""
        return self._worker.submit(self._grab, done)

    def close(self, timeout: float = STOP_TIMEOUT) -> bool:
        """Ends the thread and closes the source; False when a grab is still in work (it closes the source itself)."""
        self._closing.set()
        self._worker.submit(self._source.close, lambda _result: None)  # in its own thread, when that is idle
        ended = self._worker.stop(timeout)
        if ended:
            self._source.close()
        return ended

    def _grab(self) -> Grab:
        at, began = self._clock.utc_now(), self._clock.monotonic()
        try:
            picture, error = self._picture(began), None
        except Exception as caught:
            picture, error = None, caught
        finally:
            if self._closing.is_set():
                self._source.close()
        return Grab(at, began, self._clock.monotonic() - began, picture, error)

    def _picture(self, now: float) -> Picture:
        data = self._source.grab()
        info = examine(data, self._settings.limits)
        digest = hashlib.sha256(data).hexdigest()
        return Picture(data, info, digest, self._name(), self._look(data, digest, now))

    def _name(self) -> str:
        """Cleaned once for all pictures that have it."""
        if self._source.name != self._named[0]:
            self._named = (self._source.name, clean_name(self._source))
        return self._named[1]

    def _look(self, data: bytes, digest: str, now: float) -> bool | None:
        if digest == self._judged[0]:
            return self._judged[1]
        pause = LOOK_LARGE_EVERY if 0 < SHRUNK * self._bright_size <= len(data) else LOOK_EVERY
        if self._looked_at is not None and now - self._looked_at < pause:
            return None
        self._looked_at = now
        black = is_black(data, self._settings.health.black_level)
        self._judged = (digest, black)
        self._bright_size = 0 if black else len(data)
        return black
