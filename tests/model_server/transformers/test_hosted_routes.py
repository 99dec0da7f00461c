"""Hosted models through every route, without torch: they are listed, loaded, refused and unloaded like the others."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from foureyes_actors.messages import Task
from foureyes_actors.model_server.catalog import BUILT_IN, CatalogModel
from foureyes_actors.model_server.transformers_engine.registry import catalog_with
from foureyes_actors.ports.http import HttpRequest
from foureyes_actors.ports.http_requests import RequestsHttp
from foureyes_actors.ports.local_process import LocalChild, LocalProcesses
from tests.model_server.support import PATIENCE, TINY, RunningServer, chat
from tests.model_server.transformers.support import PROGRAM, model_folder, refusal, url_of
from tests.support import eventually

CONFIGS: dict[str, dict[str, Any]] = {
    "lab/trocr": {"model_type": "vision-encoder-decoder", "decoder": {"model_type": "trocr"}},
    "lab/dit": {"model_type": "beit"},
    "lab/owlvit": {"model_type": "owlvit"},
    "lab/dino": {"model_type": "grounding-dino"},
}
ANSWERS = {"lab/trocr": Task.OCR, "lab/dit": Task.STATE, "lab/owlvit": Task.ERROR, "lab/dino": Task.ANIMATION}
FILES = ("model.safetensors", "preprocessor_config.json", "tokenizer.json")


class Asked:
    """An engine whose screens say what they were asked."""

    def __init__(self) -> None:
        self.closed_in: list[str] = []

    def __call__(self, model: CatalogModel) -> Asked:
        self.model = model
        return self

    def screen(self) -> AskedScreen:
        return AskedScreen()

    def close(self) -> None:
        self.closed_in.append(threading.current_thread().name)


class AskedScreen:
    def prompt(self, text: str) -> None:
        self.text = text

    def answer(self, image: Any, now: float, tasks: Sequence[Task]) -> dict[str, Any]:
        return {task.value: {"asked": self.text} for task in tasks}


@pytest.fixture
def models(tmp_path: Path) -> Path:
    for model_id, config in CONFIGS.items():
        model_folder(tmp_path / model_id, config, *FILES)
    return tmp_path


@pytest.fixture
def engine() -> Asked:
    return Asked()


@pytest.fixture
def server(models: Path, engine: Asked) -> Iterator[RunningServer]:
    running = RunningServer(engine, catalog=catalog_with({}, [models], "auto"))
    yield running
    running.close()


def test_they_are_in_all_lists(server: RunningServer) -> None:
    ids = [model.id for model in BUILT_IN] + sorted(CONFIGS)
    assert [row["id"] for row in server.get("/v1/models")["data"]] == ids
    assert [row["id"] for row in server.get("/api/v0/models")["data"]] == ids
    rows = {row["key"]: row for row in server.get("/api/v1/models")["models"]}
    assert list(rows) == ids
    assert (rows["lab/dino"]["publisher"], rows["lab/dino"]["architecture"]) == ("lab", "grounding-dino")
    assert rows["lab/dino"]["capabilities"]["vision"] is True
    assert server.get("/v1/models/lab/dit")["owned_by"] == "lab"
    assert server.get("/api/v0/models/lab/dit")["state"] == "not-loaded"


def test_they_are_loaded_and_unloaded_by_the_same_routes(server: RunningServer, engine: Asked) -> None:
    assert server.post("/api/v1/models/load", {"model": "LAB/dit"})[1]["instance_id"] == "lab/dit"
    assert engine.model.hosted is not None and engine.model.hosted.family == "dit"
    assert server.get("/health")["models"] == ["lab/dit"]
    assert server.post("/v1/models/load", {"model_id": "lab/dit"})[1]["model_id"] == "lab/dit"
    assert server.post("/api/v1/models/unload", {"instance_id": "lab/dit"}) == (200, {"instance_id": "lab/dit"})
    eventually(lambda: bool(engine.closed_in), PATIENCE, "the engine has given its memory back")
    assert engine.closed_in == ["reader-dit_0"]  # in the thread that used it


@pytest.mark.parametrize(("model", "task"), ANSWERS.items())
def test_each_answers_its_task_alone(server: RunningServer, model: str, task: Task) -> None:
    assert server.chat(model=model)[1] == {task.value: {"asked": "What does it show?"}}  # without a schema
    assert list(server.chat(model=model, tasks=[task])[1]) == [task.value]
    for other in set(Task) - {task}:
        status, reply = server.chat(model=model, tasks=[task, other])
        assert (status, reply["error"]["param"]) == (400, "response_format")
        assert reply["error"]["message"] == f"{model} cannot answer {other.value}; it answers {task.value}"


def test_an_unknown_model_is_told_what_there_is(server: RunningServer) -> None:
    status, reply = server.post("/v1/chat/completions", chat(model="lab/other"))
    assert status == 404 and TINY in reply["error"]["message"] and "lab/owlvit" in reply["error"]["message"]


def test_nothing_of_an_unloaded_engine_is_kept(models: Path) -> None:
    engines: list[weakref.ref[Asked]] = []

    def load(model: CatalogModel) -> Asked:
        engine = Asked()
        engines.append(weakref.ref(engine))
        return engine

    server = RunningServer(load, catalog=catalog_with({}, [models], "auto"))
    try:
        server.chat(model="lab/dit")
        assert engines[0]() is not None
        server.post("/api/v1/models/unload", {"instance_id": "lab/dit"})
        eventually(lambda: gc.collect() >= 0 and engines[0]() is None, PATIENCE, "the engine is freed")
    finally:
        server.close()


# --- the program ---

Start = Callable[..., LocalChild]


@pytest.fixture
def start() -> Iterator[Start]:
    children: list[LocalChild] = []

    def begin(*arguments: str, without: str = "") -> LocalChild:
        run = f"import runpy, sys; sys.modules[{without!r}] = None; "
        run += "runpy.run_module('foureyes_actors.model_server', run_name='__main__')"
        program = (sys.executable, "-c", run) if without else PROGRAM
        children.append(LocalProcesses().start([*program, "--port", "0", *arguments]))
        return children[-1]

    yield begin
    for child in children:
        child.stop(0.0)


def load(url: str, model: str) -> tuple[int, str]:
    http = RequestsHttp()
    try:
        body = f'{{"model": "{model}"}}'.encode()
        reply = http.exchange(HttpRequest("POST", f"{url}/api/v1/models/load", body=body, deadline=PATIENCE))
        return reply.status, reply.body.decode()
    finally:
        http.close()


@pytest.mark.parametrize("package", ["torch", "transformers"])
def test_a_missing_extra_is_told_when_the_model_is_loaded(start: Start, models: Path, package: str) -> None:
    if package == "transformers":
        pytest.importorskip("torch", reason="without torch its absence is told first")
    url = url_of(start("--models-dir", str(models), without=package))
    status, body = load(url, "lab/dit")
    assert status == 500 and f"hosting lab/dit needs the package '{package}'" in body
    assert "pip install -e" in body and "[transformers]" in body
    assert load(url, TINY)[0] == 200  # the others are there all the same


def test_missing_files_are_named(start: Start, models: Path) -> None:
    (models / "lab/owlvit/tokenizer.json").unlink()
    (models / "lab/owlvit/model.safetensors").unlink()
    status, body = load(url_of(start("--models-dir", str(models))), "lab/owlvit")
    assert status == 500 and "lacks model.safetensors or pytorch_model.bin; tokenizer.json (or" in body


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (("--models-dir", "nowhere/at/all"), "--models-dir nowhere", 78),
        (("--model", "lab/x=nowhere"), "--model lab/x: nowhere is no folder", 78),
        (("--model", "nowhere"), "is not ID=DIR", 2),
        (("--device", "tpu"), "invalid choice", 2),
        (("--models", "lab/dit"), "--models: 'lab/dit' is not known; known: foureyes/screen-reader-tiny", 78),
    ],
)
def test_wrong_arguments(start: Start, arguments: tuple[str, ...], words: str, code: int) -> None:
    child = start(*arguments)
    assert words in refusal(child).replace("\\", "/")
    assert child.exit_code() == code
