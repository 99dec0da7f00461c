"""CaptureActor: asks its source for a picture on every tick and tells each one to whoever analyses it.

The source works in a thread of its own, so the actor always answers, and a slow source never piles anything up: one
grab is in work, at most one more is owed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from foureyes_actors.capture.grabber import Grab, Grabber, Picture
from foureyes_actors.capture.health import GoodFrame, NoFrame, StreamHealth, StreamSight, limits_for, observe
from foureyes_actors.capture.numbering import FrameNumbers
from foureyes_actors.capture.pacing import Pace
from foureyes_actors.capture.reporting import Reports, after_failure, after_good
from foureyes_actors.capture.source import FrameSource, clean_name
from foureyes_actors.errors import FrameError, SourceEnded, SourceRefused
from foureyes_actors.messages import (
    Frame,
    FrameCaptured,
    FrameRef,
    GetStatus,
    ServerPhase,
    ServerState,
    ServerStateWanted,
    SourceExhausted,
    StreamHealthChanged,
    Tick,
)
from foureyes_actors.ports.clock import Clock
from foureyes_actors.settings import SourceSettings
from foureyes_actors.telling import BUG, Teller
from supervisors.actor import ActorContext, SupervisedActor

GRAB = "grab"  # the tick's name
REFUSED_PAUSE = 5.0  # seconds: somebody may be mending the source while we run
WEDGED_AFTER = 30.0  # seconds in one grab after which source and thread are given up, far above any deadline


@dataclass(frozen=True, slots=True)
class _Grabbed:
    """The worker's result. The inbox outlives an actor, so the incarnation says whose grab it was."""

    incarnation: int
    result: Grab | Exception


