"""What is behind everything: drawn once per theme and size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import cos, pi, sin
from random import Random
from types import MappingProxyType

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from foureyes_actors.capture.cabinet.ink import Colour, Ramp, mix, vertical_ramp

Size = tuple[int, int]
Painter = Callable[[Image.Image, Ramp, Random], Image.Image]


def backdrop(kind: str, colours: Ramp, size: Size, seed: str) -> Image.Image:
    """An RGB picture. ``colours``: the ramp from top to bottom; the last colour is the pattern's."""
    image = vertical_ramp(colours[:-1], size[1]).resize(size)
    return vignette(PAINTERS[kind](image, colours, Random(seed)))


def vignette(image: Image.Image, strength: float = 0.45) -> Image.Image:
    """Darker corners."""
    shade = Image.radial_gradient("L").point([max(0, int((level - 90) * strength)) for level in range(256)])
    image.paste((0, 0, 0), (0, 0), shade.resize(image.size))
    return image


def noise(size: Size, grain: int, rng: Random) -> Image.Image:
    """Smooth grey noise: random bytes, one for each ``grain`` pixels."""
    small = max(2, size[0] // grain), max(2, size[1] // grain)
    return Image.frombytes("L", small, rng.randbytes(small[0] * small[1])).resize(size, Image.Resampling.BICUBIC)


def _rays(image: Image.Image, colours: Ramp, rng: Random) -> Image.Image:
    centre, reach, count = (image.width / 2, image.height * 0.55), image.width, 18
    mask = Image.new("L", image.size, 0)
    pen, turn = ImageDraw.Draw(mask), rng.random()
    for ray in range(count):
        start, end = (ray + turn) * 2 * pi / count, (ray + turn + 0.5) * 2 * pi / count
        corners = [(centre[0] + reach * cos(a), centre[1] + reach * sin(a)) for a in (start, end)]
        pen.polygon([centre, *corners], fill=90)
    image.paste(colours[-1], (0, 0), mask.filter(ImageFilter.BoxBlur(3)))
    return image


def _bokeh(image: Image.Image, colours: Ramp, rng: Random) -> Image.Image:
    for _ in range(70):
        radius = int(rng.uniform(0.008, 0.06) * image.width)
        x, y = rng.randrange(image.width), rng.randrange(image.height)
        spot = Image.new("L", (2 * radius + 1, 2 * radius + 1), 0)
        ImageDraw.Draw(spot).ellipse((0, 0, 2 * radius, 2 * radius), fill=rng.randrange(18, 70))
        colour = mix(colours[-1], (255, 255, 255), rng.random() * 0.5)
        image.paste(colour, (x - radius, y - radius), spot.filter(ImageFilter.BoxBlur(1)))
    return image


def _curtain(image: Image.Image, colours: Ramp, rng: Random) -> Image.Image:
    folds = Image.new("L", (128, 1))
    for x in range(128):
        folds.putpixel((x, 0), int(70 + 60 * sin(x * 0.71 + sin(x * 0.13) * 2 + rng.random() * 0.3)))
    image.paste(colours[-1], (0, 0), folds.resize(image.size, Image.Resampling.BICUBIC))
    return image


def _stone(image: Image.Image, colours: Ramp, rng: Random) -> Image.Image:
    rough = Image.blend(noise(image.size, 24, rng), noise(image.size, 4, rng), 0.4)
    image.paste(colours[-1], (0, 0), rough.point([level // 3 for level in range(256)]))
    pen, high = ImageDraw.Draw(image), max(8, image.height // 9)
    for row in range(10):
        y = row * high
        pen.line((0, y, image.width, y), mix(colours[0], (0, 0, 0), 0.5), max(1, image.height // 360))
        for column in range(-1, 8):
            x = int((column + (row % 2) / 2 + rng.uniform(-0.05, 0.05)) * image.width / 7)
            pen.line((x, y, x, y + high), mix(colours[0], (0, 0, 0), 0.5), max(1, image.height // 360))
    return image


def _night(image: Image.Image, colours: Ramp, rng: Random) -> Image.Image:
    pen, unit = ImageDraw.Draw(image), image.height / 720
    for _ in range(160):
        x, y, size = rng.randrange(image.width), rng.randrange(image.height * 2 // 3), rng.random() * 2 * unit
        pen.ellipse((x - size, y - size, x + size, y + size), fill=mix(colours[0], (255, 255, 255), rng.random()))
    edge = -10.0
    while edge < image.width:
        wide, high = rng.uniform(40, 110) * unit, rng.uniform(120, 420) * unit
        pen.rectangle((edge, image.height - high, edge + wide, image.height), fill=mix(colours[1], (0, 0, 0), 0.6))
        for _ in range(14):
            wx, wy = edge + rng.random() * wide * 0.85, image.height - high * rng.random() * 0.95
            pen.rectangle((wx, wy, wx + 4 * unit, wy + 6 * unit), fill=mix(colours[-1], (0, 0, 0), rng.random() * 0.6))
        edge += wide * rng.uniform(0.8, 1.1)
    return image


def _sea(image: Image.Image, colours: Ramp, rng: Random) -> Image.Image:
    light = noise((image.width, max(2, image.height // 6)), 60, rng).resize(image.size, Image.Resampling.BICUBIC)
    image.paste(colours[-1], (0, 0), light.point([max(0, level - 120) // 2 for level in range(256)]))
    pen, unit = ImageDraw.Draw(image), image.height / 720
    for _ in range(26):
        x, y = float(rng.randrange(image.width)), image.height + 10 * unit
        for _ in range(rng.randrange(5, 12)):
            after = x + rng.uniform(-16, 16) * unit, y - rng.uniform(10, 24) * unit
            pen.line((x, y, *after), mix(colours[1], (10, 60, 40), 0.7), max(2, int(7 * unit)))
            x, y = after
    return image


def _grid(image: Image.Image, colours: Ramp, rng: Random) -> Image.Image:
    pen, width, height = ImageDraw.Draw(image), image.width, image.height
    horizon = height * rng.uniform(0.45, 0.6)
    for line in range(-20, 21):
        pen.line((width / 2 + line * width / 60, horizon, width / 2 + line * width / 4, height), colours[-1], 1)
    for row in range(14):
        y = horizon + (height - horizon) * (row / 14) ** 2
        pen.line((0, y, width, y), colours[-1], 1)
    glow = image.filter(ImageFilter.BoxBlur(max(1, height // 200)))
    return ImageChops.lighter(image, glow)


def _damask(image: Image.Image, colours: Ramp, rng: Random) -> Image.Image:
    step = max(12, image.height // 12)
    pen, shade = ImageDraw.Draw(image), mix(colours[0], colours[-1], 0.35 + rng.random() * 0.1)
    for row in range(-1, 2 * image.height // step + 2):
        for column in range(-1, image.width // step + 2):
            x, y, half = (column + row % 2 / 2) * step, row * step * 0.5, step * 0.2
            pen.polygon([(x, y - half), (x + half, y), (x, y + half), (x - half, y)], fill=shade)
            pen.ellipse((x - 2, y - step * 0.33, x + 2, y - step * 0.25), fill=shade)
    return image


def _snow(image: Image.Image, colours: Ramp, rng: Random) -> Image.Image:
    pen = ImageDraw.Draw(image)
    for layer in range(3):
        points: list[tuple[float, float]] = [(0, image.height)]
        for step in range(14):
            peak = image.height * (0.45 + layer * 0.17 + rng.uniform(-0.1, 0.1))
            points.append((step * image.width / 13, peak))
        shade: Colour = mix(colours[-1], colours[0], 0.55 - layer * 0.22)
        pen.polygon([*points, (image.width, image.height)], fill=shade)
    return image.filter(ImageFilter.BoxBlur(max(1, image.height // 300)))


def _confetti(image: Image.Image, colours: Ramp, rng: Random) -> Image.Image:
    pen, unit = ImageDraw.Draw(image), image.height / 720
    shades = ((255, 80, 90), (80, 200, 255), (255, 220, 70), (120, 230, 110), colours[-1])
    for _ in range(240):
        x, y, turn, size = rng.randrange(image.width), rng.randrange(image.height), rng.random() * pi, 7 * unit
        dx, dy = cos(turn) * size, sin(turn) * size
        corners = [(x + dx, y + dy), (x - dy / 2, y + dx / 2), (x - dx, y - dy), (x + dy / 2, y - dx / 2)]
        pen.polygon(corners, fill=mix(colours[0], rng.choice(shades), rng.uniform(0.25, 0.7)))
    return image


PAINTERS: Mapping[str, Painter] = MappingProxyType(
    {
        "rays": _rays,
        "bokeh": _bokeh,
        "curtain": _curtain,
        "stone": _stone,
        "night": _night,
        "sea": _sea,
        "grid": _grid,
        "damask": _damask,
        "snow": _snow,
        "confetti": _confetti,
    }
)
