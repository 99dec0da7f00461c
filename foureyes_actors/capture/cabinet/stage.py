"""Draws one machine's screen."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from random import Random

from PIL import Image, ImageChops

from foureyes_actors.capture.cabinet.bonus import BonusScreen
from foureyes_actors.capture.cabinet.canvas import Canvas
from foureyes_actors.capture.cabinet.faces import Fonts, GlyphBook
from foureyes_actors.capture.cabinet.layouts import Slot
from foureyes_actors.capture.cabinet.machine import Machine, popup_opacity
from foureyes_actors.capture.cabinet.particles import Drift
from foureyes_actors.capture.cabinet.plates import Plate
from foureyes_actors.capture.cabinet.popups import Popups
from foureyes_actors.capture.cabinet.reels import Reels
from foureyes_actors.capture.cabinet.scenery import scenery
from foureyes_actors.capture.cabinet.text import Typesetter
from foureyes_actors.capture.cabinet.timeline import Scene, Segment
from foureyes_actors.messages import Field

GRADES = ((30, "SUPER WIN"), (12, "MEGA WIN"), (4, "BIG WIN"), (0, "WIN"))  # from so many bets on
DASHES = "----"
BAND = Plate("plain", ((0, 0, 0),), ((0, 0, 0),), edge=0, opacity=0.55, shadow=False)


class Stage:
    """Draws what a machine shows; the layer that never changes and all glyphs are kept. One thread at a time."""

    def __init__(self, machine: Machine, size: tuple[int, int], fonts: Fonts) -> None:
        theme, layout = machine.theme, machine.layout
        self.machine, self._theme, self._layout = machine, theme, layout
        # A theme whose picture went through another size on its way is drawn in that size.
        self._size, drawn = size, (max(8, round(size[0] * theme.soft)), max(8, round(size[1] * theme.soft)))
        self._canvas = canvas = Canvas(drawn, Typesetter(GlyphBook(fonts)))
        reels = canvas.box(layout.reels)
        self._reels = Reels(theme, machine.key, reels, layout.columns, layout.rows, canvas.setter)
        self._popups, self._bonus = Popups(theme, canvas), BonusScreen(theme, canvas, machine.format)
        self._drift = Drift(theme.particles, drawn, machine.key) if theme.particles else None
        self._gamma = [round(255 * (level / 255) ** theme.gamma) for level in range(256)] * 3
        self._ground = scenery(machine, canvas)
        self._clock = Random(f"{machine.key}|clock").randrange(86400)

    def draw(self, segment: Segment, time: float) -> Image.Image:
        """The screen at ``time`` (the machine's own seconds) within ``segment``."""
        image = self._ground.copy()
        overlay = self.machine.overlay(segment)
        if segment.scene is not Scene.BONUS:
            self._reels.draw(image, segment, time)
        self._amounts(image, segment, time)
        self._meters(image, segment, time)
        if segment.scene is Scene.WIN:
            self._banner(image, segment, time)
        elif overlay and segment.scene is Scene.BONUS:
            self._bonus.draw(image, segment, overlay, time)
        if self._drift:
            self._drift.draw(image, time)
        if overlay and segment.text is not None:
            image = self._popups.draw(image, segment, overlay, time, popup_opacity(segment, time))
        return self._worn(image)

    def _amounts(self, image: Image.Image, segment: Segment, time: float) -> None:
        machine, blank = self.machine, self.machine.blank(segment)
        for name, units in machine.units(segment, time).items():
            slot, text = self._layout.cells[name].amount, DASHES if blank else machine.format.text(units)
            theme = self._theme
            style = theme.meter if name is Field.BALANCE else theme.grand if name is Field.GRAND else theme.amount
            change = machine.change(segment, name, time)
            part = min(1.0, (time - change.time) / theme.blend) if change else 1.0
            if change and part < 1:
                self._canvas.write(image, slot, style, machine.format.text(change.before), 1 - part)
            self._canvas.write(image, slot, style, text, part)

    def _meters(self, image: Image.Image, segment: Segment, time: float) -> None:
        money = self.machine.format
        win = segment.win_at(time) if segment.scene is Scene.WIN else segment.last_win
        self._canvas.write(image, self._layout.bet.amount, self._theme.meter, money.text(segment.bet))
        self._canvas.write(image, self._layout.win.amount, self._theme.meter, money.text(win))
        now = int(self._clock + time) % 86400
        clock = f"{now // 3600:02d}:{now // 60 % 60:02d}" + (f":{now % 60:02d}" if self._theme.seconds else "")
        self._canvas.write(image, self._layout.clock, self._theme.small, clock)

    def _banner(self, image: Image.Image, segment: Segment, time: float) -> None:
        """What was won, in large letters over the reels."""
        left, top, right, bottom = self._layout.reels
        high = (bottom - top) // 5
        middle = top + (bottom - top) * 7 // 10
        self._canvas.plate(image, BAND, (left, middle - high, right, middle + high))
        word = next(word for bets, word in GRADES if segment.win >= bets * segment.bet)
        if segment.won:
            word = f"{segment.won.value.upper()} JACKPOT"
        units = segment.jackpot or segment.win_at(time)
        style = replace(self._theme.heading, outline=self._theme.heading.outline or (0, 0, 0), outline_width=0.1)
        self._canvas.write(image, Slot((left, middle - high, right, middle), high * 5 // 10), style, word)
        text = self.machine.format.text(units)
        self._canvas.write(image, Slot((left, middle, right, middle + high), high * 6 // 10), style, text)

    def _worn(self, image: Image.Image) -> Image.Image:
        """What happens to a picture on its way: another gamma, scaling, lossy compression."""
        theme = self._theme
        if theme.gamma != 1:
            image = image.point(self._gamma)
        if image.size != self._size:
            image = image.resize(self._size, Image.Resampling.BILINEAR)
        for step in ((1, 0), (0, 1)) if theme.smear else ():
            image = Image.blend(image, ImageChops.offset(image, *step), 0.5)
        if theme.jpeg is not None:
            image = Image.open(BytesIO(encode_jpeg(image, theme.jpeg)))
            image.load()
        return image


def encode_jpeg(image: Image.Image, quality: int) -> bytes:
    """``quality`` 1-100, as libjpeg counts it."""
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
