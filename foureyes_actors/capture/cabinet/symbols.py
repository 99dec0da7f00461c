"""The symbols on the reels: shapes on a square of 100 x 100, letters and words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from PIL import Image, ImageDraw

from foureyes_actors.capture.cabinet.faces import Face
from foureyes_actors.capture.cabinet.ink import Colour, Ramp, bevel, faded, fattened, lay, vertical_ramp
from foureyes_actors.capture.cabinet.plates import Plate, plate_image
from foureyes_actors.capture.cabinet.text import TextStyle, Typesetter

SMOOTH = 2
RAMPS: Mapping[str, Ramp] = MappingProxyType(
    {
        "red": ((255, 150, 130), (220, 25, 30), (120, 0, 10)),
        "gold": ((255, 250, 190), (250, 195, 50), (160, 95, 5)),
        "green": ((190, 250, 140), (50, 170, 50), (10, 80, 25)),
        "blue": ((170, 215, 255), (40, 110, 230), (10, 30, 120)),
        "purple": ((225, 170, 255), (140, 40, 190), (60, 0, 100)),
        "orange": ((255, 215, 140), (250, 130, 20), (170, 60, 0)),
        "yellow": ((255, 255, 190), (255, 225, 40), (210, 150, 0)),
        "cyan": ((210, 255, 255), (40, 200, 220), (0, 95, 130)),
        "pink": ((255, 205, 230), (250, 80, 160), (150, 10, 80)),
        "steel": ((245, 248, 255), (160, 170, 190), (75, 80, 100)),
        "brown": ((215, 165, 110), (140, 80, 30), (70, 35, 10)),
        "white": ((255, 255, 255), (225, 230, 240)),
        "black": ((70, 70, 80), (15, 15, 22)),
    }
)


@dataclass(frozen=True, slots=True)
class Part:
    """``points``: a box for ellipse and pie (with ``turn``: its two angles), corners for polygon and line."""

    kind: Literal["ellipse", "polygon", "line", "pie", "arc"]
    ramp: str  # "main": the symbol's own colour
    points: tuple[float, ...]
    width: float = 6
    turn: tuple[float, float] = (0, 360)


def _p(kind: Literal["ellipse", "polygon", "line", "pie", "arc"], ramp: str, *points: float, width: float = 6) -> Part:
    return Part(kind, ramp, points, width)


SHAPES: Mapping[str, tuple[Part, ...]] = MappingProxyType(
    {
        "cherry": (
            _p("line", "green", 30, 60, 46, 24, 72, 12, 66, 40, 70, 60, width=5),
            _p("ellipse", "red", 10, 52, 50, 92),
            _p("ellipse", "red", 50, 50, 90, 90),
            _p("ellipse", "green", 66, 4, 94, 22),
        ),
        "lemon": (_p("polygon", "yellow", 4, 54, 18, 42, 18, 64), _p("ellipse", "yellow", 12, 26, 90, 80)),
        "orange": (_p("ellipse", "orange", 12, 16, 88, 92), _p("ellipse", "green", 50, 6, 82, 22)),
        "plum": (_p("line", "brown", 50, 28, 58, 8, width=5), _p("ellipse", "purple", 16, 22, 84, 92)),
        "melon": (
            Part("pie", "green", (4, -18, 96, 84), turn=(0, 180)),
            Part("pie", "white", (12, -10, 88, 76), turn=(0, 180)),
            Part("pie", "red", (17, -5, 83, 71), turn=(0, 180)),
            _p("ellipse", "black", 34, 42, 40, 50),
            _p("ellipse", "black", 60, 42, 66, 50),
            _p("ellipse", "black", 47, 52, 53, 60),
        ),
        "grapes": (
            _p("line", "brown", 50, 28, 54, 6, width=5),
            *(_p("ellipse", "purple", x, y, x + 26, y + 26) for x, y in ((12, 24), (37, 22), (62, 24))),
            *(_p("ellipse", "purple", x, y, x + 26, y + 26) for x, y in ((24, 44), (50, 44), (37, 66))),
        ),
        "bell": (
            _p("ellipse", "brown", 40, 74, 60, 94),
            _p("ellipse", "gold", 42, 6, 58, 22),
            Part("pie", "gold", (24, 14, 76, 90), turn=(180, 360)),
            _p("polygon", "gold", 24, 50, 76, 50, 90, 80, 10, 80),
        ),
        "seven": (_p("polygon", "main", 16, 12, 86, 12, 86, 30, 58, 90, 32, 90, 60, 34, 36, 34, 32, 42, 16, 42),),
        "star": (_p("polygon", "main", 50, 4, 63, 37, 97, 38, 70, 59, 80, 94, 50, 74, 20, 94, 30, 59, 3, 38, 37, 37),),
        "gem": (
            _p("polygon", "main", 28, 14, 72, 14, 96, 42, 50, 92, 4, 42),
            _p("polygon", "white", 32, 18, 46, 18, 34, 38, 14, 38),
            _p("line", "white", 4, 42, 96, 42, width=2),
            _p("line", "white", 28, 14, 36, 42, 50, 92, 64, 42, 72, 14, width=2),
        ),
        "crown": (
            _p("polygon", "gold", 12, 84, 4, 30, 30, 54, 50, 16, 70, 54, 96, 30, 88, 84),
            _p("ellipse", "main", 42, 60, 58, 76),
            _p("ellipse", "red", 22, 64, 32, 74),
            _p("ellipse", "red", 68, 64, 78, 74),
        ),
        "coin": (
            _p("ellipse", "gold", 6, 6, 94, 94),
            _p("ellipse", "brown", 14, 14, 86, 86),
            _p("ellipse", "gold", 18, 18, 82, 82),
            _p("polygon", "main", 50, 26, 57, 42, 74, 43, 61, 54, 66, 72, 50, 62, 34, 72, 39, 54, 26, 43, 43, 42),
        ),
        "disc": (_p("ellipse", "gold", 2, 2, 98, 98), _p("ellipse", "brown", 12, 12, 88, 88)),
        "clover": (
            _p("line", "green", 50, 50, 58, 94, width=7),
            _p("ellipse", "green", 10, 14, 50, 54),
            _p("ellipse", "green", 50, 14, 90, 54),
            _p("ellipse", "green", 12, 40, 50, 78),
            _p("ellipse", "green", 50, 40, 88, 78),
        ),
        "shoe": (Part("arc", "main", (12, 6, 88, 94), 20, (125, 55)),),
        "anchor": (
            Part("arc", "steel", (12, 20, 88, 92), 10, (15, 165)),
            _p("line", "steel", 50, 24, 50, 90, width=10),
            _p("line", "steel", 28, 40, 72, 40, width=8),
            Part("arc", "steel", (38, 4, 62, 28), 7),
        ),
        "fish": (
            _p("polygon", "main", 66, 50, 98, 22, 92, 50, 98, 78),
            _p("ellipse", "main", 4, 24, 78, 76),
            _p("ellipse", "white", 16, 38, 30, 52),
            _p("ellipse", "black", 20, 42, 27, 49),
        ),
        "shell": (
            Part("pie", "main", (4, 8, 96, 140), turn=(205, 335)),
            *(_p("line", "white", 50, 78, x, y, width=2) for x, y in ((20, 32), (38, 16), (62, 16), (80, 32))),
        ),
        "pyramid": (
            _p("ellipse", "orange", 56, 4, 92, 40),
            _p("polygon", "gold", 46, 14, 96, 88, 4, 88),
            _p("polygon", "brown", 46, 14, 96, 88, 60, 88),
        ),
        "ankh": (
            Part("arc", "main", (30, 4, 70, 48), 11),
            _p("line", "main", 50, 44, 50, 94, width=12),
            _p("line", "main", 22, 56, 78, 56, width=11),
        ),
        "scarab": (
            _p("line", "gold", 14, 30, 36, 44, width=6),
            _p("line", "gold", 86, 30, 64, 44, width=6),
            _p("line", "gold", 12, 82, 36, 66, width=6),
            _p("line", "gold", 88, 82, 64, 66, width=6),
            _p("ellipse", "main", 26, 30, 74, 94),
            _p("ellipse", "gold", 34, 8, 66, 38),
            _p("line", "gold", 50, 40, 50, 92, width=3),
        ),
        "eye": (
            _p("polygon", "gold", 4, 46, 30, 22, 66, 20, 96, 46, 66, 66, 30, 66),
            _p("ellipse", "white", 22, 26, 74, 64),
            _p("ellipse", "main", 36, 30, 62, 60),
            _p("ellipse", "black", 43, 38, 55, 52),
            _p("line", "gold", 50, 66, 40, 94, 24, 90, width=6),
        ),
        "planet": (
            _p("ellipse", "main", 20, 18, 80, 78),
            Part("arc", "gold", (0, 32, 100, 66), 7, (350, 190)),
        ),
        "rocket": (
            _p("polygon", "orange", 38, 74, 62, 74, 50, 98),
            _p("polygon", "red", 22, 80, 36, 50, 64, 50, 78, 80),
            _p("polygon", "steel", 50, 2, 68, 34, 66, 76, 34, 76, 32, 34),
            _p("ellipse", "main", 41, 34, 59, 52),
        ),
        "lantern": (
            _p("line", "gold", 50, 2, 50, 98, width=4),
            _p("ellipse", "red", 8, 18, 92, 80),
            _p("polygon", "gold", 34, 14, 66, 14, 66, 22, 34, 22),
            _p("polygon", "gold", 34, 76, 66, 76, 66, 84, 34, 84),
            _p("line", "gold", 30, 22, 30, 76, width=2),
            _p("line", "gold", 70, 22, 70, 76, width=2),
        ),
        "fan": (
            Part("pie", "main", (2, 10, 98, 150), turn=(215, 325)),
            Part("pie", "gold", (28, 48, 72, 112), turn=(215, 325)),
        ),
        "flake": (
            _p("line", "main", 50, 4, 50, 96, width=8),
            _p("line", "main", 10, 27, 90, 73, width=8),
            _p("line", "main", 10, 73, 90, 27, width=8),
            _p("ellipse", "white", 36, 36, 64, 64),
        ),
        "mask": (
            _p("polygon", "main", 4, 30, 50, 38, 96, 30, 88, 66, 62, 76, 50, 62, 38, 76, 12, 66),
            _p("ellipse", "black", 20, 42, 40, 58),
            _p("ellipse", "black", 60, 42, 80, 58),
            _p("polygon", "gold", 50, 2, 62, 30, 50, 38, 38, 30),
        ),
        "drum": (
            _p("polygon", "main", 10, 30, 90, 30, 78, 90, 22, 90),
            _p("line", "white", 14, 34, 34, 88, 50, 34, 66, 88, 86, 34, width=3),
            _p("ellipse", "gold", 8, 16, 92, 42),
        ),
    }
)
RANKS = {"A": "red", "K": "blue", "Q": "purple", "J": "green", "10": "orange", "9": "cyan"}


def symbol(spec: str, size: int, setter: Typesetter, edge: Colour = (20, 8, 8)) -> Image.Image:
    """``spec``: a shape ("gem"), a shape with a colour ("gem:red"), a rank ("A") or a word ("=WILD"). RGBA, square."""
    name, _, colour = spec.partition(":")
    side = size * SMOOTH
    image = Image.new("RGBA", (side, side), (*edge, 0))
    if name.startswith("="):
        _word(image, name[1:], colour or "red", setter)
    elif name in RANKS:
        _rank(image, name, colour or RANKS[name], setter)
    else:
        for part in SHAPES[name]:
            _draw_part(image, part, colour or "gold", edge)
    return image.reduce(SMOOTH)


def _draw_part(image: Image.Image, part: Part, colour: str, edge: Colour) -> None:
    side, mask = image.width, Image.new("L", image.size, 0)
    unit, pen = side / 100, ImageDraw.Draw(mask)
    # 8 % of margin on each side: neighbours on the reels must not touch.
    points = [8 * unit + value * unit * 0.84 for value in part.points]
    box = points[:4]
    if part.kind == "ellipse":
        pen.ellipse(box, fill=255)
    elif part.kind == "polygon":
        pen.polygon(points, fill=255)
    elif part.kind == "line":
        pen.line(points, fill=255, width=max(1, round(part.width * unit)), joint="curve")
    elif part.kind == "pie":
        pen.pieslice(box, *part.turn, fill=255)
    else:
        pen.arc(box, *part.turn, fill=255, width=max(1, round(part.width * unit)))
    _shade(image, mask, RAMPS[colour if part.ramp == "main" else part.ramp], edge)


def _shade(image: Image.Image, mask: Image.Image, ramp: Ramp, edge: Colour) -> None:
    """Outline, gradient over the part's own height, and a bevel."""
    area = mask.getbbox()
    if area is None:
        return
    lay(image, edge, fattened(mask, image.width / 60))
    fill = Image.new("RGB", image.size, ramp[-1])
    fill.paste(vertical_ramp(ramp, area[3] - area[1]).resize((area[2] - area[0], area[3] - area[1])), area[:2])
    lay(image, fill, mask)
    bevel(image, mask, max(1, image.width // 50))


def _rank(image: Image.Image, rank: str, colour: str, setter: Typesetter) -> None:
    style = TextStyle(
        Face(weight=0.09, system=("georgiab.ttf", "DejaVuSerif-Bold.ttf")), RAMPS[colour], (20, 8, 8), bevel=True
    )
    _centred(image, setter, style, rank, int(image.width * 0.62), (0, 0, image.width, image.height))


def _word(image: Image.Image, word: str, colour: str, setter: Typesetter) -> None:
    side = image.width
    box = (side * 4 // 100, side * 30 // 100, side * 96 // 100, side * 70 // 100)
    plate = Plate(fill=RAMPS[colour], border=RAMPS["gold"], radius=side // 20, edge=side // 48)
    image.alpha_composite(plate_image(plate, (box[2] - box[0], box[3] - box[1]), SMOOTH), box[:2])
    style = TextStyle(Face(weight=0.08, width=0.95), RAMPS["white"], (30, 0, 0), outline_width=0.1)
    _centred(image, setter, style, word, int(side * 0.2), (box[0] + side // 16, box[1], box[2] - side // 16, box[3]))


def _centred(
    image: Image.Image, setter: Typesetter, style: TextStyle, text: str, cap: int, box: tuple[int, int, int, int]
) -> None:
    sprite = setter.sprite(style, text, cap, box[2] - box[0])
    left = (box[0] + box[2] - sprite.ink[2] + sprite.ink[0]) // 2 - sprite.ink[0]
    top = (box[1] + box[3] - sprite.ink[3] + sprite.ink[1]) // 2 - sprite.ink[1]
    layer = Image.new("RGBA", image.size, (0, 0, 0, 0))
    layer.paste(sprite.image, (left, top), sprite.alpha)
    layer.putalpha(_placed(sprite.alpha, image.size, (left, top)))
    image.alpha_composite(layer)


def _placed(alpha: Image.Image, size: tuple[int, int], corner: tuple[int, int]) -> Image.Image:
    mask = Image.new("L", size, 0)
    mask.paste(alpha, corner)
    return mask


def glowing(image: Image.Image, part: float) -> Image.Image:
    """The symbol, brighter by ``part`` towards white."""
    bright = Image.new("RGBA", image.size, (255, 255, 255, 0))
    bright.putalpha(faded(image.getchannel("A"), part))
    return Image.alpha_composite(image, bright)
