"""The four official classes, tiny and mostly randomly initialised, from their folders to answers over HTTP."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from foureyes_actors.errors import ModelLoadFailed
from foureyes_actors.inference.tasks import task_schema
from foureyes_actors.lm_studio.dialect import server_at
from foureyes_actors.lm_studio.dialects import EMBEDDED
from foureyes_actors.lm_studio.warmup import SHOWN, canary, warm_up
from foureyes_actors.messages import Task
from foureyes_actors.ports.http import HttpRequest
from foureyes_actors.ports.http_requests import RequestsHttp
from foureyes_actors.ports.local_process import LocalChild, LocalProcesses
from foureyes_actors.settings import InferenceSettings
from tests.model_server.support import chat, data_uri
from tests.model_server.transformers.support import PROGRAM, folders, url_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PATIENCE = 120.0
ROOT = Path(__file__).parents[3]
NOTHING = dict.fromkeys(("grand", "major", "minor", "mini", "balance", "confidence"))


class Client:
    """A client of one running program."""

    def __init__(self, child: LocalChild) -> None:
        self.child, self.http = child, RequestsHttp()
        self.url = url_of(child)

    def post(self, path: str, body: object) -> tuple[int, Any]:
        data = json.dumps(body).encode()
        reply = self.http.exchange(HttpRequest("POST", self.url + path, body=data, deadline=PATIENCE))
        return reply.status, json.loads(reply.body)

    def loaded(self) -> list[str]:
        rows = json.loads(self.http.exchange(HttpRequest("GET", f"{self.url}/api/v1/models")).body)["models"]
        return [instance["id"] for row in rows for instance in row["loaded_instances"]]

    def warm_up(self, model: str, task: Task) -> None:
        """As FourEyes does. Raises ModelLoadFailed."""
        warm_up(
            self.http, server_at(self.url, EMBEDDED), model, task=task, settings=InferenceSettings(), seconds=PATIENCE
        )

    def load(self, model: str) -> tuple[int, str]:
        status, reply = self.post("/api/v1/models/load", {"model": model})
        return status, "" if status == 200 else reply["error"]["message"]

    def ask(self, model: str, picture: bytes = canary().data, prompt: str = "", **more: Any) -> tuple[int, Any]:
        """Status, and the one task's answer, or the error's message."""
        body = chat(data_uri(picture), model=model, **more)
        body["messages"][0]["content"][0]["text"] = prompt or "What does it show?"
        status, reply = self.post("/v1/chat/completions", body)
        if status != 200:
            return status, reply["error"]["message"]
        assert reply["model"] == model
        answer = json.loads(reply["choices"][0]["message"]["content"])
        (task, values), *others = answer.items()
        assert not others and list(values) == list(task_schema(Task(task))["properties"])
        return status, values


Start = Callable[..., Client]


def starting(children: list[Client]) -> Start:
    def begin(*arguments: str) -> Client:
        child = LocalProcesses().start([*PROGRAM, "--port", "0", "--exit-with-stdin", *arguments])
        children.append(Client(child))
        return children[-1]

    return begin


def ending(children: list[Client]) -> None:
    for client in children:
        client.http.close()
        client.child.stop(0.0)


@pytest.fixture
def start() -> Iterator[Start]:
    children: list[Client] = []
    yield starting(children)
    ending(children)


@pytest.fixture(scope="module")
def client(models: Path) -> Iterator[Client]:
    """One program for the tests that leave it as it was."""
    children: list[Client] = []
    yield starting(children)("--models-dir", str(models), "--device", "cpu")
    ending(children)


def picture(colour: tuple[int, int, int] = (30, 60, 90), size: tuple[int, int] = (320, 180)) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def test_all_are_listed_loaded_and_unloaded(client: Client, models: Path) -> None:
    wanted = list(folders(models))
    assert len(wanted) == 13
    for model in wanted:
        assert client.load(model) == (200, "")
    assert client.loaded() == wanted
    for model in wanted:
        assert client.post("/api/v1/models/unload", {"instance_id": model})[0] == 200
    assert client.loaded() == []


# --- TrOCR ---


def test_a_trained_trocr_passes_the_warm_up(client: Client) -> None:
    client.warm_up("lab/trocr-trained", Task.OCR)
    status, values = client.ask("lab/trocr-trained")
    assert status == 200 and 0.9 < values.pop("confidence") <= 1
    assert values == {label.lower(): amount for label, amount in SHOWN}


def test_a_random_trocr_reads_nothing_and_does_not_pass(client: Client) -> None:
    assert client.ask("lab/trocr") == (200, NOTHING)
    with pytest.raises(ModelLoadFailed, match="does not read"):
        client.warm_up("lab/trocr", Task.OCR)


def test_a_picture_without_text(client: Client) -> None:
    assert client.ask("lab/trocr-trained", picture()) == (200, NOTHING)


# --- DiT ---


@pytest.mark.parametrize(
    ("model", "state", "sure"),
    [
        ("lab/dit", "idle", True),  # by its label map
        ("lab/dit-states", "bonus", True),  # its labels are states
        ("lab/dit-unsure", "unknown", False),
        ("lab/dit-nan", "unknown", False),
    ],
)
def test_dit(client: Client, model: str, state: str, sure: bool) -> None:
    status, values = client.ask(model, picture())
    assert (status, values["state"]) == (200, state)
    assert values["confidence"] > 0.9 if sure else values["confidence"] is None
    client.warm_up(model, Task.STATE)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (None, "none of its labels is a game state (letter, form, email, invoice, screen): write "),
        ({"memo": "idle"}, "the model has no label 'memo'; it has: letter, form, email, invoice, screen"),
        ({"letter": "asleep"}, "'letter': 'asleep' is no state; known: idle"),
    ],
)
def test_label_maps_that_do_not_fit(
    start: Start, models: Path, tmp_path: Path, labels: dict[str, str] | None, words: str
) -> None:
    folder = tmp_path / "dit"
    shutil.copytree(models / "lab/dit", folder)
    path = folder / "foureyes_labels.json"
    path.unlink() if labels is None else path.write_text(json.dumps(labels))
    status, message = start("--model", f"mine/dit={folder}").load("mine/dit")
    assert status == 500 and words in message and "foureyes_labels.json" in message


# --- OWL-ViT ---


def test_owlvit_finds_what_it_is_asked_for(client: Client) -> None:
    """The text that wins is the same whichever kind it is searched as, so the kinds go around with it."""
    texts, kinds = ("a b", "c d e", "f"), ["error", "disconnected", "info"]
    answers = []
    for turn in range(3):
        named = zip(kinds[turn:] + kinds[:turn], texts, strict=True)
        prompt = "; ".join(f'{kind} = "{text}"' for kind, text in named)
        status, values = client.ask("lab/owlvit-sees", picture(), prompt)
        assert status == 200 and values["text"] is None and values["confidence"] > 0.8
        answers.append(values["popup"])
    assert sorted(answers) == sorted(kinds)


@pytest.mark.parametrize(
    ("model", "popup"), [("lab/owlvit-blind", "none"), ("lab/owlvit", "unknown"), ("lab/owlvit-nan", "unknown")]
)
def test_owlvit_without_a_find(client: Client, model: str, popup: str) -> None:
    """The randomly initialised one finds boxes without area, with scores near 1."""
    assert client.ask(model, picture()) == (200, {"popup": popup, "text": None, "confidence": None})


@pytest.mark.parametrize(
    ("prompt", "words"), [('error = ""', "1 to 80 characters"), (f'error = "{"x" * 60}"', "has 62 tokens; lab/owlvit")]
)
def test_queries_that_owlvit_cannot_take(client: Client, prompt: str, words: str) -> None:
    status, message = client.ask("lab/owlvit", picture(), prompt)
    assert status == 400 and words in message


# --- Grounding DINO ---


def test_dino_needs_two_frames(client: Client) -> None:
    seen = [client.ask("lab/dino-reels", canary().data, user="cabinet")[1]["motion"] for _ in range(3)]
    assert seen == ["unknown", "stopped", "stopped"]


def test_dino_without_reels(client: Client) -> None:
    """Its boxes have no area."""
    for _ in range(2):
        assert client.ask("lab/dino-points", user="x") == (200, {"motion": "unknown", "confidence": None})


# --- trouble ---


@pytest.mark.parametrize("model", ["lab/trocr", "lab/dit", "lab/owlvit", "lab/dino"])
def test_other_tasks_are_refused(client: Client, model: str) -> None:
    status, message = client.ask(model, picture(), tasks=list(Task))
    assert status == 400 and message.startswith(f"{model} cannot answer ")


@pytest.mark.parametrize("size", [(1, 1), (2000, 3), (3, 2000), (4096, 2160)])
@pytest.mark.parametrize("model", ["lab/trocr-trained", "lab/dit", "lab/owlvit-sees", "lab/dino-reels"])
def test_pictures_of_any_shape(client: Client, model: str, size: tuple[int, int]) -> None:
    """An answer, or a clear refusal of that picture; never a crash."""
    status, told = client.ask(model, picture(size=size))
    takes_any = model == "lab/trocr-trained"  # its lines are cut out by the detector, which finds none
    assert status == (200 if takes_any or min(size) > 16 else 400), told
    assert status == 200 or f"The picture has {size[0]} x {size[1]} pixels; this model takes" in told


@pytest.mark.parametrize(
    ("model", "file", "content", "words"),
    [
        ("lab/dit", "model.safetensors", b"not weights", "does not load as BeitForImageClassification"),
        ("lab/dit", "model.safetensors", b"", "does not load as BeitForImageClassification"),
        ("lab/owlvit", "tokenizer.json", b"{}", "does not load as OwlViTForObjectDetection"),
        ("lab/trocr", "model.safetensors", None, "lacks model.safetensors or pytorch_model.bin"),
    ],
)
def test_broken_folders(
    start: Start, models: Path, tmp_path: Path, model: str, file: str, content: bytes | None, words: str
) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(models / model, folder)
    (folder / file).unlink() if content is None else (folder / file).write_bytes(content)
    status, message = start("--model", f"mine/broken={folder}").load("mine/broken")
    assert status == 500 and words in message


def test_weights_that_are_not_in_the_file_are_not_made_up(start: Start, models: Path, tmp_path: Path) -> None:
    """A DiT without its classifier, as the one that was only pre-trained."""
    folder = tmp_path / "headless"
    shutil.copytree(models / "lab/dit", folder)
    code = (
        "import sys; from safetensors.torch import load_file, save_file; "
        "kept = {k: v for k, v in load_file(sys.argv[1]).items() if not k.startswith('classifier')}; "
        "save_file(kept, sys.argv[1], metadata={'format': 'pt'})"
    )
    subprocess.run([sys.executable, "-c", code, str(folder / "model.safetensors")], check=True, timeout=PATIENCE)
    status, message = start("--model", f"mine/headless={folder}").load("mine/headless")
    assert status == 500
    assert "has no weights for classifier.bias, classifier.weight: it was not trained for this task" in message


def test_from_a_hub_cache_and_before_the_first_line(start: Start, models: Path, tmp_path: Path) -> None:
    cached = tmp_path / "models--lab--dit"
    revision = "0" * 39 + "1"
    shutil.copytree(models / "lab/dit", cached / "snapshots" / revision)
    (cached / "refs").mkdir()
    (cached / "refs/main").write_text(revision)
    client = start("--models-dir", str(tmp_path), "--models", "lab/dit")
    assert client.loaded() == ["lab/dit"]
    assert client.ask("lab/dit", picture())[1]["state"] == "idle"


def test_a_gpu_that_is_not_there(start: Start, models: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has one")
    status, message = start("--models-dir", str(models), "--device", "cuda").load("lab/dit")
    assert status == 500 and "--device cuda: torch" in message and "it has: " in message


def test_foureyes_reads_with_them(models: Path, tmp_path: Path) -> None:
    """The whole program: it starts the server, warms up each model by its own task, and asks them about each frame."""
    wanted = {
        "vision_ocr": "foureyes/screen-reader-tiny",
        "vision_state": "lab/dit-states",
        "animation_detection": "lab/dino-reels",
        "error_detection": "lab/owlvit-blind",
    }
    table = {task: {"model_id": model, "prompt": "What does it show?"} for task, model in wanted.items()}
    (tmp_path / "models.json").write_text(json.dumps(table))
    server = {"models_dir": str(models), "models_file": str(tmp_path / "models.json"), "device": "cpu"}
    settings = {"version": 1, "data_dir": str(tmp_path / "data"), "model_server": server}
    (tmp_path / "foureyes.yaml").write_text(json.dumps(settings))
    environment = {**os.environ, "FOUREYES_CONFIG": str(tmp_path / "foureyes.yaml")}
    ended = subprocess.run(
        [sys.executable, str(ROOT / "run.py"), "--frames", "8"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=environment,
        cwd=tmp_path,
    )
    told = ended.stdout + ended.stderr
    assert ended.returncode == 0, told
    for model in wanted.values():
        answers = re.search(rf"{model}: (\d+) answers", told)
        assert answers is not None and int(answers[1]) >= 1, told
    assert "state bonus" in told  # dit-states says so about every picture
