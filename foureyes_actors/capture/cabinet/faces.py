"""Type faces: masks of single glyphs, drawn once and kept.

The default faces need no font file: Pillow's built-in outline font in weights, widths and slants of its own, and the
drawn ones of ``vector_glyphs``. Signs that the built-in font lacks are put together from its letters and strokes.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

from cachetools import LRUCache
from PIL import Image, ImageDraw, ImageFont

from foureyes_actors.capture.cabinet.ink import fattened
from foureyes_actors.capture.cabinet.keep import kept
from foureyes_actors.capture.cabinet.vector_glyphs import dot_glyph, draw_line, segment_glyph, smooth, stroke_glyph

Family = Literal["plain", "segment", "dots", "octagon", "round"]
Fonts = Literal["built-in", "system"]
Font = ImageFont.FreeTypeFont
OVERSAMPLE = 2  # glyphs are kept at twice the final size, so that a text can be set between pixels
ASCENT, DESCENT = 1.5, 0.6  # of the cap height: room for signs, accents and outlines
GLYPH_BYTES = 3_000_000  # full within a minute: digits stay, a popup's letters are drawn anew
PLAIN_CAP = 0.7  # cap height of the built-in font per size, refined by measuring


@dataclass(frozen=True, slots=True)
class Face:
    """``weight``: added stem (plain) or pen width (octagon, round), in cap heights. ``width``: horizontal scale.
    ``slant``: horizontal shift per pixel of height. ``system``: file names to try when system fonts are allowed."""

    family: Family = "plain"
    weight: float = 0.0
    width: float = 1.0
    slant: float = 0.0
    tabular: bool = False  # all digits equally wide
    system: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Glyph:
    """``mask`` ("L") starts ``left`` pixels before the pen. Pixels here are 1 / OVERSAMPLE of the picture's."""

    mask: Image.Image
    left: int
    advance: float


class GlyphBook:
    """Glyphs on demand, within bounds. One thread at a time."""

    def __init__(self, fonts: Fonts = "built-in") -> None:
        self._system = fonts == "system"
        self._glyphs: LRUCache[Hashable, Glyph] = LRUCache(
            GLYPH_BYTES, lambda glyph: glyph.mask.width * glyph.mask.height
        )
        self._fonts: LRUCache[Hashable, Font] = LRUCache(48)

    def glyph(self, face: Face, char: str, cap: int, grow: float = 0.0) -> Glyph:
        """``cap``: height of capitals in glyph pixels. ``grow``: how much thicker all around, in glyph pixels."""
        return kept(self._glyphs, (face, char, cap, grow), lambda: self._make(face, char, cap, grow))

    def _make(self, face: Face, char: str, cap: int, grow: float) -> Glyph:
        pad = ceil(grow) + ceil(cap * 0.25)
        height, base = ceil(cap * (ASCENT + DESCENT)), ceil(cap * ASCENT)
        mask = Image.new("L", (ceil(cap * 1.6) + 2 * pad, height), 0)
        advance = self._ink(mask, face, char, pad, base, cap, grow)
        mask = _shaped(mask, face, pad, base, advance)
        return Glyph(mask, pad, advance * face.width)

    def font(self, cap: int, system: tuple[str, ...] = ()) -> Font:
        """The font whose capitals are ``cap`` pixels high: the first of ``system`` that is there, else the built-in."""
        return kept(self._fonts, (system, cap), lambda: _sized(system, cap))

    def _ink(self, mask: Image.Image, face: Face, char: str, pad: int, base: int, cap: int, grow: float) -> float:
        pen = ImageDraw.Draw(mask)
        if face.family != "plain":
            advance = self._vector(mask, face, char, pad, base, cap)
            if advance is not None:
                if grow:
                    mask.paste(fattened(mask, grow))
                return advance
        font, stem = (
            self.font(cap, face.system if self._system else ()),
            face.weight if face.family == "plain" else 0.03,
        )
        stroke = round(stem * cap + grow)
        advance = float(font.getlength("0" if face.tabular and char.isdigit() else char)) if char.isascii() else 0.0
        if char.isascii() or (self._system and face.system and _has(font, char)):
            shift = (advance - font.getlength(char)) / 2 if face.tabular and char.isdigit() else 0
            pen.text((pad + shift, base), char, 255, font, anchor="ls", stroke_width=stroke)
            advance = advance or float(font.getlength(char))
        else:
            advance = _composed(pen, char, font, pad, base, cap, stroke)
        return advance + 2 * stem * cap

    def _vector(self, mask: Image.Image, face: Face, char: str, pad: int, base: int, cap: int) -> float | None:
        """Drawn four times as large, for smooth edges."""
        times = 4
        large = Image.new("L", (mask.width * times, mask.height * times), 0)
        pen, left, foot, high = ImageDraw.Draw(large), float(pad * times), float(base * times), float(cap * times)
        advance: float | None
        if char == " ":
            return cap * 0.36
        if face.family == "segment":
            advance = segment_glyph(pen, char, left, foot, high)
        elif face.family == "dots":
            advance = dot_glyph(pen, char, left, foot, high)
        else:
            advance = stroke_glyph(pen, char, left, foot, high, high * face.weight, face.family == "round")
        if advance is None:
            return None
        mask.paste(large.reduce(times))
        return advance / times


