"""Which model answers a task now. Pure: every actor that needs to know computes it from the same values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from foureyes_actors.inference.reply import same_model
from foureyes_actors.messages import PressureLevel, ServerPhase, ServerState, Task
from foureyes_actors.settings import ModelEntry

Asked = tuple[tuple[Task, ModelEntry], ...]  # what one model is asked: tasks in the table's order, with their rows


@dataclass(frozen=True, slots=True)
class Situation:
    """What decides. ``ready``: the models that may be asked now; empty: none, or not known."""

    level: PressureLevel = PressureLevel.NORMAL
    ready: tuple[str, ...] = ()


def ready_models(state: ServerState | None) -> tuple[str, ...]:
    """As the model table calls them, where the state tells that, else by the ids that requests use."""
    if state is None or state.phase is not ServerPhase.READY:
        return ()
    return state.wanted or state.models


@dataclass(frozen=True, slots=True)
class Routing:
    """``tasks``: the enabled ones; those of one model in the table's order."""

    tasks: Asked

    @property
    def models(self) -> tuple[str, ...]:
        """All that may ever be asked: the tasks' own ones, then the alternatives."""
        own = [entry.model_id for _, entry in self.tasks]
        return tuple(dict.fromkeys([*own, *(name for _, entry in self.tasks for name in entry.alternatives)]))

    @property
    def alternatives(self) -> tuple[str, ...]:
        """Those of ``models`` that no task has as its own."""
        own = {entry.model_id for _, entry in self.tasks}
        return tuple(model for model in self.models if model not in own)

    @property
    def has_alternatives(self) -> bool:
        return any(entry.alternatives for _, entry in self.tasks)

    def possible(self, model: str) -> Asked:
        """What ``model`` may ever be asked."""
        return tuple((t, e) for t, e in self.tasks if model == e.model_id or model in e.alternatives)

    def asked(self, model: str, now: Situation) -> Asked:
        """What ``model`` is asked now; they share a request."""
        return tuple((task, entry) for task, entry in self.tasks if answering(entry, now) == model)

    def answering(self, now: Situation) -> tuple[str, ...]:
        """The models whose answers a frame waits for."""
        return tuple(dict.fromkeys(answering(entry, now) for _, entry in self.tasks))

    def choices(self, level: PressureLevel) -> tuple[tuple[str, ...], ...]:
        """For each model that is to be loaded: itself, and what may stand in for it where the server lacks it."""
        if level is PressureLevel.NORMAL:
            return tuple(dict.fromkeys((entry.model_id,) for _, entry in self.tasks))
        return tuple(dict.fromkeys(_order(entry, level) for _, entry in self.tasks))


def routing_of(models: Mapping[str, Sequence[tuple[Task, ModelEntry]]]) -> Routing:
    """``models``: as ``model_table.group_by_model`` gives them."""
    return Routing(tuple(pair for pairs in models.values() for pair in pairs))


def answering(entry: ModelEntry, now: Situation) -> str:
    """The first that is ready, in the order of the level: a model that is still being loaded, or cannot be, leaves its
    tasks with the one before. When none is ready, the one that is to become so."""
    order = _order(entry, now.level)
    return next((model for model in order if _is_ready(model, now.ready)), order[0])


def _order(entry: ModelEntry, level: PressureLevel) -> tuple[str, ...]:
    """Under pressure the smallest first, and the task's own model last."""
    if level is PressureLevel.NORMAL:
        return (entry.model_id, *entry.alternatives)
    return (*entry.alternatives, entry.model_id)


def _is_ready(model: str, ready: Iterable[str]) -> bool:
    return any(same_model(name, model) for name in ready)
