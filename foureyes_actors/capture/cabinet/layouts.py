"""Where things are, on a canvas of 1280 x 720 that the painter scales to the picture's size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from foureyes_actors.messages import Field

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
    reels: Box
    columns: int
    rows: int
    cells: Mapping[Field, Cell]  # the amounts that have a truth
    bet: Cell
    win: Cell
    title: Slot | None = None
    clock: Slot | None = None
    lines: Slot | None = None
    note: Slot | None = None
    button: Box | None = None


def above(box: Box, cap: int, label_cap: int) -> Cell:
    """The label over its amount."""
    left, top, right, bottom = box
    middle = top + round((bottom - top) * (0.42 if label_cap * 2 > cap else 0.36))
    return Cell(
        box,
        Slot((left + 6, top + 2, right - 6, middle), label_cap),
        Slot((left + 6, middle, right - 6, bottom - 2), cap),
    )


TOP_ROW = Layout(
    reels=(240, 150, 1040, 590),
    columns=5,
    rows=3,
    cells=MappingProxyType(
        {
            Field.GRAND: above((40, 20, 360, 110), 32, 16),
            Field.MAJOR: above((380, 20, 660, 110), 28, 16),
            Field.MINOR: above((680, 20, 940, 110), 26, 16),
            Field.MINI: above((960, 20, 1240, 110), 24, 16),
            Field.BALANCE: above((40, 620, 400, 705), 24, 13),
        }
    ),
    bet=above((430, 620, 640, 705), 22, 13),
    win=above((670, 620, 960, 705), 22, 13),
    clock=Slot((1150, 690, 1270, 714), 10, "right"),
    lines=Slot((1060, 560, 1240, 590), 12),
    button=(1040, 612, 1140, 712),
)
