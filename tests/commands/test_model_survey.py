"""``run.py models``: what is told about each kind of server, and when none answers."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from foureyes_actors.commands.model_survey import SHOWN, Survey, as_document, render, survey
from foureyes_actors.doctor.findings import CONFIGURATION, FINE, MISSING_PART
from foureyes_actors.lm_studio.advice import HANGS, STRANGER
from foureyes_actors.settings import Settings
from tests.doctor.world import TestWorld
from tests.lm_studio import recorded
from tests.lm_studio.recorded import MODEL, Recorded, body, served

TOKEN = "sk-lm-abcdefgh:0123456789"


@pytest.fixture
def asked(tmp_path: Path) -> Any:
    """Settings whose model table wants MODEL, and "absent" where it is named."""

    def make(url: str, *, kind: str = "auto", absent: bool = False, **more: Any) -> Survey:
        entry = {"model_id": MODEL, "prompt": "Read."}
        table = {"vision_ocr": entry} | ({"vision_state": {**entry, "model_id": "absent/model"}} if absent else {})
        path = tmp_path / "models.json"
        path.write_text(json.dumps(table))
        server = {"kind": kind, "base_url": url, "models_file": str(path), **more}
        return survey(Settings.model_validate({"model_server": server}), TestWorld())

    return make


def test_what_lm_studio_has(asked: Any) -> None:
    with served(recorded.lm_studio()) as server:
        server.loaded.append(MODEL)
        found = asked(server.url)
        assert all(path.startswith("GET ") for path in server.paths())
    assert (found.kind, found.answers, found.code) == ("lm_studio", True, FINE)
    first, second = found.rows
    assert (first.model, first.tasks, first.there, first.loaded) == (MODEL, ("vision_ocr",), True, (MODEL,))
    assert (first.vision, first.context, first.max_context, first.size) == (True, 8192, 32768, 3330000000)
    assert (second.model, second.tasks, second.loaded, second.vision) == ("text/only", (), (), False)
    lines = render(found).splitlines()
    assert lines[0] == f"LM Studio at {server.url}"
    assert lines[1].split() == ["model", "wanted", "for", "there", "in", "memory", "pictures", "context", "size"]
    assert lines[2].split() == [MODEL, "vision_ocr", "yes", "yes", "yes", "8192", "of", "32768", "3.33", "GB"]
    assert lines[3].split() == ["text/only", "-", "yes", "no", "no", "-", "?"]


def lists(rows: list[Any]) -> Recorded:
    bodies = {"/lmstudio-greeting": {"lmstudio": True}, "/api/v1/models": {"models": rows}}
    return Recorded({}, lambda _method, path: body(bodies.get(path, {"error": "Unexpected endpoint or method."})))


def test_rows_that_are_no_models_are_left_out_and_the_others_are_not(asked: Any) -> None:
    good = {"key": MODEL, "loaded_instances": [], "capabilities": {"vision": True}}
    with served(lists([None, good, "text", {"key": ""}, {"loaded_instances": []}, 7])) as server:
        found = asked(server.url, kind="lm_studio")
    assert [(row.model, row.there) for row in found.rows] == [(MODEL, True)] and found.code == FINE


def test_a_list_of_nothing_but_junk_says_so(asked: Any) -> None:
    with served(lists([None, "text"])) as server:
        found = asked(server.url, kind="lm_studio")
    assert found.problem == "/api/v1/models: nothing in the list 'models' is an object"


def test_of_thousands_of_models_people_are_shown_those_that_matter(asked: Any) -> None:
    rows = [{"key": f"m{n}", "loaded_instances": [{"id": f"m{n}"}] if n == 9999 else []} for n in range(10_000)]
    with served(lists([*rows, {"key": MODEL, "loaded_instances": []}])) as server:
        found = asked(server.url, kind="lm_studio")
    lines = render(found).splitlines()
    assert len(lines) == 2 + SHOWN + 1
    assert lines[2].split()[0] == MODEL and lines[3].split()[0] == "m9999"
    assert lines[-1] == "... and 9,801 more: --json has them all"
    assert len(as_document(found)["models"]) == 10_001


def test_as_json(asked: Any) -> None:
    with served(recorded.ollama()) as server:
        document = json.loads(json.dumps(as_document(asked(server.url))))
    assert (document["kind"], document["url"], document["answers"]) == ("ollama", server.url, True)
    assert document["models"][0]["model"] == MODEL and document["models"][0]["vision"] is True
    assert document["models"][0]["loaded"] == []


def test_what_the_server_does_not_say_is_unknown(asked: Any) -> None:
    with served(recorded.openai()) as server:
        found = asked(server.url)
    assert found.rows[0].loaded is None and found.rows[0].vision is None
    assert render(found).splitlines()[2].split() == [MODEL, "vision_ocr", "yes", "?", "?", "-", "?"]


def test_a_wanted_model_that_it_does_not_have(asked: Any) -> None:
    with served(recorded.vllm()) as server:
        found = asked(server.url, absent=True)
    assert found.code == MISSING_PART
    assert [(row.model, row.there) for row in found.rows] == [(MODEL, True), ("absent/model", False)]
    assert "it does not have absent/model" in render(found) and "models_file" in render(found)


def test_nobody_answers(asked: Any) -> None:
    found = asked("http://127.0.0.1:9", kind="llama_server")
    assert (found.answers, found.code) == (False, MISSING_PART)
    text = render(found)
    assert "llama-server at http://127.0.0.1:9: not usable" in text and "nobody answers there" in text
    assert MODEL in text


def test_a_stranger(asked: Any) -> None:
    stranger = Recorded({}, lambda _method, _path: body(b"<html>It works!</html>"))
    with served(stranger) as server:
        found = asked(server.url)
        assert not found.answers and "not a model server" in found.problem
        for kind in ("auto", "ollama", "lm_studio"):
            assert asked(server.url, kind=kind).advice == STRANGER, "no other kind would help"


def test_another_kind_of_server_is_named(asked: Any) -> None:
    with served(recorded.vllm()) as server:
        found = asked(server.url, kind="lm_studio")
    assert found.code == MISSING_PART and found.advice == "it is vLLM: set model_server.kind: vllm, or end it"


def test_one_that_hangs_is_to_be_started_again(asked: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        found = asked(f"http://127.0.0.1:{deaf.getsockname()[1]}", kind="lm_studio")
    assert (found.code, found.advice) == (MISSING_PART, HANGS)


def test_a_token_is_asked_for(asked: Any) -> None:
    echo = {"error": {"message": f"Malformed LM Studio API token provided: {TOKEN[:14]}*****"}}
    with served(Recorded({}, lambda _method, _path: body(echo, 401))) as server:
        found = asked(server.url, api_token=TOKEN)
    assert (found.code, found.refused) == (CONFIGURATION, True)
    assert "model_server.api_token" in found.problem and TOKEN[:12] not in json.dumps(as_document(found))


def test_the_embedded_one_is_not_there_to_be_asked() -> None:
    found = survey(Settings(), TestWorld())
    assert (found.kind, found.code) == ("embedded", FINE)
    assert [bool(row.tasks) for row in found.rows] == [True, False]
    assert "only while FourEyes does" in render(found)


def test_the_command() -> None:
    run = Path(__file__).parents[2] / "run.py"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FOUREYES_")}
    ended = subprocess.run(
        [sys.executable, str(run), "models", "--json"], capture_output=True, env=clean, timeout=60, check=False
    )
    assert ended.returncode == FINE, ended.stderr
    assert json.loads(ended.stdout)["kind"] == "embedded"


def test_a_models_name_cannot_steer_the_terminal(asked: Any) -> None:
    evil = "\x1b]0;PWNED\x07\x1b[2J\u202e\x00\ud800end"
    with served(recorded.ollama()) as server:
        found = asked(server.url)
    shown = render(replace(found, rows=(replace(found.rows[0], model=evil),), url=evil, problem=evil))
    assert "end" in shown and shown.replace("\n", "").isprintable()
