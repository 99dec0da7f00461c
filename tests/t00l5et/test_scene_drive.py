"""SceneDrive's log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from foureyes_actors.ports.clock import ManualClock
from t00l5et.scene_drive import SceneDrive
from tests.support import eventually

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def driven(rounds: int = 1) -> tuple[SceneDrive[int], list[str]]:
    """A drive that is over: each switch took 1 s, each scene was held for 10 s."""
    clock, shown = ManualClock(START), list[str]()

    def show(scene: str) -> None:
        clock.advance(1.0)
        shown.append(scene)

    with SceneDrive(show, [("a", 1), ("b", 2)], 10.0, rounds=rounds, clock=clock) as drive:
        eventually(drive.finished, 30, "the drive is over")
    return drive, shown


def test_the_scenes_are_shown_in_order_and_in_rounds() -> None:
    drive, shown = driven(rounds=2)
    assert shown == ["a", "b", "a", "b"]
    assert [(entry.scene, entry.truth) for entry in drive.log] == [("a", 1), ("b", 2), ("a", 1), ("b", 2)]


@pytest.mark.parametrize(
    ("seconds", "margin", "truth"),
    [(0.5, 0, None), (1, 0, 1), (6, 5, 1), (6, 5.1, None), (11, 0, 1), (11.5, 0, None), (12, 0, 2), (999, 100, 2)],
)
def test_what_was_visible_is_told_only_when_it_is_certain(seconds: float, margin: float, truth: int | None) -> None:
    drive, _ = driven()
    shown = drive.visible(at(seconds), margin)
    assert (shown.truth if shown else None) == truth


def test_an_error_of_the_switch_is_told() -> None:
    def show(scene: str) -> None:
        raise OSError(f"no {scene}")

    with SceneDrive(show, [("a", 1)], 1.0) as drive, pytest.raises(OSError, match="no a"):
        eventually(drive.finished, 30, "the drive is over")
