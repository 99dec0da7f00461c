"""Things that float over the screen: a pure function of time."""

from __future__ import annotations

from math import sin
from random import Random

from PIL import Image, ImageDraw

from foureyes_actors.capture.cabinet.ink import faded
from foureyes_actors.capture.cabinet.theme import Particles

SHADES = 3


class Drift:
    """Floating particles of one theme on a picture of ``size``."""

    def __init__(self, look: Particles, size: tuple[int, int], seed: str) -> None:
        rng = Random(f"{seed}|drift")
        self._look, self._size, unit = look, size, min(size[0] / 1280, size[1] / 720)
        kinds = [_mask(look.kind, max(3, round(side * unit))) for side in (7, 10, 14)]
        self._masks = [[faded(mask, look.strength * (n + 1) / SHADES) for n in range(SHADES)] for mask in kinds]
        self._flock = [
            (rng.random(), rng.random(), rng.uniform(0.5, 1.5), rng.random() * 6.28, rng.randrange(len(kinds)))
            for _ in range(look.count)
        ]

    def draw(self, image: Image.Image, time: float) -> None:
        width, height = self._size
        for x, y, speed, phase, kind in self._flock:
            shade = int((sin(time * 2.3 * speed + phase) + 1) / 2.001 * SHADES)
            mask = self._masks[kind][shade]
            left = int((x + 0.012 * sin(time * speed + phase)) * width)
            top = int(((y - time * self._look.rise * speed) % 1.1 - 0.05) * height)
            image.paste(self._look.colour, (left, top), mask)


def _mask(kind: str, side: int) -> Image.Image:
    big = side * 4
    mask = Image.new("L", (big, big), 0)
    pen = ImageDraw.Draw(mask)
    half = big / 2
    if kind == "spark":
        thin = big * 0.07
        pen.polygon([(half, 0), (half + thin, half), (half, big), (half - thin, half)], fill=255)
        pen.polygon([(0, half), (half, half + thin), (big, half), (half, half - thin)], fill=255)
    elif kind == "bubble":
        pen.ellipse((1, 1, big - 2, big - 2), outline=230, width=max(1, big // 9))
        pen.ellipse((big * 0.25, big * 0.22, big * 0.45, big * 0.42), fill=255)
    elif kind == "petal":
        pen.ellipse((big * 0.1, big * 0.3, big * 0.9, big * 0.7), fill=255)
    else:
        pen.ellipse((big * 0.15, big * 0.15, big * 0.85, big * 0.85), fill=255 if kind == "flake" else 200)
    return mask.reduce(4)
