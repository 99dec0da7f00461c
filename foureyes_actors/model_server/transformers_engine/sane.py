"""What a network may answer: text, boxes and probabilities that cannot be meant are no value. Pure functions."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

LONGEST_TEXT = 80  # characters of one line; longer ones are a decoder that does not end
MOST_REPEATS = 3  # of the same two to eight characters in a row
MOST_EQUAL = 8  # of one character in a row
LEAST_INSIDE = 0.5  # of a box's area: the part that must be inside the picture
LEAST_SIDE = 1.0  # pixels
SUM_SLACK = 0.01  # of probabilities, which float32 does not sum to exactly 1

_LOOP = re.compile(rf"(.{{2,8}}?)\1{{{MOST_REPEATS},}}")
_RUN = re.compile(rf"(.)\1{{{MOST_EQUAL},}}")


@dataclass(frozen=True, slots=True)
class Detection:
    """One box of a detector, in pixels of the picture. ``kind``: what it was searched as."""

    kind: str
    score: float
    left: float
    top: float
    right: float
    bottom: float

    @property
    def area(self) -> float:
        return max(0.0, self.right - self.left) * max(0.0, self.bottom - self.top)


@dataclass(frozen=True, slots=True)
class Sifted:
    """``kept``: clipped to the picture, the surest first. ``refused``: how many could not be meant."""

    kept: tuple[Detection, ...]
    refused: int


def sane_text(text: str) -> str | None:
    """The line without blanks at its ends; None for an empty, too long, unprintable or looping one."""
    line = text.strip()
    if not line or len(line) > LONGEST_TEXT or not line.isprintable() or "\ufffd" in line:
        return None
    return None if _RUN.search(line) or any(len(set(loop[1])) > 1 for loop in _LOOP.finditer(line)) else line


def sane_probabilities(values: Sequence[float]) -> bool:
    """Whether these can be the probabilities of a network's classes."""
    return bool(values) and all(_probability(v) for v in values) and abs(sum(values) - 1.0) <= SUM_SLACK


def sift(found: Iterable[Detection], width: int, height: int) -> Sifted:
    """The detections that a picture of ``width`` x ``height`` pixels can show."""
    checked = [_within(detection, width, height) for detection in found]
    kept = sorted((d for d in checked if d is not None), key=lambda d: -d.score)
    return Sifted(tuple(kept), len(checked) - len(kept))


def _within(found: Detection, width: int, height: int) -> Detection | None:
    """Clipped to the picture; None for one of no area, of no score, or mostly outside."""
    sides = (found.left, found.top, found.right, found.bottom)
    if not all(map(math.isfinite, sides)) or not _probability(found.score):
        return None
    inside = replace(
        found,
        left=max(0.0, found.left),
        top=max(0.0, found.top),
        right=min(float(width), found.right),
        bottom=min(float(height), found.bottom),
    )
    if inside.right - inside.left < LEAST_SIDE or inside.bottom - inside.top < LEAST_SIDE:
        return None
    return inside if inside.area >= LEAST_INSIDE * found.area else None


def _probability(value: float) -> bool:
    return math.isfinite(value) and 0.0 <= value <= 1.0
