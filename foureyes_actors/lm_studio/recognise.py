"""Which kind of server answers at an address: asked by the routes that only one kind has.

The order is that of tools in the wild: /health, /props, /api/version, /lmstudio-greeting, and /v1/models last, which
nearly all have; at LM Studio's port its greeting goes first, so that its log stays clean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from foureyes_actors.errors import LMStudioError, ServerFault, ServerRefused
from foureyes_actors.lm_studio.dialect import Dialect, Json, Kind, Says, Server, server_at
from foureyes_actors.lm_studio.dialects import DIALECTS, OPENAI, has_list
from foureyes_actors.lm_studio.replies import RouteMissing
from foureyes_actors.lm_studio.rows import at, mappings, text
from foureyes_actors.lm_studio.server_calls import PROBE_TIME, get, post
from foureyes_actors.ports.http import HttpPort

GREETING = "/lmstudio-greeting"
LM_STUDIO_PORT = 1234


@dataclass(frozen=True, slots=True)
class Mark:
    """``says``: the body at ``route`` is this kind's."""

    route: str
    says: Says
    kind: Kind


def _has_paths(*paths: str) -> Says:
    return lambda body: all(isinstance(at(body, "paths", path), dict) for path in paths)


def _owned_by(owner: str) -> Says:
    return lambda body: any(row.get("owned_by") == owner for row in mappings(at(body, "data")))


MARKS = (
    Mark("/health", lambda body: text(body, "error", "message") == "Loading model", "llama_server"),
    Mark("/props", lambda body: isinstance(at(body, "default_generation_settings"), dict), "llama_server"),
    Mark("/props", lambda body: at(body, "role") == "router", "llama_server"),
    Mark("/api/version", lambda body: bool(text(body, "version")), "ollama"),
    Mark(GREETING, lambda body: at(body, "lmstudio") is at(body, "foureyes_embedded") is True, "embedded"),
    Mark(GREETING, lambda body: at(body, "lmstudio") is True, "lm_studio"),
    Mark("/version", lambda body: bool(text(body, "version")), "vllm"),
    Mark("/v1/internal/health", lambda body: at(body, "status") == "ok", "text_generation_webui"),
    Mark("/openapi.json", _has_paths("/load_model", "/v1/chat/completions"), "transformers"),
    Mark("/openapi.json", lambda body: "llama.cpp Python API" in text(body, "info", "title"), "llama_cpp_python"),
    Mark("/v1/models", _owned_by("llamacpp"), "llama_server"),
    Mark("/v1/models", _owned_by("vllm"), "vllm"),
)


def recognise(http: HttpPort, base_url: str, token: str = "") -> Dialect:
    """Raises the TransportError branch, ServerRefused (token), LMStudioError when it is no known model server."""
    server = server_at(base_url, OPENAI, token)
    look = _Looks(http, server)
    for route in _routes(server.url):
        body = look.at(route)
        found = next((mark.kind for mark in MARKS if mark.route == route and mark.says(body)), None)
        if found is not None:
            return DIALECTS[found]
    if look.lm_studio:
        return DIALECTS["lm_studio"]  # a version without the greeting
    if not has_list(look.at("/v1/models")):
        raise LMStudioError(f"{server.url}: this is not a model server that FourEyes knows")
    return DIALECTS["simple" if _loads_simply(look, http, server) else "openai"]


def _routes(url: str) -> Iterator[str]:
    routes = list(dict.fromkeys(mark.route for mark in MARKS))
    if urlsplit(url).port == LM_STUDIO_PORT:
        routes.sort(key=lambda route: route != GREETING)
    yield from routes


class _Looks:
    """What was found at each route, asked once. ``lm_studio``: a route was missed in LM Studio's own words."""

    def __init__(self, http: HttpPort, server: Server) -> None:
        self._http, self._server = http, server
        self._seen: dict[str, Json] = {}
        self.lm_studio = False

    def at(self, route: str) -> Json:
        """None when there is nothing of use."""
        if route not in self._seen:
            self._seen[route] = self._answer(lambda: get(self._http, self._server, route, PROBE_TIME))
        return self._seen[route]

    def _answer(self, ask: Callable[[], Json]) -> Json:
        try:
            return ask()
        except RouteMissing as missing:
            self.lm_studio |= missing.lm_studio
        except ServerFault as fault:
            if "Loading model" in fault.excerpt:
                return {"error": {"message": "Loading model"}}
        except ServerRefused:
            raise
        except LMStudioError:
            pass  # not JSON
        return None


def _loads_simply(look: _Looks, http: HttpPort, server: Server) -> bool:
    """An order without a model is refused by who has the route, and missed by who has not."""
    if not isinstance(at(look.at("/health"), "status"), str):
        return False
    try:
        post(http, server, "/v1/models/load", {}, PROBE_TIME)
    except (RouteMissing, ServerRefused):
        return False
    except (ServerFault, LMStudioError):
        pass
    return True
