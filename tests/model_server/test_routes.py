"""Every route over real connections, with an engine that can be watched and held."""

from __future__ import annotations

import contextlib
import gc
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest

from foureyes_actors.errors import MissingExtraError, RequestTimeout
from foureyes_actors.messages import Task
from foureyes_actors.model_server.limits import Limits
from foureyes_actors.ports.http import HttpRequest
from tests.model_server.support import PATIENCE, SMALL, TINY, FakeEngine, RunningServer, chat, data_uri, picture
from tests.support import eventually


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


Start = Callable[..., RunningServer]


@pytest.fixture
def start(engine: FakeEngine) -> Iterator[Start]:
    running: list[RunningServer] = []

    def begin(**limits: Any) -> RunningServer:
        running.append(RunningServer(engine, Limits(**limits)))
        return running[-1]

    yield begin
    engine.go.set()
    for server in running:
        server.close()


@pytest.fixture
def server(start: Start) -> RunningServer:
    return start()


# --- lists, loading, unloading ---


def states(server: RunningServer) -> dict[str, str]:
    return {row["id"]: row["state"] for row in server.get("/api/v0/models")["data"]}


def instances(server: RunningServer) -> dict[str, list[str]]:
    return {row["key"]: [i["id"] for i in row["loaded_instances"]] for row in server.get("/api/v1/models")["models"]}


def test_health_and_greeting(server: RunningServer) -> None:
    assert server.get("/health") == {"status": "ok", "models": [], "requests": 0, "queued": 0}
    assert server.get("/lmstudio-greeting") == {"lmstudio": True, "foureyes_embedded": True}


def test_the_lists_before_anything_is_loaded(server: RunningServer) -> None:
    listed = server.get("/v1/models")
    assert listed["object"] == "list"
    assert [row["id"] for row in listed["data"]] == [TINY, SMALL]
    assert server.get(f"/v1/models/{TINY}")["id"] == TINY
    assert states(server) == {TINY: "not-loaded", SMALL: "not-loaded"}
    assert server.get(f"/api/v0/models/{SMALL}")["type"] == "vlm"
    assert instances(server) == {TINY: [], SMALL: []}
    row = server.get("/api/v1/models")["models"][0]
    assert row["type"] == "llm"
    assert row["capabilities"]["vision"] is True


@pytest.mark.parametrize(
    ("path", "key"), [("/v1/models/load", "model_id"), ("/api/v1/models/load", "model")], ids=["simple", "native"]
)
def test_loading_twice_loads_once(server: RunningServer, engine: FakeEngine, path: str, key: str) -> None:
    for _ in range(2):
        status, reply = server.post(path, {key: TINY})
        assert (status, reply["status"]) == (200, "loaded")
        assert reply["load_time_seconds"] >= 0
        assert reply.get("instance_id", reply.get("model_id")) == TINY
    assert engine.loads == ["tiny"]
    assert instances(server) == {TINY: [TINY], SMALL: []}
    assert states(server)[TINY] == "loaded"
    assert server.get("/health")["models"] == [TINY]


def test_many_loads_at_once_load_once(server: RunningServer, engine: FakeEngine) -> None:
    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(lambda _: server.post("/api/v1/models/load", {"model": TINY})[0], range(8)))
    assert replies == [200] * 8
    assert engine.loads == ["tiny"]


def test_the_load_config_is_echoed_when_asked_for(server: RunningServer) -> None:
    _, reply = server.post("/api/v1/models/load", {"model": TINY, "context_length": 9999, "echo_load_config": True})
    assert reply["load_config"]["context_length"] == server.get("/api/v1/models")["models"][0]["max_context_length"]


def test_unloading(server: RunningServer, engine: FakeEngine) -> None:
    server.post("/api/v1/models/load", {"model": TINY})
    assert server.post("/api/v1/models/unload", {"instance_id": TINY}) == (200, {"instance_id": TINY})
    assert instances(server)[TINY] == []
    status, reply = server.post("/api/v1/models/unload", {"instance_id": TINY})
    assert (status, reply["error"]["type"]) == (404, "model_not_found")
    server.post("/api/v1/models/load", {"model": TINY})
    assert engine.loads == ["tiny", "tiny"]


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/api/v1/models/load", {"model": TINY, "ttl": 60, "gpu": 1}, 400, "unrecognized_keys"),
        ("/api/v1/models/load", {}, 400, "missing_required_parameter"),
        ("/api/v1/models/load", {"model": "nobody/knows"}, 404, "model_not_found"),
        ("/v1/models/load", {"model_id": "microsoft/trocr-base-handwritten"}, 404, "model_not_found"),
        ("/v1/models/load", {"model": TINY}, 400, "unrecognized_keys"),
        ("/api/v1/models/unload", {"instance_id": "x"}, 404, "model_not_found"),
        ("/api/v1/models/unload", {"model": TINY}, 400, "unrecognized_keys"),
    ],
)
def test_refused_loads(server: RunningServer, path: str, body: Any, status: int, code: str) -> None:
    got, reply = server.post(path, body)
    assert (got, reply["error"]["code"]) == (status, code)
    if code == "model_not_found":
        assert TINY in reply["error"]["message"] and SMALL in reply["error"]["message"]
    if "ttl" in body:
        assert reply["error"]["message"] == "Unrecognized key(s) in object: 'ttl', 'gpu'"


