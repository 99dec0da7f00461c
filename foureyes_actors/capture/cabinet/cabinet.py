"""The cabinet: a slot-like screen that is drawn, with the truth about every moment of it."""

from __future__ import annotations

from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

from foureyes_actors.capture.cabinet.layouts import TOP_ROW, Box, Slot
from foureyes_actors.capture.cabinet.money_format import FORMATS
from foureyes_actors.capture.cabinet.timeline import JACKPOTS, Scene, Segment, Timeline, stakes
from foureyes_actors.capture.cabinet.truth import Truth
from foureyes_actors.errors import SettingsError
from foureyes_actors.messages import Field

THEMES: tuple[str, ...] = ("lucky_gold",)
SETTLE = 0.4  # seconds


class Cabinet:
    def __init__(self, theme: str, seed: int, size: tuple[int, int] = (1280, 720)) -> None:
        if theme not in (*THEMES, "all"):
            raise SettingsError([f"source.cabinet.theme is {theme!r}: must be all or one of {', '.join(THEMES)}"])
        self.size, self._theme = size, THEMES[0]
        self._format, self._layout = FORMATS["usd"], TOP_ROW
        self._stakes = stakes(f"{self._theme}|{seed}", self._format.scale)
        self._timeline = Timeline(f"{self._theme}|{seed}", self._stakes)

    def truth(self, time: float) -> Truth:
        segment = self._timeline.at(time)
        units = self._units(segment, time)
        return Truth(
            theme=self._theme,
            time=time,
            state=segment.state,
            motion=segment.motion,
            popup=segment.popup,
            popup_text=segment.text,
            amounts={name: self._format.amount(value) for name, value in units.items()},
            shown={name: self._format.text(value) for name, value in units.items()},
            currency=self._format.currency,
            settled=time - segment.start >= SETTLE,
        )

    def _units(self, segment: Segment, time: float) -> dict[Field, int]:
        units = {name: self._timeline.jackpot(segment, place, time) for place, name in enumerate(JACKPOTS)}
        return {**units, Field.BALANCE: segment.balance_at(time)}

    def draw(self, time: float) -> Image.Image:
        segment = self._timeline.at(time)
        image = Image.new("RGB", (1280, 720), (30, 10, 50))
        pen = ImageDraw.Draw(image)
        for name, units in self._units(segment, time).items():
            cell = self._layout.cells[name]
            pen.rectangle(cell.plate, (10, 5, 20), (200, 160, 60))
            _line(pen, cell.label, name.value.upper(), "white")
            _line(pen, cell.amount, self._format.text(units), (255, 220, 110))
        for cell, label, value in (
            (self._layout.bet, "BET", segment.bet),
            (self._layout.win, "WIN", segment.win_at(time)),
        ):
            _line(pen, cell.label, label, "white")
            _line(pen, cell.amount, self._format.text(value), "white")
        self._reels(pen, segment, time)
        if segment.text:
            pen.rectangle((340, 230, 940, 490), (40, 20, 20), "white")
            _line(pen, Slot((350, 330, 930, 390), 18), segment.text, "white")
        return image.resize(self.size) if self.size != image.size else image

    def _reels(self, pen: ImageDraw.ImageDraw, segment: Segment, time: float) -> None:
        left, top, right, bottom = self._layout.reels
        pen.rectangle(self._layout.reels, (240, 235, 225), (200, 160, 60), 6)
        if segment.scene is Scene.BONUS:
            _line(pen, Slot(self._layout.reels, 60), "BONUS", (120, 0, 0))
            return
        width = (right - left) // self._layout.columns
        for column in range(self._layout.columns):
            shift = int(time * 1400 + column * 37) % 147 if segment.scene is Scene.SPIN else 0
            for row in range(self._layout.rows):
                y = top + 20 + (row * 147 + shift) % (bottom - top - 100)
                mark = "7AKQJ"[(segment.outcome.noise >> (column * 4 + row)) % 5]
                box: Box = (left + column * width, y, left + (column + 1) * width, y + 80)
                _line(pen, Slot(box, 60), mark, (30, 30, 120))


def _line(pen: ImageDraw.ImageDraw, slot: Slot, text: str, colour: str | tuple[int, int, int]) -> None:
    font = ImageFont.load_default(slot.cap / 0.7)
    centre = ((slot.box[0] + slot.box[2]) / 2, (slot.box[1] + slot.box[3]) / 2)
    pen.text(centre, text, colour, font, anchor="mm")


def encode_jpeg(image: Image.Image, quality: int) -> bytes:
    """``quality`` 1-100, as libjpeg counts it."""
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
