"""The cabinet as a source, and its truth beside its pictures."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from foureyes_actors.capture.cabinet import THEMES, Cabinet, Truth, encode_jpeg
from foureyes_actors.capture.cabinet_source import CabinetSource
from foureyes_actors.capture.picture import PictureInfo, examine
from foureyes_actors.capture.source import FrameSource
from foureyes_actors.capture.truth_file import read_truths, truth_line
from foureyes_actors.errors import SourceRefused
from foureyes_actors.messages import GameState
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.settings import CABINET_THEMES, CabinetSettings, PictureLimits

THEME = THEMES[0]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def test_it_draws_the_time_since_the_first_grab(clock: ManualClock) -> None:
    settings = CabinetSettings(theme=THEME, seed=3, width=640, height=360, jpeg_quality=70)
    frames: FrameSource = CabinetSource(settings, clock, LocalFiles())
    clock.advance(500)
    cabinet = Cabinet(THEME, 3, (640, 360))
    for time in (0.0, 2.5, 12.0):
        picture = frames.grab()
        assert picture == encode_jpeg(cabinet.draw(time), 70)
        assert examine(picture, PictureLimits()) == PictureInfo("image/jpeg", 640, 360)
        clock.advance(2.5 if time == 0 else 9.5)
    frames.close()
    frames.close()


def test_the_name_is_the_themes(clock: ManualClock) -> None:
    assert CabinetSource(CabinetSettings(theme=THEME), clock, LocalFiles()).name == f"cabinet:{THEME}"
    assert CabinetSource(CabinetSettings(), clock, LocalFiles()).name == "cabinet:lucky_gold"


def test_the_settings_know_exactly_the_themes_that_can_be_drawn() -> None:
    assert CABINET_THEMES == THEMES


def test_the_truth_is_found_by_the_pictures_digest(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "data" / "truth.jsonl"
    settings = CabinetSettings(theme=THEME, seed=3, width=320, height=180, truth_file=path)
    frames, cabinet = CabinetSource(settings, clock, LocalFiles()), Cabinet(THEME, 3, (320, 180))
    began, wanted = clock.monotonic(), dict[str, Truth]()
    for _ in range(20):
        digest = hashlib.sha256(frames.grab()).hexdigest()
        wanted.setdefault(digest, cabinet.truth(clock.monotonic() - began))
        clock.advance(1.4)
    assert read_truths(path.read_bytes()) == wanted
    assert len({truth.state for truth in wanted.values()}) > 1


def test_without_a_truth_file_nothing_is_written(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    CabinetSource(CabinetSettings(theme=THEME), clock, LocalFiles()).grab()
    assert list(tmp_path.iterdir()) == []


def test_a_truth_file_that_cannot_be_written_is_refused(tmp_path: Path, clock: ManualClock) -> None:
    settings = CabinetSettings(theme=THEME, truth_file=tmp_path)
    with pytest.raises(SourceRefused, match=r"source.cabinet.truth_file: .* cannot be written"):
        CabinetSource(settings, clock, LocalFiles()).grab()


def test_a_line_that_is_being_written_is_left_out() -> None:
    truth = Cabinet(THEME, 3).truth(1.0)
    line = truth_line("ab", truth)
    assert read_truths(line + line[:-1]) == {"ab": truth}
    assert line.count(b"\n") == 1 and isinstance(truth.state, GameState)


def test_of_two_moments_with_one_picture_the_first_is_kept() -> None:
    cabinet = Cabinet(THEME, 3)
    lines = truth_line("ab", cabinet.truth(1.0)) + truth_line("ab", cabinet.truth(2.0))
    assert read_truths(lines)["ab"].time == 1.0


@pytest.mark.parametrize("data", [b"not json\n", b"{}\n", b"[]\n"])
def test_a_file_of_another_kind_is_refused(data: bytes) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        read_truths(data)
