"""What the embedded model server costs: ``python -m tests.bench.model_server [rounds]``.

For each model, with the real process: seconds to the first line, to load, to warm up; then frames of the demo cabinet
as the inference client sends them, one after another: milliseconds until the answer, and what of it is not the engine.
Last, how long the actor needs from nothing to ready, and from kill -9 to ready again.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import sys
import threading
import time

from foureyes_actors.capture.cabinet import Cabinet, encode_jpeg
from foureyes_actors.lm_studio.dialect import Server, server_at
from foureyes_actors.lm_studio.dialects import EMBEDDED
from foureyes_actors.lm_studio.process import announced_url
from foureyes_actors.lm_studio.residency import Loading, ensure_loaded
from foureyes_actors.lm_studio.warmup import warm_up
from foureyes_actors.messages import ServerPhase, Task
from foureyes_actors.model_server.catalog import CATALOG
from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.http import HttpRequest
from foureyes_actors.ports.http_requests import RequestsHttp
from foureyes_actors.ports.local_process import LocalProcesses
from foureyes_actors.settings import InferenceSettings
from tests.bench.tables import quantile, table
from tests.model_server.support import chat, data_uri
from tests.real.test_embedded_server import BACK, READY, House

PROGRAM = (sys.executable, "-m", "foureyes_actors.model_server", "--port", "0", "--exit-with-stdin")
FRAME_TIME = 1 / 3  # seconds between two frames


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    rows = [one_model(model.id, rounds) for model in CATALOG]
    heads = ["model", "first line s", "load s", "warm-up s", "answer ms", "p95 ms", "RSS MB", "transport ms", "stop s"]
    print(table(f"embedded model server, {rounds} cabinet frames of 1280 x 720, one client", heads, rows))
    print()
    print(table("LMStudioActor", ["what", "s"], actor_rows()))


def one_model(model: str, rounds: int) -> list[object]:
    http, processes = RequestsHttp(), LocalProcesses()
    started = time.monotonic()
    child = processes.start(PROGRAM)
    line = child.wait_line(lambda text: announced_url(text) is not None, 60.0)
    assert line is not None, child.tail()
    server = server_at(announced_url(line) or "", EMBEDDED)
    listening, began = time.monotonic() - started, time.monotonic()
    ensure_loaded(Loading(http, server, SystemClock(), threading.Event(), 60.0), model)
    loaded, began = time.monotonic() - began, time.monotonic()
    warm_up(http, server, model, task=Task.OCR, settings=InferenceSettings(), seconds=60.0)
    warm = time.monotonic() - began
    answers = frames(http, server, model, rounds)
    usage = processes.usage(child.pid)
    transport = [timed(http, HttpRequest("GET", f"{server.url}/health")) for _ in range(50)]
    http.close()
    began = time.monotonic()
    child.stop(3.0)
    stopped = time.monotonic() - began
    memory = usage.memory / 1e6 if usage else float("nan")
    middle, high = statistics.median(answers), quantile(answers, 0.95)
    return [model, listening, loaded, warm, middle, high, memory, statistics.median(transport), stopped]


def frames(http: RequestsHttp, server: Server, model: str, rounds: int) -> list[float]:
    cabinet = Cabinet("all", 7)
    spent = []
    for number in range(rounds):
        picture = encode_jpeg(cabinet.draw(number * FRAME_TIME), 85)
        body = json.dumps(chat(data_uri(picture, "image/jpeg"), model=model, tasks=list(Task), user="bench")).encode()
        spent.append(timed(http, HttpRequest("POST", f"{server.url}/v1/chat/completions", body=body, deadline=60.0)))
    return spent


def timed(http: RequestsHttp, request: HttpRequest) -> float:
    """Milliseconds of one exchange."""
    began = time.perf_counter()
    reply = http.exchange(request)
    assert reply.status == 200, reply.body
    return (time.perf_counter() - began) * 1000


def actor_rows() -> list[list[object]]:
    began = time.monotonic()
    house = House()
    state = house.until(ServerPhase.READY, READY)
    rows: list[list[object]] = [["from nothing to ready", time.monotonic() - began]]
    assert state.pid is not None
    began = time.monotonic()
    os.kill(state.pid, signal.SIGKILL)
    house.until(ServerPhase.FAILED, READY)
    rows.append(["kill -9 to seen", time.monotonic() - began])
    house.until(ServerPhase.READY, BACK, but=state.pid)
    rows.append(["kill -9 to ready again", time.monotonic() - began])
    began = time.monotonic()
    house.stop()
    rows.append(["stop", time.monotonic() - began])
    return rows


if __name__ == "__main__":
    main()
