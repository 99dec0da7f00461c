"""``POST /v1/chat/completions``: what the client asks, checked. Pure functions."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from foureyes_actors.messages import Task
from foureyes_actors.model_server.api_error import ApiError, invalid, unknown_model
from foureyes_actors.model_server.catalog import BUILT_IN, Catalog, CatalogModel

MAX_USER = 200  # characters of the name of a tracked screen
_DATA_URI = re.compile(r"data:(?P<kind>[a-zA-Z0-9.+/-]*)(?P<options>(?:;[^,;]*)*),")
_KINDS = ("image/png", "image/jpeg", "image/jpg")
_NEEDS_BASE64 = "'url' field must be a base64 encoded image."  # LM Studio's words


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """``picture``: PNG or JPEG, not examined yet. ``user``: names the screen whose frames belong together."""

    model: CatalogModel
    picture: bytes = field(repr=False)
    tasks: tuple[Task, ...]
    text: str
    user: str | None = None
    stream: bool = False
    stream_usage: bool = False


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
    options = document.get("stream_options")
    return ChatRequest(
        model=model,
        picture=picture_of(urls[0]),
        tasks=wanted_tasks(document.get("response_format"), model),
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
        data = base64.b64decode(url[head.end() :].encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise invalid(f"{_NEEDS_BASE64} What follows the comma is not base64.", param="messages") from None
    if not data:
        raise invalid(f"{_NEEDS_BASE64} It is empty.", param="messages")
    return data


def wanted_tasks(response_format: object, model: CatalogModel) -> tuple[Task, ...]:
    """The tasks that a JSON schema asks for, in its order; all of the model's without a schema. Raises ApiError 400."""
    if response_format is None:
        return model.tasks
    if not isinstance(response_format, dict):
        raise invalid("'response_format' must be an object", param="response_format")
    kind = response_format.get("type")
    if kind == "text":
        return model.tasks
    if kind != "json_schema":
        raise invalid("'response_format.type' must be 'json_schema' or 'text'", param="response_format")
    return _tasks_of_schema(response_format.get("json_schema"), model)


def _tasks_of_schema(wrapper: object, model: CatalogModel) -> tuple[Task, ...]:
    schema = wrapper.get("schema") if isinstance(wrapper, Mapping) else None
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(properties, Mapping) or not properties:
        raise invalid("'response_format.json_schema.schema.properties' must name tasks", param="response_format")
    known = {task.value: task for task in Task}
    strange = [name for name in properties if name not in known]
    if strange:
        raise invalid(
            f"The schema asks for {strange[0][:100]!a}; this server answers {', '.join(known)}", param="response_format"
        )
    tasks = tuple(known[name] for name in properties)
    beyond = [task for task in tasks if task not in model.tasks]
    if beyond:
        raise invalid(
            f"{model.id} cannot answer {beyond[0].value}; it answers {', '.join(model.tasks)}", param="response_format"
        )
    return tasks


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
