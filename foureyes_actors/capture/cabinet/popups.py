"""Error and info popups, and the screen without a connection."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from math import cos, pi, sin
from random import Random

from cachetools import LRUCache
from PIL import Image, ImageDraw

from foureyes_actors.capture.cabinet.canvas import Canvas
from foureyes_actors.capture.cabinet.ink import dimmed
from foureyes_actors.capture.cabinet.keep import kept
from foureyes_actors.capture.cabinet.layouts import Box, Slot
from foureyes_actors.capture.cabinet.plates import Plate
from foureyes_actors.capture.cabinet.theme import Theme
from foureyes_actors.capture.cabinet.timeline import Scene, Segment

HEADINGS = {
    Scene.ERROR: ("ERROR", "ERROR", "Oops!", "WARNING", "ATTENTION", "SYSTEM ERROR", "Sorry"),
    Scene.INFO: ("INFORMATION", "NEWS", "PLEASE NOTE", "MESSAGE", "Did you know?"),
    Scene.LOST: ("CONNECTION LOST", "OFFLINE", "NO CONNECTION"),
}
BUTTONS = {
    Scene.ERROR: ("OK", "CLOSE", "RELOAD", "RETRY"),
    Scene.INFO: ("OK", "CONTINUE", "GOT IT", "LATER"),
}

BUTTON = Plate("pill", ((90, 170, 90), (30, 100, 40)), ((200, 255, 200), (60, 120, 60)), edge=2)


@dataclass(frozen=True, slots=True)
class Panel:
    image: Image.Image
    alpha: Image.Image
    corner: tuple[int, int]
    wheel: Box | None  # where the waiting wheel turns, on the canvas


class Popups:
    """The popups of one theme. A panel is drawn once and kept while it is up."""

    def __init__(self, theme: Theme, canvas: Canvas) -> None:
        self._theme, self._canvas = theme, canvas
        self._panels: LRUCache[Hashable, Panel] = LRUCache(1)

    def draw(self, image: Image.Image, segment: Segment, box: Box, time: float, opacity: float) -> Image.Image:
        """``box`` on the canvas. Answers the picture with the popup (``image`` itself may be changed)."""
        before = image.copy() if opacity < 1 else image
        if self._modal(segment, box):
            light = self._theme.dim if segment.scene is Scene.LOST else self._theme.popup.dim
            image = dimmed(image, light)
        panel = kept(self._panels, (segment.start, box), lambda: self._make(segment, box))
        image.paste(panel.image, panel.corner, panel.alpha)
        if panel.wheel:
            self._wheel(image, panel.wheel, time)
        return Image.blend(before, image, opacity) if opacity < 1 else image

    def _modal(self, segment: Segment, box: Box) -> bool:
        """Toasts at the edge leave the light on; half of the other info popups do, too."""
        toast = box[1] < 20 or box[3] > 580
        return segment.scene is not Scene.INFO or not (toast or segment.variant % 2)

    def _plate(self, segment: Segment, box: Box) -> Plate:
        plate = self._theme.popup.panel
        if segment.scene is Scene.ERROR:
            plate = replace(plate, border=self._theme.popup.error_border)
        return replace(plate, shape="plain") if box[2] - box[0] >= 1280 else plate

    def _make(self, segment: Segment, box: Box) -> Panel:
        place = self._canvas.box(box)
        picture, mask = self._canvas.cut(self._plate(segment, box), (place[2] - place[0], place[3] - place[1]))
        whole = Image.new("RGB", self._canvas.size)
        whole.paste(picture, place[:2])
        wheel = self._write(whole, segment, box)
        return Panel(whole.crop(place), mask, place[:2], wheel)

    def _write(self, image: Image.Image, segment: Segment, box: Box) -> Box | None:
        """Heading, message, code and button, as far as there is room; answers the wheel's place."""
        rng, look, canvas = Random(segment.variant + 1), self._theme.popup, self._canvas
        left, top, right, bottom = box[0] + 24, box[1] + 12, box[2] - 24, box[3] - 12
        if bottom - top > 130:
            line = 15 + look.cap
            canvas.write(
                image,
                Slot((left, top, right, top + line + 14), look.cap + 4),
                look.heading,
                rng.choice(HEADINGS[segment.scene]),
            )
            top += line + 16
        wheel = None
        if segment.scene is Scene.LOST:
            wheel, left = _wheel_place((left, top, right, bottom)), left + 70
        elif bottom - top > 120:
            self._button(image, rng.choice(BUTTONS[segment.scene]), ((left + right) // 2, bottom - 22))
            bottom -= 52
        if segment.scene is Scene.ERROR and bottom - top > 100 and rng.random() < 0.6:
            code = f"Code: {rng.choice('EGX')}-{rng.randrange(100, 9999)}"
            canvas.write(image, Slot((left, bottom - 24, right, bottom), 10), look.text, code)
            bottom -= 26
        self._message(image, segment.text or "", (left, top, right, bottom))
        return wheel

    def _message(self, image: Image.Image, text: str, box: Box) -> None:
        look, canvas = self._theme.popup, self._canvas
        cap = look.cap
        width = canvas.box(box)[2] - canvas.box(box)[0]
        lines = canvas.setter.wrapped(look.text, text, canvas.cap(cap), width)
        while len(lines) * cap * 1.9 > box[3] - box[1] and cap > 10:
            cap -= 1
            lines = canvas.setter.wrapped(look.text, text, canvas.cap(cap), width)
        step = min(cap * 2, (box[3] - box[1]) // len(lines))
        top = (box[1] + box[3] - step * len(lines)) // 2
        for number, line in enumerate(lines):
            slot = Slot((box[0], top + number * step, box[2], top + (number + 1) * step), cap)
            canvas.write(image, slot, look.text, line)

    def _button(self, image: Image.Image, word: str, centre: tuple[int, int]) -> None:
        box = (centre[0] - 80, centre[1] - 20, centre[0] + 80, centre[1] + 20)
        self._canvas.plate(image, BUTTON, box)
        self._canvas.write(image, Slot(box, 13), replace(self._theme.popup.heading, fill=((255, 255, 255),)), word)

    def _wheel(self, image: Image.Image, place: Box, time: float) -> None:
        left, top, right, bottom = self._canvas.box(place)
        pen, turn = ImageDraw.Draw(image), int(time * 9)
        radius, dot = (right - left) / 2, max(1.0, (right - left) / 11)
        for number in range(10):
            angle = number * pi / 5
            x, y = (left + right) / 2 + radius * cos(angle), (top + bottom) / 2 + radius * sin(angle)
            level = 70 + 185 * ((number - turn) % 10) // 9
            pen.ellipse((x - dot, y - dot, x + dot, y + dot), fill=(level, level, level))


def _wheel_place(box: Box) -> Box:
    middle = (box[1] + box[3]) // 2
    return box[0] + 8, middle - 20, box[0] + 48, middle + 20
