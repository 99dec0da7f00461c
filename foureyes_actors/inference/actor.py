"""InferenceActor: asks one model about the newest frame, one request at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from foureyes_actors.errors import AnswerContractError, RequestCancelled, ServerFault, ServerRefused
from foureyes_actors.inference.cache import AnalysisCache, CacheKey
from foureyes_actors.inference.call import AttemptFailed, Call, Counts, Finished, Resume, Retrying, Target
from foureyes_actors.inference.client import analyse, backoff
from foureyes_actors.inference.duty import Duty
from foureyes_actors.inference.fallback import Fallback, ReadAlone, unavailable
from foureyes_actors.inference.in_process import OpenReader
from foureyes_actors.inference.pace import Due, Pace
from foureyes_actors.inference.places import Lease, PlaceFree, Places, Seat
from foureyes_actors.inference.request import RequestTemplate
from foureyes_actors.inference.routing import Asked, Routing
from foureyes_actors.inference.server_faults import is_retryable, reason_of
from foureyes_actors.inference.suspicion import Suspicion
from foureyes_actors.messages import (
    Analysis,
    AnalysisFailed,
    FallbackChanged,
    Frame,
    FrameCaptured,
    FrameRef,
    GetStatus,
    ModelAtRest,
    PictureAsked,
    PressureChanged,
    PressureLevel,
    ServerState,
    ServerStateWanted,
)
from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.http import HttpPort
from foureyes_actors.settings import InferenceSettings
from foureyes_actors.telling import Teller
from supervisors.actor import ActorContext, SupervisedActor
from supervisors.worker import Worker

STOP_WITHIN = 0.8  # seconds for the worker to end after its exchange was cut


class InferenceActor(SupervisedActor):
    """Frames wait until the model server is ready with this model; only the newest one is kept.

    ``http`` is this incarnation's own: ``on_stop`` closes it to cut the exchange in flight. ``session``: the server
    follows a screen over several frames (the embedded one does), so it is told the frame's source, and the picture
    before is part of what makes two questions the same.

    ``tasks``: what this model may be asked. ``routing`` says which of them it is asked in a situation (None: always
    all of them); a frame that comes while there are none is somebody else's. ``level``: how much may be asked of the
    machine now; in the lower rhythm a frame is taken each ``settings.slow_every`` seconds.

    ``open_reader``: who reads while the polling fallback is active, a frame each ``settings.fallback_every`` seconds;
    the server is not asked then. ``degraded``: the fallback is active already. ``places``: of all who ask that server.
    ``patient``: no reload is planned after so many pictures: nobody need wake up to count them. ``counts``: the run's.
    """

    def __init__(
        self,
        context: ActorContext,
        *,
        model: str,
        tasks: Asked,
        settings: InferenceSettings,
        http: HttpPort,
        clock: Clock,
        random: Callable[[], float],
        token: str = "",
        audience: tuple[str, ...] = ("readings",),
        server: str = "lm_studio",
        session: bool = False,
        open_reader: OpenReader = unavailable,
        degraded: bool = False,
        routing: Routing | None = None,
        level: PressureLevel = PressureLevel.NORMAL,
        places: Places | None = None,
        patient: bool = False,
        counts: Counts | None = None,
    ) -> None:
        super().__init__(context)
        self._model, self._settings, self._patient, self._http = model, settings, patient, http
        self._analyse = partial(analyse, http=http, clock=clock, random=random, settings=settings, token=token)
        self._audience, self._server_name, self._session, self._degraded_at_start = audience, server, session, degraded
        self._teller = Teller(context, clock)
        self._counts = counts or Counts()
        timer, finds = clock.monotonic, self._counts.finds
        self._cache = AnalysisCache(ttl=settings.cache_ttl, size=settings.cache_size, timer=timer, finds=finds)
        self._fallback = Fallback(context, open_reader=open_reader, every=settings.fallback_every, clock=clock)
        self._pace = Pace(context, "lower rhythm", every=settings.slow_every, clock=clock)
        self._duty = Duty(model, tasks, settings, session=session, routing=routing, level=level)
        self._seat = Seat(context, places or Places(clock.monotonic))
        self._worker: Worker | None = None
        self._pending: Frame | None = None
        self._call: Call | None = None
        self._before = ""  # digest of the picture that was asked about last
        self._failed_in_a_row = self._pauses = 0
        self._suspicion = Suspicion(model, attempts=settings.attempts)
        self._paused = self._rested = False  # rested: and LMStudioActor knows it

    def on_start(self) -> None:
        self._worker = Worker(f"{self.context.name}#{self.context.incarnation} worker")
        self._follow_fallback(self._degraded_at_start)
        self._teller.tell((self._server_name,), ServerStateWanted(self.context.name))

    def on_stop(self) -> None:
        if self._call is not None:
            self._call.cancelled.set()
        self._http.close()
        if self._worker is not None:
            self._worker.stop(STOP_WITHIN)
        self._seat.end()
        self._fallback.end()

    def on_failure(self, *_: Any) -> None:
        self.on_stop()  # the workers must not outlive their actor

    def on_receive(self, message: Any) -> Any:
        match message:
            case FrameCaptured(frame=frame):
                self._take(frame)
            case ServerState():
                self._follow_server(message)
            case FallbackChanged(active=active):
                self._follow_fallback(active)
            case ReadAlone():
                self._read_alone(message)
            case PressureChanged(level=level):
                self._follow_duty(self._duty.follow_pressure(level))
            case Due():
                self._fallback.awake(message)
                self._pace.awake(message)
            case Finished():
                self._finished(message.call, message.outcome)
            case AttemptFailed(error=error):
                self._suspect(error)
            case Retrying():
                self._counts.retries += 1
            case Resume(number=number):
                self._paused = self._paused and number != self._pauses
            case PlaceFree():
                pass  # for the frame that waits, if it still does
            case GetStatus():
                return self._status()
            case _:
                raise TypeError(f"{self.context.name} does not know {type(message).__name__}")
        self._ask_next()
        if isinstance(message, PlaceFree):
            self._seat.decline()
        self._tell_rest()
        return None

    # --- frames ---

    def _take(self, frame: Frame) -> None:
        self._counts.frames += 1
        if not self._duty.asked:
            return
        self._counts.replaced += self._pending is not None
        self._counts.waited += self._duty.target is None and not self._fallback.active
        self._pending = frame
        if self._call is not None:
            self._call.superseded.set()

    def _ask_next(self) -> None:
        if self._fallback.active:
            if self._pending is not None and self._fallback.take(self._pending):
                self._pending = None
            return
        if self._pending is None or self._call is not None or self._duty.target is None:
            return
        if self._paused or self._duty.to_rest:
            return
        if self._duty.level is PressureLevel.SLOWER and not self._pace.may_begin():
            return
        frame = self._pending
        key = self._key(frame, self._duty.target.shape)
        known = self._cache.find(key)
        lease = self._seat.take() if known is None else None
        if known is None and lease is None:
            return
        self._pace.begun()
        self._pending, self._before = None, frame.ref.digest
        if lease is not None:
            self._cache.missed()
            self._ask(Call(frame, key, self._duty.target.tasks), self._duty.target, lease)
        elif known is not None:
            self._teller.tell(self._audience, replace(known, frame=frame.ref, latency=0.0, cached=True))

    def _key(self, frame: Frame, shape: RequestTemplate) -> CacheKey:
        before = (frame.ref.source, self._before) if self._session else ()
        return (frame.ref.digest, self._model, shape.digest, *before)

    def _ask(self, call: Call, target: Target, lease: Lease) -> None:
        assert self._worker is not None

        def done(outcome: Analysis | Exception) -> None:
            self.context.tell_self(Finished(call, outcome))

        if self._worker.submit(lambda: self._work(call, target, lease), done):
            self._call = call
            self._counts.requests += 1
        else:
            lease.end()
            self._pending = call.frame

    def _work(self, call: Call, target: Target, lease: Lease) -> Analysis:
        """In the worker's thread."""
        try:
            return self._analyse(
                call.frame,
                model=target.shape.model,
                tasks=target.tasks,
                base_url=target.base_url,
                cancelled=call.cancelled,
                superseded=call.superseded.is_set,
                failed=lambda _attempt, error: self.context.tell_self(AttemptFailed(error)),
                retrying=lambda: self.context.tell_self(Retrying()),
                shape=target.shape,
            )
        finally:
            lease.end()

    # --- what came back ---

    def _finished(self, call: Call, outcome: Analysis | Exception) -> None:
        if call is self._call:  # else it is a dead incarnation's: as good an answer as any
            self._call = None
        self._teller.tell((self._server_name,), PictureAsked(self._model, self._patient))
        if isinstance(outcome, Exception):
            if not call.cancelled.is_set():  # else it is about the server that was
                self._suspect(outcome)
            self._suspicion.forget_error()
            self._failed(call.frame, call.tasks, outcome)
            return
        self._failed_in_a_row = self._pauses = 0
        self._suspicion.end_row()
        self._suspicion.forget_error()
        self._counts.answered += 1
        self._counts.latency += outcome.latency
        analysis = replace(outcome, model=self._model)  # by its name in the model table
        self._cache.put(call.key, analysis)
        self._teller.tell(self._audience, analysis)
        self._report_failed_tasks(analysis)

    def _report_failed_tasks(self, analysis: Analysis) -> None:
        if not analysis.failures:
            return
        self._counts.failed_tasks += len(analysis.failures)
        self._counts.failures.update(failure.error_type for failure in analysis.failures)
        error = AnswerContractError("; ".join(failure.reason for failure in analysis.failures))
        self._teller.fault(error, self._facts(analysis.frame))

    def _failed(self, frame: Frame, asked: Asked, error: Exception) -> None:
        kind, reason = type(error).__name__, reason_of(error)
        self._counts.failures[kind] += 1
        self._failed_in_a_row += 1
        tasks = tuple(task for task, _ in asked)
        self._pause(error)
        self._teller.tell(self._audience, AnalysisFailed(frame.ref, self._model, tasks, kind, reason))
        if not isinstance(error, RequestCancelled):  # which is no failure
            self._teller.fault(error, self._facts(frame.ref))

    def _suspect(self, error: BaseException) -> None:
        for suspect in self._suspicion.about(error):
            self._teller.tell((self._server_name,), suspect)

    def _pause(self, error: Exception) -> None:
        """A server that refuses is asked again after a while, not with every frame. What is tried again has waited
        between its attempts already, and an answer that broke the contract is no fault of the server."""
        if not isinstance(error, ServerFault | ServerRefused) or is_retryable(error):
            return
        self._pauses += 1
        self._paused = True
        self.context.after(backoff(self._failed_in_a_row, self._settings), Resume(self._pauses))

    # --- the server ---

    def _follow_server(self, state: ServerState) -> None:
        self._seat.limit(state.concurrency)
        changed = self._duty.follow_server(state)
        if changed:
            self._paused = False
            self._suspicion.end_row()
        self._follow_duty(changed)

    def _follow_duty(self, changed: bool) -> None:
        """A frame that only waits is not kept for a model that is not asked any more."""
        if changed:
            self._let_go()
        if not self._duty.asked:
            self._pending = None

    def _let_go(self) -> None:
        """The call in flight is for a server, or for tasks, that are no longer the ones: an answer that is on its way
        is as good as any, but it is not asked for again."""
        if self._call is not None:
            self._call.cancelled.set()

    def _tell_rest(self) -> None:
        resting = self._duty.to_rest and self._call is None
        if resting and not self._rested:
            self._teller.tell((self._server_name,), ModelAtRest(self._model))
        self._rested = resting

    # --- without the server ---

    def _follow_fallback(self, active: bool) -> None:
        if active == self._fallback.active:
            return
        if not active:
            self._fallback.end()
            self._failed_in_a_row = 0
            return
        self._fallback.begin()
        self._let_go()

    def _read_alone(self, read: ReadAlone) -> None:
        """One that was begun before the fallback ended, or by a dead incarnation, is as good an answer as any."""
        self._fallback.finished(read)
        if isinstance(read.outcome, Exception):
            self._failed(read.frame, self._duty.asked, read.outcome)
            return
        self._counts.read_alone += 1
        analysis = self._duty.only_asked(replace(read.outcome, model=self._model, degraded=True))
        self._teller.tell(self._audience, analysis)
        self._report_failed_tasks(analysis)

    # --- for people ---

    def _facts(self, frame: FrameRef) -> dict[str, str]:
        return {**self._duty.facts(frame), "failed in a row": str(self._failed_in_a_row)}

    def _status(self) -> dict[str, Any]:
        return {
            **self._counts.shown(),
            **self._duty.shown(),
            "busy": self._call is not None or self._fallback.busy,
            "fallback": self._fallback.active,
            "pending": self._pending is not None,
            "paused": self._paused,
            **self._cache.shown(),
            "replaced": self._counts.replaced + self.context.inbox.replaced["frame"],
            "undelivered": dict(self._teller.undelivered),
        }
