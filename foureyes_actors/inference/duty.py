"""What one model is asked now, and where: follows the server's state and the machine's pressure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from foureyes_actors.inference.call import Target
from foureyes_actors.inference.reply import same_model
from foureyes_actors.inference.request import template, without_reasoning
from foureyes_actors.inference.routing import Asked, Routing, Situation, ready_models
from foureyes_actors.inference.tasks import merge
from foureyes_actors.messages import Analysis, FrameRef, PressureLevel, ServerPhase, ServerState
from foureyes_actors.settings import InferenceSettings


def target_of(
    state: ServerState | None, model: str, tasks: Asked, settings: InferenceSettings, *, session: bool
) -> Target | None:
    """None while the server is not ready with ``model``, or there is nothing to ask."""
    if state is None or state.phase is not ServerPhase.READY or not tasks:
        return None
    by_wanted = dict(zip(state.wanted, state.models, strict=False))
    known_as = by_wanted.get(model) or next((name for name in state.models if same_model(name, model)), None)
    if known_as is None:
        return None
    settings = without_reasoning(settings) if known_as in state.reasoning else settings
    return Target(state.base_url, template(known_as, merge(tasks), settings, session=session), tasks)


class Duty:
    """One inference actor's; used in its thread alone. ``tasks``: what its model may be asked. ``routing`` None: it is
    always asked all of them. ``session``: see InferenceActor.

    ``asked`` is what it is asked now; ``target`` is None while the server is not ready with the model, or there is
    nothing to ask.
    """

    def __init__(
        self,
        model: str,
        tasks: Asked,
        settings: InferenceSettings,
        *,
        session: bool,
        routing: Routing | None,
        level: PressureLevel,
    ) -> None:
        self._model, self._settings, self._session, self._routing = model, settings, session, routing
        self.asked, self.level = tasks, level
        self.server: ServerState | None = None
        self.target: Target | None = None
        self._route()

    @property
    def to_rest(self) -> bool:
        """A planned reload of the model is due: nothing is begun until it is over."""
        return self.server is not None and self._model in self.server.resting

    def follow_server(self, state: ServerState) -> bool:
        """True: the target is another one now."""
        self.server = state
        return self._route()

    def follow_pressure(self, level: PressureLevel) -> bool:
        """True: the target is another one now."""
        self.level = level
        return self._route()

    def only_asked(self, analysis: Analysis) -> Analysis:
        """Without what another model is asked now: a reader in this process answers all that the model may be asked."""
        tasks = {task for task, _ in self.asked}
        if self._routing is None or not tasks:
            return analysis
        answers = tuple(answer for answer in analysis.answers if answer.task in tasks)
        return replace(analysis, answers=answers, failures=tuple(f for f in analysis.failures if f.task in tasks))

    def facts(self, frame: FrameRef) -> dict[str, str]:
        """Of a fault about ``frame``."""
        return {
            "model": self._model,
            "tasks": ", ".join(task for task, _ in self.asked),
            "frame": f"{frame.source} #{frame.sequence}",
            "digest": frame.digest,
        }

    def shown(self) -> dict[str, Any]:
        """For people."""
        return {
            "model": self._model,
            "server": self.server.phase.value if self.server else "unknown",
            "ready": self.target is not None,
            "asked": [task.value for task, _ in self.asked],
            "level": self.level.value,
        }

    def _route(self) -> bool:
        before = self.target
        if self._routing is not None:
            self.asked = self._routing.asked(self._model, Situation(self.level, ready_models(self.server)))
        self.target = target_of(self.server, self._model, self.asked, self._settings, session=self._session)
        return self.target != before
