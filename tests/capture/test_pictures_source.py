"""A folder of pictures as a source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from foureyes_actors.capture.picture import examine
from foureyes_actors.capture.pictures_source import PicturesSource, natural_order
from foureyes_actors.capture.source import FrameSource
from foureyes_actors.errors import BadPicture, SourceEnded, SourceRefused
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.settings import PictureLimits, PicturesSettings
from tests.capture.made_pictures import drawn, encoded, jpeg, png

LIMITS = PictureLimits()


def source(folder: Path, loop: bool = False, limits: PictureLimits = LIMITS) -> FrameSource:
    return PicturesSource(PicturesSettings(path=folder, loop=loop), limits, LocalFiles())


def test_pictures_come_byte_for_byte_in_natural_order_and_then_end(tmp_path: Path) -> None:
    wanted = {f"Shot{n}.{end}": jpeg(shade=n * 10) for n, end in ((1, "jpg"), (2, "JPEG"), (10, "jpg"))}
    wanted["shot11.png"] = png()
    for name, data in wanted.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "folder.png").mkdir()
    frames = source(tmp_path)
    assert [frames.grab() for _ in wanted] == list(wanted.values())
    for _ in range(2):
        with pytest.raises(SourceEnded, match="no more pictures"):
            frames.grab()
    frames.close()
    frames.close()


def test_the_kind_is_read_from_the_bytes_not_from_the_name(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(png())
    (tmp_path / "b.png").write_bytes(encoded(drawn(), "WEBP"))
    frames = source(tmp_path)
    assert frames.grab() == png()
    assert examine(frames.grab(), LIMITS).media_type == "image/jpeg"


@pytest.mark.parametrize("kind", ["WEBP", "BMP", "GIF"])
def test_other_kinds_become_jpeg(tmp_path: Path, kind: str) -> None:
    (tmp_path / f"a.{kind.lower()}").write_bytes(encoded(drawn(mode="P" if kind == "GIF" else "RGB"), kind))
    assert examine(source(tmp_path).grab(), LIMITS).media_type == "image/jpeg"


def test_a_jpeg_that_is_cut_off_is_named_too(tmp_path: Path) -> None:
    (tmp_path / "half.jpg").write_bytes(jpeg()[:-2])
    (tmp_path / "tall.png").write_bytes(png())
    with pytest.raises(BadPicture, match=r"half\.jpg: the JPEG is cut off"):
        source(tmp_path).grab()
    (tmp_path / "half.jpg").unlink()
    with pytest.raises(BadPicture, match=r"tall\.png: the picture claims"):
        source(tmp_path, limits=PictureLimits(max_pixels=1)).grab()


def test_a_broken_picture_is_named_and_the_next_one_comes(tmp_path: Path) -> None:
    (tmp_path / "1.webp").write_bytes(encoded(drawn(), "WEBP")[:100])
    (tmp_path / "2.jpg").write_bytes(b"<html>")
    (tmp_path / "3.jpg").write_bytes(b"")
    (tmp_path / "4.jpg").write_bytes(jpeg())
    frames = source(tmp_path)
    for words in ("1.webp: the picture does not decode", "2.jpg: neither JPEG", "3.jpg: the picture is empty"):
        with pytest.raises(BadPicture, match=words):
            frames.grab()
    assert frames.grab() == jpeg()


class VastFiles(LocalFiles):
    """Every file claims a terabyte, and must not be read."""

    def size(self, path: Path) -> int:
        return 1 << 40

    def read(self, path: Path) -> bytes:
        raise AssertionError(f"{path} was read")


def test_a_huge_file_is_not_even_read(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(jpeg())
    frames = PicturesSource(PicturesSettings(path=tmp_path), LIMITS, VastFiles())
    with pytest.raises(BadPicture, match=r"1.jpg: the picture has 1099511627776 bytes; source.limits.max_bytes"):
        frames.grab()


def test_a_picture_that_went_away_is_skipped(tmp_path: Path) -> None:
    for name in ("1.jpg", "2.jpg", "3.jpg"):
        (tmp_path / name).write_bytes(jpeg())
    frames = source(tmp_path)
    frames.grab()
    (tmp_path / "2.jpg").unlink()
    with pytest.raises(BadPicture, match=r"2\.jpg cannot be read: ."):
        frames.grab()
    assert frames.grab() == jpeg()


def test_a_loop_goes_on_and_sees_new_pictures(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(jpeg())
    frames = source(tmp_path, loop=True)
    assert frames.grab() == frames.grab() == jpeg()
    (tmp_path / "2.png").write_bytes(png())
    assert [frames.grab() for _ in range(3)] == [jpeg(), png(), jpeg()]


def test_a_missing_or_empty_folder_is_refused_until_it_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "shots"
    frames = source(folder)
    with pytest.raises(SourceRefused, match=r"source.pictures.path: there is no folder .*shots"):
        frames.grab()
    folder.mkdir()
    with pytest.raises(SourceRefused, match=r"no picture in .*shots \(looked for .jpg .jpeg .png .webp .bmp .gif\)"):
        frames.grab()
    (folder / "1.jpg").write_bytes(jpeg())
    assert frames.grab() == jpeg()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"")
    with pytest.raises(SourceRefused, match="x is not a folder"):
        source(tmp_path / "x").grab()


class DeniedFiles(LocalFiles):
    def listing(self, folder: Path, suffixes: Sequence[str]) -> list[Path]:
        raise PermissionError(13, "Permission denied", str(folder))


def test_a_folder_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    frames = PicturesSource(PicturesSettings(path=tmp_path), LIMITS, DeniedFiles())
    with pytest.raises(SourceRefused, match="Permission denied"):
        frames.grab()


def test_the_name(tmp_path: Path) -> None:
    assert source(tmp_path / "shots").name == "pictures:shots"
    assert source(Path()).name == "pictures:."


def test_natural_order() -> None:
    names = ["Frame 10b.png", "frame 2.png", "frame 10a.png", "7.png", "frame.png", "\u0662.png", "frame 02.png"]
    ordered = [p.name for p in sorted(map(Path, names), key=natural_order)]
    assert ordered == [
        "7.png", "frame 02.png", "frame 2.png", "frame 10a.png", "Frame 10b.png", "frame.png", "\u0662.png",
    ]  # fmt: skip
