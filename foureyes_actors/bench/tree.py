"""The parts that keep a model server and ask it, under Cerberus as in a run: a session read, a server killed."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pykka

from foureyes_actors import wiring
from foureyes_actors.bench.session import RATE
from foureyes_actors.errors import ConfigurationError, FourEyesError
from foureyes_actors.inference.routing import routing_of
from foureyes_actors.messages import (
    Analysis,
    AnalysisFailed,
    Fault,
    GetStatus,
    ServerPhase,
    ServerState,
    SourceExhausted,
)
from foureyes_actors.resource.actor import Standing
from foureyes_actors.settings import Settings
from supervisors.actor import ActorContext, SupervisedActor
from supervisors.cerberus import Cerberus, Root, start_root
from supervisors.context import Tree
from supervisors.errors import BootFailed
from supervisors.heads_decider import Listeners
from supervisors.inbox import InboxFull
from supervisors.specs import ChildSpec

READY_WITHIN = 180.0  # seconds: three times what a restart may take, so that a miss has a figure
READ_WITHIN = 30.0  # seconds for the last frames of a session
STOP_WITHIN = 10.0
LISTENERS = ("console", "readings", "bug")
ASK = 2.0

Heard = queue.Queue[tuple[float, Any]]  # monotonic seconds of arrival, message


class Listener(SupervisedActor):
    def __init__(self, context: ActorContext, heard: Heard, monotonic: Callable[[], float]) -> None:
        super().__init__(context)
        self._heard, self._monotonic = heard, monotonic

    def on_receive(self, message: Any) -> None:
        self._heard.put((self._monotonic(), message))


@dataclass(frozen=True, slots=True)
class Reading:
    """``digest``: of the picture. ``cached``: answered without asking."""

    digest: str
    cached: bool


class LiveTree:
    """``models`` on an embedded server, and the pictures of ``session`` as their source."""

    def __init__(self, session: Path, models: wiring.ModelTasks, world: wiring.World) -> None:
        pictures = {"kind": "pictures", "rate": RATE, "pictures": {"path": str(session)}}
        self._config = wiring.Config(Settings.model_validate({"source": pictures}))
        self._models, self._world, self._tree = models, world, Tree(monotonic=world.clock.monotonic)
        self._askers = wiring.askers(models)
        self._heard: Heard = queue.Queue()
        self._pid: int | None = None
        self._last_fault = ""

    @contextmanager
    def running(self) -> Iterator[None]:
        """Raises FourEyesError."""
        root = self._start()
        try:
            yield
        finally:
            root.stop(STOP_WITHIN)

    def read_session(self, seconds: float) -> list[Reading]:
        """Every frame that was read, once for each model, when all are through; ``seconds``: what they last."""
        readings: list[Reading] = []
        until = self._now() + READY_WITHIN + seconds + READ_WITHIN
        exhausted = False
        while not (exhausted and self._idle()):
            try:
                message = self._next(until, poll=0.25 if exhausted else None)[1]
            except queue.Empty:
                continue
            exhausted = exhausted or isinstance(message, SourceExhausted)
            if isinstance(message, Analysis | AnalysisFailed):
                readings.append(Reading(message.frame.digest, isinstance(message, Analysis) and message.cached))
        return readings

    def restart(self, kill: Callable[[int], None]) -> float:
        """Seconds from the kill until the models are loaded again and have read the canary."""
        old = self._ready(self._now() + READY_WITHIN)[1] if self._pid is None else self._pid
        began = self._now()
        kill(old)
        at = self._ready(began + READY_WITHIN, but=old)[0]
        return at - began

    def _start(self) -> Root:
        heard, monotonic, config, world = self._heard, self._world.clock.monotonic, self._config, self._world
        shared, routing, standing = wiring.Shared.of(world), routing_of(self._models), Standing()
        children = [
            *(ChildSpec(name, lambda context: Listener(context, heard, monotonic)) for name in LISTENERS),
            wiring.lm_studio(config, routing, standing, world, audience=("console", "capture", *self._askers)),
            *(wiring.inference(config, model, routing, standing, world, shared) for model in routing.models),
            wiring.capture(config, world, targets=self._askers, wait_for=wiring.LM_STUDIO),
        ]
        listeners = Listeners(fatal=lambda child, error: heard.put((monotonic(), error)))

        def cerberus(context: ActorContext, tree: Tree) -> Cerberus:
            return Cerberus(context, tree=tree, children=children, listeners=listeners, fatal=(ConfigurationError,))

        try:
            return start_root(cerberus, self._tree)
        except BootFailed as failure:
            raise FourEyesError(f"could not start: {failure}") from failure

    def _ready(self, until: float, but: int | None = None) -> tuple[float, int]:
        """When the server became ready, and its process; ``but``: one that does not count."""
        while True:
            at, message = self._next(until)
            if self._is_ready(message) and message.pid not in (None, but):
                return at, message.pid

    def _next(self, until: float, poll: float | None = None) -> tuple[float, Any]:
        """The next message. Raises queue.Empty after ``poll`` seconds, FourEyesError after ``until``."""
        left = until - self._now()
        try:
            at, message = self._heard.get(timeout=max(0.0, left if poll is None else min(left, poll)))
        except queue.Empty:
            if self._now() < until:
                raise
            raise FourEyesError(f"nothing came in time; last fault: {self._last_fault or 'none'}") from None
        if isinstance(message, ConfigurationError):
            raise message
        if isinstance(message, Fault):
            self._last_fault = f"{message.exception_type}: {message.message}"
        if self._is_ready(message):
            self._pid = message.pid
        return at, message

    def _is_ready(self, message: Any) -> bool:
        return isinstance(message, ServerState) and message.phase is ServerPhase.READY

    def _idle(self) -> bool:
        try:
            statuses = [self._tree.directory.ask(name, GetStatus(), ASK) for name in self._askers]
        except (pykka.Timeout, pykka.ActorDeadError, InboxFull):
            return False
        return self._heard.empty() and not any(status["busy"] or status["pending"] for status in statuses)

    def _now(self) -> float:
        return self._world.clock.monotonic()
