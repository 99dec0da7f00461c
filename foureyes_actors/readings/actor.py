"""ReadingsActor: joins the models' answers about a frame and tells readings and events."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from foureyes_actors.inference.routing import Routing, Situation, ready_models
from foureyes_actors.messages import (
    Analysis,
    AnalysisFailed,
    Collection,
    Event,
    FallbackChanged,
    FrameRef,
    GetStatus,
    PressureChanged,
    PressureLevel,
    Reading,
    ReadingSet,
    ServerPhase,
    ServerState,
    SourceExhausted,
    StoreDocuments,
    StreamHealthChanged,
    TaskFailure,
    Tick,
)
from foureyes_actors.ports.clock import Clock
from foureyes_actors.readings import fusion
from foureyes_actors.readings.answers import Answers, heard
from foureyes_actors.readings.documents import event_document, reading_document, reading_set_id
from foureyes_actors.readings.events import Change, server_change, stream_change
from foureyes_actors.readings.fusion import Join, Joined, Part
from foureyes_actors.readings.screen import Screen, read, stale
from foureyes_actors.settings import ReadingsSettings
from foureyes_actors.telling import Teller
from supervisors.actor import ActorContext, SupervisedActor

JOIN = "join"  # the tick that comes when a frame has waited long enough, or when silence is to be told
MAX_SCREENS = 16  # sources whose fields are remembered; the one unseen for longest goes first


class ReadingsActor(SupervisedActor):
    """``models``: whose answers a frame waits for; where there is a ``routing``, it says so in each situation instead.
    ``level``: how much may be asked of the machine now. ``audience`` gets ReadingSet, Event and SourceExhausted; the
    recorder gets the documents. ``degraded``: the polling fallback is active already."""

    def __init__(
        self,
        context: ActorContext,
        *,
        run_id: str,
        settings: ReadingsSettings,
        models: tuple[str, ...],
        clock: Clock,
        audience: tuple[str, ...] = ("console",),
        recorder: str = "recorder",
        degraded: bool = False,
        routing: Routing | None = None,
        level: PressureLevel = PressureLevel.NORMAL,
    ) -> None:
        super().__init__(context)
        self._run_id, self._settings, self._clock = run_id, settings, clock
        self._audience, self._recorder = audience, recorder
        self._teller = Teller(context, clock)
        self._routing, self._level = routing, level
        expected = models if routing is None else routing.answering(Situation(level))
        self._join = Join(expected, settings.join_timeout)
        self._screens: dict[str, Screen] = {}
        self._answers: dict[str, Answers] = {}  # by model
        self._server: ServerState | None = None
        self._last: FrameRef | None = None  # the newest frame that came out; None while its silence has been told
        self._last_out = 0.0
        self._counts: Counter[str] = Counter()
        self._values: Counter[str] = Counter()  # by status
        self._kinds: Counter[str] = Counter()  # of events
        self._event_number = 0
        self._tick_coming = False
        self._degraded = degraded
        self._degraded_since: datetime | None = None  # None: since before this actor was made

    def on_stop(self) -> None:
        self._join, joined = fusion.flush(self._join)
        self._come_out(joined)

    def on_receive(self, message: Any) -> Any:
        match message:
            case Analysis():
                latency = None if message.cached or message.degraded else message.latency
                part = Part(message.model, message.answers, message.failures, message.degraded, latency)
                self._add(message.frame, part)
                self._hear(part)
            case AnalysisFailed():
                self._counts["failed_analyses"] += 1
                failures = tuple(TaskFailure(task, message.error_type, message.reason) for task in message.tasks)
                part = Part(message.model, failures=failures)
                self._add(message.frame, part)
                self._hear(part)
            case Tick(name=name) if name == JOIN:
                self._tick()
            case StreamHealthChanged():
                self._event(stream_change(message), None)
            case ServerState():
                change, self._server = server_change(self._server, message), message
                if change:
                    self._event(change, None)
                self._expect()
            case PressureChanged(level=level):
                self._level = level
                self._expect()
            case FallbackChanged(active=active):
                if active != self._degraded:
                    self._degraded, self._degraded_since = active, self._clock.utc_now()
            case SourceExhausted():
                self._last = None  # its silence is no news
                self._teller.tell(self._audience, message)
            case GetStatus():
                return self._status()
            case _:
                raise TypeError(f"{self.context.name} does not know {type(message).__name__}")
        self._ask_for_tick()
        return None

    def _expect(self) -> None:
        """Whose answers a frame waits for, now that the situation has changed."""
        if self._routing is None:
            return
        models = self._routing.answering(Situation(self._level, ready_models(self._server)))
        self._join, joined = fusion.expect(self._join, models, self._clock.monotonic())
        self._come_out(joined)

    def _ask_for_tick(self) -> None:
        """One at a time, and only when there is something to wait for: a wake-up costs more than most messages. What
        comes to be waited for later is due later."""
        due = self._due()
        if due is not None and not self._tick_coming:
            self._tick_coming = True
            self.context.after(max(0.0, due - self._clock.monotonic()), Tick(JOIN, 0))

    def _due(self) -> float | None:
        """When a frame will have waited long enough, or the silence after the last one (monotonic seconds)."""
        if self._join.waiting:
            return min(item.until for item in self._join.waiting)
        return None if self._last is None else self._last_out + self._settings.join_timeout

    def _add(self, frame: FrameRef, part: Part) -> None:
        self._join, joined = fusion.add(self._join, frame, part, self._clock.monotonic())
        self._come_out(joined)

    def _hear(self, part: Part) -> None:
        """That a server is away, or a model not in its memory, is told as the server's state and its fallback."""
        away = self._server is not None and self._server.phase is not ServerPhase.READY
        if self._degraded or (away and not part.answers):
            return
        before = self._answers.get(part.model, Answers())
        failures = {failure.task: failure.reason for failure in part.failures}
        answered = [answer.task for answer in part.answers]
        self._answers[part.model], change = heard(before, part.model, answered, failures, self._clock.monotonic())
        if change is not None:
            self._event(change, None)

    def _tick(self) -> None:
        self._tick_coming = False
        now = self._clock.monotonic()
        self._join, joined = fusion.expire(self._join, now)
        self._come_out(joined)
        if self._last is not None and not self._join.waiting and now >= self._last_out + self._settings.join_timeout:
            self._tell_silence(self._last)

    def _come_out(self, joined: tuple[Joined, ...]) -> None:
        for one in joined:
            screen, readings, found = read(self._screen(one.frame.source), one, self._settings)
            self._screens[one.frame.source] = screen
            identity = reading_set_id(self._run_id, one.frame, one.supplement)
            self._tell_readings(self._reading_set(identity, one.frame, one.parts, readings))
            self._counts.update(readings=1, late=one.late, supplements=one.supplement > 0)
            self._last_out = self._clock.monotonic()
            self._last = self._last if one.late else one.frame
            for change in found:
                self._event(change, one.frame)

    def _screen(self, source: str) -> Screen:
        screen = self._screens.pop(source, None) or Screen()
        while len(self._screens) >= MAX_SCREENS:
            self._screens.pop(next(iter(self._screens)))
        return screen

    def _tell_silence(self, frame: FrameRef) -> None:
        """Once, when no frame has been answered for the join's timeout: everything is stale now."""
        self._last = None
        reason = f"no answer for {self._settings.join_timeout:g} s{self._why()}"
        readings = stale(self._screens[frame.source], reason)
        identity = f"{reading_set_id(self._run_id, frame)}-stale"
        self._tell_readings(self._reading_set(identity, frame, (), readings))
        self._counts["silences"] += 1

    def _why(self) -> str:
        """For a stale reading: what is wrong, when it is known."""
        if not self._degraded:
            return ""
        since = f" since {self._degraded_since:%H:%M:%S} UTC" if self._degraded_since else ""
        return f"; the model server is away, polling fallback{since}"

    def _reading_set(
        self, identity: str, frame: FrameRef, parts: tuple[Part, ...], readings: tuple[Reading, ...]
    ) -> ReadingSet:
        answered = [part for part in parts if part.answers]
        return ReadingSet(
            identity,
            frame,
            tuple(part.model for part in answered),
            readings,
            self._clock.utc_now(),
            age=max(0.0, self._clock.monotonic() - frame.captured_monotonic),
            degraded=self._degraded or any(part.degraded for part in parts),
            latencies=tuple(part.latency for part in answered),
        )

    def _tell_readings(self, readings: ReadingSet) -> None:
        document = reading_document(readings, self._run_id)
        self._teller.tell((self._recorder,), StoreDocuments(Collection.READINGS, (document,)))
        self._teller.tell(self._audience, readings)
        self._values.update(reading.status.value for reading in readings.readings)

    def _event(self, change: Change, frame: FrameRef | None) -> None:
        self._event_number += 1
        event = Event(
            id=f"{self._run_id}-{self.context.name}-{self.context.incarnation}-{self._event_number:06d}",
            kind=change.kind,
            at=self._clock.utc_now(),
            subject=change.subject,
            before=change.before,
            after=change.after,
            reason=change.reason,
            frame=frame,
            seconds=change.seconds,
            degraded=frame is not None and self._degraded,
        )
        self._teller.tell((self._recorder,), StoreDocuments(Collection.EVENTS, (event_document(event, self._run_id),)))
        self._teller.tell(self._audience, event)
        self._kinds[change.kind.value] += 1

    def _status(self) -> dict[str, Any]:
        names = ("readings", "late", "supplements", "failed_analyses", "silences")
        return {
            **{name: self._counts[name] for name in names},
            "degraded": self._degraded,
            "expected": list(self._join.models),
            "pending": len(self._join.waiting),
            "screens": len(self._screens),
            "values": dict(self._values),
            "events": dict(self._kinds),
            "undelivered": dict(self._teller.undelivered),
        }
