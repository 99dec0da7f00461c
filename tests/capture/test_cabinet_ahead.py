"""The demo cabinet's next stage is made ahead, by another thread, and changes no pixel."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from foureyes_actors.capture.cabinet import Cabinet, cabinet, encode_jpeg
from foureyes_actors.capture.cabinet.cabinet import TURN
from foureyes_actors.capture.cabinet.stage import Stage
from foureyes_actors.capture.cabinet_ahead import LEAD
from foureyes_actors.capture.cabinet_source import CabinetSource
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.settings import CabinetSettings
from tests.support import eventually

SETTINGS = CabinetSettings(seed=3, width=320, height=180)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def source(clock: ManualClock) -> Iterator[CabinetSource]:
    source = CabinetSource(SETTINGS, clock, LocalFiles())
    yield source
    source.close()


@pytest.fixture
def makers(source: CabinetSource, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the threads that made a stage, the source's first one left out."""
    found: list[str] = []

    class Told(Stage):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)  # type: ignore[arg-type]
            found.append(threading.current_thread().name)

    monkeypatch.setattr(cabinet, "Stage", Told)
    return found


def drawn(time: float) -> bytes:
    """By a cabinet that makes its stages when it needs them."""
    fresh = Cabinet(SETTINGS.theme, SETTINGS.seed, (SETTINGS.width, SETTINGS.height))
    return encode_jpeg(fresh.draw(time), SETTINGS.jpeg_quality)


def test_no_grab_makes_a_stage_and_the_pictures_are_the_same(
    source: CabinetSource, clock: ManualClock, makers: list[str]
) -> None:
    pictures = {0.0: source.grab()}
    for turn in (1, 2):
        for time in (turn * TURN - LEAD / 2, turn * TURN, turn * TURN + 3):
            clock.advance(time - max(pictures))
            pictures[time] = source.grab()
            eventually(lambda wanted=turn: len(makers) == wanted, 20, "the next stage")  # type: ignore[misc]
    assert makers == ["cabinet-next-stage"] * 2
    assert pictures == {time: drawn(time) for time in pictures}


def test_a_turn_that_nobody_saw_coming_is_drawn_all_the_same(
    source: CabinetSource, clock: ManualClock, makers: list[str]
) -> None:
    source.grab()
    clock.advance(3 * TURN + 1)
    picture = source.grab()
    assert makers == [threading.current_thread().name]
    assert picture == drawn(3 * TURN + 1)


def test_a_stage_that_fails_ahead_fails_nothing(
    source: CabinetSource, clock: ManualClock, makers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = threading.Event()

    def fail(_cabinet: Cabinet, _time: float) -> Stage:
        tried.set()
        raise MemoryError

    source.grab()
    monkeypatch.setattr(Cabinet, "make_stage", fail)
    clock.advance(TURN - 1)
    source.grab()
    assert tried.wait(20)
    clock.advance(1.5)
    assert source.grab() == drawn(TURN + 0.5)


def test_its_thread_ends_with_the_source(source: CabinetSource, clock: ManualClock) -> None:
    source.grab()
    clock.advance(TURN - 1)
    source.grab()
    source.close()
    eventually(lambda: "cabinet-next-stage" not in {thread.name for thread in threading.enumerate()}, 20, "its end")
    clock.advance(TURN)
    assert source.grab() == drawn(2 * TURN - 1)
