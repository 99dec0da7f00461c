"""Plates: the panels on which labels, amounts and popups stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from PIL import Image, ImageDraw

from foureyes_actors.capture.cabinet.ink import Colour, Ramp, faded, lay, vertical_ramp

Shape = Literal["round", "cut", "pill", "plain", "none"]
SMOOTH = 2  # small plates are drawn at twice their size
LARGE = 200_000  # pixels from which on a plate's edges are not smoothed


@dataclass(frozen=True, slots=True)
class Plate:
    """``radius`` and ``edge`` (border width) are pixels on the canvas of 1280 x 720."""

    shape: Shape = "round"
    fill: Ramp = ((24, 16, 40), (8, 4, 16))
    border: Ramp = ((250, 220, 120), (150, 100, 20))
    radius: int = 10
    edge: int = 3
    opacity: float = 1.0
    gloss: bool = False  # a light upper half
    shadow: bool = True


def plate_image(plate: Plate, size: tuple[int, int], scale: float) -> Image.Image:
    """The plate alone, RGBA."""
    times = SMOOTH if size[0] * size[1] < LARGE else 1
    width, height = size[0] * times, size[1] * times
    edge, radius = plate.edge * scale * times, plate.radius * scale * times
    image = Image.new("RGBA", (width, height), (*plate.border[0], 0))
    outer, inner = (
        _mask(plate.shape, (width, height), 0, radius),
        _mask(plate.shape, (width, height), edge, radius - edge),
    )
    lay(image, _ramp(plate.border, (width, height)), outer)
    lay(image, _ramp(plate.fill, (width, height)), inner)
    if plate.gloss:
        shine = inner.copy()
        shine.paste(0, (0, height * 45 // 100, width, height))
        lay(image, (255, 255, 255), faded(shine, 0.16))
    return image.reduce(times)


def _ramp(colours: tuple[Colour, ...], size: tuple[int, int]) -> Image.Image:
    return vertical_ramp(colours, size[1]).resize(size)


def _mask(shape: Shape, size: tuple[int, int], inset: float, radius: float) -> Image.Image:
    mask = Image.new("L", size, 0)
    pen = ImageDraw.Draw(mask)
    box = (inset, inset, size[0] - 1 - inset, size[1] - 1 - inset)
    if box[2] <= box[0] or box[3] <= box[1]:
        return mask
    if shape == "cut":
        pen.polygon(_cut(box, max(radius, 0)), fill=255)
    elif shape == "plain":
        pen.rectangle(box, fill=255)
    else:
        half = min(box[2] - box[0], box[3] - box[1]) / 2
        pen.rounded_rectangle(box, half if shape == "pill" else min(max(radius, 0), half), fill=255)
    return mask


def _cut(box: tuple[float, float, float, float], cut: float) -> list[tuple[float, float]]:
    left, top, right, bottom = box
    cut = min(cut, (right - left) / 2, (bottom - top) / 2)
    return [
        (left + cut, top),
        (right - cut, top),
        (right, top + cut),
        (right, bottom - cut),
        (right - cut, bottom),
        (left + cut, bottom),
        (left, bottom - cut),
        (left, top + cut),
    ]
