"""Where things are, on a canvas of 1280 x 720 that the stage scales to the picture's size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from foureyes_actors.messages import Field

CANVAS = (1280, 720)
Box = tuple[int, int, int, int]  # left, top, right, bottom
Align = Literal["left", "center", "right"]


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for one line of text. ``cap``: wanted height of its capitals and digits in pixels."""

    box: Box
    cap: int
    align: Align = "center"


@dataclass(frozen=True, slots=True)
class Cell:
    """A label and its amount on a plate."""

    plate: Box
    label: Slot
    amount: Slot


@dataclass(frozen=True, slots=True)
class Layout:
    """``cells``: the amounts that have a truth; ``bet`` and ``win`` look like them and have none."""

    reels: Box
    columns: int
    rows: int
    cells: Mapping[Field, Cell]
    bet: Cell
    win: Cell
    title: Slot
    clock: Slot
    lines: Slot
    note: Slot | None = None  # small print: "must hit by"
    button: Box | None = None  # round
    pays: Box | None = None  # a pay table


def above(left: int, top: int, right: int, bottom: int, cap: int, label_cap: int) -> Cell:
    """The label over its amount."""
    middle = top + round((bottom - top) * (label_cap * 1.9) / (label_cap * 1.9 + cap * 1.75))
    label, amount = (left + 8, top + 3, right - 8, middle), (left + 10, middle, right - 10, bottom - 3)
    return Cell((left, top, right, bottom), Slot(label, label_cap), Slot(amount, cap))


def below(left: int, top: int, right: int, bottom: int, cap: int, label_cap: int) -> Cell:
    """The label under its amount."""
    middle = bottom - round((bottom - top) * (label_cap * 1.9) / (label_cap * 1.9 + cap * 1.75))
    amount, label = (left + 10, top + 3, right - 10, middle), (left + 8, middle, right - 8, bottom - 3)
    return Cell((left, top, right, bottom), Slot(label, label_cap), Slot(amount, cap))


def beside(left: int, top: int, right: int, bottom: int, cap: int, label_cap: int, part: float = 0.36) -> Cell:
    """The label left of its amount."""
    middle = left + round((right - left) * part)
    label, amount = (left + 12, top + 2, middle - 4, bottom - 2), (middle + 4, top + 2, right - 12, bottom - 2)
    return Cell((left, top, right, bottom), Slot(label, label_cap, "left"), Slot(amount, cap, "right"))


def _cells(grand: Cell, major: Cell, minor: Cell | None, mini: Cell, balance: Cell) -> Mapping[Field, Cell]:
    places = {Field.GRAND: grand, Field.MAJOR: major, Field.MINOR: minor, Field.MINI: mini, Field.BALANCE: balance}
    return MappingProxyType({name: cell for name, cell in places.items() if cell is not None})


