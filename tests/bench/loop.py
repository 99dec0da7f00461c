"""Side by side in one run: the seed's loop against FourEyes, on the same model server and the same frames.

usage: python -m tests.bench.loop [--seconds 60] [--rate 3] [--only-foureyes]

The seed's loop captures a frame, asks the four models one after another, stores the answer, sleeps 333 ms. Both read
the same folder of cabinet pictures (drawn beforehand, 720p JPEG, so that drawing costs neither of them anything)
through the same embedded server process, one after the other, and store into SQLite.

Prints: the rate held, the age of a reading when it was stored, and this process's own CPU per frame, for FourEyes by
thread. The model server is a process of its own and not in it. The source is what ``FrameSource.grab`` uses, measured
in its thread around each call; everything else in that thread (digest, header, the look for black) is FourEyes' own,
and so is what the bench itself uses meanwhile.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

import requests

from foureyes_actors import headless, wiring
from foureyes_actors.capture.cabinet import THEMES, Cabinet, encode_jpeg
from foureyes_actors.capture.source import FrameSource
from foureyes_actors.capture.sources import open_source
from foureyes_actors.inference.tasks import merge
from foureyes_actors.messages import Collection, Document
from foureyes_actors.model_table import group_by_model, load_models
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.ports.local_process import LocalProcesses
from foureyes_actors.ports.stores import open_store
from foureyes_actors.settings import Settings, StoreSettings
from tests.bench.tables import quantile, table
from tests.bench.threads import between, cpu_by_thread

MODEL = "foureyes/screen-reader-tiny"
SEED_PAUSE = 0.333  # seconds, as in the seed's loop


@dataclass(frozen=True)
class Result:
    name: str
    frames: int
    seconds: float
    ages: list[float]  # seconds from capture to the store's acknowledgement
    cpu: float  # seconds of this process
    threads: Mapping[str, float] = field(default_factory=dict)  # seconds, by thread; together they are ``cpu``
    source: float = 0.0  # seconds of ``cpu`` that the frame source used

    def row(self) -> tuple[object, ...]:
        ages = [1000 * age for age in self.ages]
        rate = self.frames / self.seconds
        return (self.name, self.frames, rate, quantile(ages, 0.5), quantile(ages, 0.95), 1000 * self.cpu / self.frames)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=float, default=3.0)
    parser.add_argument("--only-foureyes", action="store_true", help="leave the seed's loop out")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        pictures = draw(Path(scratch) / "pictures", int(arguments.seconds * arguments.rate) + 30)
        server, url = start_server()
        try:
            ran = []
            if not arguments.only_foureyes:
                ran.append(seed_loop(url, pictures, Path(scratch) / "seed", arguments.seconds))
            ours = foureyes(url, pictures, Path(scratch) / "ours", arguments.seconds, arguments.rate)
        finally:
            server.stop(3)
    heads = ("", "frames", "frames/s", "age p50 ms", "age p95 ms", "own CPU ms/frame")
    print(
        table(
            f"the same {arguments.seconds:g} s of frames, wanted {arguments.rate:g} a second",
            heads,
            [result.row() for result in (*ran, ours)],
        )
    )
    print(by_thread(ours))
    for seed in ran:
        print(f"FourEyes / seed: rate {ours.frames / ours.seconds / (seed.frames / seed.seconds):.2f}")
    return 0


def by_thread(result: Result) -> str:
    rows = [(name, 1000 * seconds / result.frames) for name, seconds in result.threads.items()]
    whole, source = 1000 * result.cpu / result.frames, 1000 * result.source / result.frames
    return (
        table("\nCPU of FourEyes' process by thread", ("thread", "ms/frame"), rows)
        + f"\nin all {whole:.2f} ms a frame; the source's own share of its thread: {source:.2f} ms"
        + f"\nFourEyes' own cost apart from source and model: {whole - source:.2f} ms a frame (the aim: below 5)\n"
    )


def draw(folder: Path, count: int) -> Path:
    folder.mkdir()
    cabinet = Cabinet(THEMES[0], 101, (1280, 720))
    for number in range(min(count, 240)):
        (folder / f"{number:05d}.jpg").write_bytes(encode_jpeg(cabinet.draw(number / 3), 92))
    sizes = [p.stat().st_size for p in folder.iterdir()]
    print(f"{len(sizes)} pictures of 1280x720, {sum(sizes) / len(sizes) / 1000:.0f} kB each on average", flush=True)
    return folder


def start_server() -> tuple[Any, str]:
    command = [
        sys.executable,
        "-m",
        "foureyes_actors.model_server",
        "--port",
        "0",
        "--exit-with-stdin",
        "--models",
        MODEL,
    ]
    server = LocalProcesses().start(command)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for line in server.tail():
            if line.startswith('{"listening"'):
                place = json.loads(line)["listening"]
                return server, f"http://{place['host']}:{place['port']}"
        if server.exit_code() is not None:
            break
        time.sleep(0.05)
    raise SystemExit("the model server did not start:\n" + "\n".join(server.tail()))


def seed_loop(url: str, pictures: Path, data: Path, seconds: float) -> Result:
    """As the seed writes it: one request a task, one after another, a fixed sleep after the work."""
    store = open_store(StoreSettings(), data)
    tasks = [
        (task, entry)
        for tasks in group_by_model(load_models(Settings(), LocalFiles())).values()
        for task, entry in tasks
    ]
    session, files = requests.Session(), sorted(pictures.iterdir())
    ages: list[float] = []
    ask(session, url, files[0].read_bytes(), tasks[:1])  # warm
    began, cpu = time.monotonic(), time.process_time()
    while time.monotonic() - began < seconds:
        captured = time.monotonic()
        picture = files[len(ages) % len(files)].read_bytes()
        values = {task.value: ask(session, url, picture, [(task, entry)]) for task, entry in tasks}
        number = len(ages) + 1
        store.append(
            Collection.READINGS, [{"_id": f"seed-{number}", "at": now(), "sequence": number, "fields": values}]
        )
        ages.append(time.monotonic() - captured)
        time.sleep(SEED_PAUSE)
    result = Result("the seed's loop", len(ages), time.monotonic() - began, ages, time.process_time() - cpu)
    store.close()
    session.close()
    return result


def now() -> Any:
    from datetime import UTC, datetime

    return datetime.now(UTC)


def ask(session: requests.Session, url: str, picture: bytes, tasks: Sequence[Any]) -> Any:
    question = merge(tasks)
    content = [
        {"type": "text", "text": question.prompt},
        {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64," + base64.b64encode(picture).decode()}},
    ]
    schema = {"name": "frame", "strict": True, "schema": question.schema}
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": content}],
        "max_tokens": 500,
        "temperature": 0.1,
        "response_format": {"type": "json_schema", "json_schema": schema},
    }
    reply = session.post(f"{url}/v1/chat/completions", json=body, timeout=30)
    reply.raise_for_status()
    return json.loads(reply.json()["choices"][0]["message"]["content"])


class TimedStore:
    """A store that notes when each reading was acknowledged."""

    def __init__(self, inner: Any, stored: list[tuple[float, int]]) -> None:
        self._inner, self._stored = inner, stored

    def append(self, collection: Collection, documents: Sequence[Document]) -> int:
        new: int = self._inner.append(collection, documents)
        if collection is Collection.READINGS:
            self._stored += [(time.time() - d["captured_at"].timestamp(), d["sequence"]) for d in documents]
        return new

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class TimedSource:
    """A frame source whose CPU time is counted."""

    def __init__(self, inner: FrameSource) -> None:
        self._inner, self.used = inner, 0.0

    @property
    def name(self) -> str:
        return self._inner.name

    def grab(self) -> bytes:
        began = time.thread_time()
        try:
            return self._inner.grab()
        finally:
            self.used += time.thread_time() - began

    def close(self) -> None:
        self._inner.close()


def foureyes(url: str, pictures: Path, data: Path, seconds: float, rate: float) -> Result:
    raw: Mapping[str, Any] = {
        "data_dir": str(data),
        "resource": {"pressure": {"enabled": False}},  # the rate is what is measured
        "source": {"kind": "pictures", "rate": rate, "pictures": {"path": str(pictures), "loop": True}},
        "model_server": {"kind": "embedded", "base_url": url, "manage": False},
    }
    settings = Settings.model_validate(raw)
    stored: list[tuple[float, int]] = []
    world = wiring.real_world(settings)
    world = replace(world, store=lambda: TimedStore(open_store(settings.store, settings.data_dir), stored))
    models = group_by_model(load_models(settings, LocalFiles()))
    sources: list[TimedSource] = []

    def timed_source(*arguments: Any) -> TimedSource:
        sources.append(TimedSource(open_source(*arguments)))
        return sources[-1]

    program = headless.Headless(settings, models, world, headless.Request(), lambda line: None)
    code: list[int] = []
    runner = threading.Thread(target=lambda: code.append(program.run()), name="headless")
    with mock.patch.object(wiring, "open_source", timed_source):
        runner.start()
        while not stored and runner.is_alive():
            time.sleep(0.05)
    time.sleep(1.0)  # what comes once, at the start, is not a frame's cost
    skip, began, cpu, before, grabs = (
        len(stored),
        time.monotonic(),
        time.process_time(),
        cpu_by_thread(),
        total(sources),
    )
    time.sleep(seconds)
    threads, used, source = cpu_by_thread(), time.process_time() - cpu, total(sources) - grabs
    counted, took = stored[skip:], time.monotonic() - began
    program.ending.set("the bench is over")
    runner.join(30)
    assert code == [0], code
    ages = [age for age, _ in counted]
    return Result("FourEyes", len(counted), took, ages, used, between(before, threads, used), source)


def total(sources: Sequence[TimedSource]) -> float:
    return sum(source.used for source in sources)


if __name__ == "__main__":
    sys.exit(main())
