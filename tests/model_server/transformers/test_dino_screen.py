"""When the detector is asked where the reels are, and which frames are compared. The detector says what it is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest

from foureyes_actors.messages import Task
from foureyes_actors.model_server.transformers_engine.dino import DinoEngine, DinoScreen, framed
from foureyes_actors.model_server.transformers_engine.queries import Query
from foureyes_actors.model_server.transformers_engine.sane import Detection, Sifted

LEFT, RIGHT = Detection("reels", 0.5, 40, 60, 300, 300), Detection("reels", 0.5, 340, 60, 600, 300)
OTHER_WORDS = 'reels = "three columns"'


class Detector:
    def __init__(self, *found: Detection) -> None:
        self.found, self.asked = found, 0

    def find(self, image: Any, queries: Sequence[Query]) -> Sifted:
        self.asked += 1
        return Sifted(self.found, 0)


def picture(seed: int) -> Any:
    """Coarse noise, other in each place."""
    blocks = np.random.default_rng(seed).integers(0, 255, (45, 80, 3), np.uint8)
    return blocks.repeat(8, 0).repeat(8, 1)


@pytest.fixture
def detector() -> Detector:
    return Detector(LEFT)


@pytest.fixture
def screen(detector: Detector) -> DinoScreen:
    return DinoScreen(cast(DinoEngine, detector))


def motion(screen: DinoScreen, image: Any, now: float) -> str:
    return str(screen.answer(image, now, [Task.ANIMATION])["animation_detection"]["motion"])


def test_one_look_serves_many_frames(screen: DinoScreen, detector: Detector) -> None:
    still = picture(1)
    assert [motion(screen, still, now) for now in (0.0, 0.4, 0.8)] == ["unknown", "stopped", "stopped"]
    assert detector.asked == 1
    assert motion(screen, still, 59.0) == "unknown"  # the frame before is too old
    assert motion(screen, still, 61.0) == "unknown"  # looked again: the frame before is of the old look
    assert detector.asked == 2
    assert motion(screen, still, 61.4) == "stopped"


def test_only_the_reels_count(screen: DinoScreen) -> None:
    turned, elsewhere = picture(1), picture(1)
    turned[60:300, 40:300] = picture(2)[60:300, 40:300]
    elsewhere[60:300, 400:600] = picture(2)[60:300, 400:600]
    assert [motion(screen, p, n * 0.4) for n, p in enumerate((picture(1), turned, turned))] == [
        "unknown",
        "spinning",
        "stopped",
    ]
    assert motion(screen, picture(1), 1.2) == "spinning"
    assert motion(screen, elsewhere, 1.6) == "stopped"


def test_another_box_is_not_compared_with_the_one_before(screen: DinoScreen, detector: Detector) -> None:
    still = picture(1)
    motion(screen, still, 0.0)
    detector.found = (RIGHT,)
    screen.prompt("What does it show?")  # the same queries: nothing to look for again
    assert (motion(screen, still, 0.4), detector.asked) == ("stopped", 1)
    screen.prompt(OTHER_WORDS)
    assert (motion(screen, still, 0.8), detector.asked) == ("unknown", 2)
    assert motion(screen, still, 1.2) == "stopped"


def test_reels_that_are_not_found_are_looked_for_again_later(screen: DinoScreen, detector: Detector) -> None:
    detector.found = ()
    still = picture(1)
    assert [motion(screen, still, now) for now in (0.0, 0.4, 4.8)] == ["unknown"] * 3
    assert detector.asked == 1
    detector.found = (LEFT,)
    assert [motion(screen, still, now) for now in (5.4, 5.8)] == ["unknown", "stopped"]
    assert detector.asked == 2


@pytest.mark.parametrize(
    "reels", [LEFT, Detection("reels", 0.5, 0, 0, 640, 360), Detection("reels", 0.5, 600, 340, 640, 360)]
)
def test_the_reels_are_framed_within_black(reels: Detection) -> None:
    white = np.full((360, 640, 3), 255, np.uint8)
    part = framed(white, reels)
    height, width = part.shape[:2]
    assert part[int(0.2 * height) : int(0.8 * height), int(0.2 * width) : int(0.8 * width)].min() == 255
    assert width == pytest.approx((reels.right - reels.left) / 0.76, abs=1)
