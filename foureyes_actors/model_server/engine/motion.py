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
CHANGED_LEVEL = 8  # gray levels; blurred reels change little but everywhere
NOISE_LEVELS = 3  # added to it for each gray level that the picture's median pixel changed by
MOST_NOISE = 8  # gray levels: a larger median change is no noise
CHANGED_SHARE = 0.3  # of a cell's pixels
SPINNING_SHARE = 0.54  # of a strip's bands
CUT_SHARE = 0.5  # of the pixels outside the region: then it is another picture, or a dimmed one, not a motion
LIVELY_CELLS = (48, 27)  # columns, rows
LIVELY_LEVEL, LIVELY_SHARE = 16, 0.15  # gray levels, of a cell's pixels
LIVELY_FROM = 0.03  # of the cells: more than drifting particles, as flashing symbols and counting amounts are

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


def motion_between(before: Gray, after: Gray) -> MotionSeen:
    """What the reels do between two thumbnails of one size, some tenths of a second apart."""
    whole = np.asarray(cv2.absdiff(before, after), dtype=np.uint8)
    noise = NOISE_LEVELS * min(MOST_NOISE, int(np.median(whole)))
    height, width = after.shape
    x1, y1, x2, y2 = REGION
    region = slice(int(y1 * height), int(y2 * height)), slice(int(x1 * width), int(x2 * width))
    outside = np.ones(whole.shape, np.bool_)
    outside[region] = False
    if float((whole[outside] > CHANGED_LEVEL + noise).mean()) > CUT_SHARE:
        return UNSEEN
    middle = whole[region]
    strips = _changed(middle, CHANGED_LEVEL + noise, (STRIPS, BANDS), CHANGED_SHARE).mean(axis=0)
    share = float(np.sort(strips)[-2])
    sure = 0.5 + min(0.5, abs(share - SPINNING_SHARE))
    if share >= SPINNING_SHARE:
        return MotionSeen(Motion.SPINNING, sure, share)
    lively = float(_changed(middle, LIVELY_LEVEL + noise, LIVELY_CELLS, LIVELY_SHARE).mean()) > LIVELY_FROM
    return MotionSeen(Motion.STOPPED, sure, share, lively)


def _changed(changes: Gray, level: int, cells: tuple[int, int], share: float) -> NDArray[np.bool_]:
    """Which cells (columns x rows) have more than ``share`` of their pixels changed by more than ``level``."""
    changed = (changes > level).astype(np.float32)
    return np.asarray(cv2.resize(changed, cells, interpolation=cv2.INTER_AREA) > share)
