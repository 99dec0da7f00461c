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


@dataclass(frozen=True, slots=True)
class PopupLook:
    panel: Plate = Plate(fill=((58, 60, 74), (26, 28, 38)), border=((200, 205, 220), (110, 115, 130)), radius=14)
    error_border: Ramp = ((255, 120, 100), (170, 10, 10))
    text: TextStyle = TextStyle(fill=WHITE)
    heading: TextStyle = TextStyle(Face(weight=0.05), fill=WHITE)
    cap: int = 19
    dim: float = 0.5  # what remains of the screen's light behind it


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
    heading: TextStyle
    labels: Mapping[Field, str] = field(default_factory=labels)
    bet: str = "BET"
    win: str = "WIN"
    lines: str = "25 LINES"
    button: str = "SPIN"
    plate: Plate = Plate()
    meter_plate: Plate = Plate()
    frame: Plate = Plate(fill=((10, 10, 10),), radius=14, edge=8)
    reel: Ramp = ((190, 180, 160), (255, 252, 240), (190, 180, 160))
    popup: PopupLook = PopupLook()
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
    soft: float = 1.0  # the picture is scaled down to this part and up again
    jpeg: int | None = None  # quality of a compression that the picture went through
