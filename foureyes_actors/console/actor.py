"""ConsoleActor: prints one line per change and says when the run has what it was asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from foureyes_actors.console import lines
from foureyes_actors.console.server_news import ServerNews, what_failed
from foureyes_actors.console.told import ToldReasons
from foureyes_actors.messages import (
    Event,
    EventKind,
    Field,
    GetStatus,
    Reading,
    ReadingSet,
    ReadingStatus,
    ServerPhase,
    ServerState,
    SourceExhausted,
)
from foureyes_actors.ports.clock import Clock
from supervisors.actor import ActorContext, SupervisedActor

SILENT_EVENTS = {EventKind.BALANCE_CHANGED, EventKind.SERVER_CHANGED, EventKind.MOTION_CHANGED, EventKind.STATE_CHANGED}


class ConsoleActor(SupervisedActor):
    """``write`` gets one line of text at a time. ``finish`` is called, in this actor's thread, with a reason when
    ``frames`` frames have been read, or ``exhausted`` when the source has no more. ``fallback``: what becomes of the
    readings while the model server is away, in words; ``degraded``: it is away now. Its attempts to start are not
    told then, only what is new about their failures."""

    def __init__(
        self,
        context: ActorContext,
        *,
        clock: Clock,
        write: Callable[[str], None],
        finish: Callable[[str], None],
        exhausted: Callable[[], None],
        frames: int | None = None,
        fallback: str = "",
        degraded: bool = False,
    ) -> None:
        super().__init__(context)
        self._clock, self._write, self._finish, self._exhausted, self._frames = clock, write, finish, exhausted, frames
        self._fallback, self._degraded = fallback, degraded
        self._last: dict[Field, Reading] = {}
        self._read = 0
        self._source = ""
        self._news = ServerNews()
        self._foreign = False
        self._told = ToldReasons()

    def on_receive(self, message: Any) -> Any:
        match message:
            case ReadingSet():
                self._show(message)
            case Event():
                if message.kind is EventKind.MODE_CHANGED and message.subject == lines.MODEL_SERVER:
                    self._degraded = message.after != lines.NORMAL
                # What a reading line says already is not said twice.
                if message.kind not in SILENT_EVENTS and not lines.told_by_mode(message):
                    event = self._told.shortened(message, self._clock.monotonic())
                    self._write(lines.event_line(event, self._fallback, foreign=self._foreign))
            case ServerState():
                self._show_server(message)
            case SourceExhausted():
                self._write(lines.exhausted_line(message.source, message.frames))
                self._exhausted()
            case GetStatus():
                return {"read": self._read}
        return None

    def _show(self, readings: ReadingSet) -> None:
        if all(r.status is ReadingStatus.STALE for r in readings.readings):
            return  # no model said anything about this frame
        self._read += 1
        if readings.frame.source != self._source:  # another machine: its amounts are no change of the last one's
            self._source, self._last = readings.frame.source, {}
            self._write(lines.source_line(readings))
        news = lines.changed(self._last, readings)
        if news:
            self._write(lines.reading_line(readings, news, self._last))
            self._last.update({r.field: r for r in news})
        if self._frames is not None and self._read == self._frames:
            self._finish(f"{self._frames} frames read")

    def _show_server(self, state: ServerState) -> None:
        self._foreign = state.foreign
        if state.phase is ServerPhase.READY:
            self._told.clear()
        if self._news.tells(state, self._clock.monotonic(), degraded=self._degraded):
            if state.phase is ServerPhase.FAILED:
                self._told.add(what_failed(state), self._clock.monotonic())
            self._write(lines.server_line(state, self._clock.utc_now()))