def test_a_model_that_cannot_be_loaded(server: RunningServer, engine: FakeEngine) -> None:
    engine.load_error = MissingExtraError("onnxruntime", "embedded", "the embedded model server")
    status, reply = server.post("/api/v1/models/load", {"model": TINY})
    assert (status, reply["error"]["code"]) == (500, "model_load_failed")
    assert 'pip install -e ".[embedded]"' in reply["error"]["message"]
    engine.load_error = None
    assert server.post("/api/v1/models/load", {"model": TINY})[0] == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/nothing"),
        ("POST", "/v1/models/unload"),
        ("GET", "/v1/chat/completions"),
        ("POST", "/health"),
        ("GET", "/v1/models/"),
        ("DELETE", "/v1/models"),
    ],
)
def test_unknown_routes_are_404(server: RunningServer, method: str, path: str) -> None:
    reply = server.send(method, path)
    assert reply.status == 404
    error = json.loads(reply.body)["error"]
    if path == "/v1/models/":
        assert error["code"] == "model_not_found"
    elif path.startswith("/v1/"):  # OpenAI's clients show the words of an object only
        assert (error["message"], error["code"]) == (f"Unexpected endpoint or method. ({method} {path})", "unknown_url")
    else:
        assert error == f"Unexpected endpoint or method. ({method} {path})"


# --- chat ---


def test_a_chat_completion(server: RunningServer, engine: FakeEngine) -> None:
    status, reply = server.post("/v1/chat/completions", chat(tasks=[Task.STATE, Task.OCR], max_tokens=5))
    assert status == 200
    assert reply["object"] == "chat.completion"
    assert reply["model"] == TINY
    assert reply["choices"][0]["finish_reason"] == "stop"
    assert list(json.loads(reply["choices"][0]["message"]["content"])) == ["vision_state", "vision_ocr"]
    usage = reply["usage"]
    assert usage["prompt_tokens"] == 5
    assert usage["completion_tokens"] > 5
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert engine.loads == ["tiny"]  # on demand
    assert engine.readings == [((48, 64, 3), (Task.STATE, Task.OCR), "reader-tiny_0")]


def test_without_a_schema_all_four_are_answered(server: RunningServer) -> None:
    assert list(server.chat()[1]) == [task.value for task in Task]


@pytest.mark.parametrize("usage", [False, True])
def test_a_stream(server: RunningServer, usage: bool) -> None:
    request = chat(tasks=[Task.OCR], stream=True, stream_options={"include_usage": usage})
    reply = server.send("POST", "/v1/chat/completions", request)
    assert reply.headers["content-type"].startswith("text/event-stream")
    lines = [line.removeprefix("data: ") for line in reply.body.decode().split("\n\n") if line]
    assert lines[-1] == "[DONE]"
    chunks = [json.loads(line) for line in lines[:-1]]
    assert all(chunk["object"] == "chat.completion.chunk" and chunk["model"] == TINY for chunk in chunks)
    texts = [c["delta"].get("content", "") for chunk in chunks for c in chunk["choices"]]
    assert json.loads("".join(texts)) == {"vision_ocr": {"frames": 1, "confidence": 0.9}}
    assert [c["finish_reason"] for chunk in chunks for c in chunk["choices"]] == [None, None, "stop"]
    assert ("usage" in chunks[-1]) is usage


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"{", 400),
        (chat(model="gpt-4o"), 404),
        (chat("https://example.org/a.png"), 400),
        (chat(data_uri(picture("WEBP"), "image/webp")), 400),
        (chat(data_uri(picture("PNG")[:-30])), 400),
        (chat(data_uri(picture("PNG", (6000, 5000)))), 400),
        (chat(stream=True, response_format={"type": "json_object"}), 400),
    ],
)
def test_refused_chats(server: RunningServer, request_: Any, status: int) -> None:
    got, reply = server.post("/v1/chat/completions", request_)
    assert got == status
    assert reply["error"]["type"] == "invalid_request_error"
    assert server.chat()[0] == 200


