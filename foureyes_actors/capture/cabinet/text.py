"""Text with effects: gradients, outlines, glow, shadow, bevel, unlit lamps; set once and kept."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from math import ceil

from cachetools import LRUCache
from PIL import Image, ImageChops, ImageFilter

from foureyes_actors.capture.cabinet.faces import ASCENT, DESCENT, OVERSAMPLE, Face, GlyphBook
from foureyes_actors.capture.cabinet.ink import Colour, bevel, lay, vertical_ramp
from foureyes_actors.capture.cabinet.keep import held, kept
from foureyes_actors.capture.cabinet.layouts import Align, Box

SPRITE_BYTES = 2_000_000  # what a few frames show: an amount that has changed does not come back
NARROWEST = 0.72  # a text that is too wide is squeezed to this part of its width before it is set smaller


@dataclass(frozen=True, slots=True)
class TextStyle:
    """``fill``: colours from top to bottom of the capitals. Widths and radii are in cap heights."""

    face: Face = Face()  # noqa: RUF009 - frozen
    fill: tuple[Colour, ...] = ((255, 255, 255),)
    outline: Colour | None = None
    outline_width: float = 0.08
    glow: Colour | None = None
    glow_radius: float = 0.35
    shadow: Colour | None = None
    spacing: float = 0.0
    unlit: Colour | None = None  # LED: the segments that are off
    bevel: bool = False  # light from the upper left


@dataclass(frozen=True, slots=True)
class Sprite:
    """A text ready to be pasted. ``ink``: the core's box relative to the sprite's corner."""

    image: Image.Image
    alpha: Image.Image
    ink: Box

    def paste(self, target: Image.Image, left: int, top: int, opacity: float = 1.0) -> Box:
        """Paste it so that the ink's corner is at (left, top); answers the ink's box on the target."""
        alpha = self.alpha if opacity >= 1 else self.alpha.point(lambda level: int(level * opacity))
        target.paste(self.image, (left - self.ink[0], top - self.ink[1]), alpha)
        return left, top, left + self.ink[2] - self.ink[0], top + self.ink[3] - self.ink[1]


class Typesetter:
    """Sets lines of text. One thread at a time."""

    def __init__(self, book: GlyphBook) -> None:
        self._book = book
        self._sprites: LRUCache[Hashable, Sprite] = LRUCache(
            SPRITE_BYTES, lambda sprite: held(sprite.image) + held(sprite.alpha)
        )
        self._ramps: LRUCache[Hashable, Image.Image] = LRUCache(64)

    def sprite(self, style: TextStyle, text: str, cap: int, width: int) -> Sprite:
        """``cap``: height of the capitals, ``width``: the most that the line may take, both in pixels."""
        return kept(self._sprites, (style, text, cap, width), lambda: self._set(style, text, cap, width))

    def _set(self, style: TextStyle, text: str, cap: int, width: int) -> Sprite:
        # The widest digits decide, so that a growing amount does not change its size at every step.
        longest = self._length(style, "".join("0" if c.isdigit() else c for c in text), cap * OVERSAMPLE) / OVERSAMPLE
        squeeze = min(1.0, width / max(1.0, longest))
        if squeeze < NARROWEST:
            cap, squeeze = max(4, int(cap * squeeze / NARROWEST)), NARROWEST
        margin = ceil(cap * (max(style.glow_radius * 2 if style.glow else 0, style.outline_width) + 0.3))
        core = self._mask(style, text, cap, squeeze, margin, 0.0)
        grow = style.outline_width * cap * OVERSAMPLE
        rim = self._mask(style, text, cap, squeeze, margin, grow) if style.outline or style.glow else core
        canvas = self._layers(style, core, rim, cap, margin)
        if style.unlit and any(char.isdigit() for char in text):
            canvas = self._lamps(style, text, cap, squeeze, margin, canvas)
        box = core.getbbox() or (0, 0, core.width, core.height)
        top = margin + round(cap * ASCENT) - cap
        ink = (box[0], top, box[2], top + cap)
        return Sprite(canvas.convert("RGB"), canvas.getchannel("A"), ink)

    def place(
        self, target: Image.Image, style: TextStyle, text: str, box: Box, cap: int, align: Align, opacity: float = 1.0
    ) -> Box:
        """Draw one line in ``box`` (pixels), its capitals in the middle of the height; answers the ink's box."""
        left, top, right, bottom = box
        sprite = self.sprite(style, text, cap, right - left)
        wide, high = sprite.ink[2] - sprite.ink[0], sprite.ink[3] - sprite.ink[1]
        shift = {"left": 0, "center": (right - left - wide) // 2, "right": right - left - wide}[align]
        return sprite.paste(target, left + shift, top + (bottom - top - high) // 2, opacity)

    def wrapped(self, style: TextStyle, text: str, cap: int, width: int) -> list[str]:
        """The text in lines that fit into ``width`` without being squeezed."""
        lines: list[str] = []
        for word in text.split():
            longer = f"{lines[-1]} {word}" if lines else word
            if lines and self._length(style, longer, cap * OVERSAMPLE) <= width * OVERSAMPLE:
                lines[-1] = longer
            else:
                lines.append(word)
        return lines

    def _length(self, style: TextStyle, text: str, cap: int) -> float:
        return sum(self._book.glyph(style.face, char, cap).advance + style.spacing * cap for char in text)

    def _mask(self, style: TextStyle, text: str, cap: int, squeeze: float, margin: int, grow: float) -> Image.Image:
        """The line's ink, at its final size, with ``margin`` pixels around."""
        high = cap * OVERSAMPLE
        wide = ceil(self._length(style, text, high)) + high
        run = Image.new("L", (wide, ceil(high * ASCENT) + ceil(high * DESCENT)), 0)
        at = high / 2
        for char in text:
            glyph = self._book.glyph(style.face, char, high, grow)
            corner = (round(at) - glyph.left, 0)
            run.paste(255, corner, glyph.mask)
            at += glyph.advance + style.spacing * high
        size = (max(1, round(run.width * squeeze / OVERSAMPLE)), max(1, round(run.height / OVERSAMPLE)))
        filtered = run.resize(size, Image.Resampling.BOX if squeeze == 1 else Image.Resampling.BILINEAR)
        framed = Image.new("L", (size[0] + 2 * margin, size[1] + 2 * margin), 0)
        framed.paste(filtered, (margin, margin))
        return framed

    def _layers(self, style: TextStyle, core: Image.Image, rim: Image.Image, cap: int, margin: int) -> Image.Image:
        canvas = Image.new("RGBA", core.size, (*(style.outline or style.fill[-1]), 0))
        if style.glow:
            halo = _blurred(rim, style.glow_radius * cap).point(lambda level: min(255, int(level * 1.6)))
            lay(canvas, style.glow, halo)
        if style.shadow:
            drop = max(1, round(cap * 0.09))
            lay(canvas, style.shadow, ImageChops.offset(_blurred(rim, cap * 0.05), drop, drop))
        if style.outline:
            lay(canvas, style.outline, rim)
        top = margin + round(cap * ASCENT) - cap
        lay(canvas, self._ramp(style.fill, core.size, top, cap), core)
        if style.bevel:
            bevel(canvas, core, max(1, round(cap * 0.05)))
        return canvas

    def _lamps(
        self, style: TextStyle, text: str, cap: int, squeeze: float, margin: int, lit: Image.Image
    ) -> Image.Image:
        eights = "".join("8" if char.isdigit() else char for char in text)
        assert style.unlit
        below = Image.new("RGBA", lit.size, (*style.unlit, 0))
        lay(below, style.unlit, self._mask(style, eights, cap, squeeze, margin, 0.0))
        return Image.alpha_composite(below, lit)

    def _ramp(self, colours: tuple[Colour, ...], size: tuple[int, int], top: int, cap: int) -> Image.Image:
        if len(colours) == 1:
            return Image.new("RGB", size, colours[0])
        tall = Image.new("RGB", (1, size[1]), colours[-1])
        tall.paste(colours[0], (0, 0, 1, top))
        tall.paste(kept(self._ramps, (colours, cap), lambda: vertical_ramp(colours, cap)), (0, top))
        return tall.resize(size)


def _blurred(mask: Image.Image, radius: float) -> Image.Image:
    return mask.filter(ImageFilter.BoxBlur(radius * 0.7)).filter(ImageFilter.BoxBlur(radius * 0.7))
