"""One model out of the server's memory and in again: what revives an engine that crashed or hangs, and what frees the
memory that real engines leak with every picture."""

from __future__ import annotations

from dataclasses import dataclass

from foureyes_actors.errors import LMStudioError, ServerFault
from foureyes_actors.lm_studio.residency import InMemory, Loading, ensure_loaded, find, unload_instance, unloads
from foureyes_actors.lm_studio.server_calls import list_models

UNLOAD_TIME = 15.0  # seconds; an engine that hangs may not even let go
LOOK_AGAIN = 0.5  # seconds between two looks at a server that unloads behind its answer
LOOKS = 4
NO_WAY = "there is no way to unload it there"


@dataclass(frozen=True, slots=True)
class Reloaded:
    """``kept``: why it is the old instance still; empty when it is not."""

    now: InMemory
    kept: str = ""


def reload_model(to: Loading, model: str, known_as: str) -> Reloaded:
    """How requests must ask for it from now on. ``known_as``: the instance to be unloaded; one that is gone already,
    or that the server cannot unload, is no reason to stop. A server without a route to load keeps what it has: the
    canary that follows tells whether it works.

    Raises what ``ensure_loaded`` raises.
    """
    kept = _kept(to, model, known_as)
    return Reloaded(ensure_loaded(to, model), kept)


def _kept(to: Loading, model: str, known_as: str) -> str:
    """Why it stays in memory; empty when it does not. The list says what is true, whatever the answer was."""
    listed = list_models(to.http, to.server)
    row = find(listed.models, model)
    if row is None or row.instances == ():
        return ""
    if row.fixed or not unloads(to, listed):
        return NO_WAY
    if known_as not in (row.instances or ()):
        return ""
    try:
        unload_instance(to, listed, known_as, UNLOAD_TIME)
    except (ServerFault, LMStudioError) as error:
        return str(error) if _there(to, model, known_as) else ""
    for _ in range(LOOKS):
        if not _there(to, model, known_as):
            return ""
        if to.clock.wait(to.quit, LOOK_AGAIN):
            break
    return "the server says that it is done, and lists it as loaded"


def _there(to: Loading, model: str, known_as: str) -> bool:
    row = find(list_models(to.http, to.server).models, model)
    return row is not None and known_as in (row.instances or ())
