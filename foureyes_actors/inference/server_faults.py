"""What an error reply means and what is done about it: texts -> class (``SIGNS``) -> action (``ACTIONS``).

The status alone says little: LM Studio answers 400 to an engine crash, a full memory and a bad request alike, and 200
to a route that it does not have; so the words are read first, then the status. Sources of the texts: LM Studio's bug
tracker and recorded traffic, llama.cpp's and vLLM's server sources. Matched in lower case, in the order of the table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from foureyes_actors.bug.redact import Redactor
from foureyes_actors.errors import (
    EngineGone,
    ErrorClass,
    FourEyesError,
    ModelLoadFailed,
    ModelNotLoadable,
    ModelNotLoaded,
    ModelUnknown,
    RequestRefused,
    ServerBusy,
    ServerDefect,
    ServerError,
    ServerFault,
    ServerRefused,
)
from foureyes_actors.text import clean

MAX_EXCERPT = 400  # characters of the server's own words
BUSY_STATUS = frozenset({408, 429, 503})  # 503: llama-server's "Loading model", Ollama's full queue
AUTH_STATUS = frozenset({401, 403})


# --- class -> action ---


class Remedy(StrEnum):
    """What the LMStudioActor does about the server. Only RELOAD and CANARY can end in a restart, when they fail."""

    NOTHING = "nothing"
    LOOK = "look"  # check now: a model that is gone is loaded, a server that does not answer is counted
    CANARY = "canary"  # check, then the picture with a known answer; where it is not answered: RELOAD
    RELOAD = "reload"  # unload, load, canary; at most twice
    SET_ASIDE = "set_aside"  # not asked for a minute: its alternative is free to take over


@dataclass(frozen=True, slots=True)
class Action:
    """``retry``: the same request may be sent again (``inference.attempts`` times in all), and the server is only
    looked at until the last of them has failed too. ``tell``: a person has to change something."""

    retry: bool
    server: Remedy
    tell: bool = False


ACTIONS: Mapping[ErrorClass, Action] = MappingProxyType(
    {
        ErrorClass.ENGINE: Action(False, Remedy.RELOAD),
        ErrorClass.SERVER_ERROR: Action(True, Remedy.RELOAD),
        ErrorClass.LOAD: Action(False, Remedy.SET_ASIDE, tell=True),
        ErrorClass.REQUEST: Action(False, Remedy.NOTHING, tell=True),
        ErrorClass.ABSENT: Action(False, Remedy.LOOK),
        ErrorClass.DEFECT: Action(False, Remedy.NOTHING, tell=True),
        ErrorClass.HANG: Action(True, Remedy.CANARY),
        ErrorClass.TRANSPORT: Action(True, Remedy.LOOK),
        ErrorClass.BUSY: Action(True, Remedy.NOTHING),
        ErrorClass.ANSWER: Action(False, Remedy.NOTHING),
        ErrorClass.OTHER: Action(False, Remedy.NOTHING, tell=True),
    }
)
NO_RESTART = frozenset(
    {ErrorClass.LOAD, ErrorClass.REQUEST, ErrorClass.ABSENT, ErrorClass.DEFECT, ErrorClass.BUSY}
)  # B, C and D: no new start of the server can help


def class_of(error: BaseException) -> ErrorClass:
    """A model that could not be loaded or warmed up is of its cause's class."""
    while isinstance(error, ModelLoadFailed) and isinstance(error.__cause__, FourEyesError):
        error = error.__cause__
    return error.error_class if isinstance(error, FourEyesError) else ErrorClass.OTHER


def is_retryable(error: BaseException) -> bool:
    """True when the same request may succeed in a few seconds. An answer that breaks the contract is not: the same
    picture gives the same answer."""
    return ACTIONS[class_of(error)].retry


def suspected_class(error: BaseException, failures: int, attempts: int) -> ErrorClass | None:
    """What to tell the LMStudioActor after ``failures`` failed requests in a row, this one included; None: nothing.
    TRANSPORT, which is only looked at, while what may pass has not failed ``attempts`` times."""
    action = ACTIONS[class_of(error)]
    if action.server is Remedy.NOTHING:
        return None
    return ErrorClass.TRANSPORT if action.retry and failures < attempts else class_of(error)


# --- texts -> class ---


@dataclass(frozen=True, slots=True)
class Sign:
    """``texts``: regular expressions. ``meaning``: for people, with what to change where that helps. ``refused``: a
    ConfigurationError."""

    error_class: ErrorClass
    texts: tuple[str, ...]
    meaning: str
    refused: type[ServerRefused] | None = None


