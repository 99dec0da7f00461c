"""The body of ``POST /v1/chat/completions``, built for the price of one base64 and one copy.

Everything but the picture is the same for every frame, so it is written as JSON once. The picture's base64 needs no
escaping and goes between the two halves as it is.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import pybase64

from foureyes_actors.errors import BadPicture
from foureyes_actors.inference.tasks import Question
from foureyes_actors.messages import Frame
from foureyes_actors.ports.http import HttpRequest
from foureyes_actors.settings import InferenceSettings

MEDIA_TYPES = frozenset({"image/jpeg", "image/png"})  # what LM Studio takes; it refuses WebP
MAX_REPLY = 1024 * 1024  # bytes; a real answer has some 1000
CONNECT_TIMEOUT = 3.0


@dataclass(frozen=True, slots=True)
class RequestTemplate:
    """One model's request without its picture. ``digest``: of everything in it, for cache keys.

    ``session``: name the frame's source as ``user``, so that a server which follows a screen over several frames can
    tell screens apart. For the embedded server only: others may refuse the key.
    """

    model: str
    head: bytes = field(repr=False)
    tail: bytes = field(repr=False)
    session: bool
    digest: str

    def body(self, frame: Frame) -> bytes:
        """Raises BadPicture when the frame is neither JPEG nor PNG."""
        if frame.ref.media_type not in MEDIA_TYPES:
            raise BadPicture(f"{frame.ref.media_type!r} cannot be sent to a model: it must be JPEG or PNG")
        user = b',"user":' + _json(frame.ref.source) if self.session else b""
        picture = pybase64.b64encode(frame.data)
        return b"".join((self.head, frame.ref.media_type.encode(), b";base64,", picture, self.tail, user, b"}"))


def template(model: str, question: Question, settings: InferenceSettings, *, session: bool = False) -> RequestTemplate:
    """``model``: the id that the server knows it by."""
    head = b'{"model":%b,"messages":[{"role":"user","content":[{"type":"text","text":%b},' % (
        _json(model),
        _json(question.prompt),
    )
    head += b'{"type":"image_url","image_url":{"url":"data:'
    tail = b'"}}]}],' + _json(_options(question, settings))[1:-1]
    return RequestTemplate(model, head, tail, session, hashlib.sha256(head + b"\0" + tail).hexdigest())


def _options(question: Question, settings: InferenceSettings) -> dict[str, Any]:
    options: dict[str, Any] = {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "frame", "strict": True, "schema": question.schema},
        },
        "max_tokens": settings.max_tokens,
        "temperature": settings.temperature,
        "stream": False,
    }
    if settings.reasoning_effort is not None:
        options["reasoning_effort"] = settings.reasoning_effort
    return options


def without_reasoning(settings: InferenceSettings) -> InferenceSettings:
    """For a model that thinks aloud, which would use up ``max_tokens``; what the user has set stands."""
    if settings.reasoning_effort is not None:
        return settings
    return settings.model_copy(update={"reasoning_effort": "none"})


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def server_root(base_url: str) -> str:
    """``base_url`` without the slash or ``/v1`` at its end that people may write."""
    return base_url.rstrip("/").removesuffix("/v1")


def chat_url(base_url: str) -> str:
    return server_root(base_url) + "/v1/chat/completions"


def chat_request(
    shape: RequestTemplate, frame: Frame, *, base_url: str, token: str, settings: InferenceSettings
) -> HttpRequest:
    """Raises BadPicture."""
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return HttpRequest(
        "POST",
        chat_url(base_url),
        headers,
        shape.body(frame),
        connect_timeout=min(CONNECT_TIMEOUT, settings.deadline),
        deadline=settings.deadline,
        max_reply=MAX_REPLY,
    )
