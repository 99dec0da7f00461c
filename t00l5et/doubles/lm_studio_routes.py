"""The routes of the double of LM Studio: what each request is answered with when no rule says otherwise.

Routes that are not doubled (``/v1/responses``, ``/v1/messages``, downloads) answer 501 and say so.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from t00l5et.doubles import lm_studio_bodies as bodies
from t00l5et.doubles.lm_studio_bodies import Reply, error_reply, json_reply
from t00l5et.doubles.lm_studio_memory import Instance, Memory, Wait, v0_row, v1_row
from t00l5et.doubles.lm_studio_scenario import Engine, Model, Scenario

CHAT_ROUTES = ("/v1/chat/completions", "/api/v0/chat/completions", "/api/v1/chat")
LOAD_KEYS = (
    "model",
    "context_length",
    "eval_batch_size",
    "flash_attention",
    "num_experts",
    "offload_kv_cache_to_gpu",
    "echo_load_config",
)
PICTURES = ("data:image/png;base64,", "data:image/jpeg;base64,", "data:image/jpg;base64,")
_NOT_DOUBLED = ("/v1/responses", "/v1/messages", "/v1/completions", "/v1/embeddings", "/api/v1/models/download")


@dataclass(frozen=True, slots=True)
class Request:
    """``body``: as JSON; empty when there is none."""

    method: str
    path: str
    body: Mapping[str, Any] = field(default_factory=dict)
    token: str = field(default="", repr=False)

    @property
    def route(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def model(self) -> str:
        name = self.body.get("model") or self.body.get("instance_id") or ""
        return name if isinstance(name, str) else ""

    @property
    def pictures(self) -> tuple[str, ...]:
        return tuple(_pictures(self.body.get("messages") or self.body.get("input") or ()))


class Hang(Exception):
    """No answer to this request. ``instance``: the one whose engine is wedged."""


class Routes:
    """``wait``: so many seconds; True when the server ends meanwhile."""

    def __init__(self, scenario: Scenario, memory: Memory, wait: Wait) -> None:
        self._scenario, self._memory, self._wait = scenario, memory, wait

    def answer(self, request: Request, change: Mapping[str, Any]) -> Reply:
        """``change``: of the chat's answer, by a rule. Raises Hang."""
        if request.path == "/lmstudio-greeting" and request.method == "GET":
            return Reply(200, b'{"lmstudio":true}')
        refused = self._refused(request.token)
        if refused is not None:
            return refused
        if request.method == "POST" and request.path in CHAT_ROUTES and self._has(request.path):
            return self._chat(request, change)
        route = {
            "GET /v1/models": self._list_openai,
            "GET /api/v0/models": self._list_v0,
            "GET /api/v1/models": self._list_v1,
            "POST /api/v1/models/load": self._load,
            "POST /api/v1/models/unload": self._unload,
        }.get(request.route)
        if route is not None and self._has(request.path):
            return route(request)
        return self._no_route(request)

    def _has(self, path: str) -> bool:
        return self._scenario.version != "0.3" or not path.startswith("/api/v1/")

    def _refused(self, token: str) -> Reply | None:
        if not self._scenario.token or token == self._scenario.token:
            return None
        return bodies.bad_token(token) if token else bodies.no_token()

    def _no_route(self, request: Request) -> Reply:
        one = request.path.removeprefix("/api/v0/models/")
        if request.method == "GET" and one != request.path:
            model = self._memory.model(one)
            row = v0_row(model, self._memory.instances(model)) if model else None
            return json_reply(row) if row else bodies.unknown_model(one, self._example(), 404)
        if request.path.startswith(_NOT_DOUBLED):
            return error_reply(f"{request.path} is not doubled: see docs/lm_studio_double.md", "b", status=501)
        if request.path.startswith("/api/v1/") and self._has(request.path):
            return error_reply(f"Unknown route {request.route}", "b", status=404, type="invalid_request")
        return bodies.unexpected(request.method, request.path)

    def _example(self) -> str:
        return ", ".join(model.key for model in self._memory.models[:2])

    # --- lists ---

    def _list_openai(self, _: Request) -> Reply:
        """With loading on demand every downloaded model, else only the loaded ones."""
        names = [model.key for model in self._memory.models]
        if not self._scenario.jit:
            names = [each.id for each in self._memory.instances()]
        rows = [{"id": name, "object": "model", "owned_by": "organization_owner"} for name in names]
        return json_reply({"object": "list", "data": rows})

    def _list_v0(self, _: Request) -> Reply:
        rows = [v0_row(model, self._memory.instances(model)) for model in self._memory.models]
        return json_reply({"object": "list", "data": rows})

    def _list_v1(self, _: Request) -> Reply:
        return json_reply({"models": [v1_row(m, self._memory.instances(m)) for m in self._memory.models]})

    # --- load, unload ---

    def _load(self, request: Request) -> Reply:
        unknown = [key for key in request.body if key not in LOAD_KEYS]
        if unknown or not request.model:
            text = ", ".join(f"'{key}'" for key in unknown)
            text = f"Unrecognized key(s) in object: {text}" if unknown else "'model' is required"
            code = "unrecognized_keys" if unknown else "missing_required_parameter"
            return error_reply(text, "b", type="invalid_request", code=code)
        model = self._memory.model(request.model)
        if model is None:
            return bodies.unknown_model(request.model, self._example(), 404)
        began = time.monotonic()
        context = request.body.get("context_length")
        instance = self._loaded(model, context if isinstance(context, int) else None)
        if isinstance(instance, Reply):
            return instance
        took = round(time.monotonic() - began, 3)
        told: dict[str, Any] = {"type": model.type, "instance_id": instance.id, "load_time_seconds": took}
        if request.body.get("echo_load_config"):
            told["load_config"] = {"context_length": instance.context}
        return json_reply({**told, "status": "loaded"})

    def _loaded(self, model: Model, context: int | None) -> Instance | Reply:
        """Any context is taken, also one above the model's maximum."""
        self._wait(model.load_seconds)
        if model.load_error:
            text = f'Failed to load model "{model.key}". Error: {model.load_error}'
            return error_reply(text, "b", type="model_load_failed", code="model_load_failed")
        return self._memory.put(model, context)

    def _unload(self, request: Request) -> Reply:
        name = request.body.get("instance_id", "")
        if set(request.body) - {"instance_id"} or not isinstance(name, str):
            return error_reply("Unrecognized key(s) in object", "b", type="invalid_request", code="unrecognized_keys")
        if not self._memory.take(name):
            return error_reply(f"Model instance {name} not found", "b", status=404, code="model_not_found")
        return json_reply({"instance_id": name})

    # --- chat ---

    def _chat(self, request: Request, change: Mapping[str, Any]) -> Reply:
        native = request.path == "/api/v1/chat"
        instance = self._asked(request, native)
        if isinstance(instance, Reply):
            return instance
        wrong = self._wrong_request(request, instance)
        if wrong is not None:
            return wrong
        if instance.engine is Engine.WEDGED:
            raise Hang
        if instance.engine is Engine.CRASHED:
            return error_reply(bodies.CRASH_TEXT)
        tokens = self._tokens(request)
        if tokens > instance.context:  # a 500 on the native route, though it is the caller's fault
            return error_reply(bodies.TOO_LONG, "b" if native else "a", status=500 if native else 400)
        content = bodies.content_for(request.body, self._scenario.answer)
        change = {**self._thought(request, instance), **change}
        completion = bodies.chat_completion(instance.id, content, tokens, change)
        if native:
            return json_reply(_native(completion))
        if request.body.get("stream"):
            return bodies.streamed(completion)
        if request.path.startswith("/api/v0/"):
            stats = {"tokens_per_second": 50.0, "time_to_first_token": 0.1, "generation_time": 0.2}
            completion = {**completion, "stats": {**stats, "stop_reason": "eosFound"}}
        return json_reply(completion)

    def _asked(self, request: Request, native: bool) -> Instance | Reply:
        """The instance that answers: not always the one that was asked."""
        found = self._memory.instance(request.model)
        if found is not None and found.model.type == "llm":
            return found
        model = self._memory.model(request.model)
        if model is not None and model.type == "llm" and self._scenario.jit:
            return self._loaded(model, None)
        loaded = self._memory.chat_instances()
        if model is None and len(loaded) == 1 and not native:
            return loaded[0]
        if not loaded and not self._scenario.jit:
            return error_reply(bodies.NO_MODELS)
        return bodies.unknown_model(request.model, self._example(), 404 if native else 400)

    def _wrong_request(self, request: Request, instance: Instance) -> Reply | None:
        pictures = request.pictures
        if any(not picture.startswith(PICTURES) for picture in pictures):
            return error_reply(bodies.NOT_AN_IMAGE)
        model = instance.model
        if pictures and not model.vision and model.text_only_status == 200:
            return error_reply(bodies.MLX_NO_VISION, "d")
        if pictures and not model.vision:
            text = f"The provided messages contain images, but {model.key} does not support image inputs."
            return error_reply(text)
        wanted = request.body.get("response_format")
        if isinstance(wanted, Mapping) and wanted.get("type") not in ("json_schema", "text"):
            return error_reply(bodies.NOT_JSON_SCHEMA)
        return None

    def _tokens(self, request: Request) -> int:
        pictures = request.pictures
        text = len(json.dumps(request.body)) - sum(len(picture) for picture in pictures)
        return math.ceil(text / 4) + len(pictures) * self._scenario.picture_tokens

    @staticmethod
    def _thought(request: Request, instance: Instance) -> dict[str, Any]:
        """A model that thinks aloud uses up its tokens before it answers."""
        told_not_to = request.body.get("reasoning_effort") == "none" or request.body.get("reasoning") == "off"
        if not instance.model.reasons or told_not_to:
            return {}
        return {"content": "", "reasoning_content": "Let me look at the picture.", "finish_reason": "length"}


def _native(completion: Mapping[str, Any]) -> dict[str, Any]:
    message, usage = completion["choices"][0]["message"], completion["usage"]
    stats = {
        "input_tokens": usage["prompt_tokens"],
        "total_output_tokens": usage["completion_tokens"],
        "reasoning_output_tokens": usage["completion_tokens_details"]["reasoning_tokens"],
        "tokens_per_second": 50.0,
        "time_to_first_token_seconds": 0.1,
    }
    output = [{"type": "message", "content": message["content"]}]
    return {"model_instance_id": completion["model"], "output": output, "stats": stats, "response_id": "resp_double"}


def _pictures(messages: Any) -> list[str]:
    """The addresses of all pictures, in OpenAI's and in the native form."""
    found: list[str] = []
    for part in messages if isinstance(messages, Sequence) and not isinstance(messages, str) else ():
        if not isinstance(part, Mapping):
            continue
        found += _pictures(part.get("content"))
        url = part.get("image_url")
        url = url.get("url") if isinstance(url, Mapping) else url or part.get("data_url")
        if isinstance(url, str):
            found.append(url)
    return found
