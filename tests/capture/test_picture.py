"""What a picture claims is checked before it is decoded; whatever is wrong with it is said."""

from __future__ import annotations

import io
import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from foureyes_actors.capture.picture import GLANCE, PictureInfo, examine, is_black
from foureyes_actors.errors import BadPicture
from foureyes_actors.settings import PictureLimits
from tests.capture.made_pictures import drawn, encoded, jpeg, jpeg_claiming, png, png_claiming

LIMITS = PictureLimits()
THUMBNAIL = encoded(drawn((40, 30)), "JPEG")
ANIMATED = encoded(drawn(), "PNG", save_all=True, append_images=[drawn(shade=90)])
GOOD = {
    "jpeg": (jpeg(), "image/jpeg"),
    "progressive jpeg": (jpeg(progressive=True), "image/jpeg"),
    "grey jpeg": (encoded(drawn(mode="L"), "JPEG"), "image/jpeg"),
    "CMYK jpeg": (encoded(drawn(mode="CMYK"), "JPEG"), "image/jpeg"),
    "jpeg with a large profile": (jpeg(icc_profile=bytes(200_000)), "image/jpeg"),
    "jpeg with restart markers": (jpeg(restart_marker_blocks=4), "image/jpeg"),
    "jpeg with a comment that looks like an end": (jpeg(comment=b"\xff\xd9"), "image/jpeg"),
    "baseline jpeg with what looks like scans after its end": (jpeg() + b"\xff\xda" * 200, "image/jpeg"),
    "jpeg with bytes after its end": (jpeg() + bytes(5000), "image/jpeg"),
    "png": (png(), "image/png"),
    "png with alpha": (png(mode="RGBA"), "image/png"),
    "png with a palette": (png(mode="P"), "image/png"),
    "16 bit png": (png(mode="I;16"), "image/png"),
    "1 bit png": (png(mode="1"), "image/png"),
    "animated png": (ANIMATED, "image/png"),
}


@pytest.mark.parametrize(("data", "media_type"), GOOD.values(), ids=GOOD.keys())
def test_a_good_picture_is_described_by_its_header(data: bytes, media_type: str) -> None:
    assert examine(data, LIMITS) == PictureInfo(media_type, 160, 120)
    assert is_black(data, 8) is False


