"""Spinning or stopped, from two frames: the column-strip difference.

Reels move a whole column; a win animation, a ticking meter or particles change patches. So the middle of the screen is
cut into column strips, each strip into bands, and the second most changed strip counts: the share of its bands that
changed. Blur says nothing: half of all spins are sharp.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from foureyes_actors.messages import Motion
from foureyes_actors.model_server.engine.detect import Image

SIZE = (320, 180)  # width, height of the gray thumbnail
REGION = (0.12, 0.14, 0.88, 0.86)  # where reels are when nobody says where: x1, y1, x2, y2
STRIPS, BANDS = 24, 12
CHANGED_LEVEL = 10  # gray levels; blurred reels change little but everywhere
CHANGED_SHARE = 0.3  # of a cell's pixels
SPINNING_SHARE = 0.46  # of a strip's bands
LIVELY_LEVEL = 22  # gray levels
LIVELY_SHARE = 0.017  # of the region's pixels: more than particles, as flashing symbols and counting amounts are

Gray = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class MotionSeen:
    motion: Motion
    confidence: float
    share: float = 0.0  # the second most changed strip's share of changed bands
    lively: bool = False  # something other than reels and particles moves: a win presentation


UNSEEN = MotionSeen(Motion.UNKNOWN, 0.0)


def thumbnail(image: Image) -> Gray:
    small = cv2.resize(image, SIZE, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def difference(before: Gray, after: Gray) -> Gray:
    """The absolute difference of two thumbnails inside the reel region."""
    height, width = after.shape
    x1, y1, x2, y2 = REGION
    rows, columns = slice(int(y1 * height), int(y2 * height)), slice(int(x1 * width), int(x2 * width))
    return np.asarray(cv2.absdiff(before, after)[rows, columns], dtype=np.uint8)


def motion_between(before: Gray, after: Gray) -> MotionSeen:
    """What the reels do between two thumbnails of one size, some tenths of a second apart."""
    changes = difference(before, after)
    cells = cv2.resize((changes > CHANGED_LEVEL).astype(np.float32), (STRIPS, BANDS), interpolation=cv2.INTER_AREA)
    share = float(np.sort((cells > CHANGED_SHARE).mean(axis=0))[-2])
    sure = 0.5 + min(0.5, abs(share - SPINNING_SHARE))
    if share >= SPINNING_SHARE:
        return MotionSeen(Motion.SPINNING, sure, share)
    return MotionSeen(Motion.STOPPED, sure, share, float((changes > LIVELY_LEVEL).mean()) > LIVELY_SHARE)
