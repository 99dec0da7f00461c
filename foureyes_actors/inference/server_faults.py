"""What an error reply means: a table of texts that servers are known to send, then the status.

The status alone says little: LM Studio answers 400 to an engine crash, a full memory and a bad request alike, and 200
to a route that it does not have. Sources of the texts: LM Studio's bug tracker and recorded traffic, llama.cpp's and
vLLM's server sources. Texts are matched in lower case, in the order of the table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from foureyes_actors.errors import (
    FourEyesError,
    ReplyTooLarge,
    ServerFault,
    ServerRefused,
    TransportError,
    WrongModel,
)
from foureyes_actors.text import clean

MAX_EXCERPT = 400  # characters of the server's own words
RETRYABLE_STATUS = frozenset({408, 429})  # and every 5xx
_TOKEN = re.compile(r"\bsk-\S+")  # LM Studio repeats the first characters of a wrong token


@dataclass(frozen=True, slots=True)
class Sign:
    """``refused``: the user must change something. ``suspect``: the model server should be looked at now."""

    texts: tuple[str, ...]
    meaning: str
    retryable: bool = False
    suspect: bool = False
    refused: bool = False


SIGNS = (
    Sign(
        (
            "exceed_context_size_error",
            "exceeds the available context size",
            "greater than the context length",
            "loaded with context length of only",
            "context_length_exceeded",
        ),
        "the picture and the prompt do not fit into the model's context: load it with a larger one, or send smaller "
        "pictures",
    ),
    Sign(
        ("insufficient system resources", "unable to allocate", "failed to allocate", "out of memory"),
        "the server has not enough memory for the model",
    ),
    Sign(
        ("model_load_failed", "error loading model", "before becoming healthy", "unknown model architecture"),
        "the server could not load the model",
        suspect=True,
    ),
    Sign(("no models loaded",), "the server has no model loaded", suspect=True),
    Sign(
        ("invalid model identifier", "model_not_found", "multiple models are loaded"),
        "the server does not know the model",
        suspect=True,
        refused=True,
    ),
    Sign(
        ("api token is required", "malformed lm studio api token", "invalid_api_key"),
        "the server wants another API token: set model_server.api_token",
        refused=True,
    ),
    Sign(
        ("unexpected endpoint or method",),
        "the server has no such route: model_server.base_url leads to another product or version",
    ),
    Sign(
        (
            "must be a base64 encoded image",
            "does not support image",
            "vision add-on is not loaded",
            "image input is not supported",
            "failed to load image",
            "failed to find image",
        ),
        "the model or the server does not take this picture",
    ),
    Sign(
        ("response_format", "failed to parse grammar", "unrecognized key", "jinja exception", "is not iterable"),
        "the server does not take this request",
    ),
    Sign(
        (
            "the model has crashed",
            "channel error",
            " terminated ",  # the whole error; not "unterminated string"
            "engine protocol",
            "model unloaded",
            "model is unloaded",
            "model reloaded",
            "operation canceled",
        ),
        "the model's engine crashed or is gone",
        retryable=True,
        suspect=True,
    ),
)


def fault_of(status: int, words: str) -> ServerFault | ServerRefused:
    """The error for an error reply. ``words``: from ``error_words``."""
    sign = _sign(words)
    message = f"HTTP {status}: {sign.meaning if sign else 'an error reply'}" + (f" ({words})" if words else "")
    if (sign is not None and sign.refused) or status in (401, 403):
        return ServerRefused(message)
    retryable = sign.retryable if sign else status in RETRYABLE_STATUS or status >= 500
    return ServerFault(message, status=status, excerpt=words, retryable=retryable)


def is_suspect(error: BaseException) -> bool:
    """True when the model server itself should be looked at now: it did not answer, or its answer says that the
    model or its engine is gone."""
    match error:
        case ReplyTooLarge():
            return False
        case TransportError() | WrongModel():
            return True
        case ServerFault() | ServerRefused():
            sign = _sign(error.excerpt if isinstance(error, ServerFault) else str(error))
            if sign is not None:
                return sign.suspect
            return isinstance(error, ServerFault) and error.retryable and error.status >= 500
    return False


def is_retryable(error: BaseException) -> bool:
    """True when the same request may succeed in a few seconds. An answer that breaks the contract is not: the same
    picture gives the same answer."""
    return isinstance(error, TransportError | ServerFault) and error.retryable


def has_error(document: Any) -> bool:
    """An error body, whatever the status says."""
    return isinstance(document, Mapping) and document.get("error") not in (None, "", {})


def error_words(document: Any, text: str) -> str:
    """The server's own words, on one line, cleaned of control characters and tokens, at most MAX_EXCERPT characters.
    ``document``: the body as JSON or None; ``text``: the body as text."""
    words = _words(document) or text[: 4 * MAX_EXCERPT]
    line = " ".join(clean(_TOKEN.sub("(token)", words)).split())
    return line if len(line) <= MAX_EXCERPT else line[: MAX_EXCERPT - 1] + "…"


def _words(document: Any) -> str:
    if not isinstance(document, Mapping):
        return ""
    error = document.get("error") or document.get("detail") or document.get("message")
    if isinstance(error, Mapping):
        parts = (error.get(key) for key in ("message", "type", "code"))
        return ", ".join(str(part) for part in parts if isinstance(part, str) and part)
    return error if isinstance(error, str) else ""


def _sign(words: str) -> Sign | None:
    lowered = f" {words.lower()} "
    return next((sign for sign in SIGNS if any(text in lowered for text in sign.texts)), None)


def reason_of(error: BaseException) -> str:
    """The error's message and notes on one line, for AnalysisFailed."""
    words = [str(error) or type(error).__name__, *getattr(error, "__notes__", ())]
    kind = "" if isinstance(error, FourEyesError) else f"{type(error).__name__}: "
    return kind + "; ".join(words)
