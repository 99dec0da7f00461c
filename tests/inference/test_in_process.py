"""The embedded engine in this process: real readings of a demo cabinet, checked as a server's, and freed again."""

from __future__ import annotations

import gc
import importlib.util
import subprocess
import sys
import threading
import weakref
from collections.abc import Sequence
from typing import Any

import psutil
import pytest

from foureyes_actors.capture.cabinet import THEMES, Cabinet, encode_jpeg
from foureyes_actors.errors import AnswerContractError, BadPicture, MissingExtraError
from foureyes_actors.inference.in_process import MODEL, InProcessReader, SharedEngine, decode, load_tiny, prospect
from foureyes_actors.messages import Task
from foureyes_actors.settings import PictureLimits
from tests.inference.support import ANSWER, frame
from tests.model_server.support import need_embedded, picture

LIMITS = PictureLimits()


class FakeScreen:
    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine

    def answer(self, image: Any, now: float, tasks: Sequence[Task]) -> dict[str, Any]:
        self.engine.asked.append((self, image.shape, now))
        return {task.value: self.engine.answers[task.value] for task in tasks}


class FakeEngine:
    def __init__(self) -> None:
        self.asked: list[tuple[object, tuple[int, ...], float]] = []
        self.answers = dict(ANSWER)

    def screen(self) -> FakeScreen:
        return FakeScreen(self)


def digits(text: str) -> str:
    return "".join(c for c in text if c.isdigit())


def reader_of(engine: Any, tasks: Sequence[Task] = tuple(Task)) -> InProcessReader:
    times = iter(range(100))
    return InProcessReader(engine, tasks, limits=LIMITS, monotonic=lambda: float(next(times)))


def test_an_answer_is_degraded_and_has_the_frames_time_and_its_own_latency() -> None:
    need_embedded()
    engine = FakeEngine()
    one = frame(7, data=picture(size=(64, 48)), at=12.5)
    analysis = reader_of(engine)(one)
    assert (analysis.frame, analysis.model, analysis.degraded, analysis.latency) == (one.ref, MODEL, True, 1.0)
    assert [answer.task for answer in analysis.answers] == list(Task)
    assert engine.asked[0][1:] == ((48, 64, 3), 12.5)


def test_another_source_is_another_screen() -> None:
    need_embedded()
    engine = FakeEngine()
    read = reader_of(engine)
    for number, source in enumerate(("a", "a", "b")):
        read(frame(number, source=source, data=picture()))
    first, second, third = (screen for screen, _, _ in engine.asked)
    assert first is second and first is not third


def test_the_engines_answers_are_checked_as_a_servers() -> None:
    need_embedded()
    engine = FakeEngine()
    engine.answers["vision_state"] = {"state": "dancing", "confidence": 0.5}
    analysis = reader_of(engine)(frame(data=picture()))
    assert [(f.task, f.error_type) for f in analysis.failures] == [(Task.STATE, "AnswerContractError")]
    assert Task.STATE not in [answer.task for answer in analysis.answers]
    with pytest.raises(AnswerContractError, match="dancing"):
        reader_of(engine, (Task.STATE,))(frame(data=picture()))


@pytest.mark.parametrize("data", [b"no picture", picture()[:-20], picture("JPEG")[:200]], ids=["text", "png", "jpeg"])
def test_broken_bytes_are_a_bad_picture(data: bytes) -> None:
    need_embedded()
    with pytest.raises(BadPicture):
        decode(data, LIMITS)


def test_one_engine_serves_all_readers_and_goes_with_the_last_one() -> None:
    loads: list[weakref.ref[FakeEngine]] = []

    def load() -> FakeEngine:
        engine = FakeEngine()
        loads.append(weakref.ref(engine))
        return engine

    shared = SharedEngine(load)
    assert not shared.loaded
    first, second = reader_of(shared.get()), reader_of(shared.get())
    assert len(loads) == 1
    del first
    gc.collect()
    assert shared.loaded
    del second
    gc.collect()
    assert not shared.loaded and loads[0]() is None
    shared.get()
    assert len(loads) == 2


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else find(name))
    with pytest.raises(MissingExtraError, match=r"onnxruntime.*pip install"):
        load_tiny()
    assert "marked stale" in prospect(3.0) and "pip install" in prospect(3.0)


def test_what_people_are_told_names_the_pace() -> None:
    need_embedded()
    assert prospect(2.5) == "reading on by itself, a frame each 2.5 s, marked [degraded]"
    assert prospect(3.0, finite=True).endswith("marked [degraded] (a source that has not begun waits)")


IMPORTS = """
import sys
import foureyes_actors.wiring, foureyes_actors.headless
print([m for m in ("numpy", "cv2", "onnxruntime") if m in sys.modules])
"""


def test_nothing_of_the_engine_is_imported_before_it_is_needed() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


TELEMETRY = """
import os
os.environ.pop("ORT_DISABLE_TELEMETRY", None)
from foureyes_actors.inference.in_process import load_tiny
load_tiny()
print(os.environ["ORT_DISABLE_TELEMETRY"])
"""


@pytest.mark.real
def test_the_engine_does_not_report_to_its_maker() -> None:
    need_embedded()
    done = subprocess.run([sys.executable, "-c", TELEMETRY], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "1"


@pytest.mark.real
def test_real_engines_come_and_go_without_leaving_threads() -> None:
    """numpy and OpenCV keep the helpers that they start once; the networks have none of their own."""
    need_embedded()
    shared = SharedEngine()
    cabinet = Cabinet(THEMES[0], 7, (1280, 720))
    cabinet.set_stage(cabinet.make_stage(0.0))
    data, truth = encode_jpeg(cabinet.draw(0.0), 85), cabinet.truth(0.0)

    def read_once() -> int:
        analysis = InProcessReader(shared.get(), tuple(Task), limits=LIMITS, monotonic=lambda: 0.0)(frame(data=data))
        amounts = next(a.values for a in analysis.answers if a.task is Task.OCR)
        shown = {name.value: digits(text) for name, text in truth.shown.items()}
        assert {name: digits(amounts[name]) for name in shown} == shown
        gc.collect()
        return psutil.Process().num_threads() - threading.active_count()  # another test's thread may end meanwhile

    before = set(threading.enumerate())
    native = read_once()
    assert not shared.loaded
    assert [read_once() for _ in range(3)] == [native] * 3
    assert set(threading.enumerate()) <= before
