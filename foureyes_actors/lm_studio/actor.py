"""LMStudioActor: keeps a model server alive and its models loaded, and tells everybody where it stands."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from foureyes_actors.bug.faults import TOLD
from foureyes_actors.bug.redact import Redactor
from foureyes_actors.errors import ConfigurationError, ModelUnknown
from foureyes_actors.lm_studio import plan as planning
from foureyes_actors.lm_studio.advance import advance, begin
from foureyes_actors.lm_studio.ours import Ours
from foureyes_actors.lm_studio.plan import Command, Finished, Healthy, Plan, PlanEvent, Rules, Stage, Step
from foureyes_actors.lm_studio.process import ServerProcess
from foureyes_actors.lm_studio.server_state import server_state
from foureyes_actors.lm_studio.steps import Steps
from foureyes_actors.messages import (
    GetStatus,
    ModelAtRest,
    ModelsWanted,
    PictureAsked,
    ServerPhase,
    ServerState,
    ServerStateWanted,
    ServerSuspect,
    Task,
    Tick,
)
from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.files import FilesPort
from foureyes_actors.ports.http import HttpPort
from foureyes_actors.ports.process import ProcessPort
from foureyes_actors.settings import InferenceSettings, ModelServerSettings
from foureyes_actors.telling import BUG, Teller
from supervisors.actor import ActorContext, SupervisedActor
from supervisors.worker import Worker

LOOK = "look"
LOOK_EVERY = 1.0  # seconds
TOLD_LINES = 10  # of the server's output, in a fault
REST_GRACE = 5.0  # seconds beyond a request's deadline for a model that is to be reloaded to be left alone
WORKER_STOP = 0.3  # seconds; its exchange has been cut off by then


@dataclass(frozen=True, slots=True)
class _Done:
    """A command has come to its end, in the worker. The inbox outlives an actor, so the incarnation says whose command
    it was: a replacement that took it for its own would give its busy worker the next one."""

    incarnation: int
    event: Finished


@dataclass
class History:
    """What one incarnation leaves to the next."""

    attached: bool = False  # somebody else started the server: it is never started or stopped from here
    starts: int = 0
    told_errors: deque[str] = field(default_factory=lambda: deque(maxlen=16))
    ours: Ours = field(default_factory=Ours)


class LMStudioActor(SupervisedActor):
    """``models``: the wanted ids; ``warm_up_tasks``: what each is asked in its warm-up (reading
    amounts, when nothing is told), for not every model can do every task.
    ``alternatives``: what else may be wanted; ``choices``: what is wanted now instead of ``models``, when not those.
    ``groups``: a wanted id and what may stand in for it when it cannot be loaded.
    ``audience`` is told each ServerState; ``bug`` each new fault. ``http`` is this incarnation's own: closed with it.
    ``files``: to look for LM Studio. ``secrets``: the configured ones, taken out of all that is told: a server may
    repeat its token.

    Everything that waits is done by a worker, so the actor answers at once. It says ``well`` when the models have
    passed their warm-up and with each check after that, ``unwell`` when only a new start can help: the supervisor then
    replaces this actor, and with it the server that it had started.
    """

    def __init__(
        self,
        context: ActorContext,
        *,
        settings: ModelServerSettings,
        models: tuple[str, ...],
        http: HttpPort,
        processes: ProcessPort,
        clock: Clock,
        audience: tuple[str, ...],
        warm_up_tasks: Mapping[str, Task] | None = None,
        inference: InferenceSettings | None = None,
        history: History | None = None,
        bug: str = BUG,
        alternatives: tuple[str, ...] = (),
        choices: planning.Choices = (),
        files: FilesPort | None = None,
        groups: planning.Choices = (),
        secrets: tuple[str, ...] = (),
    ) -> None:
        super().__init__(context)
        self._settings, self._http, self._clock, self._audience = settings, http, clock, audience
        self._teller, self._redactor = Teller(context, clock, bug=bug), Redactor(secrets)
        self._rules = Rules(
            models,
            settings.start_timeout,
            settings.check_every,
            settings.silent_after,
            settings.manage,
            settings.restart_foreign,
            settings.reload_after,
            round(settings.reload_above * 1e6),
            (inference or InferenceSettings()).deadline + REST_GRACE,
            groups if settings.manage else (),
        )
        self._history = history or History()
        self._process = ServerProcess(processes)
        self._quit = threading.Event()
        self._steps = Steps(
            settings,
            models=(*models, *alternatives),
            warm_up_tasks=warm_up_tasks or {},
            inference=inference or InferenceSettings(),
            http=http,
            processes=processes,
            process=self._process,
            clock=clock,
            quit=self._quit,
            ours=self._history.ours,
            files=files,
        )
        self._choices = choices
        self._worker: Worker | None = None
        self._plan = Plan(Stage.STARTING, 0.0)
        self._told: ServerState | None = None
        self._last_error = ""
        self._refused = False  # as the last error, by what the user has to change in the configuration

    def on_start(self) -> None:
        self._worker = Worker(f"{self.context.name}-worker")
        self.context.every(LOOK_EVERY, LOOK, early=LOOK_EVERY / 3)
        self._take(begin(self._clock.monotonic(), attached=self._history.attached, choices=self._choices))

    def on_receive(self, message: Any) -> Any:
        match message:
            case _Done(incarnation=incarnation, event=event):
                if incarnation == self.context.incarnation:
                    self._advance(event)
            case Tick(name=name) if name == LOOK:
                self._advance(planning.Ticked(self._process.exit_error()))
            case ServerSuspect(reason=reason, model=model, error_class=error_class):
                self._advance(planning.Suspected(reason, model, error_class))
            case PictureAsked(model=model):
                self._count(model)
            case ModelAtRest(model=model):
                self._advance(planning.Rested(model))
            case ModelsWanted():
                self._advance(planning.Wanted(message.choices, message.make_room))
            case ServerStateWanted(sender=sender):
                self._teller.tell((sender,), self._state())
            case GetStatus():
                return self._status()
            case _:
                raise TypeError(f"LMStudioActor does not know {type(message).__name__}")
        return None

    def on_stop(self) -> None:
        self._shut(self._settings.stop_grace)
        left = "left running: FourEyes had not started it" if self._plan.attached else ""
        self._tell(ServerState(ServerPhase.STOPPED, self._plan.url, detail=left, foreign=self._plan.attached))

    def on_failure(self, *_: object) -> None:
        self._shut(grace=0.0)  # the replacement starts a server of its own

    def _advance(self, event: PlanEvent) -> None:
        exited = self._process.exit_error() if self._plan.mine and self._plan.stage is Stage.READY else None
        if exited is not None:  # whoever noticed it: what is told from here on must not call a dead server ready
            self._step(planning.Ticked(exited))
        self._step(event)

    def _step(self, event: PlanEvent) -> None:
        before = self._plan.stage
        if isinstance(event, Finished) and isinstance(event.result, planning.Launched):
            self._history.starts += 1
        self._take(advance(self._plan, event, self._clock.monotonic(), self._rules))
        checked = isinstance(event, Finished) and isinstance(event.result, Healthy)
        if self._plan.stage is Stage.READY and (checked or before is not Stage.READY):
            self.context.well()

    def _count(self, model: str) -> None:
        """A picture; only the last one before a model's reload is more than a number, and told."""
        step = advance(self._plan, planning.PictureRead(model), self._clock.monotonic(), self._rules)
        if step.plan.resting == self._plan.resting:
            self._plan = step.plan
        else:
            self._take(step)

    def _take(self, step: Step) -> None:
        overtaken = step.plan.round != self._plan.round and step.plan.busy and step.command is None
        self._plan = step.plan
        self._history.attached = self._plan.attached
        if self._plan.stage is Stage.READY and not self._plan.broken:
            self._history.told_errors.clear()
        if step.command is not None:
            self._submit(step.command)
        if overtaken:
            self._http.close()  # the worker waits for an answer that nobody wants any more
        if step.error is not None:
            self._report(step.error)
        self._tell(self._state())
        if step.error is not None and self._plan.unwell:
            self.context.unwell(step.error)

    def _submit(self, command: Command) -> None:
        assert self._worker is not None
        accepted = self._worker.submit(lambda: self._steps.run(command), lambda result: self._done(command, result))
        if not accepted:
            raise RuntimeError("the worker is busy, and the plan does not know")

    def _done(self, command: Command, result: planning.Result) -> None:
        """In the worker's thread."""
        self.context.tell_self(_Done(self.context.incarnation, Finished(command, result)))

    def _state(self) -> ServerState:
        dialect = self._steps.dialect
        concurrency = self._settings.concurrency or (dialect.concurrency if dialect else None)
        state = server_state(self._plan, self._clock.monotonic(), self._rules, self._process.pid, concurrency)
        return replace(state, detail=self._redactor.text(state.detail))

    def _tell(self, state: ServerState) -> None:
        if state == self._told:
            return
        self._told = state
        self._teller.tell(self._audience, state)

    def _report(self, error: Exception) -> None:
        """A fault that stays the same is told once, until all has been well again."""
        self._refused = isinstance(error, ConfigurationError) and not isinstance(error, ModelUnknown)
        text = self._last_error = f"{type(error).__name__}: {error}"
        if text in self._history.told_errors:
            return
        self._history.told_errors.append(text)
        told = self._redactor.text(str(error)) in self._state().detail
        context = {TOLD: "as the model server's state"} if told else {}
        context |= {"kind": self._settings.kind, "url": self._plan.url, "start": str(self._history.starts)}
        tail = (getattr(error, "tail", ()) or self._process.last_words())[-TOLD_LINES:]
        context.update({f"output -{n}": line for n, line in enumerate(reversed(tail), start=1)})
        self._teller.fault(error, context)

    def _status(self) -> dict[str, Any]:
        state, masked = self._state(), self._redactor.text
        return {
            "phase": state.phase.value,
            "detail": state.detail,
            "base_url": state.base_url,
            "pid": state.pid,
            "models": list(state.models),
            "broken": {model: masked(reason) for model, reason in self._plan.broken},
            "healing": list(self._plan.healing),
            "reloads": len(self._plan.reloads),
            "server": self._steps.dialect.name if self._steps.dialect else "not recognised yet",
            "pictures": dict(self._plan.used),
            "attached": self._plan.attached,
            "starts": self._history.starts,
            "failed_checks": self._plan.failed_checks,
            "check_error": masked(self._plan.reason) if self._plan.failed_checks else "",
            "last_error": masked(self._last_error),
            "refused": self._refused and self._plan.failing_since is not None,
            "busy": self._plan.busy,
            "undelivered": dict(self._teller.undelivered),
        }

    def _shut(self, grace: float) -> None:
        """The server that was started ends, and whatever the worker is at."""
        self._quit.set()
        self._http.close()
        self._process.close(grace)
        if self._worker is not None:
            self._worker.stop(WORKER_STOP)
