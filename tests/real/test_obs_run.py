"""The whole program against a real OBS: scenes with known truth are shown, readings in the store compared with it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from bson.decimal128 import Decimal128

from foureyes_actors.capture.cabinet import THEMES, Cabinet, Truth
from foureyes_actors.messages import MONEY_FIELDS, PopupKind
from foureyes_actors.ports.clock import SystemClock
from t00l5et.real_obs import RealObs
from t00l5et.scene_drive import Shown
from tests.real.obs_fixtures import encoded, real_obs
from tests.real.program import Program, program, stored_readings

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

SIZE = (1280, 720)
EARLY_AND_LATE = (1, 300)  # seconds
Scenes = Mapping[str, tuple[bytes, Truth]]
READ = 8  # frames while each scene is shown
MARGIN = 0.7  # seconds around a switch in which a picture may be the one or the other
WANTED = 0.97


def settled(theme: str, begin: int, wanted_popup: bool) -> tuple[float, Truth, Cabinet]:
    """The first settled moment of the theme after ``begin`` seconds, on a seed that nothing was tuned on."""
    cabinet = Cabinet(theme, 4711, SIZE)
    for tenth in range(10 * begin, 10 * begin + 3000, 7):
        truth = cabinet.truth(tenth / 10)
        if truth.settled and (truth.popup is not PopupKind.NONE) == wanted_popup:
            return tenth / 10, truth, cabinet
    raise AssertionError(f"{theme} has no settled moment with popup {wanted_popup}")


def drawn(moments: Iterable[tuple[int, str]]) -> Scenes:
    """A scene for each (second, theme), and what it shows; each sixth with a popup."""
    chosen = {}
    for number, (begin, theme) in enumerate(moments):
        time, truth, cabinet = settled(theme, begin, wanted_popup=number % 6 == 5)
        chosen[f"{theme} at {time:g}"] = (encoded(cabinet.draw(time)), truth)
    return chosen


def showing(scenes: Scenes) -> AbstractContextManager[RealObs]:
    return real_obs({name: picture for name, (picture, _) in scenes.items()}, width=SIZE[0], height=SIZE[1], fps=5)


@pytest.fixture(scope="module")
def scenes() -> Scenes:
    """Each theme once, early and late in turn."""
    return drawn(zip(itertools.cycle(EARLY_AND_LATE), THEMES))


@pytest.fixture(scope="module")
def started(scenes: Scenes) -> Iterator[RealObs]:
    with showing(scenes) as obs:
        yield obs


@pytest.fixture
def obs(started: RealObs) -> RealObs:
    """Running, whatever the test before did to it."""
    if not started.alive():
        started.start()
    started.thaw()
    return started


def environment(obs: RealObs, **more: str) -> dict[str, str]:
    return {
        "FOUREYES_SOURCE__KIND": "obs",
        "FOUREYES_SOURCE__OBS__PORT": str(obs.port),
        "FOUREYES_OBS_PASSWORD": obs.password,
        **more,
    }


def value_of(document: Mapping[str, Any], name: str) -> Any:
    field = document["fields"][name]
    value = field["value"] if field["status"] == "accepted" else None
    return value.to_decimal() if isinstance(value, Decimal128) else value


def drive(obs: RealObs, scenes: Scenes, running: Program, clock: SystemClock) -> list[Shown[Truth]]:
    """Each scene is shown until so many frames more were read, however long a busy machine takes for them."""
    log = []
    for name, (_, truth) in scenes.items():
        obs.show(name)
        since = clock.utc_now()
        wanted = stored_readings(running.data) + READ
        running.until(partial(read, running, wanted), 60, f"{READ} frames of {name} are read")
        log.append(Shown(name, truth, since, clock.utc_now()))
    return log


def read(running: Program, wanted: int) -> bool:
    return stored_readings(running.data) >= wanted


def compare(documents: list[dict[str, Any]], log: Sequence[Shown[Truth]]) -> tuple[int, int, int, list[str]]:
    """Settled frames, values right, values shown, and what was wrong."""
    frames = right = shown_values = 0
    wrong: list[str] = []
    for document in documents:
        at = document["captured_at"]
        shown = next((each for each in log if each.covers(at, timedelta(seconds=MARGIN))), None)
        if shown is None:
            continue
        frames += 1
        for field in MONEY_FIELDS:
            truth, read = shown.truth.amounts.get(field), value_of(document, field.value)
            shown_values += truth is not None
            right += truth is not None and read == truth
            if read != truth:
                wrong.append(f"{shown.scene}: {field} is {truth}, read {read}")
    return frames, right, shown_values, wrong


def rate(documents: list[dict[str, Any]]) -> float:
    """Frames a second that were captured (read or replaced), by their sequence numbers."""
    first, last = documents[0], documents[-1]
    return float((last["sequence"] - first["sequence"]) / (last["captured_at"] - first["captured_at"]).total_seconds())


def test_readings_agree_with_what_obs_showed(obs: RealObs, scenes: Scenes, tmp_path: Path) -> None:
    agree(obs, scenes, tmp_path)


@pytest.mark.slow
def test_readings_agree_with_each_theme_early_and_late(tmp_path: Path) -> None:
    scenes = drawn(itertools.product(EARLY_AND_LATE, THEMES))
    with showing(scenes) as obs:
        agree(obs, scenes, tmp_path)


def agree(obs: RealObs, scenes: Scenes, tmp_path: Path) -> None:
    with program(tmp_path, environment(obs)) as running:
        running.says("#", 90)
        log = drive(obs, scenes, running, SystemClock())
        assert running.interrupt() == 130, running.output
        documents = running.readings()
        errors = [(error["source"], error["message"]) for error in running.errors()]
    frames, right, shown, wrong = compare(documents, log)
    share = f"{right} of {shown} values right ({right / shown:.2%})"
    print(f"\n{frames} settled frames, {share}, {rate(documents):.2f} frames a second")
    print("\n".join(sorted(set(wrong))))
    assert frames >= 2 * len(scenes)
    assert right >= WANTED * shown
    assert rate(documents) >= 2.9
    assert errors == []


def frame_count(running: Program) -> int:
    return sum("#" in line for line in running.lines)


def watched(running: Program, seconds: float = 4.0) -> None:
    """Let it read what is shown now for a while."""
    until = SystemClock().monotonic() + seconds
    running.until(lambda: SystemClock().monotonic() >= until, seconds + 30, "time goes by")


def goes_on(running: Program, timeout: float = 60.0) -> None:
    before = frame_count(running)
    running.until(lambda: frame_count(running) > before, timeout, "readings go on")


def test_obs_frozen_killed_and_started_again_is_survived_without_a_stale_reading(
    obs: RealObs, scenes: Scenes, tmp_path: Path
) -> None:
    """While OBS is frozen or gone nothing is read; afterwards only what it shows then."""
    names = [name for name, (_, truth) in scenes.items() if truth.popup is PopupKind.NONE][:4]
    log: list[tuple[Any, str]] = []

    def show(name: str) -> None:
        obs.show(name)
        log.append((clock.utc_now(), name))

    clock = SystemClock()
    with program(tmp_path, environment(obs)) as running:
        show(names[0])
        running.says("#", 90)
        watched(running)
        obs.freeze()
        running.says("is down", 30)
        obs.thaw()
        show(names[1])
        goes_on(running)
        watched(running)
        obs.kill()
        running.until(lambda: running.output.count("is down") >= 2, 30, "the loss is told")
        obs.start()
        show(names[2])
        goes_on(running)
        watched(running)
        show(names[3])
        goes_on(running)
        watched(running)
        assert running.interrupt() == 130, running.output
        documents = running.readings()
    assert_no_stale_reading(documents, log, scenes)


def assert_no_stale_reading(documents: list[dict[str, Any]], log: list[tuple[Any, str]], scenes: Scenes) -> None:
    """Each reading agrees with the scene on program at its capture, never with one before it."""
    checked = 0
    for document in documents:
        earlier = [(at, name) for at, name in log if (document["captured_at"] - at).total_seconds() > MARGIN]
        following = [at for at, _ in log if abs((at - document["captured_at"]).total_seconds()) <= MARGIN]
        if not earlier or following:
            continue
        wrong_scenes = {name for _, name in earlier[:-1]}
        for field in MONEY_FIELDS:
            read = value_of(document, field.value)
            foreign = {scenes[name][1].amounts.get(field) for name in wrong_scenes} - {None}
            assert read is None or read not in foreign, f"{field} {read} is of an earlier scene: {document}"
        checked += 1
    assert checked > 10


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"FOUREYES_OBS_PASSWORD": "wrong"}, "password"),
        ({"FOUREYES_SOURCE__OBS__SOURCE": "No Such Scene"}, "No Such Scene"),
    ],
    ids=["wrong password", "missing source"],
)
def test_a_refusal_at_the_start_ends_the_run_with_78_and_says_why(
    obs: RealObs, tmp_path: Path, change: dict[str, str], words: str
) -> None:
    with program(tmp_path, environment(obs) | change) as running:
        assert running.wait(60) == 78, running.output
        assert words in running.output
        assert obs.password not in running.output
