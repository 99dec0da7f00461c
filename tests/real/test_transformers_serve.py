"""The real ``transformers serve`` with a tiny model of random weights: recognised, asked with a picture, and judged
rightly: it answers 200 and ignores the wanted schema."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from foureyes_actors.errors import (
    AnswerContractError,
    EmptyAnswer,
    ModelLoadFailed,
    ServerRefused,
    VisionInferenceError,
)
from foureyes_actors.inference.reply import check_reply
from foureyes_actors.inference.request import chat_request, template
from foureyes_actors.inference.tasks import merge
from foureyes_actors.lm_studio.dialect import Server, server_at
from foureyes_actors.lm_studio.recognise import recognise
from foureyes_actors.lm_studio.residency import ensure_loaded, resident
from foureyes_actors.lm_studio.server_calls import check_alive
from foureyes_actors.lm_studio.warmup import PROMPTS, canary, warm_up
from foureyes_actors.messages import Task
from foureyes_actors.ports.http import HttpReply
from foureyes_actors.ports.http_requests import RequestsHttp
from foureyes_actors.ports.local_process import LocalChild, LocalProcesses
from foureyes_actors.settings import InferenceSettings, ModelEntry
from t00l5et.free_port import free_port
from tests.lm_studio.support import loading
from tests.support import eventually, missing

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(900)]

MODEL = "lab/tiny-llava"
BUILDER = Path(__file__).parent / "tiny_llava.py"
PATIENCE = 300.0  # seconds; it imports torch, with one thread
INSTALL = (
    "pip install torch pillow 'transformers[serving]', or set FOUREYES_TEST_TRANSFORMERS to a Python that has them"
)


@dataclass(frozen=True)
class Serving:
    child: LocalChild
    server: Server
    http: RequestsHttp


def python() -> str:
    """One with torch and transformers."""
    found = os.environ.get("FOUREYES_TEST_TRANSFORMERS", sys.executable)
    look = [found, "-c", "import torch, transformers, fastapi, uvicorn"]
    if subprocess.run(look, capture_output=True, timeout=PATIENCE, check=False).returncode != 0:
        missing(f"transformers serve is not here; {INSTALL}")
    return found


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    program, home, port = python(), tmp_path_factory.mktemp("hf"), free_port()
    made = subprocess.run([program, str(BUILDER), str(home)], capture_output=True, timeout=PATIENCE, check=False)
    assert made.returncode == 0, made.stderr.decode()
    environment = {"HF_HOME": str(home), "TRANSFORMERS_OFFLINE": "1", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    start = "from transformers.cli.transformers import main; main()"
    command = [program, "-c", start, "serve", "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    child, http = LocalProcesses().start(command, environment=environment), RequestsHttp()
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert child.exit_code() is None, child.tail()
        try:
            recognise(http, url)
        except Exception:
            return False
        return True

    try:
        eventually(answers, PATIENCE, "transformers serve answers", every=0.5)
        yield Serving(child, server_at(url, recognise(http, url)), http)
    finally:
        http.close()
        child.stop(2.0)


def asked(serving: Serving, model: str) -> HttpReply:
    settings = InferenceSettings(deadline=PATIENCE, max_tokens=16)
    shape = template(model, merge([(Task.OCR, ModelEntry(model_id=model, prompt=PROMPTS[Task.OCR]))]), settings)
    request = chat_request(shape, canary(), base_url=serving.server.url, token="", settings=settings)
    return serving.http.exchange(request)


def test_it_is_recognised_and_has_the_model(serving: Serving) -> None:
    assert serving.server.dialect.kind == "transformers"
    check_alive(serving.http, serving.server)
    assert resident(serving.http, serving.server, (MODEL, "another")) == (MODEL,)
    assert ensure_loaded(loading(serving.http, serving.server), MODEL).known_as == MODEL
    with pytest.raises(ServerRefused, match=f"it has: {MODEL}"):
        ensure_loaded(loading(serving.http, serving.server), "lab/another")


def test_a_picture_is_answered_without_regard_to_the_schema(serving: Serving) -> None:
    reply = asked(serving, MODEL)
    assert reply.status == 200, reply.body[:500]
    document = json.loads(reply.body)
    content = document["choices"][0]["message"]["content"]
    print(f"\n{document['model']} answered {content!r}")
    with pytest.raises((AnswerContractError, EmptyAnswer)) as caught:
        check_reply(reply, model=MODEL, tasks=[Task.OCR])
    print(f"judged: {type(caught.value).__name__}: {caught.value}")


def test_the_canary_refuses_it_and_says_what_to_know(serving: Serving) -> None:
    settings = InferenceSettings(max_tokens=16)
    with pytest.raises(ModelLoadFailed) as caught:
        warm_up(serving.http, serving.server, MODEL, task=Task.OCR, settings=settings, seconds=PATIENCE)
    assert "did not pass the warm-up" in str(caught.value)
    assert "transformers serve: it ignores the wanted schema" in str(caught.value)


def test_an_unknown_model_is_an_error(serving: Serving) -> None:
    reply = asked(serving, "lab/another")
    with pytest.raises((VisionInferenceError, ServerRefused)):
        check_reply(reply, model="lab/another", tasks=[Task.OCR])
