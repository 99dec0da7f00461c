"""What makes one machine look unlike another: frozen values, no pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from foureyes_actors.capture.cabinet.faces import Face
from foureyes_actors.capture.cabinet.ink import Colour, Ramp
from foureyes_actors.capture.cabinet.plates import Plate
from foureyes_actors.capture.cabinet.text import TextStyle
from foureyes_actors.messages import Field

SYSTEM_SANS = ("arialbd.ttf", "Arial Bold.ttf", "LiberationSans-Bold.ttf", "DejaVuSans-Bold.ttf")
SYSTEM_SERIF = ("georgiab.ttf", "Georgia Bold.ttf", "LiberationSerif-Bold.ttf", "DejaVuSerif-Bold.ttf")
SYSTEM_NARROW = (
    "ARIALNB.TTF",
    "Arial Narrow Bold.ttf",
    "LiberationSansNarrow-Bold.ttf",
    "DejaVuSansCondensed-Bold.ttf",
)
SYSTEM_HEAVY = ("impact.ttf", "Impact.ttf", "ariblk.ttf", "Arial Black.ttf", "DejaVuSans-Bold.ttf")

GOLD: Ramp = ((255, 252, 205), (255, 214, 90), (186, 118, 14), (255, 226, 130))
PALE_GOLD: Ramp = ((255, 255, 235), (255, 232, 160), (230, 180, 80))
CHROME: Ramp = ((250, 252, 255), (172, 184, 204), (92, 102, 124), (228, 234, 246), (176, 186, 206))
FIRE: Ramp = ((255, 255, 170), (255, 190, 40), (240, 80, 10))
ICE: Ramp = ((255, 255, 255), (190, 236, 255), (90, 180, 235))
WHITE: Ramp = ((255, 255, 255),)


@dataclass(frozen=True, slots=True)
class Particles:
    """``count`` on a canvas of 1280 x 720; ``rise``: canvas heights a second, negative falls."""

    kind: Literal["spark", "flake", "bubble", "ember", "petal"]
    count: int
    colour: Colour
    rise: float
    strength: float = 0.7


PLAIN_PLATE = Plate()
PLAIN_TEXT = TextStyle(fill=WHITE)
SMALL_TEXT = TextStyle(fill=((225, 225, 225),), shadow=(0, 0, 0))
BOLD_TEXT = TextStyle(Face(weight=0.05, system=SYSTEM_SANS), fill=WHITE)
SLATE_PLATE = Plate(fill=((58, 60, 74), (26, 28, 38)), border=((200, 205, 220), (110, 115, 130)), radius=14)


@dataclass(frozen=True, slots=True)
class PopupLook:
    panel: Plate = SLATE_PLATE
    error_border: Ramp = ((255, 120, 100), (170, 10, 10))
    text: TextStyle = PLAIN_TEXT
    heading: TextStyle = BOLD_TEXT
    cap: int = 19
    dim: float = 0.5  # what remains of the screen's light behind it


SLATE = PopupLook()
NAVY = PopupLook(
    Plate("plain", ((20, 20, 90), (10, 10, 60)), ((240, 240, 255),), edge=2),
    text=TextStyle(Face(weight=0.03), ((255, 255, 120),)),
    heading=TextStyle(Face("octagon", 0.18), ((255, 255, 255),)),
    cap=17,
    dim=0.55,
)
PAPER = PopupLook(
    Plate(fill=((255, 250, 235), (245, 225, 190)), border=((190, 20, 40),), radius=20, edge=6),
    text=TextStyle(fill=((60, 20, 20),)),
    heading=TextStyle(Face(weight=0.07), ((180, 10, 40),)),
)
SNOW = PopupLook(
    Plate(fill=((255, 255, 255), (236, 242, 248)), border=((120, 160, 200),), radius=10, edge=2),
    text=TextStyle(fill=((50, 60, 80),)),
    heading=TextStyle(Face(weight=0.05, system=SYSTEM_SANS), ((20, 60, 120),)),
    cap=17,
    dim=0.6,
)
GILDED = PopupLook(
    Plate("cut", ((90, 8, 16), (34, 0, 6)), GOLD, radius=18, edge=5),
    text=TextStyle(Face(weight=0.03), ((255, 240, 205),), shadow=(0, 0, 0)),
    heading=TextStyle(Face(weight=0.07), GOLD, (60, 0, 0)),
    cap=20,
    dim=0.45,
)
NEON = PopupLook(
    Plate("cut", ((10, 4, 30),), ((0, 230, 255), (255, 40, 200)), radius=20, edge=3),
    text=TextStyle(Face(width=1.05), ((220, 240, 255),)),
    heading=TextStyle(Face("round", 0.15), ((255, 255, 255),), glow=(255, 0, 160), glow_radius=0.25),
    dim=0.4,
)
WOODEN = PopupLook(
    Plate("plain", ((120, 76, 34), (70, 40, 14)), ((240, 205, 130), (110, 70, 20)), edge=6),
    text=TextStyle(Face(weight=0.03, width=0.92), ((255, 245, 220),), (50, 24, 0)),
    heading=TextStyle(Face("octagon", 0.17), ((255, 225, 150),), (50, 20, 0)),
    cap=20,
)
AQUA = PopupLook(
    Plate(fill=((0, 80, 130), (0, 40, 84)), border=((190, 245, 255), (40, 140, 190)), radius=36, edge=4),
    text=TextStyle(Face(weight=0.04), ((235, 252, 255),)),
    heading=TextStyle(Face(weight=0.07, width=1.1), ((255, 255, 255),), (0, 50, 90)),
    cap=18,
    dim=0.6,
)
FLAT = PopupLook(
    Plate("plain", ((40, 42, 46),), ((40, 42, 46),), edge=1),
    text=TextStyle(fill=((215, 218, 222),)),
    heading=TextStyle(Face(weight=0.02), ((255, 255, 255),)),
    cap=15,
    dim=0.5,
)


def labels(
    grand: str = "GRAND", major: str = "MAJOR", minor: str = "MINOR", mini: str = "MINI", balance: str = "BALANCE"
) -> Mapping[Field, str]:
    names = (Field.GRAND, Field.MAJOR, Field.MINOR, Field.MINI, Field.BALANCE)
    return MappingProxyType(dict(zip(names, (grand, major, minor, mini, balance), strict=True)))


@dataclass(frozen=True, slots=True)
class Theme:
    """``formats``: keys of FORMATS, one is taken by the seed. ``backdrop``: a kind and its colours (ramp, pattern)."""

    name: str
    title: str
    layout: str
    formats: tuple[str, ...]
    symbols: tuple[str, ...]
    backdrop: tuple[str, Ramp]
    amount: TextStyle
    grand: TextStyle
    label: TextStyle
    meter: TextStyle  # balance, bet and win
    meter_label: TextStyle
    frame: Plate  # around the reels
    heading: TextStyle
    labels: Mapping[Field, str] = field(default_factory=labels)
    bet: str = "BET"
    win: str = "WIN"
    lines: str = "25 LINES"
    button: str = "SPIN"
    plate: Plate = PLAIN_PLATE
    meter_plate: Plate = PLAIN_PLATE
    reel: Ramp = ((190, 180, 160), (255, 252, 240), (190, 180, 160))
    small: TextStyle = SMALL_TEXT  # clock, lines, small print
    popup: PopupLook = SLATE
    bonus: Literal["coins", "cards", "ladder"] = "coins"
    particles: Particles | None = None
    note: bool = False  # small print with an amount that is none of the truth's
    seconds: bool = False  # the clock shows them
    spin_speed: float = 15.0  # symbols a second
    spin_blur: float = 0.0  # vertical blur while spinning, in symbols
    ghost: bool = False  # the picture before shines through the spinning reels
    dim: float = 0.42  # light that remains without a connection
    blanks: bool = False  # dashes instead of amounts without a connection
    blend: float = 0.0  # seconds in which a new value fades in over the old one
    gamma: float = 1.0
    soft: float = 1.0  # the picture is drawn at this part of its size and scaled up
    smear: bool = False  # blurred over two pixels
    jpeg: int | None = None  # quality of a compression that the picture went through
