"""Shows scenes on a schedule and keeps a log that tells which one was visible at any time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, Self, TypeVar

from foureyes_actors.ports.clock import Clock, SystemClock

Truth = TypeVar("Truth")


@dataclass(frozen=True, slots=True)
class Shown(Generic[Truth]):
    """``scene`` was certainly visible from ``since`` (the switch was confirmed) to ``until`` (the next one was asked
    for; None: still on)."""

    scene: str
    truth: Truth
    since: datetime
    until: datetime | None = None

    def covers(self, at: datetime, margin: timedelta) -> bool:
        return self.since <= at - margin and (self.until is None or at + margin <= self.until)


class SceneDrive(Generic[Truth]):
    """A context manager around a thread that shows each scene for ``hold_seconds``, ``rounds`` times all of them;
    the last one stays on. ``show``: puts a scene on program and returns when it is; runs in that thread.

    ``with SceneDrive(obs.show, [("first", truth_a), ("second", truth_b)], 3.0) as drive: ...``
    """

    def __init__(
        self,
        show: Callable[[str], None],
        scenes: Sequence[tuple[str, Truth]],
        hold_seconds: float,
        *,
        rounds: int = 1,
        clock: Clock | None = None,
    ) -> None:
        self._show, self._scenes, self._hold, self._rounds = show, tuple(scenes), hold_seconds, rounds
        self._clock = clock or SystemClock()
        self._stop, self._finished = threading.Event(), threading.Event()
        self._log: tuple[Shown[Truth], ...] = ()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="scene-drive", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)

    @property
    def log(self) -> tuple[Shown[Truth], ...]:
        """In order. Raises what ``show`` raised, if it did."""
        self._raise_error()
        return self._log

    def finished(self) -> bool:
        """All rounds are over. Raises what ``show`` raised, if it did."""
        self._raise_error()
        return self._finished.is_set()

    def visible(self, at: datetime, margin_seconds: float = 0.0) -> Shown[Truth] | None:
        """What was visible at ``at`` (UTC), certainly and for ``margin_seconds`` around it, or None: near a switch."""
        margin = timedelta(seconds=margin_seconds)
        return next((shown for shown in self.log if shown.covers(at, margin)), None)

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            for scene, truth in self._scenes * self._rounds:
                self._switch(scene, truth)
                if self._clock.wait(self._stop, self._hold):
                    return
            self._finished.set()
        except Exception as error:  # told to whoever reads the log
            self._error = error

    def _switch(self, scene: str, truth: Truth) -> None:
        """The log's end is closed before the switch and the new entry made after it: in between nothing is certain."""
        asked = self._clock.utc_now()
        if self._log:
            last = self._log[-1]
            self._log = (*self._log[:-1], Shown(last.scene, last.truth, last.since, asked))
        self._show(scene)
        self._log = (*self._log, Shown(scene, truth, self._clock.utc_now()))