JPEG, PNG, PROGRESSIVE = jpeg(), png(), jpeg(progressive=True)
SCANS = b"\xff\xda\x00\x02" * 1000
HOSTILE = {
    "nothing": (b"", "empty"),
    "text": (b"<html>404 not found</html>", "neither JPEG nor PNG: it begins with 3c 68 74 6d 6c"),
    "a gif": (encoded(drawn(), "GIF"), "neither JPEG nor PNG"),
    "a signature alone": (b"\xff\xd8\xff", "cut off in its header"),
    "a png's signature alone": (b"\x89PNG\r\n\x1a\n", "cut off in its header"),
    "half a jpeg": (JPEG[: len(JPEG) // 2], "cut off"),
    "a jpeg without its last byte": (JPEG[:-1], "no end mark"),
    "a jpeg cut in its header": (JPEG[:40], "cut off in its header"),
    "half a jpeg with a thumbnail inside": (
        jpeg(exif=b"Exif\0\0" + THUMBNAIL)[: len(JPEG) + len(THUMBNAIL) - 300],
        "no end mark",
    ),
    "half a png": (PNG[: len(PNG) // 2], "no end mark"),
    "a png with a broken header": (PNG[:18] + b"\xff" + PNG[19:], "header is broken"),
    "a png that claims 60000 x 60000": (png_claiming(60_000, 60_000), "claims 60000 x 60000 pixels"),
    "a png that claims 2 ** 31 - 1": (png_claiming(2**31 - 1, 2**31 - 1), "claims 2147483647 x 2147483647"),
    "a png without width": (png_claiming(0, 10), "no size"),
    "a jpeg that claims 65000 x 65000": (jpeg_claiming(65_000, 65_000), "claims 65000 x 65000 pixels"),
    "a jpeg without height": (jpeg_claiming(100, 0), "no size"),
    "100 MB": (JPEG + bytes(100_000_000), "source.limits.max_bytes allows"),
    "a jpeg of nothing but fill bytes": (b"\xff\xd8" + b"\xff" * 20_000_000, "more than 2000 markers"),
    "a jpeg without marker": (b"\xff\xd8\xff\xe0\x00\x02" + bytes(100), "no marker at byte 6"),
    "a jpeg whose scan comes before its size": (b"\xff\xd8\xff\xda\x00\x02" + bytes(100), "no size before"),
    "a lossless jpeg": (JPEG.replace(b"\xff\xc0", b"\xff\xc3", 1), "SOF3"),
    "a jpeg with 12 bits": (JPEG.replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x0c", 1), "12 bits"),
    "a progressive jpeg of 1000 scans more": (PROGRESSIVE[:-2] + SCANS + PROGRESSIVE[-2:], "10[0-9][0-9] scans"),
    "a baseline jpeg of 1001 scans": (
        JPEG.replace(b"\xff\xda\x00\x0c\x03", b"\xff\xda\x00\x0c\x01")[:-2] + SCANS + JPEG[-2:],
        "1001 scans",
    ),
}


@pytest.mark.parametrize(("data", "words"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_picture_is_refused_with_the_reason(data: bytes, words: str) -> None:
    with pytest.raises(BadPicture, match=words):
        examine(data, LIMITS)


def test_a_bomb_is_refused_without_pillow_noticing() -> None:
    with warnings.catch_warnings(record=True) as seen, pytest.raises(BadPicture):
        warnings.simplefilter("always")
        examine(png_claiming(12_000, 12_000), LIMITS)
    assert seen == []


def test_the_limits_are_the_users() -> None:
    small = PictureLimits(max_pixels=100, max_bytes=len(PNG))
    with pytest.raises(BadPicture, match="allows 100 in all"):
        examine(PNG, small)
    with pytest.raises(BadPicture, match=f"allows {len(PNG)}"):
        examine(PNG + b"\0", small)
    assert examine(PNG, PictureLimits(max_pixels=160 * 120)).width == 160


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"", JPEG[:20], PNG[:33], b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"]))
def test_any_bytes_are_described_or_refused(tail: bytes, start: bytes) -> None:
    try:
        assert examine(start + tail, LIMITS).width > 0
    except BadPicture as error:
        assert str(error)


@settings(deadline=None)
@given(st.integers(0, len(JPEG) - 1), st.binary(min_size=1, max_size=8))
def test_a_damaged_picture_decodes_or_is_a_bad_picture(at: int, damage: bytes) -> None:
    data = JPEG[:at] + damage + JPEG[at + len(damage) :]
    try:
        examine(data, LIMITS)
        is_black(data, 8)
    except BadPicture:
        pass


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize(
    ("shade", "mode", "black"),
    [(0, "RGB", True), (0, "L", True), (5, "RGB", True), (30, "RGB", False), (255, "L", False)],
)
def test_black_is_what_has_no_luma_above_the_level(kind: str, shade: int, mode: str, black: bool) -> None:
    image = Image.new("RGB", (320, 180), (shade,) * 3).convert(mode)
    assert is_black(encoded(image, kind), 8) is black


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_line_of_text_on_black_is_not_black(kind: str) -> None:
    image = Image.new("RGB", (320, 180))
    image.paste((255, 255, 255), (100, 90, 104, 100))
    assert is_black(encoded(image, kind), 8) is False


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize(
    "options",
    [{}, {"subsampling": 0}, {"progressive": True}, {"restart_marker_rows": 1}, {"restart_marker_blocks": 7}],
)
@pytest.mark.parametrize(("bright_row", "black"), [(None, True), (0, False), (40, False), (400, False), (715, False)])
def test_a_large_jpeg_is_looked_at_from_its_beginning_on(
    mode: str, options: dict[str, Any], bright_row: int | None, black: bool
) -> None:
    """Dark noise, so that a black picture is large too; the glance at its beginning must not decide wrongly."""
    dark = Image.effect_noise((1283, 720), 80).point([min(value // 40, 5) for value in range(256)])
    if bright_row is not None:
        dark.paste(200, (0, bright_row, 1283, bright_row + 5))
    image = dark.convert("RGB").convert(mode)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=98, **options)
    assert len(file.getvalue()) > 2 * GLANCE
    assert is_black(file.getvalue(), 8) is black


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (8, 8)])
def test_tiny_pictures_can_be_looked_at(size: tuple[int, int]) -> None:
    assert is_black(encoded(Image.new("RGB", size), "JPEG"), 8) is True


def test_transparent_black_png_is_black() -> None:
    assert is_black(encoded(Image.new("RGBA", (64, 64)), "PNG"), 8) is True


def test_what_does_not_decode_is_a_bad_picture() -> None:
    broken = png_claiming(100, 100)
    assert examine(broken, LIMITS) == PictureInfo("image/png", 100, 100)
    with pytest.raises(BadPicture, match="does not decode"):
        is_black(broken, 8)
