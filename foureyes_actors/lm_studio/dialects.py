"""The kinds of model servers that FourEyes knows, as a table.

Sources: LM Studio's documentation, tracker and recorded traffic; the server sources and documentation of llama.cpp,
Ollama, vLLM, llama-cpp-python, text-generation-webui and transformers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from foureyes_actors.lm_studio import rows
from foureyes_actors.lm_studio.dialect import Change, Details, Dialect, Json, Kind, Listing, Resident
from foureyes_actors.lm_studio.rows import at, text

# --- what changes a model, and how its answer is read ---


def _told_loaded(answer: Json, _key: str) -> str | None:
    return text(answer, "instance_id") or None if at(answer, "status") == "loaded" else None


def _told_unloaded(answer: Json, instance: str) -> str | None:
    return instance if at(answer, "instance_id") == instance else None


def _v1_load(key: str, context: int | None) -> Mapping[str, Any]:
    """It refuses every key that it does not know."""
    return {"model": key} if context is None else {"model": key, "context_length": context}


V1_LOAD = Change("/api/v1/models/load", _v1_load, _told_loaded, takes_context=True)
V1_UNLOAD = Change("/api/v1/models/unload", lambda name, _: {"instance_id": name}, _told_unloaded)
SIMPLE_LOAD = Change(
    "/v1/models/load",
    lambda key, _: {"model_id": key},
    lambda answer, key: key if at(answer, "status") in ("loaded", "ok", "success") or answer is None else None,
)
ROUTER_LOAD = Change(
    "/models/load",
    lambda key, _: {"model": key},
    lambda answer, key: key if at(answer, "success") is True else None,
    listed_later=True,
)
ROUTER_UNLOAD = Change(
    "/models/unload",
    lambda key, _: {"model": key},
    lambda answer, key: key if at(answer, "success") is True else None,
)
OLLAMA_LOAD = Change(
    "/api/generate",
    lambda key, _: {"model": key, "stream": False},
    lambda answer, key: key if at(answer, "done") is True and at(answer, "done_reason") == "load" else None,
)
OLLAMA_UNLOAD = Change(
    "/api/generate",
    lambda key, _: {"model": key, "stream": False, "keep_alive": 0},
    lambda answer, key: key if at(answer, "done") is True and at(answer, "done_reason") == "unload" else None,
)


def _webui_load(key: str, context: int | None) -> Mapping[str, Any]:
    return {"model_name": key, "args": {} if context is None else {"ctx_size": context}, "settings": {}}


WEBUI_LOAD = Change(
    "/v1/internal/model/load", _webui_load, lambda answer, key: key if answer == "OK" else None, takes_context=True
)
WEBUI_UNLOAD = Change(
    "/v1/internal/model/unload", lambda _key, _: {}, lambda answer, key: key if answer == "OK" else None
)

# --- the lists ---

V1 = Listing("/api/v1/models", "models", rows.lm_studio_v1, V1_LOAD, V1_UNLOAD)  # LM Studio from 0.4.0
V0 = Listing("/api/v0/models", "data", rows.lm_studio_v0, by_lms=True)  # from 0.3.6
OPENAI_LIST = Listing("/v1/models", "data", rows.openai)
SIMPLE_LIST = Listing(
    "/v1/models", "data", rows.openai, SIMPLE_LOAD, resident=Resident("/health", rows.simple_resident)
)
ROUTER_LIST = Listing(
    "/models",
    "data",
    rows.llama_server,
    ROUTER_LOAD,
    ROUTER_UNLOAD,
    details=Details("/props", lambda _key: {}, rows.llama_vision),
)
OLLAMA_LIST = Listing(
    "/api/tags",
    "models",
    rows.ollama,
    OLLAMA_LOAD,
    OLLAMA_UNLOAD,
    resident=Resident("/api/ps", rows.ollama_resident),
    details=Details("/api/show", lambda key: {"model": key}, rows.ollama_details),
)
VLLM_LIST = Listing("/v1/models", "data", rows.vllm)
WEBUI_LIST = Listing(
    "/v1/internal/model/list",
    "model_names",
    rows.name_only,
    WEBUI_LOAD,
    WEBUI_UNLOAD,
    resident=Resident("/v1/internal/model/info", rows.webui_resident),
    names=True,
)


def _greets(answer: Json) -> bool:
    return bool(at(answer, "lmstudio") is True)


def _is_ok(answer: Json) -> bool:
    return bool(at(answer, "status") == "ok")


def has_list(answer: Json) -> bool:
    return isinstance(at(answer, "data"), list)


# --- the table ---

EMBEDDED = Dialect(
    "embedded",
    "FourEyes's embedded model server",
    ("/lmstudio-greeting", lambda answer: _greets(answer) and at(answer, "foureyes_embedded") is True),
    (V1,),
    warm_up_time=30.0,
    concurrency=8,  # a thread for each model; more than so many requests are refused
    context="none",
)
LM_STUDIO = Dialect(
    "lm_studio",
    "LM Studio",
    ("/lmstudio-greeting", _greets),
    (V1, V0, OPENAI_LIST),
    url="http://127.0.0.1:1234",
    concurrency=4,
    context="model_server.context_length",
    no_reasoning=True,
)
OPENAI = Dialect("openai", "an OpenAI-compatible server", ("/v1/models", has_list), (OPENAI_LIST,))
SIMPLE = Dialect(
    "simple",
    "a server with /health and /v1/models/load",
    ("/health", lambda answer: isinstance(at(answer, "status"), str)),
    (SIMPLE_LIST,),
)
LLAMA_SERVER = Dialect(
    "llama_server",
    "llama-server",
    ("/health", _is_ok),
    (ROUTER_LIST,),
    url="http://127.0.0.1:8080",
    context="its option -c",
    hint="pictures need its option --mmproj",
)
OLLAMA = Dialect(
    "ollama",
    "Ollama",
    ("/api/version", lambda answer: bool(text(answer, "version"))),
    (OLLAMA_LIST,),
    url="http://127.0.0.1:11434",
    context="OLLAMA_CONTEXT_LENGTH, or num_ctx in the model's Modelfile",
    hint="its MLX builds ignore the wanted schema; its context is 4096 unless OLLAMA_CONTEXT_LENGTH says otherwise",
    no_reasoning=True,
    sends_token=False,
)
VLLM = Dialect(
    "vllm",
    "vLLM",
    ("/version", lambda answer: bool(text(answer, "version"))),
    (VLLM_LIST,),
    works=("/health", lambda answer: answer is None),  # empty; 503 when its engine is dead
    url="http://127.0.0.1:8000",
    concurrency=256,  # continuous batching; its own default for --max-num-seqs
    context="its option --max-model-len",
)
LLAMA_CPP_PYTHON = Dialect(
    "llama_cpp_python",
    "llama-cpp-python's server",
    ("/v1/models", has_list),
    (OPENAI_LIST,),
    url="http://127.0.0.1:8000",
    context="its option --n_ctx",
    hint="without a chat format for pictures it drops them silently; some of its versions refuse json_schema",
)
WEBUI = Dialect(
    "text_generation_webui",
    "text-generation-webui",
    ("/v1/internal/health", _is_ok),
    (WEBUI_LIST,),
    url="http://127.0.0.1:5000",
    context="model_server.context_length",
    hint="it does not know json_schema: the model must write the JSON by itself",
)
TRANSFORMERS = Dialect(
    "transformers",
    "transformers serve",
    ("/health", _is_ok),
    (OPENAI_LIST,),
    url="http://127.0.0.1:8000",
    context="the model's own",
    hint="it ignores the wanted schema: the model must write the JSON by itself",
)
DIALECTS: Mapping[Kind, Dialect] = {
    dialect.kind: dialect
    for dialect in (
        EMBEDDED,
        LM_STUDIO,
        OPENAI,
        SIMPLE,
        LLAMA_SERVER,
        OLLAMA,
        VLLM,
        LLAMA_CPP_PYTHON,
        WEBUI,
        TRANSFORMERS,
    )
}
