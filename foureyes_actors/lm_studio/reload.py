"""One model out of the server's memory and in again: what revives an engine that crashed or hangs."""

from __future__ import annotations

from foureyes_actors.errors import LMStudioError, ServerFault
from foureyes_actors.lm_studio.dialects import LOADING_LISTS, Server, list_models, unload_model
from foureyes_actors.lm_studio.residency import ensure_loaded, find
from foureyes_actors.ports.http import HttpPort

UNLOAD_TIME = 15.0  # seconds; an engine that hangs may not even let go


def reload_model(http: HttpPort, server: Server, model: str, known_as: str, seconds: float) -> str:
    """The id that requests must use from now on. ``known_as``: the instance to be unloaded; one that is gone already,
    or that the server cannot unload, is no reason to stop. A server without a route to load keeps what it has: the
    canary that follows tells whether it works.

    Raises what ``ensure_loaded`` raises.
    """
    listed = list_models(http, server)
    row = find(listed.models, model)
    if row is not None and listed.route in LOADING_LISTS and known_as in (row.instances or ()):
        _unload(http, server, known_as)
    return ensure_loaded(http, server, model, seconds)


def _unload(http: HttpPort, server: Server, instance: str) -> None:
    try:
        unload_model(http, server, instance, UNLOAD_TIME)
    except (ServerFault, LMStudioError):
        return  # the list that ``ensure_loaded`` asks for says what is true
