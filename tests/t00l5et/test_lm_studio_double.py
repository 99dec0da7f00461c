"""The double of LM Studio does what LM Studio does, over real HTTP; and as a process."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from foureyes_actors.errors import ConnectFailed, ConnectionBroken, RequestTimeout, TransportError
from foureyes_actors.ports.http import HttpReply, HttpRequest
from foureyes_actors.ports.http_requests import RequestsHttp
from t00l5et.doubles.lm_studio import EXITED, WRONG_SCENARIO, LmStudioDouble, main
from t00l5et.doubles.lm_studio_scenario import ScenarioError, read_scenario, scenario_of
from tests.support import eventually

VL, GEMMA = "qwen/qwen3-vl-8b", "google/gemma-3-4b"
TOKEN = "sk-lm-ab12cd34:0123456789abcdefghij"
CHAT, LOAD, UNLOAD = "/v1/chat/completions", "/api/v1/models/load", "/api/v1/models/unload"
PNG = "data:image/png;base64,iVBORw0KGgo="
PATIENCE = 20.0


class Client:
    def __init__(self, url: str, token: str = "") -> None:
        self.url, self.http = url, RequestsHttp()
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def raw(self, method: str, path: str, body: Any = None, deadline: float = PATIENCE) -> HttpReply:
        data = None if body is None else json.dumps(body).encode()
        return self.http.exchange(HttpRequest(method, self.url + path, self.headers, data, deadline=deadline))

    def get(self, path: str) -> tuple[int, Any]:
        reply = self.raw("GET", path)
        return reply.status, json.loads(reply.body)

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        reply = self.raw("POST", path, body)
        return reply.status, json.loads(reply.body)

    def chat(self, model: str = VL, *, picture: str = PNG, **more: Any) -> tuple[int, Any]:
        return self.post(CHAT, question(model, picture, **more))


def question(model: str = VL, picture: str = PNG, **more: Any) -> dict[str, Any]:
    parts = [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": picture}}]
    return {"model": model, "messages": [{"role": "user", "content": parts[: 2 if picture else 1]}], **more}


@pytest.fixture
def doubles() -> Iterator[Any]:
    made: list[tuple[LmStudioDouble, Client]] = []

    def make(token: str = "", state: Path | None = None, **scenario: Any) -> tuple[LmStudioDouble, Client]:
        scenario = {"models": [{"key": VL, "loaded": True}, GEMMA], **scenario}
        double = LmStudioDouble(scenario, state=state).__enter__()
        made.append((double, Client(double.url, token)))
        return made[-1]

    yield make
    for double, client in made:
        client.http.close()
        double.stop()
    eventually(lambda: not any(t.name.startswith("lm-studio") for t in threading.enumerate()), 5, "no thread is left")


def test_the_lists(doubles: Any) -> None:
    _, client = doubles()
    assert client.raw("GET", "/lmstudio-greeting").body == b'{"lmstudio":true}'
    rows = client.get("/api/v1/models")[1]["models"]
    assert [(row["key"], [i["id"] for i in row["loaded_instances"]]) for row in rows] == [(VL, [VL]), (GEMMA, [])]
    rows = client.get("/api/v0/models")[1]["data"]
    assert [(row["id"], row["type"], row["state"]) for row in rows] == [
        (VL, "vlm", "loaded"),
        (GEMMA, "vlm", "not-loaded"),
    ]
    assert [row["id"] for row in client.get("/v1/models")[1]["data"]] == [VL, GEMMA]
    assert client.get(f"/api/v0/models/{GEMMA}")[1]["state"] == "not-loaded"
    _, strict = doubles(jit=False)
    assert [row["id"] for row in strict.get("/v1/models")[1]["data"]] == [VL]


def test_what_it_has_no_route_for(doubles: Any) -> None:
    _, client = doubles()
    assert client.get("/health") == (200, {"error": "Unexpected endpoint or method. (GET /health)"})
    assert client.post("/v1/models/load", {"model_id": VL})[0] == 200
    assert client.get("/api/v1/nothing")[0] == 404
    assert client.post("/v1/responses", {})[0] == 501
    _, old = doubles(version="0.3")
    assert old.get("/api/v1/models") == (200, {"error": "Unexpected endpoint or method. (GET /api/v1/models)"})
    assert old.get("/api/v0/models")[0] == 200


def test_a_second_load_is_a_second_instance_and_the_context_is_not_clamped(doubles: Any) -> None:
    double, client = doubles(models=[{"key": VL, "max_context": 4096}])
    assert client.post(LOAD, {"model": VL, "context_length": 65536, "echo_load_config": True})[1]["load_config"] == {
        "context_length": 65536
    }
    assert client.post(LOAD, {"model": VL})[1]["instance_id"] == f"{VL}:2"
    assert client.post(UNLOAD, {"instance_id": VL}) == (200, {"instance_id": VL})
    assert client.post(UNLOAD, {"instance_id": VL})[0] == 404
    assert [i.id for i in double.memory.instances()] == [f"{VL}:2"]
    status, body = client.post(LOAD, {"model": VL, "ttl": 60})
    assert (status, body["error"]["message"]) == (400, "Unrecognized key(s) in object: 'ttl'")
    assert client.post(LOAD, {"model": "x"})[1]["error"]["code"] == "model_not_found"


def test_a_load_that_fails(doubles: Any) -> None:
    _, client = doubles(models=[{"key": VL, "load_error": "insufficient system resources"}])
    status, body = client.post(LOAD, {"model": VL})
    assert status == 400
    assert body["error"]["message"] == f'Failed to load model "{VL}". Error: insufficient system resources'


def test_who_answers_for_an_unknown_model(doubles: Any) -> None:
    double, client = doubles(jit=False)
    assert client.chat("x")[1]["model"] == VL
    client.post(LOAD, {"model": GEMMA})
    status, body = client.chat("x")
    assert (status, body["error"]["code"]) == (400, "model_not_found")
    assert client.post("/api/v1/chat", question("x"))[0] == 404
    double.memory.forget()
    assert client.chat()[1]["error"].startswith("No models loaded.")


def test_the_first_request_loads_its_model(doubles: Any) -> None:
    double, client = doubles(models=[GEMMA])
    assert client.chat(GEMMA)[0] == 200
    assert [i.id for i in double.memory.instances()] == [GEMMA]


@pytest.mark.parametrize(
    ("picture", "words"),
    [("data:image/webp;base64,UklGRg==", "base64 encoded image"), ("http://x/y.png", "base64 encoded image")],
)
def test_pictures_that_it_does_not_take(doubles: Any, picture: str, words: str) -> None:
    _, client = doubles()
    status, body = client.chat(picture=picture)
    assert status == 400 and words in body["error"]


def test_models_without_vision(doubles: Any) -> None:
    blind = {"key": VL, "vision": False, "loaded": True}
    assert doubles(models=[blind])[1].chat()[0] == 400
    status, body = doubles(models=[{**blind, "text_only_status": 200}])[1].chat()
    assert (status, body["message"]) == (200, body["error"]["message"])
    assert doubles(models=[blind])[1].chat(picture="")[0] == 200


def test_a_prompt_that_is_too_long_is_a_400_here_and_a_500_there(doubles: Any) -> None:
    _, client = doubles(models=[{"key": VL, "loaded": True, "max_context": 512}])
    assert client.chat()[0] == 400
    assert client.post("/api/v1/chat", question())[0] == 500


def test_answers_by_the_schema(doubles: Any) -> None:
    _, client = doubles(answer={"state": "win"})
    text = {"anyOf": [{"type": "string"}, {"type": "null"}]}
    properties = {
        "grand": text,
        "text": text,
        "state": {"type": "string", "enum": ["idle"]},
        "n": {"type": ["integer"]},
    }
    schema = {"type": "object", "properties": properties}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    _, body = client.chat(response_format=wanted)
    assert json.loads(body["choices"][0]["message"]["content"]) == {
        "grand": "$1,234.56",
        "text": None,
        "state": "win",
        "n": 0,
    }
    assert client.chat(response_format={"type": "json_object"})[0] == 400
    native = client.post("/api/v1/chat", question())[1]
    assert (native["model_instance_id"], native["output"][0]["content"]) == (VL, "OK")
    assert client.post("/api/v0/chat/completions", question())[1]["stats"]["stop_reason"] == "eosFound"


def test_a_model_that_thinks_aloud(doubles: Any) -> None:
    _, client = doubles(models=[{"key": VL, "loaded": True, "reasons": True}])
    choice = client.chat()[1]["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("", "length")
    assert client.chat(reasoning_effort="none")[1]["choices"][0]["message"]["content"] == "OK"


def test_a_stream(doubles: Any) -> None:
    _, client = doubles()
    lines = client.raw("POST", CHAT, question(stream=True)).body.decode().strip().split("\n\n")
    assert lines[-1] == "data: [DONE]"
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == "OK"


def test_tokens(doubles: Any) -> None:
    _, client = doubles()
    assert client.get("/v1/models")[0] == 200
    guarded = LmStudioDouble({"token": TOKEN})
    with guarded:
        nobody, wrong, right = Client(guarded.url), Client(guarded.url, "sk-bogus-EFGHIJ"), Client(guarded.url, TOKEN)
        assert nobody.get("/lmstudio-greeting")[0] == 200
        assert nobody.get("/v1/models")[0] == 401
        status, body = wrong.get("/api/v1/models")
        assert status == 401 and "sk-bogus-E***" in body["error"]["message"]
        assert right.get("/v1/models")[0] == 200
        for each in (nobody, wrong, right):
            each.http.close()


@pytest.mark.parametrize(
    ("do", "kind"),
    [("reset", ConnectionBroken), ("close", ConnectionBroken), ("half", ConnectionBroken), ("hang", RequestTimeout)],
)
def test_deeds(doubles: Any, do: str, kind: type[TransportError]) -> None:
    _, client = doubles(rules=[{"when": {"route": f"POST {CHAT}", "nth": 1}, "then": {"do": do}}])
    with pytest.raises(kind):
        client.raw("POST", CHAT, question(), deadline=0.5 if do == "hang" else PATIENCE)
    assert client.chat()[0] == 200


def test_rules_count_for_themselves_and_the_first_one_decides(doubles: Any) -> None:
    double, client = doubles(
        rules=[
            {"when": {"route": "POST *", "nth": [2]}, "then": {"error": "first", "status": 418}},
            {"when": {"picture": True, "nth": [2, 3]}, "then": {"error": "second", "shape": "b"}},
            {"when": {"model": "QWEN/*", "nth": 4}, "then": {"body": [1]}},
            {"when": {"model": "qwen/*", "nth": 5}, "then": {"reply": {"content": "hi"}, "status": 201}},
        ]
    )
    assert [client.chat()[0] for _ in range(3)] == [200, 418, 400]
    assert client.chat()[1] == [1]
    status, body = client.chat()
    assert (status, body["choices"][0]["message"]["content"]) == (201, "hi")
    double.add_rule({"when": {"nth": 1}, "then": {"text": "<html>"}})
    assert client.raw("GET", "/v1/models").body == b"<html>"
    assert len(double.asked(f"POST {CHAT}")) == 5


def test_a_crashed_engine_stays_so_until_its_model_is_unloaded(doubles: Any) -> None:
    _, client = doubles(rules=[{"when": {"route": "POST /v1/*", "nth": 2}, "then": {"engine": "crashed"}}])
    assert [client.chat()[0] for _ in range(3)] == [200, 400, 400]
    client.post(UNLOAD, {"instance_id": VL})
    client.post(LOAD, {"model": VL})
    assert client.chat()[0] == 200


def test_a_wedge_survives_a_restart_and_not_an_unload(doubles: Any, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    first, client = doubles(state=state, rules=[{"when": {"route": "POST /v1/*"}, "then": {"engine": "wedged"}}])
    with pytest.raises(RequestTimeout):
        client.raw("POST", CHAT, question(), deadline=0.3)
    assert client.get("/api/v1/models")[1]["models"][0]["loaded_instances"]  # it still looks loaded
    first.stop()
    with pytest.raises(ConnectFailed):
        client.get("/v1/models")
    second, client = doubles(state=state, models=[VL])
    assert second.memory.instances() == ()  # nothing is loaded after a restart
    client.post(LOAD, {"model": VL})
    with pytest.raises(RequestTimeout):
        client.raw("POST", CHAT, question(), deadline=0.3)
    client.post(UNLOAD, {"instance_id": VL})
    client.post(LOAD, {"model": VL})
    assert client.chat()[0] == 200


# --- scenarios that are wrong ---


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ([], ": must be an object, not []"),
        ({"modells": []}, ": modells is not known; it must be one of models, rules, version"),
        ({"version": "0.5"}, ': version is "0.5"; it must be one of 0.4, 0.3'),
        ({"jit": 1}, ": jit is 1; it must be true or false"),
        ({"models": VL}, ', models: must be a list, not "qwen/qwen3-vl-8b"'),
        ({"models": [{"vision": True}]}, ", models 1: key is missing"),
        ({"models": [VL, {"key": "x", "load_seconds": -1}]}, ", models 2: load_seconds is -1; it must be a number"),
        ({"rules": [{"when": {}}]}, ", rule 1: then is missing"),
        ({"rules": [{"if": {}, "then": {"do": "hang"}}]}, ", rule 1: if is not known"),
        ({"rules": [{"then": {"do": "explode"}}]}, ', rule 1, then: do is "explode"; it must be one of hang, reset'),
        ({"rules": [{"then": {"delay": True}}]}, ", rule 1, then: delay is true; it must be a number of seconds"),
        ({"rules": [{"then": {"shape": "z", "error": "x"}}]}, ', rule 1, then: shape is "z"; it must be one of a,'),
        ({"rules": [{"when": {"nth": 0}, "then": {"do": "hang"}}]}, ", rule 1, when: nth is 0; it must be a number"),
        ({"rules": [{"then": {"reply": {"role": "x"}}}]}, ", rule 1, then, reply: role is not known"),
    ],
)  # fmt: skip
def test_a_wrong_scenario_is_refused(document: Any, problem: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        scenario_of(document, "s.json")
    assert any(line.startswith(f"s.json{problem}") for line in refused.value.problems), refused.value.problems


def test_all_problems_are_said_at_once(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("jit: perhaps\nrules:\n- then: {do: explode, status: all}\n")
    with pytest.raises(ScenarioError) as refused:
        read_scenario(path)
    assert len(refused.value.problems) == 3
    path.write_text("jit: [")
    with pytest.raises(ScenarioError, match="not YAML"):
        read_scenario(path)
    path = tmp_path / "s.json"
    path.write_text('{"jit": true,\n "rules" []}')
    with pytest.raises(ScenarioError, match="line 2: not JSON"):
        read_scenario(path)
    with pytest.raises(ScenarioError, match="cannot be read"):
        read_scenario(tmp_path / "nothing.json")


# --- as a process ---


def test_as_a_process(tmp_path: Path) -> None:
    scenario, log = tmp_path / "s.json", tmp_path / "log.jsonl"
    rule = {"when": {"route": f"POST {CHAT}", "nth": 2}, "then": {"do": "exit"}}
    scenario.write_text(json.dumps({"models": [VL], "rules": [rule]}))
    command = [sys.executable, "-m", "t00l5et.doubles.lm_studio", "--port", "0", "--scenario", str(scenario)]
    with subprocess.Popen([*command, "--log", str(log)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = json.loads(process.stdout.readline())["listening"]["port"]
            client = Client(f"http://127.0.0.1:{port}")
            assert client.chat()[0] == 200
            with pytest.raises(TransportError):
                client.chat()
            client.http.close()
            assert process.wait(PATIENCE) == EXITED
        finally:
            process.kill()
    assert [json.loads(line)["model"] for line in log.read_text().splitlines()] == [VL, VL]


def test_a_process_with_a_wrong_scenario(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenario = tmp_path / "s.json"
    scenario.write_text('{"jit": 3}')
    assert main(["--port", "0", "--scenario", str(scenario)]) == WRONG_SCENARIO
    assert capsys.readouterr().err == f"{scenario}: jit is 3; it must be true or false\n"
