"""The bonus screen: coins or cards that are turned over, or a ladder of lamps. Nothing on it is a truth amount."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from random import Random

from cachetools import LRUCache
from PIL import Image

from foureyes_actors.capture.cabinet.canvas import Canvas
from foureyes_actors.capture.cabinet.keep import kept
from foureyes_actors.capture.cabinet.layouts import Box, Slot
from foureyes_actors.capture.cabinet.money_format import MoneyFormat
from foureyes_actors.capture.cabinet.plates import Plate
from foureyes_actors.capture.cabinet.symbols import RAMPS
from foureyes_actors.capture.cabinet.text import TextStyle
from foureyes_actors.capture.cabinet.theme import Theme
from foureyes_actors.capture.cabinet.timeline import Segment

TITLES = ("BONUS GAME", "PICK A PRIZE", "JACKPOT BONUS", "HOLD AND SPIN", "FREE GAMES BONUS")
PACE = 0.45  # seconds from one coin to the next
PRIZES = ("MINI", "MINI", "MINOR", "MAJOR", "x2", "x5", "+1 SPIN")
CARD = Plate("round", ((250, 246, 235), (215, 200, 170)), RAMPS["gold"], radius=8, edge=4)
BACK = Plate("round", RAMPS["red"], RAMPS["gold"], radius=8, edge=4)
LAMP_ON = Plate("pill", RAMPS["gold"], RAMPS["white"], edge=3)
LAMP_OFF = Plate("pill", ((70, 50, 20), (40, 28, 10)), RAMPS["brown"], edge=3)


class BonusScreen:
    """The bonus screens of one theme; what does not move is drawn once per bonus."""

    def __init__(self, theme: Theme, canvas: Canvas, money: MoneyFormat) -> None:
        self._theme, self._canvas, self._money = theme, canvas, money
        self._pictures: LRUCache[Hashable, Image.Image] = LRUCache(1)

    def draw(self, image: Image.Image, segment: Segment, box: Box, time: float) -> None:
        """``box`` on the canvas."""
        step = max(0, int((time - segment.start - 0.3) / PACE))
        picture = kept(self._pictures, (segment.start, step), lambda: self._make(segment, box, step))
        image.paste(picture, self._canvas.box(box)[:2])

    def _make(self, segment: Segment, box: Box, step: int) -> Image.Image:
        rng, canvas, theme = Random(segment.variant), self._canvas, self._theme
        image = Image.new("RGB", canvas.size)
        ground = Plate("plain", theme.backdrop[1][:-1], theme.frame.border, edge=6, shadow=False)
        canvas.plate(image, ground, box)
        left, top, right, bottom = box[0] + 20, box[1] + 12, box[2] - 20, box[3] - 10
        head = min(70, (bottom - top) // 5)
        canvas.write(image, Slot((left, top, right, top + head), head // 2), theme.heading, rng.choice(TITLES))
        area = (left, top + head, right, bottom - head)
        if theme.bonus == "ladder":
            won = self._ladder(image, rng, area, segment, step)
        else:
            won = self._grid(image, rng, area, segment, step)
        total = f"TOTAL {self._money.text(won)}"
        canvas.write(image, Slot((left, bottom - head, right, bottom), head * 2 // 5), theme.meter, total)
        return image.crop(canvas.box(box))

    def _prize(self, rng: Random, bet: int) -> tuple[str, int]:
        if rng.random() < 0.35:
            return rng.choice(PRIZES), 0
        units = bet * rng.choice((1, 2, 3, 5, 8, 10))
        return self._money.text(units), units

    def _grid(self, image: Image.Image, rng: Random, area: Box, segment: Segment, step: int) -> int:
        columns, rows = 5, 3 if area[3] - area[1] > 220 else 2
        width, high = (area[2] - area[0]) // columns, (area[3] - area[1]) // rows
        prizes = [self._prize(rng, segment.bet) for _ in range(columns * rows)]
        order = rng.sample(range(len(prizes)), len(prizes))
        opened = set(order[:step])
        for number, (text, _) in enumerate(prizes):
            left, top = area[0] + number % columns * width, area[1] + number // columns * high
            self._item(image, (left + 5, top + 5, left + width - 5, top + high - 5), text if number in opened else None)
        return sum(prizes[number][1] for number in opened)

    def _item(self, image: Image.Image, box: Box, text: str | None) -> None:
        """One coin or card; ``text`` when it is turned over."""
        canvas = self._canvas
        if self._theme.bonus == "cards":
            canvas.plate(image, CARD if text else BACK, box)
        else:
            canvas.symbol(image, "disc" if text else "coin", box)
        if text:
            middle, half = (box[0] + box[2]) // 2, min(box[2] - box[0], round((box[3] - box[1]) * 1.05)) // 2 - 8
            cards, slot = self._theme.bonus == "cards", Slot((middle - half, box[1], middle + half, box[3]), 17)
            canvas.write(image, slot, _dark(self._theme.label) if cards else _light(self._theme.label), text)

    def _ladder(self, image: Image.Image, rng: Random, area: Box, segment: Segment, step: int) -> int:
        """Lamps from the bottom to the top."""
        money = sorted((self._money.text(segment.bet * n), segment.bet * n) for n in (2, 5, 10, 20))
        rungs = [*sorted(money, key=lambda pair: pair[1]), ("MINI", 0), ("MINOR", 0), ("MAJOR", 0)]
        high, reached = (area[3] - area[1]) // len(rungs), min(step, rng.randint(3, len(rungs)))
        middle, half = (area[0] + area[2]) // 2, min(150, (area[2] - area[0]) // 2 - 10)
        for number, (text, _) in enumerate(rungs):
            top = area[3] - (number + 1) * high
            box = (middle - half, top + 2, middle + half, top + high - 2)
            lit = number < reached
            self._canvas.plate(image, LAMP_ON if lit else LAMP_OFF, box)
            style = _dark(self._theme.label) if lit else _light(self._theme.label)
            self._canvas.write(image, Slot(box, min(18, high // 2 - 2)), style, text)
        return max((units for _, units in rungs[:reached]), default=0)


def _dark(style: TextStyle) -> TextStyle:
    """For light ground."""
    return replace(style, fill=((60, 10, 0),), outline=None, glow=None, shadow=None, bevel=False)


def _light(style: TextStyle) -> TextStyle:
    """For dark ground."""
    return replace(style, fill=((255, 255, 255),), outline=(50, 20, 0), glow=None, bevel=False)
