"""The three stories: what is planted, what makes it fail, and what it fails with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tests.stories.stages import Stage, late_obs, rand_screen, resting_jackpot

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Story:
    """``source``: the actor that fails. ``file``: the one that has the defect. ``suite``: the tests that a remedy must
    pass, as paths."""

    name: str
    defect: str
    exception: str
    source: str
    file: str
    suite: tuple[str, ...]
    stage: Callable[[], AbstractContextManager[Stage]]

    @property
    def plant(self) -> Path:
        return HERE / self.name / "plant.diff"

    @property
    def good(self) -> Path:
        return HERE / self.name / "good.diff"


_ALL = (
    Story(
        "parser",
        "A currency's word before an amount and its code behind it are one currency said twice",
        "StopIteration",
        "readings",
        "foureyes_actors/readings/money.py",
        ("tests/readings",),
        rand_screen,
    ),
    Story(
        "forecast",
        "Readings of jackpots say when the next level is expected",
        "OverflowError",
        "readings",
        "foureyes_actors/readings/forecast.py",
        ("tests/readings",),
        resting_jackpot,
    ),
    Story(
        "reconnect",
        "A scene's name that comes late does not cost the session with OBS",
        "IndexError",
        "capture",
        "foureyes_actors/capture/obs_source.py",
        ("tests/capture/test_obs_source.py",),
        late_obs,
    ),
)
STORIES: Mapping[str, Story] = MappingProxyType({story.name: story for story in _ALL})
