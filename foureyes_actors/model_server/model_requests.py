"""The bodies of the routes that load and unload models, checked as strictly as LM Studio does. Pure functions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from foureyes_actors.model_server.api_error import ApiError, unknown_model
from foureyes_actors.model_server.catalog import BUILT_IN, Catalog, CatalogModel
from foureyes_actors.model_server.chat_request import parse_object

LOAD_KEYS = (
    "model",
    "context_length",
    "eval_batch_size",
    "flash_attention",
    "num_experts",
    "offload_kv_cache_to_gpu",
    "echo_load_config",
)


def native_load(body: bytes, catalog: Catalog = BUILT_IN) -> tuple[CatalogModel, Mapping[str, Any]]:
    """``POST /api/v1/models/load``: the model and the whole document. Raises ApiError."""
    document = parse_object(body)
    _only(document, LOAD_KEYS)
    return _named(document, "model", catalog), document


def native_unload(body: bytes, catalog: Catalog = BUILT_IN) -> CatalogModel:
    """``POST /api/v1/models/unload``. Raises ApiError."""
    document = parse_object(body)
    _only(document, ("instance_id",))
    return _named(document, "instance_id", catalog)


def simple_load(body: bytes, catalog: Catalog = BUILT_IN) -> CatalogModel:
    """``POST /v1/models/load {"model_id": ...}``. Raises ApiError."""
    document = parse_object(body)
    _only(document, ("model_id",))
    return _named(document, "model_id", catalog)


def _only(document: Mapping[str, Any], keys: Collection[str]) -> None:
    strange = ", ".join(f"{key[:100]!a}" for key in document if key not in keys)
    if strange:
        message = f"Unrecognized key(s) in object: {strange}"
        raise ApiError(400, message, kind="invalid_request", code="unrecognized_keys")


def _named(document: Mapping[str, Any], key: str, catalog: Catalog) -> CatalogModel:
    name = document.get(key)
    if not isinstance(name, str) or not name:
        raise ApiError(
            400, f"'{key}' is required", kind="invalid_request", code="missing_required_parameter", param=key
        )
    model = catalog.find(name)
    if model is None:
        raise unknown_model(name, key, catalog)
    return model
