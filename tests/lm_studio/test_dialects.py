"""The steps of each dialect against replies as the servers really send them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from foureyes_actors.errors import (
    ConnectFailed,
    ErrorClass,
    FourEyesError,
    LMStudioError,
    ModelLoadFailed,
    ServerFault,
    ServerRefused,
)
from foureyes_actors.inference.server_faults import class_of
from foureyes_actors.lm_studio.dialect import Dialect, server_at
from foureyes_actors.lm_studio.dialects import EMBEDDED, LM_STUDIO, OPENAI, V1_LOAD, V1_UNLOAD
from foureyes_actors.lm_studio.replies import RouteMissing
from foureyes_actors.lm_studio.residency import ensure_loaded, resident
from foureyes_actors.lm_studio.server_calls import check_alive, list_models, load_model, unload_model
from foureyes_actors.ports.http import HttpReply, HttpRequest
from tests.lm_studio.support import URL, ScriptedHttp, loading, reply, unexpected

QWEN = "qwen/qwen3-vl-8b"
TOKEN = "sk-lm-abcdefgh:0123456789"
HTML = reply(b"<!doctype html><html><body>nginx</body></html>")
NO_TOKEN = reply(
    {
        "error": {
            "message": "An LM Studio API token is required to make requests to this server, but none was provided.",
            "type": "invalid_request_error",
            "code": "invalid_api_key",
        }
    },
    401,
)


def v1(*rows: dict[str, Any]) -> HttpReply:
    return reply({"models": list(rows)})


def v1_row(key: str, *instances: str, vision: bool = True) -> dict[str, Any]:
    return {
        "type": "llm",
        "key": key,
        "loaded_instances": [{"id": i, "config": {"context_length": 8192}} for i in instances],
        "max_context_length": 262144,
        "capabilities": {"vision": vision, "trained_for_tool_use": True},
    }


# --- alive ---


@pytest.mark.parametrize(
    ("dialect", "route", "answer"),
    [
        (EMBEDDED, "/lmstudio-greeting", reply({"lmstudio": True, "foureyes_embedded": True})),
        (LM_STUDIO, "/lmstudio-greeting", reply({"lmstudio": True})),
        (LM_STUDIO, "/lmstudio-greeting", unexpected("GET", "/lmstudio-greeting")),
        (OPENAI, "/v1/models", reply({"object": "list", "data": []})),
    ],
)
def test_alive(dialect: Dialect, route: str, answer: HttpReply) -> None:
    http = ScriptedHttp({f"GET {route}": answer})
    check_alive(http, server_at(URL, dialect))
    assert http.requests[0].deadline <= 2.0


@pytest.mark.parametrize(
    ("dialect", "answer", "error"),
    [
        (EMBEDDED, reply({"lmstudio": True}), LMStudioError),
        (EMBEDDED, unexpected("GET", "/lmstudio-greeting"), RouteMissing),
        (LM_STUDIO, reply({"lmstudio": "yes"}), LMStudioError),
        (LM_STUDIO, reply([]), LMStudioError),
        (LM_STUDIO, HTML, LMStudioError),
        (LM_STUDIO, reply(b"", 404), RouteMissing),
        (LM_STUDIO, reply(b"", 204), LMStudioError),
        (LM_STUDIO, reply(b"<h1>404</h1>", 404), RouteMissing),
        (LM_STUDIO, reply(b"broken", 500), ServerFault),
        (LM_STUDIO, NO_TOKEN, ServerRefused),
        (LM_STUDIO, ConnectFailed("nobody"), ConnectFailed),
        (OPENAI, reply({"error": {"message": "x"}}), ServerFault),
        (OPENAI, reply({"models": []}), LMStudioError),
    ],
)
def test_not_alive(dialect: Dialect, answer: HttpReply | Exception, error: type[Exception]) -> None:
    route = "/v1/models" if dialect is OPENAI else "/lmstudio-greeting"
    with pytest.raises(error) as caught:
        check_alive(ScriptedHttp({f"GET {route}": answer}), server_at(URL, dialect))
    assert isinstance(caught.value, FourEyesError)


# --- lists ---


def test_the_native_list() -> None:
    http = ScriptedHttp({"GET /api/v1/models": v1(v1_row(QWEN, QWEN, f"{QWEN}:2"), v1_row("text", vision=False))})
    listed = list_models(http, server_at(f"{URL}/v1/", LM_STUDIO))
    assert listed.route == "/api/v1/models"
    assert [(m.key, m.instances, m.vision) for m in listed.models] == [
        (QWEN, (QWEN, f"{QWEN}:2"), True),
        ("text", (), False),
    ]
    assert http.requests[0].url == f"{URL}/api/v1/models"


def test_older_versions_have_older_lists() -> None:
    rows = [
        {"id": QWEN, "type": "vlm", "state": "loaded"},
        {"id": "a", "type": "llm", "state": "not-loaded"},
        {"id": "b", "type": "vlm", "state": "loading"},
    ]
    http = ScriptedHttp({"GET /api/v0/models": reply({"object": "list", "data": rows})})
    listed = list_models(http, server_at(URL, LM_STUDIO))
    assert listed.route == "/api/v0/models"
    assert [(m.key, m.instances, m.vision) for m in listed.models] == [
        (QWEN, (QWEN,), True),
        ("a", (), False),
        ("b", (), True),
    ]
    http = ScriptedHttp({"GET /v1/models": reply({"data": [{"id": QWEN}]})})
    listed = list_models(http, server_at(URL, LM_STUDIO))
    assert [(m.key, m.instances, m.vision) for m in listed.models] == [(QWEN, None, None)]
    assert http.asked() == ["GET /api/v1/models", "GET /api/v0/models", "GET /v1/models"]


@pytest.mark.parametrize(
    "body", [{"models": None}, {"models": {}}, {"models": ["x"]}, {"data": []}, {}], ids=json.dumps
)
def test_a_list_that_is_none(body: object) -> None:
    with pytest.raises(LMStudioError, match=r"no list 'models'|nothing in the list 'models'"):
        list_models(ScriptedHttp({"GET /api/v1/models": reply(body)}), server_at(URL, LM_STUDIO))


def test_rows_without_what_we_look_for_are_no_harm() -> None:
    odd: dict[str, Any] = {"key": 7, "loaded_instances": "x", "capabilities": []}
    http = ScriptedHttp({"GET /api/v1/models": v1({}, odd, {"key": "a", "loaded_instances": [{}, 7]})})
    listed = list_models(http, server_at(URL, LM_STUDIO))
    assert [(m.key, m.instances, m.vision) for m in listed.models] == [("a", (), None)]


def test_a_wrong_token_is_no_reason_to_try_another_list() -> None:
    http = ScriptedHttp({"GET /api/v1/models": NO_TOKEN})
    with pytest.raises(ServerRefused, match=r"model_server\.api_token"):
        list_models(http, server_at(URL, LM_STUDIO, TOKEN))
    assert http.asked() == ["GET /api/v1/models"]


def test_the_token_goes_into_the_header_and_nowhere_else() -> None:
    echo = {"error": f"Malformed LM Studio API token provided: {TOKEN[:16]}*****"}
    http = ScriptedHttp({"GET /api/v1/models": reply(echo, 400)})
    server = server_at(URL, LM_STUDIO, TOKEN)
    with pytest.raises(FourEyesError) as caught:
        list_models(http, server)
    assert http.requests[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert TOKEN[:12] not in str(caught.value)
    assert TOKEN not in repr(server)
    http = ScriptedHttp({"GET /api/v1/models": v1()})
    list_models(http, server_at(URL, LM_STUDIO))
    assert "Authorization" not in http.requests[0].headers


# --- load, unload ---


def loaded(instance: str = QWEN) -> HttpReply:
    return reply({"type": "llm", "instance_id": instance, "load_time_seconds": 7.882, "status": "loaded"})


def test_load_and_unload_send_exactly_the_known_keys() -> None:
    http = ScriptedHttp(
        {"POST /api/v1/models/load": loaded(), "POST /api/v1/models/unload": reply({"instance_id": QWEN})}
    )
    server = server_at(URL, LM_STUDIO)
    assert load_model(http, server, V1_LOAD, QWEN, 300.0) == QWEN
    unload_model(http, server, V1_UNLOAD, QWEN)
    bodies = [json.loads(request.body or b"") for request in http.requests]
    assert bodies == [{"model": QWEN}, {"instance_id": QWEN}]
    assert http.requests[0].deadline == 300.0
    assert http.requests[0].connect_timeout <= 2.0


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (unexpected("POST", "/api/v1/models/load"), "has no route"),
        (reply({"status": "loaded"}), "does not say"),
        (reply({"status": "loading", "instance_id": QWEN}), "does not say"),
        (
            reply(
                {
                    "error": {
                        "message": f'Failed to load model "{QWEN}". Error: Model loading was stopped due to '
                        "insufficient system resources.",
                        "type": "model_load_failed",
                    }
                },
                400,
            ),
            "not enough memory",
        ),
        (
            reply(
                {
                    "error": {
                        "message": "Unrecognized key(s) in object: 'ttl'",
                        "type": "invalid_request",
                        "code": "unrecognized_keys",
                    }
                },
                400,
            ),
            "does not take this request",
        ),
        (reply({"error": {"message": "boom"}}), "boom"),
    ],
)
def test_a_load_that_fails(answer: HttpReply, words: str) -> None:
    http = ScriptedHttp({"GET /api/v1/models": v1(v1_row(QWEN)), "POST /api/v1/models/load": answer})
    with pytest.raises(ModelLoadFailed) as caught:
        ensure_loaded(loading(http, server_at(URL, LM_STUDIO)), QWEN)
    assert words in str(caught.value) and QWEN in str(caught.value)


# --- residency ---


class LoadingServer(ScriptedHttp):
    """Lists what was loaded; a second load makes a second instance, as LM Studio's does."""

    def __init__(self, *keys: str, forget: bool = False) -> None:
        super().__init__()
        self.instances: dict[str, list[str]] = {key: [] for key in keys}
        self.routes = {"GET /api/v1/models": self._list, "POST /api/v1/models/load": self._load}
        self._forget = forget

    def _list(self, _: HttpRequest) -> HttpReply:
        return v1(*(v1_row(key, *instances) for key, instances in self.instances.items()))

    def _load(self, request: HttpRequest) -> HttpReply:
        key = json.loads(request.body or b"")["model"]
        present = self.instances[key]
        name = f"{key}:{len(present) + 1}" if present else key
        if not self._forget:
            present.append(name)
        return loaded(name)


