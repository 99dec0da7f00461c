"""How a server is asked whether it lives, which models it has, and to load or unload one.

The steps are functions of a port and values. They raise the TransportError branch, ServerRefused (token, model),
RouteMissing, ServerFault or LMStudioError; a status alone never convinces them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from foureyes_actors.errors import LMStudioError, ServerFault, ServerRefused, TransportError
from foureyes_actors.lm_studio.dialect import Change, Json, ListedModel, Listing, ModelList, Server
from foureyes_actors.lm_studio.replies import RouteMissing, body_of, rows_of
from foureyes_actors.ports.http import HttpPort, HttpRequest
from foureyes_actors.replay.point import replay_point

PROBE_TIME = 2.0  # seconds for a sign of life
LIST_TIME = 5.0
UNLOAD_TIME = 60.0
CONNECT_TIME = 2.0
MAX_REPLY = 4 * 1024 * 1024  # a list of hundreds of models
RAISES = (TransportError, ServerRefused, ServerFault, LMStudioError)


@replay_point(ports={"http": "http"}, raises=RAISES)
def check_alive(http: HttpPort, server: Server) -> None:
    """Returns when the wanted kind of server answers; raises LMStudioError when something else does."""
    route, is_alive = server.dialect.lives
    try:
        body = get(http, server, route, PROBE_TIME)
    except RouteMissing as missing:
        if missing.lm_studio and server.dialect.kind == "lm_studio":
            return  # a version without the greeting; nobody else has these words
        raise
    if not is_alive(body):
        raise LMStudioError(f"{server.url}{route}: this is not {server.dialect.name}")
    if server.dialect.works is not None:
        route, works = server.dialect.works
        if not works(get(http, server, route, PROBE_TIME)):
            raise LMStudioError(f"{server.url}{route}: {server.dialect.name} does not say that it works")


@replay_point(ports={"http": "http"}, raises=RAISES)
def list_models(http: HttpPort, server: Server) -> ModelList:
    """By the first list that the server has. Raises RouteMissing when it has none."""
    missing: RouteMissing | None = None
    for listing in server.dialect.listings:
        try:
            body = get(http, server, listing.route, LIST_TIME)
        except RouteMissing as error:
            missing = error
            continue
        rows = rows_of(body, listing.key, listing.route, names=listing.names)
        models = [model for model in map(listing.read, rows) if model.key]  # nobody could ask for one without
        return ModelList(listing, _with_resident(http, server, listing, models))
    assert missing is not None
    raise missing


@replay_point(ports={"http": "http"}, raises=RAISES)
def describe(http: HttpPort, server: Server, listed: ModelList, model: ListedModel) -> ListedModel:
    """More about one model, where the server has a route for it."""
    details = listed.listing.details
    if details is None:
        return model
    body = details.body(model.key)
    try:
        told = (
            post(http, server, details.route, body, LIST_TIME) if body else get(http, server, details.route, LIST_TIME)
        )
    except RouteMissing:
        return model
    return details.read(told, model)


@replay_point(ports={"http": "http"}, raises=RAISES)
def load_model(
    http: HttpPort, server: Server, change: Change, key: str, seconds: float, context: int | None = None
) -> str:
    """Answers the instance's id. A second call may load a second instance: list first."""
    return _change(http, server, change, key, seconds, context, "loaded")


@replay_point(ports={"http": "http"}, raises=RAISES)
def unload_model(http: HttpPort, server: Server, change: Change, instance: str, seconds: float = UNLOAD_TIME) -> None:
    _change(http, server, change, instance, seconds, None, "unloaded")


def headers(server: Server) -> dict[str, str]:
    token = {"Authorization": f"Bearer {server.token}"} if server.token else {}
    return {"Accept": "application/json", **token}


def get(http: HttpPort, server: Server, route: str, seconds: float) -> Json:
    """The body as JSON; None when it is empty."""
    return _exchange(http, HttpRequest("GET", server.url + route, headers(server)), route, seconds, server.token)


def post(http: HttpPort, server: Server, route: str, body: Mapping[str, Any], seconds: float) -> Json:
    wanted = {**headers(server), "Content-Type": "application/json"}
    request = HttpRequest("POST", server.url + route, wanted, json.dumps(body).encode())
    return _exchange(http, request, route, seconds, server.token)


def known_models(models: Sequence[ListedModel], most: int = 12) -> str:
    """For people."""
    names = [model.key for model in models if model.key]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(names[:most]) or "none") + more


def _with_resident(
    http: HttpPort, server: Server, listing: Listing, models: Sequence[ListedModel]
) -> tuple[ListedModel, ...]:
    if listing.resident is None:
        return tuple(models)
    loaded = listing.resident.read(get(http, server, listing.resident.route, LIST_TIME))
    if loaded is None:
        return tuple(replace(model, instances=None) for model in models)
    return tuple(
        replace(model, instances=(model.key,), context=loaded[model.key]) if model.key in loaded else model
        for model in (replace(model, instances=()) for model in models)
    )


def _change(
    http: HttpPort, server: Server, change: Change, name: str, seconds: float, context: int | None, deed: str
) -> str:
    answer = post(http, server, change.route, change.body(name, context), seconds)
    instance = change.done(answer, name)
    if instance is None:
        raise LMStudioError(f"{change.route}: the answer does not say that {name!r} is {deed}")
    return instance


def _exchange(http: HttpPort, request: HttpRequest, route: str, seconds: float, secret: str) -> Json:
    timed = replace(request, connect_timeout=min(CONNECT_TIME, seconds), deadline=seconds, max_reply=MAX_REPLY)
    return body_of(http.exchange(timed), route, secret)
