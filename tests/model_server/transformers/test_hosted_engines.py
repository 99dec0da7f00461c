"""What only a look inside the process shows: calls of the networks, memory, threads, motion in the reels' box."""

from __future__ import annotations

import gc
import io
import weakref
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from foureyes_actors.lm_studio.warmup import canary
from foureyes_actors.model_server.catalog import CatalogModel
from foureyes_actors.model_server.model_loading import load_model
from foureyes_actors.model_server.transformers_engine.registry import catalog_with
from tests.model_server.support import PATIENCE, RunningServer, data_uri
from tests.support import eventually

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("default"),  # torch's and transformers' own
]


class Kept:
    """Loads for real, and keeps a weak reference to each engine."""

    def __init__(self) -> None:
        self.engines: list[weakref.ref[Any]] = []

    def __call__(self, model: CatalogModel) -> Any:
        engine = load_model(model)
        self.engines.append(weakref.ref(engine))
        return engine

    @property
    def last(self) -> Any:
        engine = self.engines[-1]()
        assert engine is not None
        return engine


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def server(models: Path, kept: Kept) -> Iterator[RunningServer]:
    running = RunningServer(kept, catalog=catalog_with({}, [models], "cpu"))
    yield running
    running.close()


def test_all_lines_of_a_frame_are_one_call(server: RunningServer, kept: Kept) -> None:
    url = data_uri(canary().data)
    assert server.chat(url=url, model="lab/trocr-trained", user="a")[0] == 200
    assert kept.last.reader.calls == 1
    assert server.chat(url=url, model="lab/trocr-trained", user="a")[1]["vision_ocr"]["mini"] == "$8.90"
    assert kept.last.reader.calls == 1  # nothing changed: nothing is read again
    assert server.chat(url=url, model="lab/trocr-trained", user="b")[0] == 200
    assert kept.last.reader.calls == 2  # another screen


@pytest.mark.parametrize("model", ["lab/trocr", "lab/dit", "lab/owlvit", "lab/dino"])
def test_unloading_frees_the_network(server: RunningServer, kept: Kept, model: str) -> None:
    server.chat(url=data_uri(canary().data), model=model)
    network = weakref.ref(kept.last._network.model)
    weights = weakref.ref(next(kept.last._network.model.parameters()))
    assert server.post("/api/v1/models/unload", {"instance_id": model})[0] == 200
    eventually(lambda: network() is None and weights() is None, PATIENCE, "the weights are freed")
    eventually(lambda: gc.collect() >= 0 and kept.engines[-1]() is None, PATIENCE, "the engine is freed")
    assert server.chat(url=data_uri(canary().data), model=model)[0] == 200  # and it can be had again


def test_threads_of_torch_are_bounded(server: RunningServer) -> None:
    import torch

    from foureyes_actors.model_server.transformers_engine.loading import MOST_THREADS

    server.post("/api/v1/models/load", {"model": "lab/dit"})
    assert torch.get_num_threads() <= MOST_THREADS


def test_reels_that_turn(server: RunningServer, kept: Kept) -> None:
    """The detector is asked once; then only what happens inside the box that it found counts."""
    import numpy as np

    from foureyes_actors.model_server.transformers_engine.answers import reels_of
    from foureyes_actors.model_server.transformers_engine.queries import REEL_QUERIES, queries_of

    with Image.open(io.BytesIO(canary().data)) as shown:
        still = np.asarray(shown.convert("RGB"))
    server.post("/api/v1/models/load", {"model": "lab/dino-reels"})
    found = kept.last.find(still, queries_of("", REEL_QUERIES))
    reels = reels_of(found, still.shape[0] * still.shape[1])
    assert reels is not None
    inside = slice(int(reels.top), int(reels.bottom)), slice(int(reels.left), int(reels.right))

    def frame(seed: int | None) -> str:
        image = still.copy()
        if seed is not None:
            area = image[inside]
            blocks = np.random.default_rng(seed).integers(0, 255, (*(n // 8 + 1 for n in area.shape[:2]), 3), np.uint8)
            area[:] = blocks.repeat(8, 0).repeat(8, 1)[: area.shape[0], : area.shape[1]]
        buffer = BytesIO()
        Image.fromarray(image).save(buffer, "PNG")
        return data_uri(buffer.getvalue())

    motions = [
        server.chat(url=frame(seed), model="lab/dino-reels", user="cabinet")[1]["animation_detection"]["motion"]
        for seed in (None, 1, 2, 2, None)
    ]
    assert motions == ["unknown", "spinning", "spinning", "stopped", "spinning"]


@pytest.mark.parametrize("height", [1, 3])
def test_low_crops_keep_their_direction(server: RunningServer, kept: Kept, height: int) -> None:
    """A picture of 3 x 60 x 3 values could have its channels first as well."""
    import numpy as np

    from foureyes_actors.model_server.transformers_engine.pixels import inputs_of

    server.post("/api/v1/models/load", {"model": "lab/trocr"})
    crop = np.zeros((height, 60, 3), np.uint8)
    crop[:, 30:] = 255
    columns = inputs_of(kept.last._network, [crop]).pixel_values[0].mean(dim=(0, 1))
    assert columns[:20].max() < columns[-20:].min()
