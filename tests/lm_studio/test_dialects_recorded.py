"""Each kind of server by the bodies that the real one sends, over real HTTP: recognised, listed, loaded, unloaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from foureyes_actors.errors import FourEyesError, LMStudioError, ServerFault, ServerRefused
from foureyes_actors.lm_studio.dialect import Kind, server_at
from foureyes_actors.lm_studio.dialects import DIALECTS
from foureyes_actors.lm_studio.ours import Ours
from foureyes_actors.lm_studio.recognise import recognise
from foureyes_actors.lm_studio.reload import reload_model
from foureyes_actors.lm_studio.residency import ensure_loaded, resident, unload_unwanted
from foureyes_actors.lm_studio.server_calls import check_alive
from foureyes_actors.ports.http_requests import RequestsHttp
from tests.lm_studio import recorded
from tests.lm_studio.recorded import MODEL, Recorded, body, served
from tests.lm_studio.support import loading

TOKEN = "sk-lm-abcdefgh:0123456789"
Make = Callable[[], Recorded]
SERVERS: dict[str, tuple[Kind, Make]] = {
    "lm_studio": ("lm_studio", recorded.lm_studio),
    "lm_studio 0.3": ("lm_studio", recorded.old_lm_studio),
    "embedded": ("embedded", recorded.embedded),
    "simple": ("simple", recorded.simple),
    "llama_server": ("llama_server", recorded.llama_server),
    "llama_server router": ("llama_server", recorded.llama_router),
    "llama_server loading": ("llama_server", recorded.llama_loading),
    "ollama": ("ollama", recorded.ollama),
    "vllm": ("vllm", recorded.vllm),
    "llama_cpp_python": ("llama_cpp_python", recorded.llama_cpp_python),
    "text_generation_webui": ("text_generation_webui", recorded.webui),
    "transformers": ("transformers", recorded.transformers),
    "openai": ("openai", recorded.openai),
}


@pytest.fixture
def http() -> Iterator[RequestsHttp]:
    port = RequestsHttp()
    yield port
    port.close()


# --- recognised ---


@pytest.mark.parametrize("name", SERVERS)
def test_recognised(http: RequestsHttp, name: str) -> None:
    kind, make = SERVERS[name]
    with served(make()) as server:
        assert recognise(http, server.url).kind == kind
        assert all(path.startswith("GET ") or path == "POST /v1/models/load" for path in server.paths())
        assert not server.loaded or make().loaded == server.loaded  # asking has changed nothing


def test_the_order_of_the_questions(http: RequestsHttp) -> None:
    with served(recorded.openai()) as server:
        recognise(http, server.url)
    asked = [path.removeprefix("GET ") for path in server.paths()]
    assert asked[:4] == ["/health", "/props", "/api/version", "/lmstudio-greeting"]
    assert asked[-1] == "/v1/models"
    assert len(asked) == len(set(asked))  # each once


@pytest.mark.parametrize(
    "answer",
    [
        body(b"<html>It works!</html>"),
        body(b"<html>not found</html>", 404),
        body({"status": "ok"}),
        body({"error": {"message": "no"}}, 500),
        body(b""),
        body([]),
        body(b"[" * 9999),
    ],
)
def test_a_stranger_is_none_of_them(http: RequestsHttp, answer: recorded.Answer) -> None:
    """A 200 alone proves nothing. (Only what is at text-generation-webui's own route says that it is.)"""
    routes: dict[str, recorded.Route] = {"GET /v1/internal/health": body(b"", 404)}
    with served(Recorded(routes, lambda _method, _path: answer)) as server, pytest.raises(LMStudioError):
        recognise(http, server.url)


def test_lm_studio_without_a_greeting_by_its_words(http: RequestsHttp) -> None:
    with served(Recorded({}, recorded.old_lm_studio_missing)) as server:
        assert recognise(http, server.url).kind == "lm_studio"


@pytest.mark.parametrize("name", SERVERS)
def test_a_wrong_token_is_a_fault_of_the_configuration_and_is_told_nowhere(
    http: RequestsHttp, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    echo = {"error": {"message": f"Malformed LM Studio API token provided: {TOKEN[:14]}*****"}}
    caplog.set_level("DEBUG")
    with served(Recorded({}, lambda _method, _path: body(echo, 401))) as server:
        with pytest.raises(ServerRefused) as caught:
            recognise(http, server.url, TOKEN)
        dialect = DIALECTS[SERVERS[name][0]]
        with pytest.raises(ServerRefused) as also:
            check_alive(http, server_at(server.url, dialect, TOKEN))
        for text in (str(caught.value), str(also.value), caplog.text):
            assert TOKEN[:12] not in text
        assert server.asked[0][3] == f"Bearer {TOKEN}"
        assert server.asked[-1][3] == (f"Bearer {TOKEN}" if dialect.sends_token else None)


# --- alive ---


@pytest.mark.parametrize("name", [name for name in SERVERS if name != "llama_server loading"])
def test_alive(http: RequestsHttp, name: str) -> None:
    kind, make = SERVERS[name]
    with served(make()) as server:
        check_alive(http, server_at(server.url, DIALECTS[kind]))


@pytest.mark.parametrize("kind", DIALECTS)
@pytest.mark.parametrize("answer", [body(b"<html>200</html>"), body({"error": "Unexpected endpoint or method."})])
def test_a_status_alone_is_no_sign_of_life(http: RequestsHttp, kind: Kind, answer: recorded.Answer) -> None:
    with served(Recorded({}, lambda _method, _path: answer)) as server:
        at = server_at(server.url, DIALECTS[kind])
        if kind == "lm_studio" and b"Unexpected" in answer[1]:
            check_alive(http, at)  # nobody else has these words
            return
        with pytest.raises(FourEyesError):
            check_alive(http, at)


def test_vllm_with_a_dead_engine(http: RequestsHttp) -> None:
    dead = Recorded({**recorded.vllm().routes, "GET /health": body(b"", 503)}, recorded.fastapi_missing)
    with served(dead) as server, pytest.raises(ServerFault) as caught:
        check_alive(http, server_at(server.url, DIALECTS["vllm"]))
    assert caught.value.status == 503


# --- loaded, and out again ---

Bodies = list[dict[str, object]]
LOADING: dict[str, tuple[str, Bodies, Bodies | None]] = {
    "lm_studio": ("POST /api/v1/models/load", [{"model": MODEL}], [{"instance_id": MODEL}]),
    "embedded": ("POST /api/v1/models/load", [{"model": MODEL}], [{"instance_id": MODEL}]),
    "simple": ("POST /v1/models/load", [{"model_id": MODEL}], None),
    "llama_server router": ("POST /models/load", [{"model": MODEL}], [{"model": MODEL}]),
    "ollama": ("POST /api/generate", [{"model": f"{MODEL}:latest", "stream": False}], None),
    "text_generation_webui": (
        "POST /v1/internal/model/load",
        [{"model_name": MODEL, "args": {}, "settings": {}}],
        [{}],
    ),
}


@pytest.mark.parametrize("name", LOADING)
def test_loaded_once(http: RequestsHttp, name: str) -> None:
    route, bodies, _ = LOADING[name]
    kind, make = SERVERS[name]
    with served(make()) as server:
        at = server_at(server.url, DIALECTS[kind])
        assert resident(http, at, (MODEL,)) == ()
        known_as = {ensure_loaded(loading(http, at), MODEL).known_as for _ in range(3)}
        assert server.loaded == list(known_as) and len(known_as) == 1
        assert server.bodies(route.removeprefix("POST ")) == bodies
        assert server.paths().index(route) > 0  # listed first
        assert resident(http, at, (MODEL,)) == (MODEL,)


@pytest.mark.parametrize("name", [name for name in LOADING if name != "simple"])
def test_reloaded(http: RequestsHttp, name: str) -> None:
    kind, make = SERVERS[name]
    with served(make()) as server:
        to = loading(http, server_at(server.url, DIALECTS[kind]))
        known_as = ensure_loaded(to, MODEL).known_as
        before = len(server.asked)
        assert reload_model(to, MODEL, known_as).now.known_as == known_as
        assert server.loaded == [known_as]
        posted = [sent for method, path, sent, _ in server.asked[before:] if method == "POST" and path != "/api/show"]
        wanted = LOADING[name][2] or [{"model": known_as, "stream": False, "keep_alive": 0}]
        assert posted == [*wanted, *LOADING[name][1]]


@pytest.mark.parametrize("name", [name for name in SERVERS if name not in LOADING and name != "llama_server loading"])
def test_the_others_load_by_their_first_request_or_have_what_they_were_started_with(
    http: RequestsHttp, name: str
) -> None:
    kind, make = SERVERS[name]
    with served(make()) as server:
        to = loading(http, server_at(server.url, DIALECTS[kind]))
        assert ensure_loaded(to, MODEL).known_as == MODEL
        assert reload_model(to, MODEL, MODEL).now.known_as == MODEL
        assert all(path.startswith("GET ") for path in server.paths())


def test_what_nobody_wants_any_more_goes_when_it_was_ours(http: RequestsHttp) -> None:
    with served(recorded.lm_studio()) as server:
        ours = Ours()
        to = loading(http, server_at(server.url, DIALECTS["lm_studio"]), ours=ours)
        ensure_loaded(to, MODEL)
        assert unload_unwanted(to, (MODEL,)) == ()
        assert unload_unwanted(to, ("another",)) == (MODEL,)
        assert server.loaded == [] and ours.instances == {}
        server.loaded.append(MODEL)  # somebody else's
        assert unload_unwanted(to, ("another",)) == ()
        assert server.loaded == [MODEL]


def test_one_that_somebody_else_loads_in_the_same_moment_is_not_kept_twice(http: RequestsHttp) -> None:
    double = recorded.lm_studio()
    load = double.routes["POST /api/v1/models/load"]
    assert callable(load)

    def race(server: Recorded, sent: dict[str, object]) -> recorded.Answer:
        server.loaded.append(MODEL)
        return load(server, sent)

    double.routes = {**double.routes, "POST /api/v1/models/load": race}
    with served(double) as server:
        to = loading(http, server_at(server.url, DIALECTS["lm_studio"]))
        assert ensure_loaded(to, MODEL).known_as == MODEL
        assert server.loaded == [MODEL]
        assert server.bodies("/api/v1/models/unload") == [{"instance_id": f"{MODEL}:2"}]


# --- context, pictures, thinking ---


@pytest.mark.parametrize(("wanted", "sent"), [(8192, 8192), (32768, 32768), (65536, 32768), (None, None)])
def test_the_context_is_at_most_the_models_own(http: RequestsHttp, wanted: int | None, sent: int | None) -> None:
    """LM Studio takes more without a word."""
    with served(recorded.lm_studio()) as server:
        to = loading(http, server_at(server.url, DIALECTS["lm_studio"]), context=wanted)
        ensure_loaded(to, MODEL)
        assert server.bodies("/api/v1/models/load")[0].get("context_length") == sent


def test_a_context_that_cannot_be_set_is_said(http: RequestsHttp, caplog: pytest.LogCaptureFixture) -> None:
    with served(recorded.ollama()) as server:
        to = loading(http, server_at(server.url, DIALECTS["ollama"]), context=16384)
        ensure_loaded(to, MODEL)
        assert "a context of 4096 tokens" in caplog.text and "OLLAMA_CONTEXT_LENGTH" in caplog.text
        assert all("num_ctx" not in str(sent) for _, _, sent, _ in server.asked)


@pytest.mark.parametrize(
    ("make", "kind", "model"),
    [
        (recorded.lm_studio, "lm_studio", "text/only"),
        (lambda: recorded.ollama(("completion",)), "ollama", MODEL),
        (lambda: recorded.llama_server(vision=False), "llama_server", MODEL),
    ],
)
def test_a_model_without_eyes_is_refused(http: RequestsHttp, make: Make, kind: Kind, model: str) -> None:
    with served(make()) as server, pytest.raises(ServerRefused, match="takes no pictures"):
        ensure_loaded(loading(http, server_at(server.url, DIALECTS[kind])), model)


@pytest.mark.parametrize(("name", "reasons"), [("lm_studio", True), ("ollama", True), ("llama_server", False)])
def test_who_thinks_aloud_is_known(http: RequestsHttp, name: str, reasons: bool) -> None:
    kind, make = SERVERS[name]
    with served(make()) as server:
        to = loading(http, server_at(server.url, DIALECTS[kind]))
        assert ensure_loaded(to, MODEL).reasons is reasons
