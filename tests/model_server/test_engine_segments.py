"""Seven-segment displays: which texts are some, what they show, and what the recogniser's reading keeps to say."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("cv2", reason="pip install -e '.[embedded]'")

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from foureyes_actors.capture.cabinet.vector_glyphs import segment_glyph
from foureyes_actors.model_server.engine.amounts import Amount, amount_of
from foureyes_actors.model_server.engine.detect import Box
from foureyes_actors.model_server.engine.meters import metered
from foureyes_actors.model_server.engine.segments import Display, display_at
from tests.model_server.engine_support import picture, text

if TYPE_CHECKING:
    from numpy.typing import NDArray

LIT, GHOST, GROUND = (255, 60, 40), (58, 14, 12), (10, 8, 8)
LEFT, BASE, CAP = 120.0, 82.0, 32.0


def meter(shown: str, *, slant: float = 0.0, light: float = 1.0, beside: str = "") -> tuple[NDArray[np.uint8], Box]:
    """A display with dark segments behind the lit ones, and the box of its digits. ``beside``: printed before it."""
    times = 4
    image = Image.new("RGB", (400 * times, 120 * times), GROUND)
    x = LEFT * times
    for char in shown:
        layers = [(char, LIT)] if char in ".," else [("8", GHOST), (char, LIT)]
        for drawn, colour in layers:
            mask = Image.new("L", image.size, 0)
            advance = segment_glyph(ImageDraw.Draw(mask), drawn, x, BASE * times, CAP * times) or 0.0
            image.paste(colour, mask=mask)
        x += advance
    shear = (1, slant, -slant * BASE * times, 0, 1, 0)
    image = image.transform(image.size, Image.Transform.AFFINE, shear, Image.Resampling.BILINEAR, fillcolor=GROUND)
    image = image.reduce(times)
    if beside:
        place = (LEFT - 6, BASE)
        ImageDraw.Draw(image).text(place, beside, LIT, ImageFont.load_default(44), anchor="rs")
    levels = (np.asarray(image, np.float32) * light).astype(np.uint8)
    return levels, Box(int(LEFT) - 6, int(BASE - CAP) - 7, round(x / times) + 4, int(BASE) + 8)


def shown_by(found: Display | None) -> str | None:
    return found.text if found else None


@pytest.mark.parametrize("slant", [0.0, 0.1])
@pytest.mark.parametrize("shown", ["39,783", "177.17", "2,768,540", "16605", "111", "45,678.90"])
def test_digits_and_marks_are_read_by_their_segments(shown: str, slant: float) -> None:
    image, where = meter(shown, slant=slant)
    assert shown_by(display_at(image, where)) == shown


def test_a_dimmed_display_is_read() -> None:
    image, where = meter("17.41", light=0.4)
    assert shown_by(display_at(image, where)) == "17.41"


@pytest.mark.parametrize(("left", "right"), [(20, 0), (60, 0), (0, 30), (30, 30)])
def test_digits_that_the_box_leaves_out_are_found(left: int, right: int) -> None:
    image, where = meter("151,342")
    found = display_at(image, replace(where, left=where.left + left, right=where.right - right))
    assert found is not None
    assert (found.text, found.before, found.after) == ("151,342", False, False)
    assert found.box.left <= LEFT + 8 and found.box.right >= where.right - 8


def test_something_else_beside_the_digits_is_told() -> None:
    image, where = meter("17.41", beside="$")
    found = display_at(image, where)
    assert found is not None
    assert (found.text, found.before, found.after) == ("17.41", True, False)


@pytest.mark.parametrize("shown", ["$12,345.67", "GRAND 500", "1,111", "11.10", "Reconnecting"])
def test_printed_text_is_no_display(shown: str) -> None:
    image = picture({(100, 100): (shown, 36)})
    assert display_at(image, Box(94, 100, 120 + 20 * len(shown), 142)) is None


@pytest.mark.parametrize("level", [0, 90, 255])
def test_a_flat_picture_is_no_display(level: int) -> None:
    assert display_at(np.full((120, 400, 3), level, np.uint8), Box(100, 40, 240, 90)) is None


@pytest.mark.parametrize("where", [Box(0, 0, 3, 3), Box(0, 0, 400, 4), Box(0, 0, 400, 120), Box(390, 110, 400, 120)])
def test_any_box_is_answered(where: Box) -> None:
    image, _ = meter("39,783")
    assert display_at(image, where) is None


def amount(shown: str, where: Box) -> Amount:
    found = amount_of(text(shown, where))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("shown", "read", "value"),
    [("39,783", "9,783", "39783"), ("7,901", "1,901", "7901"), ("2,773,011", "2,773.011", "2773011")],
)
def test_an_amount_is_what_its_display_shows(shown: str, read: str, value: str) -> None:
    image, where = meter(shown)
    found = metered(amount(read, where), image)
    assert found is not None and found.money is not None
    assert (found.money.amount, found.text, found.metered) == (Decimal(value), shown, True)


def test_the_currency_is_the_recognisers() -> None:
    image, where = meter("17.41", beside="$")
    found = metered(amount("$13.41", replace(where, left=where.left - 30)), image)
    assert found is not None and found.text == "$17.41"


@pytest.mark.parametrize("read", ["913.41", "139,783", "5,555"])
def test_a_display_that_shows_something_else_is_not_believed(read: str) -> None:
    """A sign read as a digit, more digits than are lit, other digits."""
    beside = "$" if read == "913.41" else ""
    image, where = meter("17.41" if beside else "39,783", beside=beside)
    assert metered(amount(read, where), image) is None
