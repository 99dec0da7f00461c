"""From the canvas of 1280 x 720 to the picture's pixels; keeps what is costly to draw."""

from __future__ import annotations

from collections.abc import Hashable

from cachetools import LRUCache
from PIL import Image

from foureyes_actors.capture.cabinet.ink import faded
from foureyes_actors.capture.cabinet.keep import held, kept
from foureyes_actors.capture.cabinet.layouts import CANVAS, Box, Slot
from foureyes_actors.capture.cabinet.plates import Plate, plate_image
from foureyes_actors.capture.cabinet.symbols import symbol
from foureyes_actors.capture.cabinet.text import TextStyle, Typesetter

SMALLEST_CAP = 4
CUT_BYTES = 1_000_000  # of plates, and of symbols; a popup's plate is kept with its panel, if it is larger than that
Cut = tuple[Image.Image, Image.Image]  # picture and mask


class Canvas:
    """All boxes that go in are the canvas's, all that come out are pixels. One thread at a time."""

    def __init__(self, size: tuple[int, int], setter: Typesetter) -> None:
        self.size, self.setter = size, setter
        self.scale = min(size[0] / CANVAS[0], size[1] / CANVAS[1])
        self._plates: LRUCache[Hashable, Cut] = LRUCache(CUT_BYTES, _held)
        self._symbols: LRUCache[Hashable, Cut] = LRUCache(CUT_BYTES, _held)

    def box(self, box: Box) -> Box:
        x, y = self.size[0] / CANVAS[0], self.size[1] / CANVAS[1]
        return round(box[0] * x), round(box[1] * y), round(box[2] * x), round(box[3] * y)

    def cap(self, cap: float) -> int:
        return max(SMALLEST_CAP, round(cap * self.scale))

    def write(self, image: Image.Image, slot: Slot, style: TextStyle, text: str, opacity: float = 1.0) -> Box:
        """One line in its slot; answers the ink's box in pixels."""
        return self.setter.place(image, style, text, self.box(slot.box), self.cap(slot.cap), slot.align, opacity)

    def plate(self, image: Image.Image, plate: Plate, box: Box) -> None:
        left, top, right, bottom = self.box(box)
        if plate.shape == "none" or right - left < 4 or bottom - top < 4:
            return
        picture, mask = self.cut(plate, (right - left, bottom - top))
        if plate.shadow:
            drop = max(1, round(3 * self.scale))
            image.paste((0, 0, 0), (left + drop, top + drop), faded(mask, 0.45))
        image.paste(picture, (left, top), mask)

    def cut(self, plate: Plate, size: tuple[int, int]) -> Cut:
        """The plate's picture and mask, ``size`` in pixels."""
        return kept(self._plates, (plate, size), lambda: _cut(plate_image(plate, size, self.scale), plate.opacity))

    def symbol(self, image: Image.Image, spec: str, box: Box) -> None:
        """A reel's symbol, as large as fits into the box."""
        left, top, right, bottom = self.box(box)
        side = max(4, min(right - left, bottom - top))
        picture, mask = kept(self._symbols, (spec, side), lambda: _cut(symbol(spec, side, self.setter)))
        image.paste(picture, ((left + right - side) // 2, (top + bottom - side) // 2), mask)


def _cut(drawn: Image.Image, opacity: float = 1.0) -> Cut:
    return drawn.convert("RGB"), faded(drawn.getchannel("A"), opacity)


def _held(cut: Cut) -> int:
    return held(cut[0]) + held(cut[1])
