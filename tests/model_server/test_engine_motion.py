"""Motion between two frames, and whether a box changed, on drawn pixels."""

from __future__ import annotations

from tests.model_server.engine_support import HIGH, WIDE, box, picture

# ruff: isort: split
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from foureyes_actors.messages import Motion
from foureyes_actors.model_server.engine.motion import motion_between, thumbnail
from foureyes_actors.model_server.engine.patches import outline, patch, same_label, unchanged

Image = NDArray[np.uint8]


def reels(offset: int, moving: int = 5) -> Image:
    """Five columns of blocks; the first ``moving`` ones ``offset`` pixels down."""
    image = np.full((HIGH, WIDE, 3), 40, np.uint8)
    for column in range(5):
        down = offset if column < moving else 0
        for row in range(-1, 5):
            top = 120 + row * 160 + down
            left = 240 + column * 170
            level = 90 + (37 * (row + column)) % 150
            image[max(110, top) : max(110, min(610, top + 110)), left : left + 130] = level
    return image


def seen(before: Image, after: Image) -> Motion:
    return motion_between(thumbnail(before), thumbnail(after)).motion


def test_reels_that_run_are_spinning() -> None:
    assert seen(reels(0), reels(70)) is Motion.SPINNING


def test_the_last_reels_that_run_are_spinning() -> None:
    assert seen(reels(0, moving=2), reels(70, moving=2)) is Motion.SPINNING


def test_the_same_picture_is_stopped() -> None:
    assert seen(reels(0), reels(0)) is Motion.STOPPED


def test_a_ticking_meter_and_a_flashing_symbol_are_stopped() -> None:
    after = reels(0)
    after[10:60, 40:400] = 200
    after[280:390, 410:540] = 250
    result = motion_between(thumbnail(reels(0)), thumbnail(after))
    assert result.motion is Motion.STOPPED


def test_flashing_symbols_are_lively_and_few_particles_are_not() -> None:
    flash, particles = reels(0), reels(0)
    for column in range(3):
        flash[270:400, 240 + 170 * column : 370 + 170 * column] = 255
    for x in range(240, 1000, 150):
        particles[300:306, x : x + 6] = 255
    assert motion_between(thumbnail(reels(0)), thumbnail(flash)).lively
    assert not motion_between(thumbnail(reels(0)), thumbnail(particles)).lively


def test_another_picture_is_unknown() -> None:
    assert seen(reels(0), np.full((HIGH, WIDE, 3), 180, np.uint8)) is Motion.UNKNOWN


def test_noise_of_a_capture_is_no_motion() -> None:
    random = np.random.default_rng(3)
    noisy = [np.clip(reels(0) + random.normal(0, 25, (HIGH, WIDE, 3)), 0, 255).astype(np.uint8) for _ in range(2)]
    assert seen(noisy[0], noisy[1]) is Motion.STOPPED


WHERE = box(100, 100, 330, 50)


def amount(shown: str, level: float = 1.0) -> Image:
    image = picture({(104, 104): (shown, 36)})
    return np.asarray(np.clip(image * level, 0, 255), np.uint8)


def jpeg(image: Image) -> Image:
    coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 75])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)


@pytest.mark.parametrize("after", ["$1,234,567.80", "$1,234,567.99", "$1,284,567.89", "$9,234,567.89", "£1,234,567.89"])
def test_one_changed_character_of_many_is_seen(after: str) -> None:
    before = patch(jpeg(amount("$1,234,567.89")), WHERE)
    assert not unchanged(before, patch(jpeg(amount(after)), WHERE))


@pytest.mark.parametrize("level", [1.0, 0.6])
def test_compression_and_brightness_are_no_change(level: float) -> None:
    before = patch(amount("$1,234,567.89"), WHERE)
    after = patch(jpeg(amount("$1,234,567.89")), WHERE) if level == 1.0 else patch(amount("$1,234,567.89"), WHERE) - 12
    assert unchanged(before, after)


def test_a_dimmed_label_is_the_same_one_a_covered_label_is_not() -> None:
    before = outline(amount("BALANCE"), WHERE)
    assert same_label(before, outline(amount("BALANCE", 0.4), WHERE))
    assert not same_label(before, outline(amount(""), WHERE))
    assert not same_label(before, outline(amount("PLEASE WAIT"), WHERE))
