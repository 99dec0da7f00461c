"""Which models are in the server's memory, and how a wanted one gets there: listed first, never loaded twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from foureyes_actors.errors import LMStudioError, ModelLoadFailed, ServerFault, ServerRefused
from foureyes_actors.inference.reply import same_model
from foureyes_actors.lm_studio.dialects import (
    LOADING_LISTS,
    ListedModel,
    Server,
    known_models,
    list_models,
    load_model,
    unload_model,
)
from foureyes_actors.ports.http import HttpPort

UNLOAD_TRIES = 3


def ensure_loaded(http: HttpPort, server: Server, model: str, seconds: float) -> str:
    """The id that requests must use. ``seconds``: for loading, when it is not loaded.

    A server without a route to load (LM Studio before 0.4, plain OpenAI ones) loads by the first request, which the
    warm-up is. Raises ServerRefused when the server does not have the model or it takes no pictures, ModelLoadFailed
    when it could not be loaded, and what the steps of ``dialects`` raise.
    """
    listed = list_models(http, server)
    row = find(listed.models, model)
    if row is None:
        raise ServerRefused(
            f"{server.dialect.name} at {server.url} has no model {model!a}; it has: {known_models(listed.models)}"
        )
    if row.vision is False:
        raise ServerRefused(f"{model!a} takes no pictures: a model that does is needed")
    if row.instances:
        return request_id(row)
    if listed.route not in LOADING_LISTS:
        return row.key
    return _load(http, server, row.key, seconds)


def _load(http: HttpPort, server: Server, key: str, seconds: float) -> str:
    try:
        instance = load_model(http, server, key, seconds)
    except (ServerFault, LMStudioError) as error:
        raise ModelLoadFailed(f"{key} could not be loaded: {error}") from error
    row = find(list_models(http, server).models, key)
    if row is None or instance not in (row.instances or ()):
        raise ModelLoadFailed(f"{key} was loaded as {instance!a}, and is not in the list of loaded models")
    return request_id(row)


def resident(http: HttpPort, server: Server, models: Sequence[str]) -> tuple[str, ...]:
    """Those of ``models`` that are loaded, as far as the server tells."""
    listed = list_models(http, server).models
    rows = ((model, find(listed, model)) for model in models)
    return tuple(model for model, row in rows if row is not None and row.instances != ())


def on_disk(http: HttpPort, server: Server, models: Sequence[str]) -> tuple[str, ...]:
    """Those of ``models`` that the server lists, loaded or not."""
    listed = list_models(http, server).models
    return tuple(model for model in models if find(listed, model) is not None)


def ensure_unloaded(http: HttpPort, server: Server, model: str, rest: Callable[[], None]) -> None:
    """No instance of it is left. Each look comes after a ``rest``: a request on its way is let in first, and one that
    came too late has loaded the model anew. Nothing is done at a server that has no route for it. Raises LMStudioError
    when it stays, and what ``dialects`` raises."""
    for _ in range(UNLOAD_TRIES):
        rest()
        listed = list_models(http, server)
        row = find(listed.models, model)
        if listed.route not in LOADING_LISTS or row is None or not row.instances:
            return
        for instance in row.instances:
            unload_model(http, server, instance)
    raise LMStudioError(f"{model} is loaded again each time it is unloaded: does somebody else ask it?")


def find(models: Sequence[ListedModel], wanted: str) -> ListedModel | None:
    """By key, or by the id of a loaded instance: users may give a model an identifier of their own."""
    by_key = next((m for m in models if m.key.casefold() == wanted.casefold()), None)
    return by_key or next((m for m in models if any(same_model(i, wanted) for i in m.instances or ())), None)


def request_id(row: ListedModel) -> str:
    """The key where an instance goes by it, else the first instance ("key:2" after others were unloaded)."""
    instances = row.instances or ()
    return row.key if not instances or row.key in instances else instances[0]
