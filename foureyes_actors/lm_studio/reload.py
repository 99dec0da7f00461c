"""One model out of the server's memory and in again: what revives an engine that crashed or hangs, and what frees the
memory that real engines leak with every picture."""

from __future__ import annotations

from contextlib import suppress

from foureyes_actors.errors import LMStudioError, ServerFault
from foureyes_actors.lm_studio.residency import InMemory, Loading, ensure_loaded, find, unload_instance
from foureyes_actors.lm_studio.server_calls import list_models

UNLOAD_TIME = 15.0  # seconds; an engine that hangs may not even let go


def reload_model(to: Loading, model: str, known_as: str) -> InMemory:
    """How requests must ask for it from now on. ``known_as``: the instance to be unloaded; one that is gone already,
    or that the server cannot unload, is no reason to stop. A server without a route to load keeps what it has: the
    canary that follows tells whether it works.

    Raises what ``ensure_loaded`` raises.
    """
    listed = list_models(to.http, to.server)
    row = find(listed.models, model)
    if row is not None and not row.fixed and known_as in (row.instances or ()):
        with suppress(ServerFault, LMStudioError):  # the list that ``ensure_loaded`` asks for says what is true
            unload_instance(to, listed, known_as, UNLOAD_TIME)
    return ensure_loaded(to, model)
