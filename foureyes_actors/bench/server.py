"""The embedded model server by itself, as a process: how long it takes to start, to load, to answer."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from foureyes_actors.capture.cabinet import THEMES, Cabinet, encode_jpeg
from foureyes_actors.errors import FourEyesError, ServerStartFailed
from foureyes_actors.inference.client import analyse
from foureyes_actors.inference.request import template
from foureyes_actors.inference.tasks import merge
from foureyes_actors.lm_studio.dialect import Server, server_at
from foureyes_actors.lm_studio.dialects import EMBEDDED
from foureyes_actors.lm_studio.process import ServerProcess, launch_for
from foureyes_actors.lm_studio.residency import Loading, ensure_loaded
from foureyes_actors.lm_studio.server_calls import check_alive
from foureyes_actors.lm_studio.warmup import warm_up
from foureyes_actors.messages import Frame, FrameRef, Task
from foureyes_actors.ports.http import HttpPort
from foureyes_actors.settings import InferenceSettings, ModelEntry, ModelServerSettings
from foureyes_actors.wiring import ModelTasks, World

PATIENCE = 120.0  # seconds for the start and for each load: longer than the targets, so that a miss has a figure
GRACE = 3.0
QUALITY = 85
THEME_TIME, SETTLED, FRAME_TIME = 20.0, 1.0, 1 / 3  # seconds: of each machine, before its first frame, between two


@dataclass(frozen=True, slots=True)
class ServerFigures:
    """``start``, ``loads``: seconds; ``answers``: milliseconds from the request to the checked answer."""

    start: float
    loads: dict[str, float]
    answers: list[float]


def measure_server(world: World, models: Sequence[str], tasks: ModelTasks, frames: int) -> ServerFigures:
    """``models``: to be loaded; ``tasks``: whom to ask what about ``frames`` frames. Raises FourEyesError."""
    http, process = world.http(), ServerProcess(world.processes)
    try:
        began = world.clock.monotonic()
        server = _started(world, http, process)
        start = world.clock.monotonic() - began
        loads = {model: _loaded(world, http, server, model) for model in models}
        answers = [
            spent for model, asked in tasks.items() for spent in _answers(world, http, server, model, asked, frames)
        ]
        return ServerFigures(start, loads, answers)
    finally:
        http.close()
        process.close(GRACE)


def _started(world: World, http: HttpPort, process: ServerProcess) -> Server:
    process.start(launch_for(ModelServerSettings(), world.processes), PATIENCE)
    url = process.announced(PATIENCE)
    if url is None:
        raise _why_silent(world, process)
    server = server_at(url, EMBEDDED)
    check_alive(http, server)
    return server


def _why_silent(world: World, process: ServerProcess) -> FourEyesError:
    """Its output ends a moment before the process does."""
    until = world.clock.monotonic() + GRACE
    while world.clock.monotonic() < until:
        ended = process.exit_error()
        if ended is not None:
            return ended
        world.clock.wait(threading.Event(), 0.05)
    return ServerStartFailed("the model server does not say where it listens", process.last_words())


def _loaded(world: World, http: HttpPort, server: Server, model: str) -> float:
    began = world.clock.monotonic()
    ensure_loaded(Loading(http, server, world.clock, threading.Event(), PATIENCE), model)
    return world.clock.monotonic() - began


def _answers(
    world: World, http: HttpPort, server: Server, model: str, tasks: Sequence[tuple[Task, ModelEntry]], frames: int
) -> Iterator[float]:
    """One request at a time, as an inference actor asks; the first answer of a model, its warm-up, is not counted."""
    settings = InferenceSettings(attempts=1)
    warm_up(http, server, model, task=Task.OCR, settings=settings, seconds=PATIENCE)
    options: dict[str, Any] = {"clock": world.clock, "random": random.random, "settings": settings}
    options |= {"base_url": server.url, "cancelled": threading.Event()}
    options |= {"shape": template(model, merge(tasks), settings, session=True)}
    for frame in cabinet_frames(world, frames):
        yield 1000 * analyse(frame, model=model, tasks=tasks, http=http, **options).latency


def cabinet_frames(world: World, count: int) -> Iterator[Frame]:
    """Of all machines, for each a run of consecutive frames at 3 a second: its first one is read from scratch."""
    cabinet = Cabinet("all", 7)
    machines = min(len(THEMES), count)
    for number in range(count):
        machine, step = divmod(number, -(-count // machines))
        time = machine * THEME_TIME + SETTLED + step * FRAME_TIME
        data = encode_jpeg(cabinet.draw(time), QUALITY)
        now = world.clock.monotonic()
        ref = FrameRef("", number, world.clock.utc_now(), now, sha256(data).hexdigest(), "image/jpeg", *cabinet.size)
        yield Frame(replace(ref, source=f"bench:{cabinet.theme(time)}"), data)