_TOKEN = Sign(
    ErrorClass.REQUEST,
    ("api token is required", "malformed lm studio api token", "invalid_api_key"),
    "the server wants another API token; set model_server.api_token",
    ServerRefused,
)
SIGNS = (
    _TOKEN,
    Sign(
        ErrorClass.REQUEST,
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
        ErrorClass.LOAD,
        (
            "insufficient system resources",
            "unable to allocate",
            "failed to allocate",
            "out of memory",
            "snapshot of system resources failed",
        ),
        "the server has not enough memory for the model: free some, or use a smaller model",
    ),
    Sign(
        ErrorClass.LOAD,
        (
            "model_load_failed",
            "error loading model",
            "before becoming healthy",
            "unknown model architecture",
            "no lm runtime found",
        ),
        "the server could not load the model: use another one, or update the server's runtime",
    ),
    Sign(ErrorClass.ABSENT, ("no models loaded", "multiple models are loaded"), "the model is not loaded"),
    Sign(
        ErrorClass.ABSENT,
        ("invalid model identifier", "model_not_found"),
        "the server does not know the model",
        ModelUnknown,
    ),
    Sign(
        ErrorClass.REQUEST,
        ("unexpected endpoint or method",),
        "the server has no such route: model_server.base_url leads to another product or version",
    ),
    Sign(
        ErrorClass.DEFECT,
        ("jinja exception", "is not iterable", "failed to find image for token"),
        "the server or the model's template has a bug: update it, or use another model",
    ),
    Sign(
        ErrorClass.REQUEST,
        (
            "must be a base64 encoded image",
            "does not support image",
            "vision add-on is not loaded",
            "image input is not supported",
            "failed to load image",
        ),
        "the model or the server does not take this picture: it needs a vision model, with its vision part installed",
    ),
    Sign(
        ErrorClass.REQUEST,
        ("response_format", "failed to parse grammar", "unrecognized key"),
        "the server does not take this request",
    ),
    Sign(
        ErrorClass.SERVER_ERROR,
        ("predict request failed: fetch failed",),
        "the server lost its connection to the model's engine",
    ),
    Sign(
        ErrorClass.ENGINE,
        (
            "the model has crashed",
            "channel error",
            "received prediction-error",
            " terminated ",  # the whole error; not "unterminated string"
            "engine protocol",
            "model unloaded",
            "model is unloaded",
            "model reloaded",
            "operation canceled",
        ),
        "the model's engine crashed or is gone",
    ),
    Sign(
        ErrorClass.LOAD,
        (r"model type \S+ (is )?not supported",),
        "the server has no engine for this kind of model: use another one",
    ),
)
_PATTERNS = tuple((re.compile("|".join(sign.texts)), sign) for sign in SIGNS)
_FAULTS: Mapping[ErrorClass, type[ServerFault]] = MappingProxyType(
    {
        ErrorClass.ENGINE: EngineGone,
        ErrorClass.SERVER_ERROR: ServerError,
        ErrorClass.LOAD: ModelNotLoadable,
        ErrorClass.REQUEST: RequestRefused,
        ErrorClass.ABSENT: ModelNotLoaded,
        ErrorClass.DEFECT: ServerDefect,
        ErrorClass.BUSY: ServerBusy,
    }
)


def fault_of(status: int, words: str) -> ServerFault | ServerRefused:
    """The error for an error reply. ``words``: from ``error_words``. What a server says about a token is not
    repeated: LM Studio's words have the token's first characters in them."""
    sign = _TOKEN if status in AUTH_STATUS else _sign(words)
    said = f" ({words})" if words and sign is not _TOKEN else ""
    message = f"HTTP {status}: {sign.meaning if sign else 'an error reply'}{said}"
    if sign is not None and sign.refused is not None:
        return sign.refused(message)
    error_class = sign.error_class if sign else _by_status(status)
    kind = _FAULTS.get(error_class, ServerFault)
    return kind(message, status=status, excerpt=words, retryable=ACTIONS[error_class].retry)


def _sign(words: str) -> Sign | None:
    lowered = f" {words.lower()} "
    return next((sign for pattern, sign in _PATTERNS if pattern.search(lowered)), None)


def _by_status(status: int) -> ErrorClass:
    if status in BUSY_STATUS:
        return ErrorClass.BUSY
    return ErrorClass.SERVER_ERROR if status >= 500 else ErrorClass.OTHER


# --- the server's words ---


def has_error(document: Any) -> bool:
    """An error body, whatever the status says."""
    return isinstance(document, Mapping) and document.get("error") not in (None, "", {})


def error_words(document: Any, text: str, secret: str = "") -> str:
    """The server's own words, on one line, cleaned of control characters and secrets, at most MAX_EXCERPT characters.
    ``document``: the body as JSON or None; ``text``: the body as text; ``secret``: the configured token."""
    words = _words(document) or text[: 4 * MAX_EXCERPT]
    line = " ".join(clean(Redactor((secret,) if secret else ()).text(words)).split())
    return line if len(line) <= MAX_EXCERPT else line[: MAX_EXCERPT - 1] + "…"


def _words(document: Any) -> str:
    if not isinstance(document, Mapping):
        return ""
    error = document.get("error") or document.get("detail") or document.get("message")
    if isinstance(error, Mapping):
        parts = (error.get(key) for key in ("message", "type", "code"))
        return ", ".join(str(part) for part in parts if isinstance(part, str) and part)
    return error if isinstance(error, str) else ""


def reason_of(error: BaseException) -> str:
    """The error's message and notes on one line, for AnalysisFailed."""
    words = [str(error) or type(error).__name__, *getattr(error, "__notes__", ())]
    kind = "" if isinstance(error, FourEyesError) else f"{type(error).__name__}: "
    return kind + "; ".join(words)
