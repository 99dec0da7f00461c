"""What one model is asked now, and where: follows the server's state and the machine's pressure."""

from __future__ import annotations

from dataclasses import replace

from foureyes_actors.inference.call import Target
from foureyes_actors.inference.reply import same_model
from foureyes_actors.inference.request import template
from foureyes_actors.inference.routing import Asked, Routing, Situation, ready_models
from foureyes_actors.inference.tasks import merge
from foureyes_actors.messages import Analysis, PressureLevel, ServerState
from foureyes_actors.settings import InferenceSettings


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

    def _route(self) -> bool:
        ready, before = ready_models(self.server), self.target
        if self._routing is not None:
            self.asked = self._routing.asked(self._model, Situation(self.level, ready))
        known_as = next((name for name in ready if same_model(name, self._model)), None)
        self.target = self._target_at(self.server.base_url, known_as) if self.server and known_as else None
        return self.target != before

    def _target_at(self, base_url: str, known_as: str) -> Target | None:
        if not self.asked:
            return None
        return Target(
            base_url, template(known_as, merge(self.asked), self._settings, session=self._session), self.asked
        )
