"""What the double of LM Studio has in memory: instances of models, and engines that are well, crashed or wedged."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from t00l5et.doubles.lm_studio_scenario import Engine, Model, Scenario

DEFAULT_CONTEXT = 8192
Wait = Callable[[float], bool]


@dataclass
class Instance:
    """``id``: the key, or ``key:2`` for the second one."""

    id: str
    model: Model
    context: int
    engine: Engine | None = None


class Memory:
    """Any thread. ``state``: a file that keeps the wedged models over a restart; a wedge goes away with an unload.
    Loaded models do not outlive a restart."""

    def __init__(self, scenario: Scenario, state: Path | None = None) -> None:
        self._models = {model.key: model for model in scenario.models}
        self._state = state
        self._lock = threading.RLock()
        self._instances: dict[str, Instance] = {}
        self._wedged: set[str] = set(json.loads(state.read_text())) if state is not None and state.exists() else set()
        for model in scenario.models:
            if model.loaded:
                self.put(model, None)

    @property
    def models(self) -> tuple[Model, ...]:
        return tuple(self._models.values())

    def model(self, name: str) -> Model | None:
        return next((model for model in self.models if model.key.lower() == name.lower()), None)

    def instances(self, model: Model | None = None) -> tuple[Instance, ...]:
        with self._lock:
            return tuple(each for each in self._instances.values() if model in (None, each.model))

    def instance(self, name: str) -> Instance | None:
        with self._lock:
            return next((each for each in self._instances.values() if each.id.lower() == name.lower()), None)

    def chat_instances(self) -> tuple[Instance, ...]:
        return tuple(each for each in self.instances() if each.model.type == "llm")

    def put(self, model: Model, context: int | None) -> Instance:
        """A second one of the same model is another instance, as in LM Studio."""
        with self._lock:
            number = 1
            while (name := model.key if number == 1 else f"{model.key}:{number}") in self._instances:
                number += 1
            wedged = Engine.WEDGED if model.key in self._wedged else None
            default = min(DEFAULT_CONTEXT, model.max_context)
            self._instances[name] = Instance(name, model, context or default, wedged)
            return self._instances[name]

    def take(self, name: str) -> bool:
        """Unload. What was wrong with the engine is gone with it."""
        with self._lock:
            instance = self.instance(name)
            if instance is None:
                return False
            del self._instances[instance.id]
            self._keep_wedged(self._wedged - {instance.model.key})
            return True

    def damage(self, instance: Instance, engine: Engine) -> None:
        with self._lock:
            instance.engine = engine
            if engine is Engine.UNLOADED:
                self._instances.pop(instance.id, None)
            if engine is Engine.WEDGED:
                self._keep_wedged(self._wedged | {instance.model.key})

    def forget(self) -> None:
        """As a restart does."""
        with self._lock:
            self._instances.clear()

    def _keep_wedged(self, wedged: set[str]) -> None:
        if wedged != self._wedged and self._state is not None:
            self._state.write_text(json.dumps(sorted(wedged)))
        self._wedged = set(wedged)


def v1_row(model: Model, instances: tuple[Instance, ...]) -> dict[str, Any]:
    """Of ``GET /api/v1/models``."""
    row: dict[str, Any] = {
        "type": model.type,
        "publisher": model.key.partition("/")[0],
        "key": model.key,
        "display_name": model.key.rpartition("/")[2],
        "architecture": "double",
        "quantization": {"name": "Q4_K_M", "bits_per_weight": 4},
        "size_bytes": 1_000_000,
        "params_string": "1B",
        "loaded_instances": [{"id": each.id, "config": {"context_length": each.context}} for each in instances],
        "max_context_length": model.max_context,
        "format": "gguf",
    }
    if model.type == "llm":
        row["capabilities"] = {"vision": model.vision, "trained_for_tool_use": False}
        if model.reasons:
            row["capabilities"]["reasoning"] = {"allowed_options": ["off", "on"], "default": "on"}
    return row


def v0_row(model: Model, instances: tuple[Instance, ...]) -> dict[str, Any]:
    """Of ``GET /api/v0/models``."""
    kind = "embeddings" if model.type == "embedding" else "vlm" if model.vision else "llm"
    row: dict[str, Any] = {
        "id": model.key,
        "object": "model",
        "type": kind,
        "publisher": model.key.partition("/")[0],
        "arch": "double",
        "compatibility_type": "gguf",
        "quantization": "Q4_K_M",
        "state": "loaded" if instances else "not-loaded",
        "max_context_length": model.max_context,
    }
    return {**row, "loaded_context_length": instances[0].context} if instances else row
