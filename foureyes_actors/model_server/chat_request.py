"""``POST /v1/chat/completions``: what the client asks, checked. Pure functions."""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pybase64

from foureyes_actors.messages import Task
from foureyes_actors.model_server.api_error import ApiError, invalid, unknown_model
from foureyes_actors.model_server.catalog import BUILT_IN, Catalog, CatalogModel
from foureyes_actors.model_server.chat_schema import Wanted, wanted

MAX_USER = 200  # characters of the name of a tracked screen
_DATA_URI = re.compile(r"data:(?P<kind>[a-zA-Z0-9.+/-]*)(?P<options>(?:;[^,;]*)*),")
_KINDS = ("image/png", "image/jpeg", "image/jpg")
_NEEDS_BASE64 = "'url' field must be a base64 encoded image."  # LM Studio's words


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """``picture``: PNG or JPEG, not examined yet. ``wanted``: what the answer must have, and nothing else. ``user``:
    names the screen whose frames belong together."""

    model: CatalogModel
    picture: bytes = field(repr=False)
    wanted: Wanted
    text: str
    user: str | None = None
    stream: bool = False
    stream_usage: bool = False

    @property
    def tasks(self) -> tuple[Task, ...]:
        return tuple(self.wanted)


def parse_object(body: bytes) -> dict[str, Any]:
    """The body as a JSON object. Raises ApiError 400."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise invalid(f"The body is not JSON: {str(error)[:200]}") from None
    if not isinstance(document, dict):
        raise invalid(f"The body is not a JSON object but {type(document).__name__}")
    return document


def parse_chat(body: bytes, catalog: Catalog = BUILT_IN) -> ChatRequest:
    """Raises ApiError: 400, or 404 for an unknown model."""
    document = parse_object(body)
    model = _model(document, catalog)
    texts, urls = _contents(document)
    if len(urls) != 1:
        many = f"{len(urls)} pictures" if urls else "no picture"
        raise invalid(f"{model.id} reads one picture a request; this one has {many}", param="messages")
    _check_numbers(document)
    _check_tools(document)
    options = document.get("stream_options")
    return ChatRequest(
        model=model,
        picture=picture_of(urls[0]),
        wanted=wanted(document.get("response_format"), model),
        text="\n".join(texts),
        user=_user(document),
        stream=_flag(document, "stream"),
        stream_usage=isinstance(options, dict) and options.get("include_usage") is True,
    )


def picture_of(url: str) -> bytes:
    """The bytes in a data URI. Raises ApiError 400 for anything else: nothing is ever fetched."""
    head = _DATA_URI.match(url[:200])
    if head is None:
        raise invalid(_NEEDS_BASE64 + " Addresses are not fetched.", param="messages")
    if head["kind"].lower() not in _KINDS:
        raise invalid(f"Pictures must be PNG or JPEG, not {head['kind']!a}", param="messages")
    if ";base64" not in head["options"].lower():
        raise invalid(_NEEDS_BASE64, param="messages")
    try:
        data = pybase64.b64decode(url[head.end() :].encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise invalid(f"{_NEEDS_BASE64} What follows the comma is not base64.", param="messages") from None
    if not data:
        raise invalid(f"{_NEEDS_BASE64} It is empty.", param="messages")
    return data


def _model(document: Mapping[str, Any], catalog: Catalog) -> CatalogModel:
    name = document.get("model")
    if not isinstance(name, str) or not name:
        raise invalid("'model' is required", param="model", code="missing_required_parameter")
    model = catalog.find(name)
    if model is None:
        raise unknown_model(name, catalog=catalog)
    return model


def _contents(document: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Texts and picture URLs of all messages."""
    messages = document.get("messages")
    if not isinstance(messages, list) or not messages:
        raise invalid("'messages' must be a list with at least one message", param="messages")
    texts: list[str] = []
    urls: list[str] = []
    for message in messages:
        for kind, value in _parts(message):
            (texts if kind == "text" else urls).append(value)
    return texts, urls


def _parts(message: object) -> Iterator[tuple[str, str]]:
    if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
        raise invalid("Each message must be an object with a 'role'", param="messages")
    content = message.get("content")
    if content is None and message["role"] == "assistant":
        return  # an earlier answer that was a refusal or a tool call
    if isinstance(content, str):
        yield "text", content
        return
    if not isinstance(content, list):
        raise invalid("'content' must be text or a list of parts", param="messages")
    for part in content:
        yield _part(part)


def _part(part: object) -> tuple[str, str]:
    if isinstance(part, Mapping):
        if part.get("type") == "text" and isinstance(part.get("text"), str):
            return "text", part["text"]
        image = part.get("image_url")
        url = image.get("url") if isinstance(image, Mapping) else image
        if part.get("type") == "image_url" and isinstance(url, str):
            return "image", url
    raise invalid(
        "A part of 'content' must be {'type': 'text', 'text': ...} or {'type': 'image_url', 'image_url': {'url': ...}}",
        param="messages",
    )


def _check_numbers(document: Mapping[str, Any]) -> None:
    """Accepted for the sake of clients; a screen reader has nothing to sample and does not run on."""
    for name, lowest in (("max_tokens", 1), ("max_completion_tokens", 1), ("temperature", 0), ("n", 1)):
        value = document.get(name)
        if value is None:
            continue
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not value >= lowest or (name == "n" and value != 1):
            raise _wrong_number(name, lowest)


def _wrong_number(name: str, lowest: int) -> ApiError:
    right = "1" if name == "n" else f"a number from {lowest} on"
    return invalid(f"'{name}' must be {right}", param=name)


def _check_tools(document: Mapping[str, Any]) -> None:
    """Tools that may be called are left uncalled; a client that insists on a call would wait for it in vain."""
    choice = document.get("tool_choice")
    if choice not in (None, "none", "auto"):
        raise invalid("'tool_choice' must be 'none' or 'auto': this server calls no tools", param="tool_choice")


def _user(document: Mapping[str, Any]) -> str | None:
    user = document.get("user")
    if user is None or user == "":
        return None
    if not isinstance(user, str):
        raise invalid("'user' must be text", param="user")
    return user[:MAX_USER]


def _flag(document: Mapping[str, Any], name: str) -> bool:
    value = document.get(name)
    if value is not None and not isinstance(value, bool):
        raise invalid(f"'{name}' must be true or false", param=name)
    return value is True