def test_an_engine_that_fails(server: RunningServer, engine: FakeEngine) -> None:
    engine.read_error = RuntimeError("no more memory")
    status, reply = server.chat(user="a")
    assert (status, reply["error"]["code"]) == (500, "engine_failed")
    assert "no more memory" in reply["error"]["message"]
    engine.read_error = None
    assert server.chat(user="a")[1]["vision_ocr"]["frames"] == 1  # with a fresh memory


# --- screens ---


def frames(server: RunningServer, size: tuple[int, int] = (64, 48), **options: Any) -> int:
    status, answer = server.chat(url=data_uri(picture(size=size)), tasks=[Task.OCR], **options)
    assert status == 200
    return int(answer["vision_ocr"]["frames"])


def test_two_screens_do_not_mix_their_frames(server: RunningServer) -> None:
    assert [frames(server, user="left"), frames(server, user="right"), frames(server, user="left")] == [1, 1, 2]
    assert frames(server, size=(80, 60), user="left") == 1
    assert frames(server, user="left") == 3
    assert frames(server, user="left", model=SMALL) == 1


def test_without_a_name_the_connection_is_the_screen(server: RunningServer, start: Start) -> None:
    assert [frames(server), frames(server)] == [1, 2]
    server.http.close()
    assert frames(server) == 1


def test_the_screen_that_was_quiet_for_longest_goes(start: Start, engine: FakeEngine) -> None:
    server = start(sessions=2)
    assert [frames(server, user=u) for u in "aabab"] == [1, 2, 1, 3, 2]
    assert frames(server, user="c") == 1  # "a" goes
    assert frames(server, user="b") == 3
    assert frames(server, user="a") == 1
    assert engine.screens == 4


# --- one at a time, not too many, nobody waits in vain ---


def test_one_reading_at_a_time_per_model(server: RunningServer, engine: FakeEngine) -> None:
    with ThreadPoolExecutor(6) as threads:
        results = list(threads.map(lambda _: server.chat()[0], range(6)))
    assert results == [200] * 6
    assert engine.most_together == 1


def hold(server: RunningServer, engine: FakeEngine, threads: ThreadPoolExecutor, model: str = TINY) -> Any:
    """A request in work that waits for ``engine.go``."""
    engine.go.clear()
    before = len(engine.readings)
    held = threads.submit(server.chat, model=model)
    eventually(lambda: len(engine.readings) > before, PATIENCE, "the engine reads")
    return held


def test_too_many_requests(start: Start, engine: FakeEngine) -> None:
    server = start(requests=2)
    with ThreadPoolExecutor(4) as threads:
        held = hold(server, engine, threads)
        waiting = threads.submit(server.chat)
        eventually(lambda: server.get("/health")["requests"] == 2, PATIENCE, "two requests are in")
        reply = server.send("POST", "/v1/chat/completions", chat())
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
        engine.go.set()
        assert [held.result()[0], waiting.result()[0]] == [200, 200]
    assert server.chat()[0] == 200


def test_other_routes_answer_while_the_engine_works(server: RunningServer, engine: FakeEngine) -> None:
    with ThreadPoolExecutor(1) as threads:
        held = hold(server, engine, threads)
        assert server.get("/health")["requests"] == 1
        assert server.get("/lmstudio-greeting")["lmstudio"] is True
        engine.go.set()
        assert held.result()[0] == 200


def test_who_leaves_is_not_read_for(server: RunningServer, engine: FakeEngine) -> None:
    with ThreadPoolExecutor(1) as threads:
        held = hold(server, engine, threads)
        for _ in range(3):
            request = HttpRequest(
                "POST", f"{server.url}/v1/chat/completions", body=json.dumps(chat()).encode(), deadline=0.3
            )
            with pytest.raises(RequestTimeout):
                server.http.exchange(request)
        eventually(lambda: server.get("/health")["requests"] == 1, PATIENCE, "the others have left")
        engine.go.set()
        assert held.result()[0] == 200
    assert server.chat()[0] == 200
    assert len(engine.readings) == 2


