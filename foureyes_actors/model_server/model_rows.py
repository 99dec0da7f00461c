"""The catalogue as the three APIs list it. Pure functions; ``loaded``: the ids of the loaded models."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from foureyes_actors.model_server.catalog import Catalog, CatalogModel

CONTEXT = 4096  # no such thing here; clients expect a number


def openai_list(catalog: Catalog, started: int) -> dict[str, Any]:
    """``GET /v1/models``: every known model, as LM Studio does when it loads on demand."""
    return {"object": "list", "data": [openai_row(model, started) for model in catalog]}


def openai_row(model: CatalogModel, started: int) -> dict[str, Any]:
    return {"id": model.id, "object": "model", "created": started, "owned_by": model.publisher}


def v0_list(catalog: Catalog, loaded: Collection[str]) -> dict[str, Any]:
    """``GET /api/v0/models``."""
    return {"object": "list", "data": [v0_row(model, loaded) for model in catalog]}


def v0_row(model: CatalogModel, loaded: Collection[str]) -> dict[str, Any]:
    present = model.id in loaded
    return {
        "id": model.id,
        "object": "model",
        "type": "vlm",
        "publisher": model.publisher,
        "arch": model.architecture,
        "compatibility_type": model.format,
        "quantization": "none",
        "state": "loaded" if present else "not-loaded",
        "max_context_length": CONTEXT,
        **({"loaded_context_length": CONTEXT} if present else {}),
    }


def v1_list(catalog: Catalog, loaded: Collection[str]) -> dict[str, Any]:
    """``GET /api/v1/models``: one instance at most, under the model's own id."""
    return {"models": [v1_row(model, loaded) for model in catalog]}


def v1_row(model: CatalogModel, loaded: Collection[str]) -> dict[str, Any]:
    instances = [{"id": model.id, "config": {"context_length": CONTEXT}}] if model.id in loaded else []
    return {
        "type": "llm",
        "publisher": model.publisher,
        "key": model.id,
        "display_name": model.name,
        "architecture": model.architecture,
        "quantization": None,
        "size_bytes": model.size,
        "params_string": model.parameters,
        "loaded_instances": instances,
        "max_context_length": CONTEXT,
        "format": None,
        "capabilities": {"vision": True, "trained_for_tool_use": False},
    }
