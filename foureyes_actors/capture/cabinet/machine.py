"""One theme's machine: what its screen says at a moment, without a pixel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from foureyes_actors.capture.cabinet.layouts import LAYOUTS, Box, covered, snapped
from foureyes_actors.capture.cabinet.money_format import FORMATS
from foureyes_actors.capture.cabinet.theme import Theme
from foureyes_actors.capture.cabinet.timeline import JACKPOTS, Scene, Segment, Timeline, stakes
from foureyes_actors.messages import Field

SETTLE = 0.4  # seconds without a transition after which a frame counts as settled
FADE = 0.25  # seconds in which a popup comes and goes
FULL_BONUS: Box = (0, 0, 1280, 606)
LEAST = (400, 100)  # a popup
BLENDED = (Field.MINOR, Field.MINI)  # the slow ones: the others would never be settled


@dataclass(frozen=True, slots=True)
class Change:
    """A value that took another's place at ``time``."""

    time: float
    before: int


class Machine:
    """Pure in (theme, seed). One thread at a time."""

    def __init__(self, theme: Theme, seed: int) -> None:
        self.theme, self.key = theme, f"{theme.name}|{seed}"
        self.layout = LAYOUTS[theme.layout]
        self.format = FORMATS[Random(f"{self.key}|format").choice(theme.formats)]
        self.stakes = stakes(self.key, self.format.scale)
        self.timeline = Timeline(self.key, self.stakes)

    def units(self, segment: Segment, time: float) -> dict[Field, int]:
        """All amounts of the layout, covered or not."""
        values = {name: self.timeline.jackpot(segment, place, time) for place, name in enumerate(JACKPOTS)}
        values[Field.BALANCE] = segment.balance_at(time)
        return {name: value for name, value in values.items() if name in self.layout.cells}

    def visible(self, segment: Segment, time: float) -> dict[Field, int]:
        """The amounts that the screen shows."""
        if self.blank(segment):
            return {}
        box = self.overlay(segment)
        hidden = covered(box, self.layout.cells) if box else frozenset()
        return {name: value for name, value in self.units(segment, time).items() if name not in hidden}

    def shown(self, values: Mapping[Field, int]) -> dict[Field, str]:
        return {name: self.format.text(value) for name, value in values.items()}

    def blank(self, segment: Segment) -> bool:
        """Dashes instead of amounts."""
        return self.theme.blanks and segment.scene is Scene.LOST

    def overlay(self, segment: Segment) -> Box | None:
        """What a popup or the bonus screen covers, on the canvas: each cell wholly or not at all."""
        if segment.scene is Scene.BONUS:
            wanted = FULL_BONUS if segment.variant % 4 == 0 else self.layout.reels
        elif segment.text is not None:
            wanted = _popup_box(segment, self.layout.reels)
        else:
            return None
        return self._clean(wanted)

    def _clean(self, wanted: Box) -> Box:
        """``wanted`` or another place like it that covers each cell wholly or not at all and has room for words."""
        left, top, right, bottom = self.layout.reels
        middle, level = (left + right) // 2, (top + bottom) // 2
        centre = middle - LEAST[0] // 2, level - LEAST[1] // 2, middle + LEAST[0] // 2, level + LEAST[1] // 2
        for candidate in (wanted, centre):
            box = snapped(candidate, self.layout.cells)
            if box and box[2] - box[0] >= LEAST[0] and box[3] - box[1] >= LEAST[1]:
                return box
        return self.layout.reels

    def change(self, segment: Segment, name: Field, time: float) -> Change | None:
        """The last change of this jackpot within the segment, where the theme blends values."""
        if not self.theme.blend or name not in BLENDED or segment.scene is Scene.LOST:
            return None
        place = JACKPOTS.index(name)
        changed = self.timeline.last_tick(place, time)
        if changed <= segment.start:
            return None
        return Change(changed, self.timeline.jackpot_before(segment, place, time))

    def settled(self, segment: Segment, time: float) -> bool:
        since = time - SETTLE
        fade = FADE if segment.text is not None else 0.0
        if since < segment.start + fade or time > segment.end - fade:
            return False
        changes = (self.change(segment, name, time) for name in BLENDED)
        return not any(change and since < change.time + self.theme.blend for change in changes)


def popup_opacity(segment: Segment, time: float) -> float:
    """0 to 1: it fades in and out within its segment."""
    return max(0.0, min(1.0, (time - segment.start) / FADE, (segment.end - time) / FADE))


def _popup_box(segment: Segment, reels: Box) -> Box:
    rng = Random(segment.variant)
    middle = (reels[0] + reels[2]) // 2 + rng.randint(-40, 40), (reels[1] + reels[3]) // 2 + rng.randint(-30, 30)
    width, high = rng.randint(500, 700), rng.randint(190, 270)
    centre = middle[0] - width // 2, middle[1] - high // 2, middle[0] + width // 2, middle[1] + high // 2
    boxes: dict[Scene, tuple[Box, ...]] = {
        Scene.INFO: (centre, centre, (290, 4, 990, 116), (300, 600, 980, 708), (820, 440, 1268, 600)),
        Scene.ERROR: (centre, centre, centre, (0, 250, 1280, 440), (110, 70, 1170, 650)),
        Scene.LOST: (centre, centre, (0, 270, 1280, 400), (330, 250, 950, 400)),
    }
    return rng.choice(boxes[segment.scene])
