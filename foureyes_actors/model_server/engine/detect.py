"""Where text is: the DB detector's probability map, and axis-aligned boxes by its connected components.

Game screens show their texts upright, so polygons and angles are not needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from foureyes_actors.model_server.engine.models import Session

Image = NDArray[np.uint8]  # height x width x 3, RGB

# Constants of the models' own inference.yml (BGR order).
MEAN = np.array([0.485, 0.456, 0.406], np.float32) * 255
STD = np.array([0.229, 0.224, 0.225], np.float32) * 255
THRESHOLD = 0.2
BOX_SCORE = 0.4
UNCLIP = 1.2  # less than the models' 1.4: tight crops of upright text are read better (measured)
LINE_GAP = 0.2  # of the height: the blank between two boxes of one line
LINE_HEIGHTS = 1.4
STRIDE = 32  # the network's sides are multiples of this
CUT_NEAR = 4  # a quarter of its height is how near to a side of a part a text is taken for cut


@dataclass(frozen=True, slots=True)
class Box:
    """Pixels of the picture; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def centre(self) -> tuple[float, float]:
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def grown(self, dx: int, dy: int, width: int, height: int) -> Box:
        """Larger by ``dx`` and ``dy`` on each side, within a picture of ``width`` x ``height``."""
        return Box(
            max(0, self.left - dx), max(0, self.top - dy), min(width, self.right + dx), min(height, self.bottom + dy)
        )


def probability_map(session: Session, image: Image, side: int) -> tuple[NDArray[np.float32], float, float]:
    """The text probability at reduced size, and the picture's pixels per map pixel (x, y).

    ``side``: the longest side that the network sees, in pixels; smaller pictures are not enlarged.
    """
    height, width = image.shape[:2]
    scale = min(1.0, side / max(height, width))
    w = max(STRIDE, round(width * scale / STRIDE) * STRIDE)
    h = max(STRIDE, round(height * scale / STRIDE) * STRIDE)
    small = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    tensor = (small[:, :, ::-1].astype(np.float32) - MEAN) / STD
    result = session.run(np.ascontiguousarray(tensor.transpose(2, 0, 1)[None]))[0, 0]
    return result, width / w, height / h


def boxes_of(probability: NDArray[np.float32], sx: float, sy: float, width: int, height: int, most: int) -> list[Box]:
    """At most ``most`` boxes, the largest first, in pixels of a picture of ``width`` x ``height``."""
    mask = (probability > THRESHOLD).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    order = np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable")[:most] + 1 if count > 1 else ()
    boxes = []
    for index in order:
        x, y, w, h, _ = (int(v) for v in stats[index])
        if min(w, h) < 3:
            continue
        inside = labels[y : y + h, x : x + w] == index
        if float(probability[y : y + h, x : x + w][inside].mean()) < BOX_SCORE:
            continue
        grow = w * h * UNCLIP / (2 * (w + h))  # DB's distance: area x ratio / perimeter
        boxes.append(_scaled(x - grow, y - grow, x + w + grow, y + h + grow, sx, sy, width, height))
    return boxes


def around(boxes: Sequence[Box]) -> Box:
    """The smallest box that holds all of ``boxes`` (at least one)."""
    return Box(
        min(b.left for b in boxes), min(b.top for b in boxes), max(b.right for b in boxes), max(b.bottom for b in boxes)
    )


def joined_rows(boxes: list[Box]) -> list[Box]:
    """Boxes of one line with hardly a gap between them as one: wide blanks and narrow strokes split an amount."""
    result: list[Box] = []
    for box in sorted(boxes, key=lambda b: b.left):
        for index, other in enumerate(result):
            if _one_line(other, box):
                result[index] = around([other, box])
                break
        else:
            result.append(box)
    return result


def _one_line(a: Box, b: Box) -> bool:
    low, high = sorted((a.height, b.height))
    overlap = min(a.bottom, b.bottom) - max(a.top, b.top)
    gap = max(a.left, b.left) - min(a.right, b.right)
    return high <= LINE_HEIGHTS * low and overlap >= 0.75 * low and gap <= LINE_GAP * low


def _scaled(x1: float, y1: float, x2: float, y2: float, sx: float, sy: float, width: int, height: int) -> Box:
    return Box(
        max(0, int(x1 * sx)), max(0, int(y1 * sy)), min(width, round(x2 * sx + 0.5)), min(height, round(y2 * sy + 0.5))
    )


def detect(session: Session, image: Image, side: int, most: int) -> list[Box]:
    """At most ``most`` text boxes of ``image``, from left to right."""
    probability, sx, sy = probability_map(session, image, side)
    return joined_rows(boxes_of(probability, sx, sy, image.shape[1], image.shape[0], most))


def detect_in(session: Session, image: Image, region: Box, zoom: float, most: int) -> list[Box]:
    """At most ``most`` text boxes of a part of ``image``, enlarged ``zoom`` times for the network.

    Boxes that the part's border cuts are left out.
    """
    part = image[region.top : region.bottom, region.left : region.right]
    size = (max(STRIDE, round(region.width * zoom)), max(STRIDE, round(region.height * zoom)))
    enlarged = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
    probability, sx, sy = probability_map(session, enlarged, max(size))
    fx, fy = region.width / size[0], region.height / size[1]
    boxes = joined_rows(boxes_of(probability, sx * fx, sy * fy, region.width, region.height, most))
    found = [Box(b.left + region.left, b.top + region.top, b.right + region.left, b.bottom + region.top) for b in boxes]
    return [b for b in found if not _cut(b, region, image.shape[1], image.shape[0])]


def _cut(box: Box, region: Box, width: int, height: int) -> bool:
    """Also one that ends just before a side: the detector draws back from it, and an amount would lack its last
    digits."""
    near = box.height // CUT_NEAR
    return (
        (box.left - near <= region.left > 0)
        or (box.top <= region.top > 0)
        or (box.right + near >= region.right < width)
        or (box.bottom >= region.bottom < height)
    )
