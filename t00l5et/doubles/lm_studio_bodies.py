"""The bodies that LM Studio answers with, right ones and errors. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CRASH_TEXT = "The model has crashed without additional information. (Exit code: 18446744072635812000)"
NO_MODELS = "No models loaded. Please load a model in the developer page or use the 'lms load' command."
TOO_LONG = (
    "The number of tokens to keep from the initial prompt is greater than the context length. Try to load the model "
    "with a larger context length, or provide a shorter input"
)
NOT_AN_IMAGE = "'url' field must be a base64 encoded image."
NO_TOKEN = (
    "An LM Studio API token is required to make requests to this server, but none was provided using the "
    "Authorization header"
)
MLX_NO_VISION = "Vision add-on is not loaded, but images were provided for processing"
NOT_JSON_SCHEMA = "'response_format.type' must be 'json_schema' or 'text'"
HTML = "<!DOCTYPE html><html><head><title>Error</title></head><body><pre>{}</pre></body></html>"
EMBEDDING_SIZE = 8
_STATUS = {"a": 400, "b": 400, "c": 200, "d": 200, "e": 200, "f": 500, "g": 400}
# What FourEyes's warm-up picture shows, so that a model of this double passes it.
DEFAULT_ANSWER: Mapping[str, Any] = {
    "grand": "$1,234.56",
    "major": "$789.10",
    "minor": "$45.67",
    "mini": "$8.90",
    "balance": "$321.09",
    "confidence": 0.9,
}


@dataclass(frozen=True, slots=True)
class Reply:
    """``content_type``: of ``body``."""

    status: int
    body: bytes = field(repr=False)
    content_type: str = "application/json; charset=utf-8"


def json_reply(body: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(body).encode())


def error_reply(
    text: str, shape: str = "a", *, status: int | None = None, type: str = "internal_error", code: str = "unknown"
) -> Reply:
    """``shape``: a plain text; b an object; c and d the same in a 200; e an event stream that ends with it; f HTML;
    g llama-server's, passed through."""
    status = _STATUS[shape] if status is None else status
    if shape in ("a", "c"):
        return json_reply({"error": text}, status)
    if shape == "d":
        return json_reply({"error": {"message": text}, "message": text}, status)
    if shape == "e":
        data = json.dumps({"error": {"message": text}, "message": text})
        return Reply(status, f"event: error\ndata: {data}\n\n".encode(), "text/event-stream")
    if shape == "f":
        return Reply(status, HTML.format(text).encode(), "text/html; charset=utf-8")
    if shape == "g":
        return json_reply({"error": {"code": status, "message": text, "type": type}}, status)
    return json_reply({"error": {"message": text, "type": type, "param": None, "code": code}}, status)


def unexpected(method: str, path: str) -> Reply:
    return error_reply(f"Unexpected endpoint or method. ({method} {path})", "c")


def no_token() -> Reply:
    return error_reply(NO_TOKEN, "b", status=401, type="invalid_request_error", code="invalid_api_key")


def bad_token(token: str) -> Reply:
    """It repeats the token's first characters, as LM Studio does."""
    text = f"Malformed LM Studio API token provided: {token[:10]}{'*' * 20}. Ensure the token is correct."
    return error_reply(text, "b", status=401, type="invalid_request_error", code="invalid_api_key")


def unknown_model(name: str, example: str, status: int = 400) -> Reply:
    text = f'Invalid model identifier "{name}". Please specify a valid downloaded model (e.g., {example}).'
    return error_reply(text, "b", status=status, type="invalid_request_error", code="model_not_found")


def sampled(schema: Any, answer: Mapping[str, Any], name: str = "") -> Any:
    """A value that fits ``schema``. ``answer``: values by the name of their property, before any other choice."""
    if name in answer:
        return answer[name]
    if not isinstance(schema, Mapping):
        return None
    if "const" in schema or "enum" in schema:
        return schema["const"] if "const" in schema else schema["enum"][0]
    kind = schema.get("type")
    several = [{**schema, "type": each} for each in kind] if isinstance(kind, list) else []
    kinds = schema.get("anyOf") or schema.get("oneOf") or several
    if kinds:
        return None if {"type": "null"} in kinds else sampled(kinds[0], answer)
    if kind == "object" or "properties" in schema:
        return {key: sampled(each, answer, key) for key, each in schema.get("properties", {}).items()}
    return {"array": [], "string": "", "number": 0.5, "integer": 0, "boolean": False}.get(str(kind))


def content_for(body: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
    """What the model says: JSON by the schema that is asked for, else a word."""
    wanted = body.get("response_format")
    schema = wanted.get("json_schema", {}).get("schema") if isinstance(wanted, Mapping) else None
    return json.dumps(sampled(schema, {**DEFAULT_ANSWER, **answer})) if schema else "OK"


def chat_completion(model: str, content: str, prompt_tokens: int, change: Mapping[str, Any]) -> dict[str, Any]:
    """``change``: the scenario's ``reply``."""
    content = str(change.get("content", content))
    thought = str(change.get("reasoning_content", ""))
    made = int(change.get("completion_tokens", (len(content) + len(thought)) // 4 + 1))
    message = {"role": "assistant", "content": content, "reasoning_content": thought, "tool_calls": []}
    finish = change.get("finish_reason", "stop")
    return {
        "id": "chatcmpl-double",
        "object": "chat.completion",
        "created": 0,
        "model": str(change.get("model", model)),
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": made,
            "total_tokens": prompt_tokens + made,
            "completion_tokens_details": {"reasoning_tokens": len(thought) // 4},
        },
        "stats": {},
        "system_fingerprint": model,
    }


def streamed(completion: Mapping[str, Any]) -> Reply:
    """The same as an event stream."""
    choice = completion["choices"][0]
    head = {key: completion[key] for key in ("id", "created", "model", "system_fingerprint")}
    head["object"] = "chat.completion.chunk"
    text = choice["message"]["content"]
    deltas: list[tuple[dict[str, Any], Any]] = [({"role": "assistant", "content": text[:1]}, None)]
    deltas += [({"content": text[1:]}, None), ({}, choice["finish_reason"])]
    chunks = [
        {**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]}
        for delta, finish in deltas
    ]
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
    return Reply(200, "".join([*lines, "data: [DONE]\n\n"]).encode(), "text/event-stream")
