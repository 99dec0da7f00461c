"""How each kind of server is asked whether it lives, which models it has, and to load one: a table, and four steps.

The steps are functions of a port and values. They raise the TransportError branch, ServerRefused (token, model),
RouteMissing, ServerFault or LMStudioError; a status alone never convinces them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from foureyes_actors.errors import LMStudioError, ServerFault, ServerRefused, TransportError
from foureyes_actors.inference.request import server_root
from foureyes_actors.lm_studio.replies import RouteMissing, document_of, rows_of
from foureyes_actors.ports.http import HttpPort, HttpReply, HttpRequest
from foureyes_actors.replay.point import replay_point

PROBE_TIME = 2.0  # seconds for a sign of life
LIST_TIME = 5.0
CONNECT_TIME = 2.0
MAX_REPLY = 4 * 1024 * 1024  # a list of hundreds of models
RAISES = (TransportError, ServerRefused, ServerFault, LMStudioError)

Kind = Literal["embedded", "lm_studio", "openai"]


@dataclass(frozen=True, slots=True)
class ListedModel:
    """``instances``: ids of its loaded instances; None when the server's list does not say. ``vision`` likewise."""

    key: str
    instances: tuple[str, ...] | None
    vision: bool | None = None


@dataclass(frozen=True, slots=True)
class ModelList:
    """``route``: the list that the server has; it also says by which routes models are loaded."""

    route: str
    models: tuple[ListedModel, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    route: str
    key: str
    read: Callable[[Mapping[str, Any]], ListedModel]


@dataclass(frozen=True, slots=True)
class Dialect:
    """``lives``: route and check of the sign of life. ``listings``: tried in order. ``warm_up_time``: seconds."""

    kind: Kind
    name: str  # for people
    lives: tuple[str, Callable[[Mapping[str, Any]], bool]]
    listings: tuple[Listing, ...]
    warm_up_time: float


@dataclass(frozen=True, slots=True)
class Server:
    """Where it is and how it is spoken to. ``url``: without a slash or ``/v1`` at its end."""

    url: str
    dialect: Dialect
    token: str = field(default="", repr=False)


def server_at(base_url: str, dialect: Dialect, token: str = "") -> Server:
    return Server(server_root(base_url), dialect, token)


@replay_point(ports={"http": "http"}, raises=RAISES)
def check_alive(http: HttpPort, server: Server) -> None:
    """Returns when the wanted kind of server answers; raises LMStudioError when something else does."""
    route, is_alive = server.dialect.lives
    try:
        document = _get(http, server, route, PROBE_TIME)
    except RouteMissing as missing:
        if missing.lm_studio and server.dialect.kind == "lm_studio":
            return  # a version without the greeting; nobody else has these words
        raise
    if not is_alive(document):
        raise LMStudioError(f"{server.url}{route}: this is not {server.dialect.name}")


@replay_point(ports={"http": "http"}, raises=RAISES)
def list_models(http: HttpPort, server: Server) -> ModelList:
    """By the first list that the server has. Raises RouteMissing when it has none."""
    missing: RouteMissing | None = None
    for listing in server.dialect.listings:
        try:
            rows = rows_of(_get(http, server, listing.route, LIST_TIME), listing.key, listing.route)
        except RouteMissing as error:
            missing = error
            continue
        return ModelList(listing.route, tuple(listing.read(row) for row in rows))
    assert missing is not None
    raise missing


@replay_point(ports={"http": "http"}, raises=RAISES)
def load_model(http: HttpPort, server: Server, key: str, seconds: float) -> str:
    """Blocks until it is loaded; answers the instance's id. A second call would load a second instance: list first."""
    document = _post(http, server, V1_LOAD, {"model": key}, seconds)
    instance = document.get("instance_id")
    if document.get("status") != "loaded" or not isinstance(instance, str) or not instance:
        raise LMStudioError(f"{V1_LOAD}: the answer does not say that {key!r} is loaded")
    return instance


@replay_point(ports={"http": "http"}, raises=RAISES)
def unload_model(http: HttpPort, server: Server, instance: str, seconds: float = 60.0) -> None:
    document = _post(http, server, V1_UNLOAD, {"instance_id": instance}, seconds)
    if document.get("instance_id") != instance:
        raise LMStudioError(f"{V1_UNLOAD}: the answer does not say that {instance!r} is unloaded")


def headers(server: Server) -> dict[str, str]:
    token = {"Authorization": f"Bearer {server.token}"} if server.token else {}
    return {"Accept": "application/json", **token}


def _get(http: HttpPort, server: Server, route: str, seconds: float) -> Mapping[str, Any]:
    return document_of(_exchange(http, server, HttpRequest("GET", server.url + route, headers(server)), seconds), route)


def _post(http: HttpPort, server: Server, route: str, body: Mapping[str, Any], seconds: float) -> Mapping[str, Any]:
    data = json.dumps(body).encode()
    request = HttpRequest("POST", server.url + route, {**headers(server), "Content-Type": "application/json"}, data)
    return document_of(_exchange(http, server, request, seconds), route)


def _exchange(http: HttpPort, server: Server, request: HttpRequest, seconds: float) -> HttpReply:
    return http.exchange(
        HttpRequest(
            request.method,
            request.url,
            request.headers,
            request.body,
            connect_timeout=min(CONNECT_TIME, seconds),
            deadline=seconds,
            max_reply=MAX_REPLY,
        )
    )


# --- the lists' rows ---


def _v1_row(row: Mapping[str, Any]) -> ListedModel:
    instances = row.get("loaded_instances")
    ids = [i.get("id") for i in instances if isinstance(i, Mapping)] if isinstance(instances, list) else []
    capabilities = row.get("capabilities")
    vision = capabilities.get("vision") if isinstance(capabilities, Mapping) else None
    return ListedModel(
        _text(row, "key"),
        tuple(i for i in ids if isinstance(i, str)),
        vision if isinstance(vision, bool) else None,
    )


def _v0_row(row: Mapping[str, Any]) -> ListedModel:
    key, kind = _text(row, "id"), row.get("type")
    vision = kind == "vlm" if isinstance(kind, str) else None
    return ListedModel(key, (key,) if row.get("state") == "loaded" else (), vision)


def _openai_row(row: Mapping[str, Any]) -> ListedModel:
    """With loading on demand LM Studio lists every downloaded model here, so this says nothing about loaded ones."""
    return ListedModel(_text(row, "id"), None)


def _text(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    return value if isinstance(value, str) else ""


# --- the table ---

V1_LOAD, V1_UNLOAD = "/api/v1/models/load", "/api/v1/models/unload"
_V1 = Listing("/api/v1/models", "models", _v1_row)  # LM Studio from 0.4.0; has routes to load and unload
_V0 = Listing("/api/v0/models", "data", _v0_row)  # LM Studio from 0.3.6; models are loaded by their first request
_OPENAI = Listing("/v1/models", "data", _openai_row)
LOADING_LISTS = (_V1.route,)

EMBEDDED = Dialect(
    "embedded",
    "FourEyes's embedded model server",
    ("/lmstudio-greeting", lambda d: d.get("lmstudio") is True and d.get("foureyes_embedded") is True),
    (_V1,),
    warm_up_time=30.0,
)
LM_STUDIO = Dialect(
    "lm_studio",
    "LM Studio",
    ("/lmstudio-greeting", lambda d: d.get("lmstudio") is True),
    (_V1, _V0, _OPENAI),
    warm_up_time=120.0,
)
OPENAI = Dialect(
    "openai",
    "an OpenAI-compatible server",
    ("/v1/models", lambda d: isinstance(d.get("data"), list)),
    (_OPENAI,),
    warm_up_time=120.0,
)
DIALECTS: Mapping[Kind, Dialect] = {d.kind: d for d in (EMBEDDED, LM_STUDIO, OPENAI)}


def known_models(models: Sequence[ListedModel], most: int = 12) -> str:
    """For people."""
    names = [model.key for model in models if model.key]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(names[:most]) or "none") + more