TOP_ROW = Layout(
    reels=(240, 136, 1040, 592),
    columns=5,
    rows=3,
    cells=_cells(
        above(30, 14, 378, 116, 36, 17),
        above(394, 14, 690, 116, 30, 16),
        above(706, 14, 976, 116, 27, 16),
        above(992, 14, 1250, 116, 23, 16),
        above(30, 618, 390, 708, 20, 13),
    ),
    bet=above(410, 618, 640, 708, 24, 13),
    win=above(660, 618, 980, 708, 26, 13),
    title=Slot((14, 150, 226, 220), 22),
    clock=Slot((1150, 676, 1270, 708), 11, "right"),
    lines=Slot((1052, 540, 1268, 580), 13),
    note=Slot((14, 560, 226, 584), 9),
    button=(1010, 608, 1114, 712),
    pays=(1052, 150, 1268, 440),
)
LEFT_COLUMN = Layout(
    reels=(400, 96, 1256, 596),
    columns=5,
    rows=3,
    cells=_cells(
        above(18, 96, 382, 216, 38, 18),
        above(18, 228, 382, 334, 33, 16),
        above(18, 346, 382, 442, 27, 15),
        above(18, 454, 382, 542, 22, 14),
        above(18, 622, 382, 708, 18, 12),
    ),
    bet=above(404, 622, 620, 708, 18, 12),
    win=above(640, 622, 1000, 708, 24, 12),
    title=Slot((400, 14, 1256, 84), 38),
    clock=Slot((24, 30, 160, 60), 13, "left"),
    lines=Slot((18, 556, 382, 590), 13),
    note=Slot((1010, 660, 1130, 684), 8),
    button=(1146, 606, 1252, 712),
)
RIGHT_COLUMN = Layout(
    reels=(26, 92, 826, 600),
    columns=5,
    rows=4,
    cells=_cells(
        beside(842, 92, 1262, 174, 32, 17, 0.3),
        beside(842, 184, 1262, 254, 28, 16, 0.32),
        beside(842, 264, 1262, 326, 22, 14, 0.34),
        beside(842, 336, 1262, 394, 19, 13, 0.36),
        beside(842, 626, 1262, 704, 26, 16, 0.36),
    ),
    bet=beside(26, 626, 396, 704, 22, 15, 0.4),
    win=beside(416, 626, 822, 704, 24, 15, 0.34),
    title=Slot((26, 12, 826, 82), 36),
    clock=Slot((1130, 34, 1262, 62), 13, "right"),
    lines=Slot((842, 568, 1262, 598), 13),
    pays=(842, 410, 1262, 556),
)
CROWN = Layout(
    reels=(262, 126, 1018, 596),
    columns=5,
    rows=3,
    cells=_cells(
        above(400, 6, 880, 114, 40, 17),
        above(20, 16, 384, 106, 29, 14),
        above(896, 16, 1260, 106, 29, 14),
        above(14, 470, 250, 566, 21, 13),
        above(470, 618, 810, 708, 26, 13),
    ),
    bet=above(240, 618, 450, 708, 22, 13),
    win=above(830, 618, 1090, 708, 24, 13),
    title=Slot((14, 140, 250, 230), 24),
    clock=Slot((16, 680, 130, 706), 11, "left"),
    lines=Slot((1030, 480, 1268, 520), 14),
    note=Slot((1030, 540, 1268, 562), 9),
    button=(1126, 606, 1232, 712),
    pays=(1032, 140, 1266, 460),
)
CORNERS = Layout(
    reels=(326, 84, 954, 590),
    columns=5,
    rows=4,
    cells=_cells(
        below(16, 16, 312, 118, 30, 17),
        below(968, 16, 1264, 118, 28, 17),
        below(16, 490, 312, 588, 24, 15),
        below(968, 490, 1264, 588, 22, 15),
        below(476, 606, 804, 710, 28, 14),
    ),
    bet=below(236, 618, 456, 706, 20, 13),
    win=below(824, 618, 1064, 706, 22, 13),
    title=Slot((326, 12, 954, 74), 32),
    clock=Slot((20, 682, 140, 708), 11, "left"),
    lines=Slot((968, 440, 1264, 472), 13),
    note=Slot((16, 440, 312, 462), 10),
    button=(1098, 604, 1204, 710),
    pays=(16, 140, 312, 420),
)
BOTTOM_ROW = Layout(
    reels=(176, 74, 1104, 500),
    columns=6,
    rows=3,
    cells=_cells(
        above(20, 512, 376, 612, 34, 15),
        above(388, 512, 688, 612, 29, 15),
        above(700, 512, 976, 612, 26, 15),
        above(988, 512, 1260, 612, 22, 15),
        beside(20, 640, 420, 702, 17, 13, 0.36),
    ),
    bet=beside(440, 640, 720, 702, 20, 14, 0.4),
    win=beside(740, 640, 1090, 702, 24, 14, 0.3),
    title=Slot((320, 8, 960, 66), 32),
    clock=Slot((1150, 20, 1262, 46), 12, "right"),
    lines=Slot((16, 20, 170, 50), 12, "left"),
    button=(1132, 620, 1226, 714),
)
TWO_SIDES = Layout(
    reels=(306, 92, 974, 604),
    columns=5,
    rows=4,
    cells=_cells(
        above(12, 110, 294, 214, 30, 18),
        above(12, 244, 294, 338, 27, 17),
        above(986, 110, 1268, 214, 27, 18),
        above(986, 244, 1268, 338, 22, 16),
        above(306, 622, 586, 710, 19, 12),
    ),
    bet=above(600, 622, 770, 710, 20, 13),
    win=above(784, 622, 974, 710, 22, 13),
    title=Slot((200, 12, 1080, 84), 38),
    clock=Slot((16, 684, 140, 710), 12, "left"),
    lines=Slot((986, 362, 1268, 396), 14),
    note=Slot((12, 346, 294, 368), 10),
    button=(1070, 590, 1190, 710),
    pays=(12, 392, 294, 600),
)
CLASSIC = Layout(
    reels=(350, 150, 930, 486),
    columns=3,
    rows=3,
    cells=_cells(
        beside(300, 16, 980, 88, 38, 20, 0.32),
        above(24, 150, 334, 252, 32, 17),
        None,
        above(946, 150, 1256, 252, 30, 17),
        below(60, 510, 430, 616, 36, 16),
    ),
    bet=below(460, 510, 760, 616, 36, 16),
    win=below(790, 510, 1220, 616, 36, 16),
    title=Slot((350, 96, 930, 142), 24),
    clock=Slot((1120, 682, 1262, 710), 12, "right"),
    lines=Slot((946, 270, 1256, 304), 14),
    note=Slot((24, 262, 334, 284), 10),
    button=(592, 626, 684, 718),
    pays=(946, 316, 1256, 490),
)
PORTRAIT = Layout(
    reels=(396, 252, 884, 566),
    columns=5,
    rows=3,
    cells=_cells(
        above(396, 52, 884, 134, 29, 13),
        above(396, 142, 636, 192, 17, 10),
        above(644, 142, 884, 192, 16, 10),
        beside(396, 200, 636, 244, 14, 11, 0.34),
        above(396, 578, 616, 640, 15, 10),
    ),
    bet=above(396, 648, 540, 708, 16, 10),
    win=above(628, 578, 884, 640, 19, 11),
    title=Slot((396, 6, 884, 46), 20),
    clock=Slot((780, 682, 884, 706), 10, "right"),
    lines=Slot((648, 206, 884, 240), 12),
    button=(580, 644, 650, 714),
    pays=(40, 200, 340, 560),
)
LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        "top_row": TOP_ROW,
        "left_column": LEFT_COLUMN,
        "right_column": RIGHT_COLUMN,
        "crown": CROWN,
        "corners": CORNERS,
        "bottom_row": BOTTOM_ROW,
        "two_sides": TWO_SIDES,
        "classic": CLASSIC,
        "portrait": PORTRAIT,
    }
)


