"""What the engine's tests share: texts as a recogniser gives them, and screens drawn with Pillow alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("cv2", reason="pip install -e '.[embedded]'")

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from foureyes_actors.model_server.engine.detect import Box
from foureyes_actors.model_server.engine.recognise import MONEY_CHARACTERS, Line, Text

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDE, HIGH = 1280, 720


def box(left: int, top: int, width: int = 120, height: int = 30) -> Box:
    return Box(left, top, left + width, top + height)


def line(text: str, where: Box, sure: float | Sequence[float] = 0.99) -> Line:
    step = where.width / max(1, len(text))
    each = (sure,) * len(text) if isinstance(sure, float) else tuple(sure)
    return Line(text, each, tuple(where.left + (i + 0.5) * step for i in range(len(text))))


def text(
    shown: str, where: Box | None = None, *, money: str | None = None, sure: float | Sequence[float] = 0.99
) -> Text:
    """``shown`` in evenly spaced characters. ``money``: as long as ``shown``, how the money decoding reads it."""
    where = where or box(100, 100, 14 * len(shown) + 2)
    as_money = line(money if money is not None else shown, where)
    kept = [i for i, c in enumerate(as_money.text) if c in MONEY_CHARACTERS]
    only = Line("".join(as_money.text[i] for i in kept), (0.9,) * len(kept), tuple(as_money.places[i] for i in kept))
    return Text(where, line(shown, where, sure), only)


def picture(
    texts: Mapping[tuple[int, int], str | tuple[str, int]], *, ground: tuple[int, int, int] = (24, 16, 48)
) -> NDArray[np.uint8]:
    """1280 x 720, light letters on one dark colour: (x, y) of a text's upper left corner -> text, or (text, size)."""
    image = Image.new("RGB", (WIDE, HIGH), ground)
    draw = ImageDraw.Draw(image)
    for place, what in texts.items():
        words, size = what if isinstance(what, tuple) else (what, 30)
        draw.text(place, words, font=ImageFont.load_default(size), fill=(250, 240, 200))
    return np.asarray(image)


JACKPOTS = {
    (60, 40): ("GRAND", 24),
    (60, 75): ("$12,345.67", 36),
    (360, 40): ("MAJOR", 24),
    (360, 75): ("$1,234.56", 36),
    (660, 40): ("MINOR", 24),
    (660, 75): ("$123.45", 36),
    (960, 40): ("MINI", 24),
    (960, 75): ("$12.34", 36),
}
METERS = {
    (60, 620): ("BALANCE", 24),
    (60, 655): ("$987.65", 36),
    (460, 620): ("BET", 24),
    (460, 655): ("$2.00", 36),
    (860, 620): ("WIN", 24),
    (860, 655): ("$0.00", 36),
}
SCREEN = {**JACKPOTS, **METERS}