class CaptureActor(SupervisedActor):
    """``targets`` get every FrameCaptured, ``audience`` gets StreamHealthChanged and SourceExhausted, ``bug`` faults.

    ``source`` opens nothing yet; it is called in the actor's thread. Frames are numbered by
    ``numbers``, one for all incarnations, so that no number comes twice in a run.

    ``wait_for``: the actor that keeps the model server; nothing is grabbed before it says that the server is ready,
    so that nothing of a source with an end passes by unread. Empty: grab at once.

    A configuration error (a source that refuses us) before any frame of the run is raised: it ends the run. Later it
    is a fault, and the source is tried again every 5 s.
    """

    def __init__(
        self,
        context: ActorContext,
        *,
        settings: SourceSettings,
        source: Callable[[], FrameSource],
        clock: Clock,
        targets: tuple[str, ...],
        audience: tuple[str, ...] = ("readings",),
        bug: str = BUG,
        wait_for: str = "",
        numbers: FrameNumbers | None = None,
    ) -> None:
        super().__init__(context)
        self._wait_for, self._numbers = wait_for, numbers or FrameNumbers()
        self._settings, self._make_source, self._clock = settings, source, clock
        self._targets, self._audience = targets, audience
        self._teller = Teller(context, clock, bug=bug)
        self._limits = limits_for(settings)

    def on_start(self) -> None:
        now = self._clock.monotonic()
        source = self._make_source()
        self._name = clean_name(source)
        self._grabber = Grabber(
            f"{self.context.name}#{self.context.incarnation}-grab", source, self._settings, self._clock
        )
        self._pace = Pace(now)
        self._health = StreamHealth(now)
        self._reports = Reports()
        self._failures: Counter[str] = Counter()
        self._last_failure = ""
        self._not_before = now
        self._grab_began = now
        self._in_work = False
        self._exhausted = False
        self._begun = False
        if self._wait_for:
            self._teller.tell((self._wait_for,), ServerStateWanted(self.context.name))
        else:
            self._begin()

    def _begin(self) -> None:
        self._begun = True
        now = self._clock.monotonic()  # making the source, and waiting for the models, took time that is no grabbing
        self._pace, self._health = Pace(now), StreamHealth(now)
        self.context.every(1 / self._settings.rate, GRAB)
        self._grab(now)

    def on_receive(self, message: Any) -> Any:
        match message:
            case Tick(name=name, number=number) if name == GRAB:
                self._tick(number)
            case _Grabbed(incarnation=incarnation, result=result):
                if incarnation == self.context.incarnation:
                    self._grabbed(result)
            case ServerState(phase=phase):
                if phase is ServerPhase.READY and not self._begun:
                    self._begin()
            case GetStatus():
                return self._status()
            case _:
                raise TypeError(f"CaptureActor does not know {type(message).__name__}")
        return None

    def on_stop(self) -> None:
        self._grabber.close()

    def on_failure(self, *_: Any) -> None:
        self._grabber.close()

    # --- pace ---

    def _tick(self, number: int) -> None:
        if self._exhausted:
            return
        now = self._clock.monotonic()
        self._pace.tick(number)
        if self._in_work:
            self._still_in_work(now)
        elif now >= self._not_before:
            self._grab(now)
        else:
            self._see(now, NoFrame(self._last_failure))

    def _still_in_work(self, now: float) -> None:
        waited = now - self._grab_began
        if waited > WEDGED_AFTER:
            raise TimeoutError(f"{self._name}: a grab has been in work for {waited:.0f} s; the source is given up")
        self._pace.found_busy()
        self._see(now, NoFrame(f"the source has been at work for {waited:.1f} s"))

    def _grab(self, now: float) -> None:
        context = self.context
        self._pace.owed = False
        self._grab_began = now
        self._in_work = self._grabber.start(lambda result: _tell_result(context, result))

    # --- results ---

    def _grabbed(self, result: Grab | Exception) -> None:
        self._in_work = False
        if isinstance(result, Exception):  # not of the source: of the code around it
            raise result
        now = self._clock.monotonic()
        self._pace.grabbed(result.seconds)
        if result.picture is not None:
            self._deliver(now, result, result.picture)
        else:
            assert result.error is not None
            self._failed(now, result.error)
        if self._pace.owed and not self._exhausted and now >= self._not_before:
            self._grab(now)

    def _deliver(self, now: float, grab: Grab, picture: Picture) -> None:
        self._pace.frame(now)
        self._reports = after_good(self._reports)
        self._last_failure = ""
        self._teller.tell(self._targets, FrameCaptured(Frame(self._ref(grab, picture), picture.data)))
        self._see(now, GoodFrame(picture.digest, picture.black))

    def _ref(self, grab: Grab, picture: Picture) -> FrameRef:
        return FrameRef(
            source=picture.source,
            sequence=self._numbers.next(),
            captured_at=grab.captured_at,
            captured_monotonic=grab.captured_monotonic,
            digest=picture.digest,
            media_type=picture.info.media_type,
            width=picture.info.width,
            height=picture.info.height,
        )

    def _failed(self, now: float, error: Exception) -> None:
        match error:
            case SourceEnded():
                self._finish()
                return
            case SourceRefused() if self._pace.frames or self.context.incarnation > 1:
                self._not_before = now + REFUSED_PAUSE
            case FrameError():
                pass
            case _:  # ours to mend by a restart, or the user's before anything can begin
                raise error
        self._failures[type(error).__name__] += 1
        self._last_failure = f"{type(error).__name__}: {error}"
        self._report(now, error)
        self._see(now, NoFrame(str(error)))

    def _finish(self) -> None:
        self._exhausted = True
        self._grabber.close()
        self._teller.tell(self._audience, SourceExhausted(self._name, self._pace.frames))

    def _report(self, now: float, error: Exception) -> None:
        self._reports, count = after_failure(self._reports, now, type(error).__name__)
        if count:
            facts = {"frame_source": self._name, "failures": str(count), "frames": str(self._pace.frames)}
            self._teller.fault(error, facts)

    def _see(self, now: float, sight: StreamSight) -> None:
        self._health, change = observe(self._health, now, sight, self._limits)
        if change is None:
            return
        at = self._clock.utc_now()
        message = StreamHealthChanged(self._name, change.before, change.after, at, change.reason)
        self._teller.tell(self._audience, message)

    def _status(self) -> dict[str, Any]:
        now, pace = self._clock.monotonic(), self._pace
        grab, last = pace.grab_times(), pace.last_frame_at
        return {
            "source": self._name,
            "condition": self._health.condition.value,
            "exhausted": self._exhausted,
            "frames": pace.frames,
            "rate": round(pace.rate(now), 2),
            "wanted_rate": self._settings.rate,
            "skipped": pace.skipped,
            "late": pace.late,
            "dropped": pace.dropped,
            "failures": dict(self._failures),
            "last_failure": self._last_failure,
            "undelivered": dict(self._teller.undelivered),
            "last_frame_age": None if last is None else round(now - last, 3),
            "grab_ms": None
            if grab is None
            else {"median": round(grab[0] * 1e3, 1), "longest": round(grab[1] * 1e3, 1)},
        }


def _tell_result(context: ActorContext, result: Grab | Exception) -> None:
    """In the worker's thread."""
    context.tell_self(_Grabbed(context.incarnation, result))
