"""Model servers as tables of the bodies that the real ones send, behind real HTTP on the loopback.

Sources: LM Studio's documentation and recorded traffic (0.4.25), the documentation and sources of llama.cpp's server,
Ollama, vLLM, llama-cpp-python, text-generation-webui, and the source of transformers serve 5.23.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "qwen/qwen3-vl-4b"
Answer = tuple[int, bytes]
Route = Answer | Callable[["Recorded", dict[str, Any]], Answer]


def body(document: object, status: int = 200) -> Answer:
    return status, document if isinstance(document, bytes) else json.dumps(document).encode()


@dataclass
class Recorded:
    """``loaded``: ids in memory. ``asked``: method, path, body and Authorization of each request."""

    routes: Mapping[str, Route]
    missing: Callable[[str, str], Answer]
    loaded: list[str] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, Any], str | None]] = field(default_factory=list)
    url: str = ""

    def paths(self) -> list[str]:
        return [f"{method} {path}" for method, path, _, _ in self.asked]

    def bodies(self, path: str) -> list[dict[str, Any]]:
        return [sent for _, asked, sent, _ in self.asked if asked == path]


@contextmanager
def served(server: Recorded) -> Iterator[Recorded]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            sent = json.loads(raw) if raw else {}
            server.asked.append((self.command, self.path, sent, self.headers.get("Authorization")))
            route = server.routes.get(f"{self.command} {self.path}")
            found = route(server, sent) if callable(route) else route
            status, data = found if found is not None else server.missing(self.command, self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = _answer

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, args=(0.02,), name="recorded-server")
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        thread.join(10)
        http.server_close()


# --- what is answered for a route that is not there ---


def lm_studio_missing(method: str, path: str) -> Answer:
    inside = path.startswith("/api/v1")
    return body({"error": f"Unexpected endpoint or method. ({method} {path})"}, 404 if inside else 200)


def old_lm_studio_missing(method: str, path: str) -> Answer:
    return body({"error": f"Unexpected endpoint or method. ({method} {path})"})


def fastapi_missing(_method: str, _path: str) -> Answer:
    return body({"detail": "Not Found"}, 404)


def llama_missing(_method: str, _path: str) -> Answer:
    return body({"error": {"code": 404, "message": "File Not Found", "type": "not_found_error"}}, 404)


def ollama_missing(_method: str, _path: str) -> Answer:
    return body(b"404 page not found", 404)


# --- LM Studio ---


def _v1_list(server: Recorded, _: Any) -> Answer:
    row = {
        "type": "llm",
        "publisher": "qwen",
        "key": MODEL,
        "display_name": "Qwen3 VL 4B",
        "architecture": "qwen3vl",
        "quantization": {"name": "Q4_K_M", "bits_per_weight": 4},
        "size_bytes": 3330000000,
        "params_string": "4B",
        "loaded_instances": [
            {"id": each, "config": {"context_length": 8192, "eval_batch_size": 512, "parallel": 4}}
            for each in server.loaded
        ],
        "max_context_length": 32768,
        "format": "gguf",
        "capabilities": {
            "vision": True,
            "trained_for_tool_use": True,
            "reasoning": {"allowed_options": ["off", "on"], "default": "on"},
        },
    }
    text = {"type": "llm", "key": "text/only", "loaded_instances": [], "capabilities": {"vision": False}}
    return body({"models": [row, text]})


def _v1_load(server: Recorded, sent: dict[str, Any]) -> Answer:
    strange = set(sent) - {"model", "context_length"}
    if strange:
        error = {"message": f"Unrecognized key(s) in object: {sorted(strange)}", "code": "unrecognized_keys"}
        return body({"error": error}, 400)
    name = f"{sent['model']}:{len(server.loaded) + 1}" if server.loaded else sent["model"]
    server.loaded.append(name)
    return body({"type": "llm", "instance_id": name, "load_time_seconds": 7.882, "status": "loaded"})


def _v1_unload(server: Recorded, sent: dict[str, Any]) -> Answer:
    server.loaded.remove(sent["instance_id"])
    return body({"instance_id": sent["instance_id"]})


def lm_studio() -> Recorded:
    return Recorded(
        {
            "GET /lmstudio-greeting": body({"lmstudio": True}),
            "GET /api/v1/models": _v1_list,
            "POST /api/v1/models/load": _v1_load,
            "POST /api/v1/models/unload": _v1_unload,
            "GET /v1/models": body({"object": "list", "data": [{"id": MODEL, "object": "model"}]}),
        },
        lm_studio_missing,
    )


def _v0_list(server: Recorded, _: Any) -> Answer:
    state = {"state": "loaded", "loaded_context_length": 4096} if server.loaded else {"state": "not-loaded"}
    row = {"id": MODEL, "object": "model", "type": "vlm", "arch": "qwen3vl", "max_context_length": 32768, **state}
    return body({"object": "list", "data": [row]})


def old_lm_studio() -> Recorded:
    """0.3.6 to 0.3.x: no route to load."""
    routes: dict[str, Route] = {"GET /lmstudio-greeting": body({"lmstudio": True}), "GET /api/v0/models": _v0_list}
    return Recorded(routes, old_lm_studio_missing)


# --- the others ---


def _router_rows(server: Recorded, _: Any) -> Answer:
    status = {"value": "loaded" if MODEL in server.loaded else "unloaded", "args": ["llama-server", "-ctx", "4096"]}
    return body({"data": [{"id": MODEL, "in_cache": True, "path": "/m.gguf", "status": status}], "object": "list"})


def _put(server: Recorded, key: str, answer: object) -> Answer:
    server.loaded.append(key)
    return body(answer)


def _take(server: Recorded, key: str, answer: object) -> Answer:
    server.loaded.remove(key)
    return body(answer)


def llama_router() -> Recorded:
    return Recorded(
        {
            "GET /health": body({"status": "ok"}),
            "GET /props": body({"role": "router", "max_instances": 4, "models_autoload": True}),
            "GET /models": _router_rows,
            "GET /v1/models": _router_rows,
            "POST /models/load": lambda server, sent: _put(server, sent["model"], {"success": True}),
            "POST /models/unload": lambda server, sent: _take(server, sent["model"], {"success": True}),
        },
        llama_missing,
    )


def llama_server(vision: bool = True) -> Recorded:
    entry = {"name": MODEL, "model": MODEL, "capabilities": ["completion", *(["multimodal"] if vision else [])]}
    meta = {"vocab_type": 1, "n_vocab": 262144, "n_ctx_train": 32768, "n_embd": 640, "size": 241118720}
    row = {"id": MODEL, "object": "model", "created": 1, "owned_by": "llamacpp", "meta": meta}
    listed = body({"models": [entry], "object": "list", "data": [row]})
    props = {
        "default_generation_settings": {"id": 0, "n_ctx": 2048, "params": {}},
        "total_slots": 1,
        "model_path": "/m.gguf",
        "modalities": {"vision": vision, "audio": False},
    }
    return Recorded(
        {
            "GET /health": body({"status": "ok"}),
            "GET /props": body(props),
            "GET /models": listed,
            "GET /v1/models": listed,
        },
        llama_missing,
        [MODEL],
    )


def llama_loading() -> Recorded:
    """All it says while its model is being read."""
    answer = body({"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}, 503)
    return Recorded({}, lambda _method, _path: answer)


def _generate(server: Recorded, sent: dict[str, Any]) -> Answer:
    reason = "unload" if sent.get("keep_alive") == 0 else "load"
    change = _take if reason == "unload" else _put
    told = {"model": sent["model"], "created_at": "2026-10-01T00:00:00Z", "response": "", "done": True}
    return change(server, sent["model"], {**told, "done_reason": reason})


def _ps(server: Recorded, _: Any) -> Answer:
    rows = [{"name": each, "model": each, "size": 6654289920, "context_length": 4096} for each in server.loaded]
    return body({"models": rows})


def ollama(capabilities: tuple[str, ...] = ("completion", "vision", "thinking")) -> Recorded:
    tag = {"name": f"{MODEL}:latest", "model": f"{MODEL}:latest", "size": 3338801804, "details": {"family": "qwen3vl"}}
    info = {"general.architecture": "qwen3vl", "qwen3vl.context_length": 262144}
    return Recorded(
        {
            "GET /": body(b"Ollama is running"),
            "GET /api/version": body({"version": "0.12.6"}),
            "GET /api/tags": body({"models": [tag]}),
            "GET /api/ps": _ps,
            "POST /api/show": body({"capabilities": list(capabilities), "model_info": info}),
            "POST /api/generate": _generate,
            "GET /v1/models": body({"object": "list", "data": [{"id": f"{MODEL}:latest", "owned_by": "library"}]}),
        },
        ollama_missing,
    )


def vllm() -> Recorded:
    row = {"id": MODEL, "object": "model", "created": 1, "owned_by": "vllm", "root": MODEL, "max_model_len": 32768}
    routes: dict[str, Route] = {
        "GET /health": body(b""),
        "GET /version": body({"version": "0.11.0"}),
        "GET /v1/models": body({"object": "list", "data": [row]}),
    }
    return Recorded(routes, fastapi_missing, [MODEL])


def llama_cpp_python() -> Recorded:
    row = {"id": MODEL, "object": "model", "owned_by": "me", "permissions": []}
    info = {"title": "🦙 llama.cpp Python API", "version": "0.3.36"}
    paths: dict[str, object] = {"/v1/chat/completions": {"post": {}}, "/v1/models": {"get": {}}}
    return Recorded(
        {
            "GET /openapi.json": body({"info": info, "paths": paths}),
            "GET /v1/models": body({"object": "list", "data": [row]}),
        },
        fastapi_missing,
    )


def webui() -> Recorded:
    return Recorded(
        {
            "GET /v1/internal/health": body({"status": "ok"}),
            "GET /v1/internal/model/list": body({"model_names": [MODEL, "other"]}),
            "GET /v1/internal/model/info": lambda server, _: body(
                {"model_name": server.loaded[0] if server.loaded else "None", "lora_names": [], "loader": "llama.cpp"}
            ),
            "POST /v1/internal/model/load": lambda server, sent: _put(server, sent["model_name"], "OK"),
            "POST /v1/internal/model/unload": lambda server, _: _take(server, server.loaded[0], "OK"),
            "GET /v1/models": body({"object": "list", "data": [{"id": MODEL, "owned_by": "user"}]}),
        },
        fastapi_missing,
    )


def transformers() -> Recorded:
    row = {"owned_by": "qwen", "id": MODEL, "object": "model", "created": 1.0}
    paths: dict[str, object] = {f"/{each}": {} for each in ("v1/chat/completions", "load_model", "reset", "health")}
    return Recorded(
        {
            "GET /health": body({"status": "ok"}),
            "GET /openapi.json": body({"openapi": "3.1.0", "info": {"title": "FastAPI"}, "paths": paths}),
            "GET /v1/models": body({"object": "list", "data": [row]}),
        },
        fastapi_missing,
    )


def simple() -> Recorded:
    """A server with the two simple routes, and nothing else of its own."""

    def load(server: Recorded, sent: dict[str, Any]) -> Answer:
        if "model_id" not in sent:
            return body({"error": "'model_id' is required"}, 400)
        return _put(server, sent["model_id"], {"status": "loaded", "model_id": sent["model_id"]})

    return Recorded(
        {
            "GET /health": lambda server, _: body({"status": "ok", "models": server.loaded}),
            "POST /v1/models/load": load,
            "GET /v1/models": body({"object": "list", "data": [{"id": MODEL}]}),
        },
        fastapi_missing,
    )


def openai() -> Recorded:
    listed = body({"object": "list", "data": [{"id": MODEL, "object": "model"}]})
    return Recorded({"GET /v1/models": listed}, fastapi_missing)


def embedded() -> Recorded:
    routes: dict[str, Route] = {
        **lm_studio().routes,
        "GET /lmstudio-greeting": body({"lmstudio": True, "foureyes_embedded": True}),
        "GET /health": body({"status": "ok", "models": []}),
    }
    return Recorded(routes, lm_studio_missing)
