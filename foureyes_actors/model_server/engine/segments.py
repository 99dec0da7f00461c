"""Seven-segment displays, read by their segments.

Recognisers know printed digits: on LED meters they take a 7 for a 1, a 6 for a 5, and the dark digits' ghosts for
strokes; detectors leave out a first or a last digit. But such a display is easily read by what it is: lit bars at seven
places. A text counts as one only when each of its digits is one of the ten patterns, with clearly lit and clearly dark
places; so letters and printed digits of other faces are left to the recogniser, or read as the same digit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from foureyes_actors.model_server.engine.detect import Box, Image

# Segments a-g in the usual order: top, upper right, lower right, bottom, lower left, upper left, middle.
PATTERNS: Mapping[str, str] = MappingProxyType(
    {
        "0": "abcdef",
        "1": "bc",
        "2": "abdeg",
        "3": "abcdg",
        "4": "bcfg",
        "5": "acdfg",
        "6": "acdefg",
        "7": "abc",
        "8": "abcdefg",
        "9": "abcdfg",
    }
)
DIGITS = MappingProxyType({frozenset(segments): digit for digit, segments in PATTERNS.items()})
SEGMENTS = "abcdefg"
HEIGHT = 72  # the box is enlarged to this: edges between pixels, and one scale for all constants
MOST_WIDTH = 4096  # pixels of the enlarged surroundings
REACH = 2.6  # box heights: how far digits are looked for beside the box
ABOVE = 0.08  # box heights: digits may reach over the box's edge
LEAST_CONTRAST = 20.0  # gray levels between lit and dark
SMOOTH = 5  # pixels of the enlarged box, about half a bar: the light of a place is the mean of such a square
DARK = 0.25  # of the way from dark to lit: the ground beside a narrow digit
LIT = 0.58  # of the way from dark to lit: above glow and dark segments, below a lit one's edge
SLANTS = (0.0, 0.05, 0.1, 0.15, 0.2)
TALL, LOW = 0.8, 0.42  # of the digits' height: a digit at least, a mark at most
SEVEN = 0.4  # of the digits' height: a 7 at least; a printed 1 with its flag has the same bars, and is narrower
UNEVEN = 0.17  # of the digits' height: a digit's ends above and below the others'
COMMA = 1.4  # heights to widths: a comma at least
LEAST_HEIGHT = 0.05  # box heights: anything lower is a scrap
NARROW, WIDE = 0.3, 0.85  # of the digits' height: a 1 at most, any digit at most
FARTHEST = 0.95  # of the digits' height: the gap between a digit and a 1, which stands at the right of its place
NEAR = 1.3  # of the digits' height: how close a currency stands
BAR = 0.15  # of the digits' height: how thick a segment is, about
ALONG = (0.25, 0.36)  # of the digits' height, from above and from below: where upright bars are looked at
LEAST_MARGIN = 0.3  # the darkest lit segment is brighter than the brightest dark one by this part of the contrast
FEWEST = 3  # digits

Levels = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Display:
    """``text``: digits and marks. ``margin``: how clearly the least clear digit is lit, 0-1. ``before``, ``after``:
    whether something else that is lit stands beside them."""

    text: str
    box: Box
    margin: float
    before: bool
    after: bool


@dataclass(frozen=True, slots=True)
class _Sign:
    """A run of lit columns: left, right (exclusive), and its digit or mark; "" when it is neither."""

    left: int
    right: int
    text: str
    margin: float = 1.0


def display_at(image: Image, box: Box) -> Display | None:
    """The digits of a seven-segment display in and beside ``box``; None when that is no such display."""
    height, width = image.shape[:2]
    reach = round(REACH * box.height)
    region = box.grown(reach, round(ABOVE * box.height), width, height)
    scale = HEIGHT / max(1, box.height)
    if box.height < 12 or box.width < box.height or scale * region.width > MOST_WIDTH:
        return None
    levels = _levels(image, box, region, scale)
    if levels is None:
        return None
    slant = _slant(levels[:, round((box.left - region.left) * scale) : round((box.right - region.left) * scale)])
    upright = _sheared(levels, slant)
    inside = ((box.left - region.left) * scale, (box.right - region.left) * scale)
    chain = _chain(*_signs(upright, inside), inside)
    return None if chain is None else _placed(chain, region, box, scale)


def _levels(image: Image, box: Box, region: Box, scale: float) -> Levels | None:
    """The region's light, enlarged: 0 is dark, 1 is lit."""
    gray = cv2.cvtColor(image[region.top : region.bottom, region.left : region.right], cv2.COLOR_RGB2GRAY)
    core = gray[box.top - region.top : box.bottom - region.top, box.left - region.left : box.right - region.left]
    dark, lit = (float(v) for v in np.percentile(core[::2, ::2], (15, 97)))
    if lit - dark < LEAST_CONTRAST:
        return None
    size = (max(1, round(region.width * scale)), max(1, round(region.height * scale)))
    large = cv2.resize(gray, size, interpolation=cv2.INTER_CUBIC)
    return np.asarray((large.astype(np.float32) - dark) / (lit - dark), dtype=np.float32)


