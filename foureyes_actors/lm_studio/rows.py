"""The rows of each server's list of models, and what else their bodies tell. Nothing here raises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from foureyes_actors.lm_studio.dialect import Json, ListedModel

ROUTER_STATES = ("unloaded", "loading", "loaded", "sleeping", "downloading", "failed")  # llama-server's


def at(body: Json, *keys: str) -> Any:
    """The value below ``keys``; None when there is none."""
    for key in keys:
        body = body.get(key) if isinstance(body, Mapping) else None
    return body


def text(body: Json, *keys: str) -> str:
    value = at(body, *keys)
    return value if isinstance(value, str) else ""


def count(body: Json, *keys: str) -> int | None:
    value = at(body, *keys)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def flag(body: Json, *keys: str) -> bool | None:
    value = at(body, *keys)
    return value if isinstance(value, bool) else None


def mappings(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def words(value: Any) -> tuple[str, ...]:
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def lm_studio_v1(row: Mapping[str, Any]) -> ListedModel:
    instances = mappings(row.get("loaded_instances"))
    ids = tuple(each for each in (text(i, "id") for i in instances) if each)
    default = at(row, "capabilities", "reasoning", "default")
    return ListedModel(
        text(row, "key"),
        ids,
        flag(row, "capabilities", "vision"),
        count(instances[0], "config", "context_length") if instances else None,
        count(row, "max_context_length"),
        reasons=at(row, "capabilities", "reasoning") is not None and default != "off",
        size=count(row, "size_bytes"),
    )


def lm_studio_v0(row: Mapping[str, Any]) -> ListedModel:
    key, kind, state = text(row, "id"), row.get("type"), row.get("state")
    return ListedModel(
        key,
        (key,) if state == "loaded" else (),
        kind == "vlm" if isinstance(kind, str) else None,
        count(row, "loaded_context_length"),
        count(row, "max_context_length"),
        loading=state == "loading",
    )


def openai(row: Mapping[str, Any]) -> ListedModel:
    """With loading on demand LM Studio lists every downloaded model here, so this says nothing about loaded ones."""
    return ListedModel(text(row, "id"), None)


def vllm(row: Mapping[str, Any]) -> ListedModel:
    """It serves what it was started with."""
    key = text(row, "id")
    return ListedModel(key, (key,), context=count(row, "max_model_len"))


def llama_server(row: Mapping[str, Any]) -> ListedModel:
    """Plain, it has one model, which is loaded; as a router its rows have a status."""
    key, status = text(row, "id"), text(row, "status", "value")
    present = status in ("", "loaded", "sleeping")
    inputs = at(row, "architecture", "input_modalities")
    return ListedModel(
        key,
        (key,) if present else (),
        "image" in words(inputs) if isinstance(inputs, list) else None,
        count(row, "meta", "n_ctx"),
        count(row, "meta", "n_ctx_train"),
        size=count(row, "meta", "size"),
        loading=status == "loading",
        fixed=status == "",
    )


def llama_vision(body: Json, model: ListedModel) -> ListedModel:
    """``GET /props``: of the model that is loaded, or of the router, which does not say."""
    vision = flag(body, "modalities", "vision")
    context = count(body, "default_generation_settings", "n_ctx")
    return replace(
        model,
        vision=model.vision if vision is None else vision,
        context=model.context if context is None else context,
    )


def ollama(row: Mapping[str, Any]) -> ListedModel:
    return ListedModel(text(row, "model") or text(row, "name"), (), size=count(row, "size"))


def ollama_resident(body: Json) -> Mapping[str, int | None] | None:
    """``GET /api/ps``."""
    if not isinstance(at(body, "models"), list):
        return None
    rows = mappings(at(body, "models"))
    return {text(row, "model") or text(row, "name"): count(row, "context_length") for row in rows}


def ollama_details(body: Json, model: ListedModel) -> ListedModel:
    """``POST /api/show``."""
    capabilities = at(body, "capabilities")
    if not isinstance(capabilities, list):
        return model
    info = at(body, "model_info")
    longest = count(info, f"{text(info, 'general.architecture')}.context_length")
    reasons = "thinking" in capabilities
    return replace(model, vision="vision" in capabilities, max_context=longest, reasons=reasons)


def name_only(row: Mapping[str, Any]) -> ListedModel:
    return ListedModel(text(row, "id"), ())


def webui_resident(body: Json) -> Mapping[str, int | None] | None:
    """``GET /v1/internal/model/info``. "None" is its name for no model."""
    name = at(body, "model_name")
    if not isinstance(body, Mapping) or "model_name" not in body:
        return None
    return {name: None} if isinstance(name, str) and name not in ("", "None") else {}


def simple_resident(body: Json) -> Mapping[str, int | None] | None:
    """``GET /health``, where it tells."""
    models = at(body, "models")
    return dict.fromkeys(words(models)) if isinstance(models, list) else None
