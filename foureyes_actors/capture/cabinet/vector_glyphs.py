"""Three faces that need no font file: seven segments, 5 x 7 dots, and strokes of a pen.

Every function draws one glyph into a mask ("L", 255 is ink) whose capitals are ``cap`` pixels high, standing on
``base``, starting at ``left``; it returns the advance in pixels, or None when the face does not have the character.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import hypot
from types import MappingProxyType

from PIL import ImageDraw

Point = tuple[float, float]

# Segments a-g in the usual order: top, upper right, lower right, bottom, lower left, upper left, middle.
SEGMENTS: Mapping[str, str] = MappingProxyType(
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
        "-": "g",
    }
)
# Each character: five columns from left to right, lowest bit on top.
DOTS_TABLE = """
0=3E5149453E 1=00427F4000 2=4261514946 3=2241494936 4=1814127F10 5=2745454539 6=3E49494932 7=0171090503
8=3649494936 9=264949493E A=7E1111117E B=7F49494936 C=3E41414122 D=7F4141413E E=7F49494941 F=7F09090901
G=3E4149497A H=7F0808087F I=00417F4100 J=2040413F01 K=7F08142241 L=7F40404040 M=7F020C027F N=7F0408107F
O=3E4141413E P=7F09090906 Q=3E4151215E R=7F09192946 S=2649494932 T=01017F0101 U=3F4040403F V=1F2040201F
W=7F2018207F X=6314081463 Y=0304780403 Z=6151494543 $=242A7F2A12 €=143E555541 £=487E494942 ¥=15167C1615
-=0808080808 :=0036360000 .=0060600000 ,=00A0600000 '=0003050000 !=00005F0000 +=08083E0808 %=2313086462
"""
# Polylines on a grid of 4 x 6, y downwards: two figures a point; a comma starts the next line.
STROKES_TABLE = """
0=10:30:41:45:36:16:05:01:10 1=11:20:26,16:36 2=01:10:30:41:42:05:06:46 3=00:40:22:32:43:45:36:16:05
4=36:30:04:44 5=40:00:02:32:43:45:36:06 6=41:30:10:01:05:16:36:45:44:33:03 7=00:40:41:13:16
8=10:30:41:42:33:13:02:01:10,33:44:45:36:16:05:04:13 9=43:13:02:01:10:30:41:45:36:16:05
A=06:02:20:42:46,04:44 B=03:33:42:41:30:00:06:36:45:44:33 C=41:30:10:01:05:16:36:45
D=00:06:26:44:42:20:00 E=40:00:06:46,03:33 F=40:00:06,03:33 G=41:30:10:01:05:16:36:45:43:23
H=00:06,40:46,03:43 I=20:26 J=40:45:36:16:05:04 K=00:06,40:03:46 L=00:06:46 M=06:00:23:40:46
N=06:00:46:40 O=10:30:41:45:36:16:05:01:10 P=06:00:30:41:42:33:03 Q=10:30:41:45:36:16:05:01:10,24:46
R=06:00:30:41:42:33:03,23:46 S=41:30:10:01:02:13:33:44:45:36:16:05 T=00:40,20:26 U=00:05:16:36:45:40
V=00:03:26:43:40 W=00:06:23:46:40 X=00:46,40:06 Y=00:23:40,23:26 Z=00:40:06:46
€=41:30:20:11:15:26:36:45,02:32,04:32 ¥=00:23:40,23:26,03:43,05:45 £=41:30:20:11:15:06:46,03:33
-=13:33 +=13:33,22:24
"""


def _table(text: str) -> Mapping[str, str]:
    return MappingProxyType({pair[0]: pair[2:] for pair in text.split()})


DOTS, STROKES = _table(DOTS_TABLE), _table(STROKES_TABLE)


def segment_glyph(pen: ImageDraw.ImageDraw, char: str, left: float, base: float, cap: float) -> float | None:
    """Seven segments with small gaps, as on an LED display; the point sits between the digits."""
    width, thick = cap * 0.56, cap * 0.145
    if char in ".,'":
        _mark(pen, char, left, base, cap, thick)
        return cap * 0.26
    if char not in SEGMENTS:
        return None
    for name in SEGMENTS[char]:
        pen.polygon(_segment(name, left, base, width, cap, thick), fill=255)
    return cap * 0.76


def _segment(name: str, left: float, base: float, width: float, cap: float, thick: float) -> list[Point]:
    top, half, gap = base - cap, thick / 2, thick * 0.12
    rows = {"a": top + half, "g": base - cap / 2, "d": base - half}
    if name in rows:
        y, start, end = rows[name], left + half + gap, left + width - half - gap
        return [
            (start, y),
            (start + half, y - half),
            (end - half, y - half),
            (end, y),
            (end - half, y + half),
            (start + half, y + half),
        ]
    x = left + half if name in "ef" else left + width - half
    start, end = (top + half + gap, base - cap / 2 - gap) if name in "bf" else (base - cap / 2 + gap, base - half - gap)
    return [
        (x, start),
        (x + half, start + half),
        (x + half, end - half),
        (x, end),
        (x - half, end - half),
        (x - half, start + half),
    ]


def _mark(pen: ImageDraw.ImageDraw, char: str, left: float, base: float, cap: float, thick: float) -> None:
    x, low = left + cap * 0.02, base - cap if char == "'" else base - thick
    pen.rectangle((x, low, x + thick, low + thick), fill=255)
    if char in ",'":
        pen.polygon([(x + thick * 0.3, low + thick), (x + thick, low + thick), (x, low + thick * 2.1)], fill=255)


def dot_glyph(pen: ImageDraw.ImageDraw, char: str, left: float, base: float, cap: float) -> float | None:
    """Round lamps in seven rows (an eighth for the comma's tail)."""
    pitch = cap / 7
    if char == " ":
        return pitch * 3
    if char not in DOTS:
        return None
    columns = bytes.fromhex(DOTS[char])
    used = [number for number, bits in enumerate(columns) if bits]
    first, last = (used[0], used[-1]) if char in ".,'!:" else (0, 4)
    for column in range(first, last + 1):
        for row in range(8):
            if columns[column] >> row & 1:
                x, y = left + (column - first) * pitch, base - cap + row * pitch
                pen.ellipse((x + pitch * 0.06, y + pitch * 0.06, x + pitch * 0.94, y + pitch * 0.94), fill=255)
    return (last - first + 2) * pitch


def stroke_glyph(
    pen: ImageDraw.ImageDraw, char: str, left: float, base: float, cap: float, thick: float, rounded: bool
) -> float | None:
    """A pen ``thick`` pixels wide along the lines; ``rounded`` ends and corners, or cut ones."""
    if char in ".,'":
        _mark(pen, char, left, base, cap, thick * 1.15)
        return thick * 1.15 + cap * 0.14
    if char == "$":
        return _dollar(pen, left, base, cap, thick, rounded)
    if char not in STROKES:
        return None
    width = cap * 0.58
    slim = char == "I"
    for line in STROKES[char].split(","):
        points = [
            _place(p, left - (width * 0.5 - thick * 0.5 if slim else 0), base, width, cap, thick)
            for p in line.split(":")
        ]
        draw_line(pen, smooth(points) if rounded else points, thick, rounded)
    return (thick if slim else width) + cap * 0.17


def _dollar(pen: ImageDraw.ImageDraw, left: float, base: float, cap: float, thick: float, rounded: bool) -> float:
    advance = stroke_glyph(pen, "S", left, base, cap, thick, rounded)
    assert advance is not None
    x, bar = left + cap * 0.29, thick * 0.4
    pen.rectangle((x - bar, base - cap * 1.13, x + bar, base + cap * 0.13), fill=255)
    return advance


def _place(point: str, left: float, base: float, width: float, cap: float, thick: float) -> Point:
    half = thick / 2
    return (
        left + half + int(point[0]) / 4 * (width - thick),
        base - cap + half + int(point[1]) / 6 * (cap - thick),
    )


def smooth(points: list[Point], times: int = 2) -> list[Point]:
    """Chaikin's corner cutting; the ends stay."""
    for _ in range(times):
        cut = [points[0]]
        for (x0, y0), (x1, y1) in pairwise(points):
            cut += [(x0 * 0.75 + x1 * 0.25, y0 * 0.75 + y1 * 0.25), (x0 * 0.25 + x1 * 0.75, y0 * 0.25 + y1 * 0.75)]
        points = [*cut, points[-1]]
    return points


def draw_line(pen: ImageDraw.ImageDraw, points: list[Point], thick: float, rounded: bool) -> None:
    """A thick polyline without notches at its corners."""
    half = thick / 2
    for (x0, y0), (x1, y1) in pairwise(points):
        long = hypot(x1 - x0, y1 - y0) or 1.0
        # A cut corner of 45 degrees is filled when each piece reaches half * tan(22.5 degrees) beyond it.
        dx, dy, over = (x1 - x0) / long, (y1 - y0) / long, 0.0 if rounded else half * 0.414
        ax, ay, bx, by = x0 - dx * over, y0 - dy * over, x1 + dx * over, y1 + dy * over
        nx, ny = -dy * half, dx * half
        pen.polygon([(ax + nx, ay + ny), (bx + nx, by + ny), (bx - nx, by - ny), (ax - nx, ay - ny)], fill=255)
    if rounded:
        for x, y in points:
            pen.ellipse((x - half, y - half, x + half, y + half), fill=255)