def test_a_model_is_listed_first_and_loaded_once() -> None:
    http = LoadingServer(QWEN, "other")
    server = server_at(URL, LM_STUDIO)
    for _ in range(3):
        assert ensure_loaded(loading(http, server), QWEN.upper()).known_as == QWEN
    assert http.instances == {QWEN: [QWEN], "other": []}
    assert http.asked().count("POST /api/v1/models/load") == 1


def test_an_instance_with_another_name_is_used_by_it() -> None:
    http = LoadingServer(QWEN)
    http.instances[QWEN] = ["my-eyes"]
    server = server_at(URL, LM_STUDIO)
    assert ensure_loaded(loading(http, server), QWEN).known_as == "my-eyes"
    assert ensure_loaded(loading(http, server), "my-eyes").known_as == "my-eyes"
    http.instances[QWEN] = [f"{QWEN}:2", f"{QWEN}:3"]
    assert ensure_loaded(loading(http, server), QWEN).known_as == f"{QWEN}:2"
    http.instances[QWEN] = [f"{QWEN}:2", QWEN]
    assert ensure_loaded(loading(http, server), QWEN).known_as == QWEN
    assert "POST /api/v1/models/load" not in http.asked()


def test_an_unknown_model_is_refused_with_the_known_ones() -> None:
    http = LoadingServer("a/one", "b/two")
    with pytest.raises(ServerRefused, match="no model 'c/three'; it has: a/one, b/two"):
        ensure_loaded(loading(http, server_at(URL, LM_STUDIO)), "c/three")