def _sheared(levels: Levels, slant: float) -> Levels:
    """Upright again: rows are moved to the left by ``slant`` for each pixel above the middle."""
    if not slant:
        return levels
    height, width = levels.shape
    matrix = np.array([[1, slant, -slant * height / 2], [0, 1, 0]], np.float32)
    return np.asarray(cv2.warpAffine(levels, matrix, (width, height), flags=cv2.INTER_LINEAR), dtype=np.float32)


def _slant(levels: Levels) -> float:
    """The slant that makes upright bars stand in the fewest columns."""
    lit = np.asarray(levels > LIT, dtype=np.float32)
    half = np.asarray(cv2.resize(lit, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), dtype=np.float32)
    return max(SLANTS, key=lambda slant: float((_sheared(half, slant).sum(axis=0) ** 2).sum()))


def _runs(columns: Any) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], columns, [False])).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _signs(levels: Levels, inside: tuple[float, float]) -> tuple[list[_Sign], int]:
    """Everything lit in the row of the box, from left to right, and the digits' height."""
    lit = _standing(np.asarray(levels > LIT, dtype=np.bool_))
    runs = [(a, b) for a, b in _runs(lit.any(axis=0)) if b - a >= 3]
    spans = [_span(lit[:, a:b]) for a, b in runs]
    tall = [s for (a, b), s in zip(runs, spans, strict=True) if inside[0] <= (a + b) / 2 <= inside[1]]
    tall = [s for s in tall if s[1] - s[0] >= HEIGHT / 2]
    if len(tall) < FEWEST - 1:
        return [], 0
    # 1, 4 and 7 have no bar below, and a currency's sign may be taller.
    top = sorted(s[0] for s in tall)[len(tall) // 4]
    base = sorted(s[1] for s in tall)[-1 - len(tall) // 4]
    smooth = np.asarray(cv2.blur(levels, (SMOOTH, SMOOTH)), np.float32)
    return [sign for a, b in runs for sign in _sign(smooth, lit, a, b, top, base)], base - top


def _standing(lit: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """``lit`` without what runs out of the row, the panel's border or the row above, and without its scraps."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(lit.astype(np.uint8), connectivity=8)
    keep = stats[:, cv2.CC_STAT_HEIGHT] >= LEAST_HEIGHT * HEIGHT
    keep[labels[0]] = keep[labels[-1]] = keep[0] = False
    return np.asarray(keep[labels], dtype=np.bool_)


def _span(lit: NDArray[np.bool_]) -> tuple[int, int]:
    rows = np.flatnonzero(lit.any(axis=1))
    return int(rows[0]), int(rows[-1]) + 1


def _sign(levels: Levels, lit: NDArray[np.bool_], left: int, right: int, top: int, base: int) -> list[_Sign]:
    """The signs of one run: a digit, a mark, a mark and the digit that its light runs into, or nothing known."""
    cap = base - top
    high, low = _span(lit[:, left:right])
    if high >= base - LOW * cap:
        return [_Sign(left, right, "," if low - high > COMMA * (right - left) else ".")]
    if low <= top + LOW * cap:
        return [_Sign(left, right, "'")]
    low_columns = ~lit[: base - round(LOW * cap), left:right].any(axis=0)
    mark = int(np.argmin(low_columns)) if low_columns.any() and not low_columns.all() else 0
    if mark >= 0.1 * cap:
        return [s for a, b in ((left, left + mark), (left + mark, right)) for s in _sign(levels, lit, a, b, top, base)]
    if abs(high - top) > UNEVEN * cap or abs(low - base) > UNEVEN * cap:
        return [_Sign(left, right, "")]
    return [_digit(levels, left, right, top, base)]


def _digit(levels: Levels, left: int, right: int, top: int, base: int) -> _Sign:
    cap, wide = base - top, right - left
    cell = levels[top:base, left:right]
    if wide <= NARROW * cap:
        margin = _one(cell)
        return _Sign(left, right, "1" if margin >= LEAST_MARGIN else "", margin)
    if wide > WIDE * cap:
        return _Sign(left, right, "")
    digit, margin = _known(_places(cell))
    narrow = digit == "7" and wide < SEVEN * cap
    return _Sign(left, right, "" if narrow or digit == "1" else digit, margin)


def _known(places: Mapping[str, tuple[float, float]]) -> tuple[str, float]:
    """The digit whose segments are the brightest places, and how much brighter than the others; "" for none."""
    order = sorted(places, key=lambda place: -sum(places[place]))
    found = [
        (min(places[p][0] for p in order[:count]) - max(places[p][1] for p in order[count:]), digit)
        for count in range(2, len(SEGMENTS) + 1)
        if (digit := DIGITS.get(frozenset(order[:count])))
    ]
    margin, digit = max(found, default=(0.0, ""))
    return (digit, margin) if margin >= LEAST_MARGIN else ("", margin)


def _places(cell: Levels) -> dict[str, tuple[float, float]]:
    """The least and the most light along a digit's segments, and in its two holes ("h", "i"), which all digits have
    dark. A bar is lit along its length; the end of a printed stroke that stands in its place is not."""
    height, width = cell.shape
    bar, middle = max(2, round(BAR * height)), height // 2
    columns = [cell[:, width // 2]]
    upper = [cell[round(part * height)] for part in ALONG]
    lower = [cell[round((1 - part) * height)] for part in ALONG]
    centre = slice(width // 2, width // 2 + 1)
    left, right = slice(None, bar), slice(-bar, None)
    lines = {"a": (columns, left), "g": (columns, slice(middle - bar // 2, middle + bar // 2 + 1))}
    lines |= {"d": (columns, right), "f": (upper, left), "b": (upper, right), "e": (lower, left), "c": (lower, right)}
    lines |= {"h": (upper, centre), "i": (lower, centre)}
    lights = {name: [float(line[part].max()) for line in across] for name, (across, part) in lines.items()}
    return {name: (min(light), max(light)) for name, light in lights.items()}


def _one(cell: Levels) -> float:
    """How clearly a narrow cell shows the two bars of a 1."""
    height = cell.shape[0]
    column = cell.max(axis=1)
    upper, lower = slice(round(0.15 * height), round(0.4 * height)), slice(round(0.6 * height), round(0.85 * height))
    return float(min(column[upper].min(), column[lower].min())) - DARK


def _chain(signs: Sequence[_Sign], cap: int, inside: tuple[float, float]) -> tuple[Sequence[_Sign], bool, bool] | None:
    """The digits and marks in a row that fill the box and go on beside it; whether something else follows them."""
    digits = [i for i, s in enumerate(signs) if s.text.isdigit() and inside[0] <= (s.left + s.right) / 2 <= inside[1]]
    if not digits:
        return None
    gaps = [b.left - a.right for a, b in pairwise(signs)]
    first, last = digits[0], digits[-1]
    while first > 0 and signs[first - 1].text and gaps[first - 1] <= FARTHEST * cap:
        first -= 1
    while last + 1 < len(signs) and signs[last + 1].text and gaps[last] <= FARTHEST * cap:
        last += 1
    chain = signs[first : last + 1]
    if any(not s.text for s in chain) or sum(s.text.isdigit() for s in chain) < FEWEST:
        return None
    before = first > 0 and gaps[first - 1] <= NEAR * cap
    return chain, before, last + 1 < len(signs) and gaps[last] <= NEAR * cap


def _placed(found: tuple[Sequence[_Sign], bool, bool], region: Box, box: Box, scale: float) -> Display:
    chain, before, after = found
    slack = 0.15 * box.height
    left = min(box.left, round(region.left + chain[0].left / scale - slack))
    right = max(box.right, round(region.left + chain[-1].right / scale + slack))
    where = Box(max(region.left, left), box.top, min(region.right, right), box.bottom)
    margin = min(s.margin for s in chain)
    return Display("".join(s.text for s in chain), where, margin, before, after)
