"""Did a box change? Two tests on small gray patches of the same box in two frames.

A label is the same while its outline correlates. A text is unchanged while no place of it differs: one digit of ten
is a small part of a box, and a 0 that became a 9 a small part of a digit, so the patch keeps the strokes apart.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from foureyes_actors.model_server.engine.detect import Box, Image

HEIGHT = 24  # of a text's patch; its width follows the box
MOST_WIDTH = 400
PLACE = 3  # pixels: a difference is averaged over a square of this side, so that JPEG's noise does not count
CHANGED_FROM = 0.6  # such a difference, in standard deviations of the patch; the least of 1710 changed amounts was 0.73
LEAST_CONTRAST = 8.0  # gray levels: a flatter patch is compared as if it had this deviation
OUTLINE = (96, 16)  # width, height of a label's patch
SAME_LABEL = 0.7  # correlation
FLAT = 4.0  # gray levels: a label's patch with less contrast than this shows nothing

Patch = NDArray[np.float32]


def patch(image: Image, box: Box) -> Patch:
    """The box as gray levels, 24 high."""
    return _gray(image, box, (min(MOST_WIDTH, max(16, round(HEIGHT * box.width / max(1, box.height)))), HEIGHT))


def outline(image: Image, box: Box) -> Patch:
    """The box as 96 x 16 gray levels."""
    return _gray(image, box, OUTLINE)


def _gray(image: Image, box: Box, size: tuple[int, int]) -> Patch:
    crop = image[box.top : box.bottom, box.left : box.right]
    small = cv2.resize(crop, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), dtype=np.float32)


def unchanged(before: Patch, after: Patch) -> bool:
    """Whether two patches of one box show the same text; an even change of brightness does not count."""
    difference = before - after
    difference -= np.median(difference)
    worst = float(np.abs(cv2.blur(difference, (PLACE, PLACE))).max())
    return worst < CHANGED_FROM * max(LEAST_CONTRAST, float(before.std()))


def same_label(before: Patch, after: Patch) -> bool:
    """Whether two outlines of one box show the same label: brightness and contrast may differ, the shape may not."""
    a, b = before - before.mean(), after - after.mean()
    if float(b.std()) < FLAT:
        return False
    scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return scale > 0 and float((a * b).sum()) / scale >= SAME_LABEL
