"""The cabinet: what the outside sees of it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from PIL import Image

from foureyes_actors.capture.cabinet.faces import Fonts
from foureyes_actors.capture.cabinet.machine import SETTLE, Machine
from foureyes_actors.capture.cabinet.stage import Stage
from foureyes_actors.capture.cabinet.theme import Theme
from foureyes_actors.capture.cabinet.themes_halls import HALLS
from foureyes_actors.capture.cabinet.themes_worlds import WORLDS
from foureyes_actors.capture.cabinet.truth import Truth
from foureyes_actors.errors import SettingsError

# Halls and worlds take turns, so that neighbours in time look unlike.
ALL_THEMES: Mapping[str, Theme] = MappingProxyType(
    {
        theme.name: theme
        for n in range(max(len(HALLS), len(WORLDS)))
        for theme in (*HALLS[n : n + 1], *WORLDS[n : n + 1])
    }
)
THEMES: tuple[str, ...] = tuple(ALL_THEMES)
TURN = 20.0  # seconds of one theme when all take turns
SMALLEST, LARGEST = (320, 180), (4096, 4096)


class Cabinet:
    """One machine, or all of them in turn. Pure in (theme, seed, size, fonts). One thread at a time.

    ``fonts`` "system" lets themes use well-known fonts where the machine has them: then pictures differ between
    machines, truths do not. Raises SettingsError for an unknown theme, fonts, or a size outside
    320 x 180 to 4096 x 4096.
    """

    def __init__(self, theme: str, seed: int, size: tuple[int, int] = (1280, 720), fonts: Fonts = "built-in") -> None:
        _check(theme, size, fonts)
        names = THEMES if theme == "all" else (theme,)
        self.size, self._fonts, self._seed = size, fonts, seed
        self._machines = [Machine(ALL_THEMES[name], seed) for name in names]
        self._stage: Stage | None = None  # of the machine that was drawn last: the others' would only take room

    def truth(self, time: float) -> Truth:
        """What the screen says ``time`` seconds (0 or more) after the start."""
        machine, own = self._turn(time)
        segment = machine.timeline.at(own)
        values = machine.visible(segment, own)
        return Truth(
            theme=machine.theme.name,
            time=time,
            state=segment.state,
            motion=segment.motion,
            popup=segment.popup,
            popup_text=segment.text,
            amounts=MappingProxyType({name: machine.format.amount(units) for name, units in values.items()}),
            shown=MappingProxyType({name: machine.format.text(units) for name, units in values.items()}),
            currency=machine.format.currency,
            settled=machine.settled(segment, own) and self._long_enough(time),
        )

    def theme(self, time: float) -> str:
        """Whose turn it is."""
        return self._turn(time)[0].theme.name

    def draw(self, time: float) -> Image.Image:
        """The screen, RGB, of the cabinet's size; the caller owns it."""
        machine, own = self._turn(time)
        if not self.has_stage(time):
            self._stage = Stage(machine, self.size, self._fonts)
        assert self._stage is not None
        return self._stage.draw(machine.timeline.at(own), own)

    def has_stage(self, time: float) -> bool:
        """Whether ``draw`` need not set the stage first, which takes it some tenths of a second."""
        return self._stage is not None and self._stage.machine.theme is self._turn(time)[0].theme

    def make_stage(self, time: float) -> Stage:
        """What ``draw`` would set for this time, its first picture drawn once. Shares nothing that changes with this
        cabinet: another thread may make it while this one draws."""
        machine, own = self._turn(time)
        stage = Stage(Machine(machine.theme, self._seed), self.size, self._fonts)
        stage.draw(stage.machine.timeline.at(own), own)
        return stage

    def set_stage(self, stage: Stage) -> None:
        """One of ``make_stage``. The pictures are the same as without it."""
        self._stage = stage

    def next_turn(self, time: float) -> float | None:
        """When the machine after this one takes its turn; None when there is one alone."""
        return None if len(self._machines) == 1 else (time // TURN + 1) * TURN

    def _turn(self, time: float) -> tuple[Machine, float]:
        """Whose turn it is, and how many seconds that machine has been on so far."""
        if not 0 <= time < float("inf"):
            raise ValueError(f"time must be 0 or more seconds, not {time}")
        if len(self._machines) == 1:
            return self._machines[0], time
        turn, within = divmod(time, TURN)
        lap, number = divmod(int(turn), len(self._machines))
        return self._machines[number], lap * TURN + within

    def _long_enough(self, time: float) -> bool:
        """Whether the machine has been on for long enough: a turn is a transition, too."""
        return len(self._machines) == 1 or time % TURN >= SETTLE


def _check(theme: str, size: tuple[int, int], fonts: str) -> None:
    problems = []
    if theme != "all" and theme not in ALL_THEMES:
        problems.append(f"cabinet: theme is {theme!r}; it must be all, or one of {', '.join(THEMES)}")
    if not all(low <= side <= high for side, low, high in zip(size, SMALLEST, LARGEST, strict=True)):
        problems.append(f"cabinet: size is {size[0]} x {size[1]}; it must be 320 x 180 to 4096 x 4096 pixels")
    if fonts not in ("built-in", "system"):
        problems.append(f"cabinet: fonts is {fonts!r}; it must be built-in or system")
    if problems:
        raise SettingsError(problems)
