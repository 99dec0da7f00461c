"""An answer as OpenAI's chat completion: one object, or server-sent events. Pure functions."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from foureyes_actors.model_server.chat_request import ChatRequest

_WORDS = re.compile(r"\w+|[^\w\s]")


def completion(request: ChatRequest, answer: Mapping[str, Any], *, reply_id: str, created: int) -> dict[str, Any]:
    """``created``: Unix seconds."""
    return {
        "id": reply_id,
        "object": "chat.completion",
        "created": created,
        "model": request.model.id,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content_of(request, answer)},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": usage(request, answer),
        "stats": {},
        "system_fingerprint": request.model.id,
    }


def events(request: ChatRequest, answer: Mapping[str, Any], *, reply_id: str, created: int) -> bytes:
    """The same as a stream that is complete at once."""
    deltas: list[tuple[dict[str, Any], str | None]] = [
        ({"role": "assistant", "content": ""}, None),
        ({"content": content_of(request, answer)}, None),
        ({}, "stop"),
    ]
    head = {"id": reply_id, "object": "chat.completion.chunk", "created": created, "model": request.model.id}
    chunks = [
        {**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]}
        for delta, reason in deltas
    ]
    if request.stream_usage:
        chunks.append({**head, "choices": [], "usage": usage(request, answer)})
    lines = [*(json.dumps(chunk, ensure_ascii=False) for chunk in chunks), "[DONE]"]
    return "".join(f"data: {line}\n\n" for line in lines).encode()


def content_of(request: ChatRequest, answer: Mapping[str, Any]) -> str:
    """Exactly the tasks and values that were asked for, in the order of the schema."""
    asked = {task.value: _named(answer[task.value], names) for task, names in request.wanted.items()}
    return json.dumps(asked, ensure_ascii=False)


def _named(values: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: values[name] for name in names or values}


def usage(request: ChatRequest, answer: Mapping[str, Any]) -> dict[str, int]:
    """Words and marks: a screen reader has no tokens, and clients expect numbers that grow with the text."""
    prompt = len(_WORDS.findall(request.text))
    completed = len(_WORDS.findall(content_of(request, answer)))
    return {"prompt_tokens": prompt, "completion_tokens": completed, "total_tokens": prompt + completed}