def test_who_leaves_in_the_middle_of_a_reading_wedges_nothing(server: RunningServer, engine: FakeEngine) -> None:
    engine.go.clear()
    with pytest.raises(RequestTimeout):
        body = json.dumps(chat()).encode()
        server.http.exchange(HttpRequest("POST", f"{server.url}/v1/chat/completions", body=body, deadline=0.5))
    eventually(lambda: server.get("/health")["requests"] == 0, PATIENCE, "nobody waits")
    engine.go.set()
    assert server.chat()[0] == 200


def test_unloading_answers_those_who_wait(server: RunningServer, engine: FakeEngine) -> None:
    with ThreadPoolExecutor(2) as threads:
        held = hold(server, engine, threads)
        waiting = threads.submit(server.chat)
        eventually(lambda: server.get("/health")["queued"] == 1, PATIENCE, "one waits")
        assert server.post("/api/v1/models/unload", {"instance_id": TINY})[0] == 200
        status, reply = waiting.result()
        assert (status, reply["error"]["code"]) == (503, "model_unloaded")
        engine.go.set()
        assert held.result()[0] == 200
    assert server.chat()[0] == 200


def test_the_server_ends_while_the_engine_works(start: Start, engine: FakeEngine) -> None:
    server = start()
    with ThreadPoolExecutor(1) as threads:
        held = hold(server, engine, threads)
        server.server.end()
        eventually(lambda: held.done(), PATIENCE, "the request has ended")
    engine.go.set()


# --- bodies ---


def test_a_body_that_is_too_large(start: Start) -> None:
    server = start(body=10_000, small_body=100)
    for path, size in (("/v1/chat/completions", 10_001), ("/v1/chat/completions", 3_000_000), ("/v1/models/load", 101)):
        status, reply = server.post(path, b"x" * size)
        assert (status, reply["error"]["code"]) == (413, "request_too_large")


def raw(server: RunningServer, data: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.address["port"]), PATIENCE)
    connection.sendall(data)
    return connection


def received(connection: socket.socket) -> bytes:
    """All until the server closes."""
    data = b""
    with connection:
        while part := connection.recv(65536):
            data += part
    return data


def test_a_chunked_body_that_is_too_large(start: Start) -> None:
    server = start(body=1000)
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    assert b" 413 " in received(raw(server, head + b"800\r\n" + b"x" * 0x800 + b"\r\n0\r\n\r\n"))


def test_a_client_that_sends_its_body_too_slowly(start: Start) -> None:
    server = start(body_time=0.3)
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
    started = time.monotonic()
    assert b" 408 " in received(raw(server, head))
    assert time.monotonic() - started < PATIENCE / 2


@pytest.mark.parametrize("data", [b"", b"GET /hea", b"GET /health HTTP/1.1\r\nHost: x\r\nX-A: "])
def test_a_client_that_sends_its_headers_too_slowly(start: Start, data: bytes) -> None:
    server = start(header_time=0.3)
    connection = raw(server, data)
    started = time.monotonic()
    assert received(connection) == b""
    assert time.monotonic() - started < PATIENCE / 2


def test_dripping_headers_are_no_way_around(start: Start) -> None:
    server = start(header_time=0.3)
    connection = raw(server, b"GET /health HTTP/1.1\r\nX-A: ")
    over = threading.Event()

    def drip() -> None:
        while not over.wait(0.05):
            try:
                connection.sendall(b"a")
            except OSError:
                return

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        with contextlib.suppress(ConnectionResetError):  # as good
            assert connection.recv(100) == b""
    finally:
        over.set()
        thread.join(PATIENCE)
        connection.close()


def test_a_kept_connection_may_be_quiet_between_requests(start: Start) -> None:
    server = start(header_time=0.2)
    server.get("/health")
    quiet = threading.Event()
    quiet.wait(0.6)
    ours = [c for c in psutil.Process().net_connections("tcp") if c.raddr and c.raddr.port == server.address["port"]]
    assert [c.status for c in ours] == [psutil.CONN_ESTABLISHED]
    server.get("/health")


def test_a_client_that_leaves_in_the_middle_of_its_body(server: RunningServer) -> None:
    raw(server, b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{").close()
    assert server.chat()[0] == 200


@pytest.mark.parametrize("data", [b"\x16\x03\x01\x02\x00", b"\0" * 1000, b"GET\r\n\r\n", b"A" * 200_000])
def test_what_is_not_http(server: RunningServer, data: bytes) -> None:
    connection = raw(server, b"")
    try:
        connection.sendall(data + b"\r\n\r\n")
        assert b" 400 " in connection.recv(65536)
    except ConnectionError:
        pass  # it closed before we had said all
    finally:
        connection.close()
    assert server.get("/health")["status"] == "ok"
    gc.collect()
