"""The machine runs short of memory, then of nothing: the whole program moves to the smaller model and back, with the
real embedded server. The machine's figures alone are set by hand."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from foureyes_actors import wiring
from foureyes_actors.headless import INTERRUPTED, Headless, Request
from foureyes_actors.lm_studio.dialect import server_at
from foureyes_actors.lm_studio.dialects import DIALECTS
from foureyes_actors.lm_studio.server_calls import list_models
from foureyes_actors.messages import Collection
from foureyes_actors.model_table import group_by_model, load_models
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.ports.http_requests import RequestsHttp
from foureyes_actors.ports.local_process import LocalProcesses
from foureyes_actors.settings import Settings
from tests.faults.test_actor_deaths import WITHIN, Running
from tests.model_server.support import need_embedded
from tests.support import eventually

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

ROOT = Path(__file__).parent.parent.parent
SMALL, TINY = "foureyes/screen-reader-small", "foureyes/screen-reader-tiny"
WELL, SHORT = (20.0, 4_000_000_000), (20.0, 300_000_000)


class SetMachine(LocalProcesses):
    """Real processes; the machine's own figures are what the test says."""

    def __init__(self) -> None:
        super().__init__()
        self.figures = WELL

    def machine(self) -> tuple[float | None, int | None]:
        return self.figures


class Pressed(Running):
    def __init__(self, folder: Path) -> None:
        self.settings = Settings.model_validate(
            {
                "data_dir": folder,
                "inference": {"cache_ttl": 0.0},
                "source": {"rate": 2.0},
                "readings": {"join_timeout": 60.0},
                "model_server": {"models_file": ROOT / "huggingface_models.small.json", "check_every": 0.5},
                "resource": {"every": 0.1, "pressure": {"step_after": 600.0, "calm_for": 1.0}},
            }
        )
        models = group_by_model(load_models(self.settings, LocalFiles(), beside=None))
        self.lines: list[str] = []
        self.codes: list[int] = []
        self.processes = SetMachine()
        world = replace(wiring.real_world(self.settings), processes=self.processes)
        self.program = Headless(self.settings, models, world, Request(), self.lines.append)
        self._thread = threading.Thread(target=lambda: self.codes.append(self.program.run()), name="headless")
        self._thread.start()

    def status(self, name: str) -> dict[str, Any]:
        try:
            return dict(self.program._status(name))
        except Exception:
            return {}

    def loaded(self) -> set[str]:
        """As the server's own list has it."""
        http = RequestsHttp()
        try:
            listed = list_models(http, server_at(self.status("lm_studio")["base_url"], DIALECTS["embedded"]))
        finally:
            http.close()
        return {model.key for model in listed.models if model.instances}

    def reads_with(self, model: str) -> None:
        name = wiring.inference_name(model)
        before = max(0, self.counted(name, "answered"))
        eventually(
            lambda: self.counted(name, "answered") >= before + 3, WITHIN, f"{model} reads:\n" + "\n".join(self.lines)
        )
        assert self.status("readings")["expected"] == [model]


@pytest.fixture
def pressed(tmp_path: Path) -> Iterator[Pressed]:
    need_embedded()
    before = set(threading.enumerate())
    it = Pressed(tmp_path)
    try:
        yield it
    finally:
        it.stop()
    eventually(lambda: not set(threading.enumerate()) - before, WITHIN, "every thread has ended")


def test_small_then_tiny_then_small_again(pressed: Pressed) -> None:
    pressed.reads_with(SMALL)
    assert pressed.loaded() == {SMALL}
    starts = pressed.status("lm_studio")["starts"]

    pressed.processes.figures = SHORT
    pressed.reads_with(TINY)
    assert pressed.loaded() == {TINY}, "the larger one has gone out of the memory"
    asked = pressed.counted(wiring.inference_name(SMALL), "requests")
    pressed.reads_with(TINY)
    assert pressed.counted(wiring.inference_name(SMALL), "requests") == asked, "it is not asked any more"

    pressed.processes.figures = WELL
    pressed.reads_with(SMALL)
    eventually(lambda: pressed.loaded() == {SMALL}, WITHIN, "the smaller one has gone, once it was not needed")
    assert pressed.status("lm_studio")["starts"] == starts == 1
    assert pressed.stop() == INTERRUPTED, pressed.lines

    events = [e for e in pressed.kept(Collection.EVENTS) if e["kind"] == "pressure_changed"]
    assert [(e["before"], e["after"]) for e in events] == [("normal", "smaller models"), ("smaller models", "normal")]
    assert events[0]["reason"] == "300 MB of memory available, less than 500"
    assert events[0]["figures"]["free_memory_mb"] == 300
    assert any("going over to smaller models: 300 MB of memory" in line for line in pressed.lines), pressed.lines
    assert any("this machine is well again" in line for line in pressed.lines)

    documents = [d for d in pressed.kept(Collection.READINGS) if d["models"]]
    by = [model for model, _ in itertools.groupby(d["models"][0] for d in documents)]
    assert by == [SMALL, TINY, SMALL]
    assert all(len(d["models"]) == 1 for d in documents), "no frame was read twice"
    assert [d["sequence"] for d in documents] == sorted({d["sequence"] for d in documents})
    assert max(d["age_ms"] for d in documents) < 50_000, "none waited for a model that is not asked any more"
    errors = [d["message"] for d in pressed.kept(Collection.ERRORS)]
    assert all("unloaded" in message for message in errors), errors  # of a request that was still waiting its turn