def test_a_model_without_eyes_is_refused() -> None:
    http = ScriptedHttp({"GET /api/v1/models": v1(v1_row("text/only", vision=False))})
    with pytest.raises(ServerRefused, match="takes no pictures"):
        ensure_loaded(loading(http, server_at(URL, LM_STUDIO)), "text/only")


def test_a_load_that_leaves_no_trace_is_a_failure() -> None:
    with pytest.raises(ModelLoadFailed, match="not in the list of loaded models") as caught:
        ensure_loaded(loading(LoadingServer(QWEN, forget=True), server_at(URL, LM_STUDIO)), QWEN)
    caught.value.__cause__ = caught.value  # Python allows it
    assert class_of(caught.value) is ErrorClass.OTHER, "it comes to an end"


def test_servers_without_a_load_route_load_by_the_first_request() -> None:
    http = ScriptedHttp({"GET /v1/models": reply({"data": [{"id": "gemma"}]})})
    assert ensure_loaded(loading(http, server_at(URL, OPENAI)), "gemma").known_as == "gemma"
    assert http.asked() == ["GET /v1/models"]


def test_resident() -> None:
    http = LoadingServer("a", "b", "c")
    http.instances["a"], http.instances["b"] = ["a"], ["mine"]
    assert resident(http, server_at(URL, LM_STUDIO), ("a", "b", "c", "d")) == ("a", "b")
    plain = ScriptedHttp({"GET /v1/models": reply({"data": [{"id": "a"}]})})
    assert resident(plain, server_at(URL, OPENAI), ("a", "b")) == ("a",)
