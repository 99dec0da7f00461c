"""The values that describe a kind of model server: what the table in ``dialects`` is made of.

A predicate or reader gets a body as JSON (None for an empty one, whatever it is otherwise) and must not raise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from foureyes_actors.inference.request import server_root

Kind = Literal[
    "embedded",
    "lm_studio",
    "openai",
    "simple",
    "llama_server",
    "ollama",
    "vllm",
    "llama_cpp_python",
    "text_generation_webui",
    "transformers",
]
Json = Any
Says = Callable[[Json], bool]


@dataclass(frozen=True, slots=True)
class ListedModel:
    """``instances``: ids of its loaded instances; None when the server's list does not say. ``vision`` likewise.
    ``context``: tokens, of the first instance. ``reasons``: it thinks aloud unless it is told not to. ``fixed``: the
    server was started with it, and cannot unload it."""

    key: str
    instances: tuple[str, ...] | None
    vision: bool | None = None
    context: int | None = None
    max_context: int | None = None
    reasons: bool = False
    size: int | None = None  # bytes, of its file
    loading: bool = False
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """A request that loads or unloads a model. ``body``: of its id and the wanted context, None: the server's own.
    ``done``: the id of the instance when the answer says that it is done, None when it does not. ``listed_later``:
    the answer comes before the deed, the list tells when it is done."""

    route: str
    body: Callable[[str, int | None], Mapping[str, Any]]
    done: Callable[[Json, str], str | None]
    listed_later: bool = False
    takes_context: bool = False


@dataclass(frozen=True, slots=True)
class Resident:
    """A route of its own that tells the loaded models: id -> context in tokens where it is known; None: no word."""

    route: str
    read: Callable[[Json], Mapping[str, int | None] | None]


@dataclass(frozen=True, slots=True)
class Details:
    """A route that tells more about one model."""

    route: str
    body: Callable[[str], Mapping[str, Any]]
    read: Callable[[Json, ListedModel], ListedModel]


@dataclass(frozen=True, slots=True)
class Listing:
    """``names``: the rows are the ids themselves. Without ``load`` the first request loads, which the warm-up is.
    ``by_lms``: LM Studio's command line loads and unloads."""

    route: str
    key: str
    read: Callable[[Mapping[str, Any]], ListedModel]
    load: Change | None = None
    unload: Change | None = None
    resident: Resident | None = None
    details: Details | None = None
    names: bool = False
    by_lms: bool = False


@dataclass(frozen=True, slots=True)
class Dialect:
    """``lives``: route and check of the sign of life; ``works``: a second one. ``listings``: tried in order.
    ``warm_up_time``: seconds.
    ``url``: where it is unless configured; None: it must be. ``concurrency``: requests at once that it works on.
    ``context``: how its context is set, for people. ``hint``: what to know when the warm-up fails. ``no_reasoning``:
    ``reasoning_effort: none`` is understood. ``sends_token``: it may want a Bearer token."""

    kind: Kind
    name: str  # for people
    lives: tuple[str, Says]
    listings: tuple[Listing, ...]
    works: tuple[str, Says] | None = None
    url: str | None = None
    warm_up_time: float = 120.0
    concurrency: int = 1
    context: str = "set when it is started"
    hint: str = ""
    no_reasoning: bool = False
    sends_token: bool = True


@dataclass(frozen=True, slots=True)
class ModelList:
    """``listing``: the list that the server has; it also says how models are loaded."""

    listing: Listing
    models: tuple[ListedModel, ...]

    @property
    def route(self) -> str:
        return self.listing.route


@dataclass(frozen=True, slots=True)
class Server:
    """Where it is and how it is spoken to. ``url``: without a slash or ``/v1`` at its end."""

    url: str
    dialect: Dialect
    token: str = field(default="", repr=False)


def server_at(base_url: str, dialect: Dialect, token: str = "") -> Server:
    return Server(server_root(base_url), dialect, token if dialect.sends_token else "")
