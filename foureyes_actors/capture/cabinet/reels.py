"""The reels: strips of symbols that move, stop one after another, and pulse when they win."""

from __future__ import annotations

from math import pi, sin
from random import Random

from PIL import Image, ImageDraw

from foureyes_actors.capture.cabinet.ink import vertical_ramp
from foureyes_actors.capture.cabinet.layouts import Box
from foureyes_actors.capture.cabinet.symbols import glowing, symbol
from foureyes_actors.capture.cabinet.text import Typesetter
from foureyes_actors.capture.cabinet.theme import Theme
from foureyes_actors.capture.cabinet.timeline import Outcome, Scene, Segment

STRIP = 14  # symbols on a reel
GHOST = 0.05  # seconds


class Reels:
    """Draws the reels of one theme into ``box`` (pixels). Everything that does not change is drawn at the start."""

    def __init__(self, theme: Theme, seed: str, box: Box, columns: int, rows: int, setter: Typesetter) -> None:
        self.box, self._theme, self._columns, self._rows = box, theme, columns, rows
        self._width, self._high = (box[2] - box[0]) // columns, (box[3] - box[1]) // rows
        self._strips = [self._order(Random(f"{seed}|reel{column}")) for column in range(columns)]
        size = max(8, int(min(self._width, self._high) * 0.94))
        self._sprites = {name: symbol(name, size, setter) for name in theme.symbols}
        self._cells = {name: self._cell(name) for name in theme.symbols}
        self._count = STRIP + rows + 1  # places: a reel's beginning comes once more, so that every window is one cut
        self._soft = [self._softened(order) for order in self._strips]
        self._shade = self._shading()
        self._speeds = [Random(f"{seed}|speed{column}").uniform(0.93, 1.09) for column in range(columns)]

    def stops(self, outcome: Outcome) -> list[int]:
        """The strip position in the top row of each reel. A winning outcome lines up one symbol in the middle row."""
        rng = Random(outcome.noise)
        tops = [rng.randrange(STRIP) for _ in range(self._columns)]
        if outcome.winning:
            lucky, reach = rng.choice(self._theme.symbols), rng.randint(min(3, self._columns), self._columns)
            for column in range(reach):
                place = self._strips[column].index(lucky)
                tops[column] = (place - self._rows // 2) % STRIP
        return tops

    def draw(self, image: Image.Image, segment: Segment, time: float) -> None:
        tops = self.stops(segment.outcome)
        for column, top in enumerate(tops):
            left = self.box[0] + column * self._width
            stop = segment.stop(column, self._columns)
            if segment.scene is Scene.SPIN and time < stop:
                image.paste(self._spinning(column, top, stop - time), (left, self.box[1]))
            else:
                image.paste(self._sharp(column, float(top)), (left, self.box[1]))
        if segment.scene is Scene.WIN:
            self._pulse(image, tops, segment, time)
        image.paste((0, 0, 0), self.box[:2], self._shade)

    def _spinning(self, column: int, top: int, left: float) -> Image.Image:
        speed = self._theme.spin_speed * self._speeds[column]
        now = self._moving(column, (top - left * speed) % STRIP)
        if not self._theme.ghost:
            return now
        return Image.blend(now, self._moving(column, (top - (left + GHOST) * speed) % STRIP), 0.4)

    def _sharp(self, column: int, top: float) -> Image.Image:
        """The window with its upper edge at the place ``top`` of the reel."""
        first, hidden = divmod(int(top * self._high), self._high)
        window = Image.new("RGB", (self._width, self._high * self._rows))
        for row in range(self._rows + 1):
            name = self._strips[column][(first + row) % STRIP]
            window.paste(self._cells[name], (0, row * self._high - hidden))
        return window

    def _moving(self, column: int, top: float) -> Image.Image:
        soft = self._soft[column]
        if soft is None:
            return self._sharp(column, top)
        start, scale = int(top * self._high), soft.height / (self._high * self._count)
        size = (self._width, self._high * self._rows)
        part = (0, start * scale, self._width, (start + size[1]) * scale)
        return soft.resize(size, Image.Resampling.BILINEAR, part)

    def _order(self, rng: Random) -> list[str]:
        names = list(self._theme.symbols)
        order = [*names, *(rng.choice(names[2:]) for _ in range(STRIP - len(names)))]
        rng.shuffle(order)
        return order

    def _cell(self, name: str) -> Image.Image:
        """A symbol in its place."""
        cell = vertical_ramp(self._theme.reel, self._high).resize((self._width, self._high))
        sprite = self._sprites[name]
        cell.paste(sprite, ((self._width - sprite.width) // 2, (self._high - sprite.height) // 2), sprite)
        return cell

    def _softened(self, order: list[str]) -> Image.Image | None:
        """The whole reel, blurred as it moves: as few rows as the blur leaves, for whole strips would be most of what a
        stage holds. None when it stays sharp."""
        rows = int(self._high * self._theme.spin_blur)
        if rows < 2:
            return None
        whole = Image.new("RGB", (self._width, self._high * self._count))
        for place in range(self._count):
            whole.paste(self._cells[order[place % STRIP]], (0, place * self._high))
        return whole.resize((whole.width, max(2, whole.height // rows)), Image.Resampling.BOX)

    def _shading(self) -> Image.Image:
        """Dark at the upper and lower edge, thin lines between the reels."""
        width, height = self.box[2] - self.box[0], self.box[3] - self.box[1]
        column = Image.new("L", (1, height))
        for y in range(height):
            near = min(y, height - 1 - y) / height
            column.putpixel((0, y), int(max(0.0, 0.16 - near) / 0.16 * 120))
        shade = column.resize((width, height))
        pen = ImageDraw.Draw(shade)
        for number in range(1, self._columns):
            pen.line((number * self._width, 0, number * self._width, height), 150, max(1, width // 300))
        pen.rectangle((self._columns * self._width, 0, width, height), fill=255)
        pen.rectangle((0, self._rows * self._high, width, height), fill=255)
        return shade

    def _pulse(self, image: Image.Image, tops: list[int], segment: Segment, time: float) -> None:
        """The winning symbols breathe, in their places: motion without spinning."""
        row = self._rows // 2
        names = [self._strips[c][(top + row) % STRIP] for c, top in enumerate(tops)]
        reach = next((c for c, name in enumerate(names) if name != names[0]), len(names)) if names else 0
        if reach < 2:
            reach = min(3, self._columns)
        for column in range(reach):
            phase = sin((time - segment.start) * 2 * pi * 1.3 - column * 0.6)
            self._breathe(image, names[column], column, row, phase)

    def _breathe(self, image: Image.Image, name: str, column: int, row: int, phase: float) -> None:
        left, top = self.box[0] + column * self._width, self.box[1] + row * self._high
        ground = vertical_ramp(self._theme.reel, self._high).resize((self._width, self._high))
        image.paste(ground, (left, top))
        sprite = self._sprites[name]
        size = max(4, int(sprite.width * (0.95 + 0.11 * phase)))
        shown = sprite.resize((size, size), Image.Resampling.BILINEAR)
        if phase > 0.3:
            shown = glowing(shown, 0.35)
        image.paste(shown, (left + (self._width - size) // 2, top + (self._high - size) // 2), shown)
        pen = ImageDraw.Draw(image)
        pen.rectangle(
            (left + 2, top + 2, left + self._width - 3, top + self._high - 3),
            outline=(255, 230, 90) if phase > 0 else (255, 120, 40),
            width=max(2, self._high // 28),
        )
