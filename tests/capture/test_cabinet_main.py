"""Test pictures from the command line."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from foureyes_actors.capture.cabinet import THEMES, Cabinet
from foureyes_actors.capture.cabinet.__main__ import app
from foureyes_actors.capture.truth_file import read_truths

SMALL = ["--width", "320", "--height", "180"]


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.output


def test_pictures_and_their_truth_are_written(tmp_path: Path) -> None:
    out = tmp_path / "new" / "pictures"
    code, told = run(str(out), "--frames", "4", "--step", "20", "--start", "2", *SMALL)
    assert code == 0 and "4 pictures" in told
    lines = [json.loads(line) for line in (out / "truth.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["file"] for line in lines] == [f"frame_{n:04d}.png" for n in range(4)]
    assert [line["theme"] for line in lines] == list(THEMES[:4])
    cabinet = Cabinet("all", 7, (320, 180))
    assert list(read_truths((out / "truth.jsonl").read_bytes()).values()) == [
        cabinet.truth(time) for time in (2, 22, 42, 62)
    ]
    for line in lines:
        assert sha256((out / line["file"]).read_bytes()).hexdigest() == line["digest"]
    with Image.open(out / "frame_0003.png") as picture:
        assert picture.tobytes() == cabinet.draw(62).tobytes()


def test_jpeg_of_one_theme(tmp_path: Path) -> None:
    code, _ = run(str(tmp_path), "--theme", "rio", "--frames", "2", "--format", "jpg", "--quality", "60", *SMALL)
    assert code == 0
    with Image.open(tmp_path / "frame_0001.jpg") as picture:
        assert (picture.format, picture.size) == ("JPEG", (320, 180))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--theme", "nonsense"], "theme is 'nonsense'"),
        (["--width", "7"], "size is 7 x 720"),
    ],
)
def test_wrong_settings_are_told(tmp_path: Path, arguments: list[str], words: str) -> None:
    code, told = run(str(tmp_path / "out"), *arguments)
    assert code == 78 and words in told
    assert not (tmp_path / "out").exists()


def test_a_file_instead_of_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    code, told = run(str(tmp_path / "taken"))
    assert code == 78 and "is a file" in told
    code, told = run(str(tmp_path / "taken" / "below"), "--frames", "1", *SMALL)
    assert code == 74 and "cannot write" in told
    assert (tmp_path / "taken").read_text() == "mine"


@pytest.mark.parametrize("arguments", [["--frames", "0"], ["--format", "gif"], ["--step", "0"]])
def test_impossible_options_are_refused(tmp_path: Path, arguments: list[str]) -> None:
    assert run(str(tmp_path), *arguments)[0] == 2
