"""Colours, ramps and layers: the small change of painting."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageChops, ImageFilter

Colour = tuple[int, int, int]
Ramp = tuple[Colour, ...]  # from top to bottom


def vertical_ramp(colours: Sequence[Colour], height: int) -> Image.Image:
    """One pixel wide, from the first colour on top to the last one at the bottom."""
    pieces = len(colours) - 1
    if not pieces:
        return Image.new("RGB", (1, height), colours[0])
    levels = bytearray()
    for y in range(height):
        place = y / max(1, height - 1) * pieces
        number = min(pieces - 1, int(place))
        levels += bytes(mix(colours[number], colours[number + 1], place - number))
    return Image.frombytes("RGB", (1, height), bytes(levels))


def mix(first: Colour, second: Colour, part: float) -> Colour:
    """``part`` 0 is the first, 1 the second."""
    (a, b, c), (x, y, z) = first, second
    return round(a + (x - a) * part), round(b + (y - b) * part), round(c + (z - c) * part)


def lay(canvas: Image.Image, ink: Colour | Image.Image, mask: Image.Image) -> None:
    layer = ink.convert("RGBA") if isinstance(ink, Image.Image) else Image.new("RGBA", canvas.size, (*ink, 255))
    layer.putalpha(mask)
    canvas.alpha_composite(layer)


def bevel(canvas: Image.Image, core: Image.Image, depth: int) -> None:
    """Bright upper left edges, dark lower right ones."""
    light = ImageChops.subtract(core, ImageChops.offset(core, depth, depth))
    dark = ImageChops.subtract(core, ImageChops.offset(core, -depth, -depth))
    lay(canvas, (255, 255, 255), light.point(lambda level: level * 2 // 3))
    lay(canvas, (0, 0, 0), dark.point(lambda level: level // 2))


def faded(mask: Image.Image, part: float) -> Image.Image:
    """The mask at ``part`` of its strength."""
    return mask.point([int(level * part) for level in range(256)])


def fattened(mask: Image.Image, grow: float) -> Image.Image:
    """The mask, thicker by about ``grow`` pixels all around, with round corners."""
    return mask.filter(ImageFilter.GaussianBlur(grow * 0.85)).point(lambda level: min(255, int(level * 6)))


def dimmed(image: Image.Image, light: float) -> Image.Image:
    """The RGB picture with this part of its light."""
    return image.point([int(level * light) for level in range(256)] * 3)
