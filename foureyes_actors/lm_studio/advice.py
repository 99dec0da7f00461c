"""What to do about a server that is there and cannot be used as it is configured: found out by asking it."""

from __future__ import annotations

from foureyes_actors.errors import (
    ConfigurationError,
    ConnectFailed,
    FourEyesError,
    LMStudioError,
    ReplyTooLarge,
    ServerFault,
    TransportError,
)
from foureyes_actors.lm_studio.dialect import Kind
from foureyes_actors.lm_studio.recognise import recognise
from foureyes_actors.ports.http import HttpPort

HANGS = "something is there that does not answer as it should: end it, and start the model server again"
STRANGER = "what answers there is no model server that FourEyes knows: end it, or set model_server.base_url"
DEFECT = "it is the right kind of server: start it again, or update it"


def trouble_advice(http: HttpPort, url: str, token: str, kind: Kind | str, error: FourEyesError) -> str:
    """``kind``: the configured one. ``error``: what came of asking it; empty when that says what to do itself.
    Blocks for some seconds at most: a server that hangs is not asked again."""
    match error:
        case ConnectFailed() | ConfigurationError():
            return ""
        case ReplyTooLarge():
            return STRANGER
        case TransportError():
            return HANGS
    try:
        found = recognise(http, url, token)
    except TransportError:
        return HANGS
    except (LMStudioError, ServerFault):
        return STRANGER
    except FourEyesError as another:  # it wants a token
        return str(another)
    if kind in ("auto", found.kind):
        return DEFECT
    return f"it is {found.name}: set model_server.kind: {found.kind}, or end it"