def overlaps(first: Box, second: Box) -> bool:
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]


def contains(outer: Box, inner: Box) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and outer[2] >= inner[2] and outer[3] >= inner[3]


def snapped(wanted: Box, cells: Mapping[Field, Cell], margin: int = 4) -> Box | None:
    """A box near ``wanted`` that covers each cell wholly or not at all, so that coverage is never half true.

    None when mending one cell cuts another again and again."""
    box = wanted
    for _ in range(len(cells) * 2):
        cut = next((c.plate for c in cells.values() if overlaps(box, c.plate) and not contains(box, c.plate)), None)
        if cut is None:
            return box
        box = _mended(box, cut, margin)
    return None


def _mended(box: Box, cell: Box, margin: int) -> Box:
    """Grown over the cell when most of it was covered already, else pulled back along the cheaper side."""
    width = min(box[2], cell[2]) - max(box[0], cell[0])
    height = min(box[3], cell[3]) - max(box[1], cell[1])
    if width * height * 2 > (cell[2] - cell[0]) * (cell[3] - cell[1]):
        return (
            min(box[0], cell[0] - margin),
            min(box[1], cell[1] - margin),
            max(box[2], cell[2] + margin),
            max(box[3], cell[3] + margin),
        )
    left, top, right, bottom = box
    if width < height:
        return (cell[2] + margin, top, right, bottom) if cell[0] < left else (left, top, cell[0] - margin, bottom)
    return (left, cell[3] + margin, right, bottom) if cell[1] < top else (left, top, right, cell[1] - margin)


def covered(box: Box, cells: Mapping[Field, Cell]) -> frozenset[Field]:
    """The cells that the box touches."""
    return frozenset(name for name, cell in cells.items() if overlaps(box, cell.plate))
