"""What is wrong with a simulated child: one small helper for each vice."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.supervisors.simulation import Sim, World


class Crash(Exception):
    """What a simulated child dies of."""


@dataclass(frozen=True)
class Vice:
    """How a child behaves: each incarnation in the same way, but for the first ``good`` ones, which do no wrong."""

    start: float = 0.0  # seconds in on_start; inf: hangs
    stop: float = 0.0  # seconds in on_stop; inf: hangs
    fails: int = 0  # so many starts fail, after the good ones
    declines: int = 0  # so many starts are declined, after the good ones
    lives: float = math.inf  # seconds until it ends by itself
    error: Exception | None = None  # what it then dies of
    fails_in_stop: bool = False
    good: int = 0
    inside: Callable[[World], Sim] | None = None  # it is a supervisor

    def after(self, good: int) -> Vice:
        return replace(self, good=good)


def well_behaved() -> Vice:
    return Vice()


def fails_to_start(times: int = 1) -> Vice:
    return Vice(fails=times)


def declines_to_start(times: int = 1) -> Vice:
    return Vice(declines=times)


def slow_to_start(seconds: float) -> Vice:
    return Vice(start=seconds)


def hangs_in_start() -> Vice:
    return Vice(start=math.inf)


def slow_to_stop(seconds: float) -> Vice:
    return Vice(stop=seconds)


def hangs_in_stop() -> Vice:
    return Vice(stop=math.inf)


def fails_in_stop() -> Vice:
    return Vice(fails_in_stop=True)


def finishes_after(seconds: float) -> Vice:
    return Vice(lives=seconds)


def crashes_after(seconds: float) -> Vice:
    return Vice(lives=seconds, error=Crash("its time had come"))


def is_a_supervisor(make: Callable[[World], Sim]) -> Vice:
    return Vice(inside=make)
