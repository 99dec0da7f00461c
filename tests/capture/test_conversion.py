"""WebP, GIF and BMP become JPEG, and their bombs are refused before Pillow opens them."""

from __future__ import annotations

import contextlib
import struct
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from foureyes_actors.capture.conversion import to_jpeg
from foureyes_actors.capture.picture import examine
from foureyes_actors.errors import BadPicture
from foureyes_actors.settings import PictureLimits
from tests.capture.made_pictures import drawn, encoded, jpeg

LIMITS = PictureLimits()
WEBP, LOSSLESS, GIF, BMP = (
    encoded(drawn(), "WEBP"),
    encoded(drawn(), "WEBP", lossless=True),
    encoded(drawn(mode="P"), "GIF", comment=b"made by a test"),
    encoded(drawn(), "BMP"),
)
TOP_DOWN = BMP[:22] + struct.pack("<i", -120) + BMP[26:]
OLD_BMP = b"BM" + struct.pack("<IHHI", 26 + 8, 0, 0, 26) + struct.pack("<IHHHH", 12, 2, 1, 1, 24) + bytes([200] * 8)
KINDS = {
    "webp": WEBP,
    "lossless webp": LOSSLESS,
    "webp with alpha": encoded(drawn(mode="RGBA"), "WEBP", exif=b"Exif\0\0x"),
    "animated webp": encoded(drawn(), "WEBP", save_all=True, append_images=[drawn(shade=90)]),
    "gif": GIF,
    "animated gif": encoded(drawn(), "GIF", save_all=True, append_images=[drawn(shade=90)], loop=0),
    "transparent gif": encoded(drawn(mode="P"), "GIF", transparency=0),
    "bmp": BMP,
    "grey bmp": encoded(drawn(mode="L"), "BMP"),
    "bmp from top to bottom": TOP_DOWN,
}


@pytest.mark.parametrize("data", KINDS.values(), ids=KINDS.keys())
def test_every_kind_becomes_a_jpeg_of_the_same_size_and_look(data: bytes) -> None:
    made = to_jpeg(data, LIMITS, 90)
    assert examine(made, LIMITS).media_type == "image/jpeg"
    with Image.open(BytesIO(made)) as image:
        assert image.size == (160, 120)
        if data is not TOP_DOWN:
            red = image.convert("RGB").getpixel((40, 30))
            assert isinstance(red, tuple) and abs(red[0] - 200) < 25


def test_the_oldest_bmp_header_is_read() -> None:
    with Image.open(BytesIO(to_jpeg(OLD_BMP, LIMITS, 90))) as image:
        assert image.size == (2, 1)


def test_transparent_parts_become_black() -> None:
    with Image.open(BytesIO(to_jpeg(encoded(Image.new("RGBA", (32, 32)), "WEBP"), LIMITS, 90))) as image:
        assert image.convert("L").getextrema() == (0, 0)


def webp_claiming(width: int, height: int) -> bytes:
    canvas = struct.pack("<I", 0) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + canvas
    return b"RIFF" + struct.pack("<I", len(body)) + body


HOSTILE = {
    "nothing": (b"", "empty"),
    "a jpeg": (jpeg(), "neither JPEG, PNG, WebP, GIF nor BMP"),
    "half a webp": (WEBP[: len(WEBP) // 2], "does not decode"),
    "half a gif": (GIF[: len(GIF) - 60], "does not decode"),
    "half a bmp": (BMP[: len(BMP) // 2], "does not decode"),
    "a gif cut before its picture": (GIF[:30], "no picture"),
    "a gif of nothing but extensions": (b"GIF89a" + bytes(7) + b"!\xfe\x01a" * 2_000_000, "no picture"),
    "a bmp's beginning": (BMP[:20], "cut off in its header"),
    "an unknown webp": (b"RIFF\0\0\0\0WEBPWHAT" + bytes(20), "header is broken"),
    "a webp bomb": (webp_claiming(16_000, 16_000), "claims 16000 x 16000 pixels"),
    "a bmp bomb": (BMP[:18] + struct.pack("<ii", 60_000, -60_000) + BMP[26:], "claims 60000 x 60000 pixels"),
    "a gif whose picture lies far outside": (
        b"GIF89a" + struct.pack("<HHBBB", 10, 10, 0, 0, 0) + b"," + struct.pack("<HHHHB", 0, 0, 65_000, 65_000, 0),
        "claims 65000 x 65000 pixels",
    ),
    "100 MB": (BMP + bytes(100_000_000), "max_bytes allows"),
}


@pytest.mark.parametrize(("data", "words"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_picture_is_refused_with_the_reason(data: bytes, words: str) -> None:
    with pytest.raises(BadPicture, match=words):
        to_jpeg(data, LIMITS, 90)


@settings(deadline=None)
@given(st.sampled_from([WEBP, LOSSLESS, GIF, BMP]), st.integers(0, 200), st.binary(min_size=1, max_size=8))
def test_damage_gives_a_picture_or_a_bad_picture(data: bytes, at: int, damage: bytes) -> None:
    small = PictureLimits(max_pixels=1_000_000)
    with contextlib.suppress(BadPicture):
        examine(to_jpeg(data[:at] + damage + data[at + len(damage) :], small, 80), small)