def _shaped(mask: Image.Image, face: Face, pad: int, base: int, advance: float) -> Image.Image:
    """Cut to the glyph, scaled and slanted."""
    wide = ceil(advance * face.width) + 2 * pad
    if face.width == 1.0 and not face.slant:
        return mask.crop((0, 0, wide, mask.height))
    inverse = 1 / face.width
    matrix = (inverse, face.slant * inverse, pad - (pad + face.slant * base) * inverse, 0, 1, 0)
    return mask.transform((wide, mask.height), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)


def _sized(names: Sequence[str], cap: int) -> Font:
    for name in names:
        try:
            found = ImageFont.truetype(name, max(4, round(cap / PLAIN_CAP)), layout_engine=ImageFont.Layout.BASIC)
        except OSError:
            continue
        return found.font_variant(size=max(4, round(cap / PLAIN_CAP * cap / max(1, _cap_height(found)))))
    size = max(4, round(cap / PLAIN_CAP))
    font = ImageFont.load_default(size)
    if not isinstance(font, Font):
        raise OSError("this Pillow is built without FreeType, so it cannot draw text of any size")
    return font.font_variant(size=max(4, round(size * cap / max(1, _cap_height(font)))))


def _cap_height(font: Font) -> float:
    return -font.getbbox("H", anchor="ls")[1]


def _has(font: Font, char: str) -> bool:
    return bytes(font.getmask(char)) != bytes(font.getmask("\uffff"))


def _composed(pen: ImageDraw.ImageDraw, char: str, font: Font, pad: int, base: int, cap: int, stroke: int) -> float:
    """Signs that the built-in font lacks: a letter of it and some strokes."""
    thick = cap * 0.115 + 2 * stroke
    parts = {"€": "C", "¥": "Y", "ł": "l", "č": "c", "£": ""}
    if char not in parts:
        raise ValueError(f"the cabinet has no glyph for {char!r}")
    letter = parts[char]
    if letter:
        pen.text((pad, base), letter, 255, font, anchor="ls", stroke_width=stroke)
    wide = float(font.getlength(letter)) if letter else cap * 0.72
    lines = {
        "€": ["-.06,.58 .55,.58", "-.06,.38 .55,.38"],
        "¥": [".12,.42 .88,.42", ".12,.22 .88,.22"],
        "ł": ["-.1,.42 1.1,.72"],
        "č": [".25,1 .5,.86 .75,1"],
        "£": [".9,.8 .78,.95 .58,.97 .38,.88 .34,.7 .36,.3 .28,.12 .1,.05 .95,.05", ".1,.46 .74,.46"],
    }[char]
    for line in lines:
        points = [tuple(float(n) for n in point.split(",")) for point in line.split()]
        placed = [(pad + x * wide, base - y * cap) for x, y in points]
        draw_line(pen, smooth(placed) if len(placed) > 3 else placed, thick * 0.85, True)
    return wide
