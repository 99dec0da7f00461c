"""Pictures of strangers: what they claim to be, before anything is decoded.

Only headers are read here, so a picture that would need gigabytes costs microseconds to refuse.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

from PIL.Image import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from foureyes_actors.errors import BadPicture
from foureyes_actors.replay.point import replay_point
from foureyes_actors.settings import PictureLimits

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
_JPEG = b"\xff\xd8\xff"
_JPEG_END = b"\xff\xd9"
_BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xD9)})  # without a length (ITU-T T.81, table B.1)
_START_OF_SCAN = 0xDA
_SIZES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # SOF0-SOF15; DHT, JPG and DAC lie between them
_PROGRESSIVE = 0xC2
_COMMON_SIZES = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended, progressive
GLANCE = 24 * 1024  # bytes of a JPEG, at least, that are decoded first in the look for black
_GLANCE_PART = 8  # or this part of it
_FILLED = 128  # luma of what libjpeg had no data for
_ROWS_AT_ONCE = 4  # rows of 8 pixels in a row of MCUs, at most (ITU-T T.81, A.2.4)
_MAX_MARKERS = 2000  # before the first scan; colour profiles of some MB need 255
_MAX_SCANS = 100  # a picture has about ten; each further one costs a decoder a walk over all pixels


@dataclass(frozen=True, slots=True)
class PictureInfo:
    """``media_type``: "image/jpeg" or "image/png"; sizes in pixels."""

    media_type: str
    width: int
    height: int


@replay_point(raises=(BadPicture,))
def examine(data: bytes, limits: PictureLimits) -> PictureInfo:
    """Kind and size from the header. Raises BadPicture when the bytes are no JPEG or PNG, are cut off, or when the
    picture is larger than allowed. It may still turn out broken when it is decoded."""
    check_bytes(len(data), limits)
    if data.startswith(_PNG):
        info = _png(data)
    elif data.startswith(_JPEG):
        info = _jpeg(data)
    else:
        raise BadPicture(f"neither JPEG nor PNG: it begins with {describe_start(data)}")
    check_pixels(info.width, info.height, limits)
    return info


def check_bytes(size: int, limits: PictureLimits) -> None:
    """Raises BadPicture."""
    if size == 0:
        raise BadPicture("the picture is empty (0 bytes)")
    if size > limits.max_bytes:
        raise BadPicture(f"the picture has {size} bytes; source.limits.max_bytes allows {limits.max_bytes}")


def check_pixels(width: int, height: int, limits: PictureLimits) -> None:
    """Raises BadPicture."""
    if width < 1 or height < 1:
        raise BadPicture(f"the picture has no size ({width} x {height} pixels)")
    if width * height > limits.max_pixels:
        raise BadPicture(
            f"the picture claims {width} x {height} pixels; source.limits.max_pixels allows {limits.max_pixels} in all"
        )


def describe_start(data: bytes) -> str:
    """The first bytes, harmless to print."""
    return data[:8].hex(" ")


def open_examined(data: bytes) -> ImageFile:
    """For Pillow, not decoded yet. The picture must have passed ``examine``; whatever Pillow raises all the same means
    that it is broken.

    Not through Image.open: it warns of what ``examine`` has already allowed, and looks for pictures within pictures.
    """
    return JpegImageFile(BytesIO(data)) if data.startswith(_JPEG) else PngImageFile(BytesIO(data))


@replay_point(raises=(BadPicture,))
def is_black(data: bytes, level: int) -> bool:
    """No luma above ``level`` (0-255). The picture must have passed ``examine``. Raises BadPicture when it does not
    decode.

    A JPEG is decoded at an eighth of its size, which needs the mean of each 8 x 8 block alone: a speck that hardly
    lifts that mean goes unseen. A PNG has to be decoded in full. Transparency is ignored. A large JPEG whose beginning
    shows something bright is not decoded further: unpacking all of its data is what a look costs.
    """
    if len(data) > GLANCE and data.startswith(_JPEG) and _bright_at_a_glance(data, level):
        return False
    try:
        with open_examined(data) as image:
            brightest = _eighth(image).getextrema()[1]
    except Exception as error:  # a decoder at work on a stranger's bytes: any exception means that they are broken
        raise BadPicture(f"the picture does not decode: {type(error).__name__}: {error}") from error
    assert isinstance(brightest, int | float)
    return brightest <= level


def _bright_at_a_glance(data: bytes, level: int) -> bool:
    """Whether the first rows of a JPEG have luma above ``level``; False also when they do not tell.

    libjpeg fills what it has no data for with plain grey (jdhuff.c: blocks of zeros, luma 128), so rows of anything
    else were decoded; the last of them may be half data, half grey. When no grey is at the end, this is no such JPEG.
    """
    try:
        with open_examined(data[: max(GLANCE, len(data) // _GLANCE_PART)] + _JPEG_END) as image:
            rows = _eighth(image)
            grey = rows.point([int(value != _FILLED) for value in range(256)]).getbbox()
            end = 0 if grey is None or grey[3] == rows.height else grey[3] - _ROWS_AT_ONCE
            brightest = rows.crop((0, 0, rows.width, end)).getextrema()[1] if end > 0 else 0
    except Exception:  # cut in its header, say: the full look decides
        return False
    return isinstance(brightest, int) and brightest > level


def _eighth(image: ImageFile) -> Image:
    """Its luma, at an eighth of its size when it is a JPEG."""
    image.draft("L", (max(1, image.width // 8), max(1, image.height // 8)))
    return image.convert("L")


def _png(data: bytes) -> PictureInfo:
    """PNG specification (ISO/IEC 15948), clauses 5.3 and 11.2.2: IHDR comes first and has 13 bytes."""
    if len(data) < 33:
        raise BadPicture(f"the PNG is cut off in its header ({len(data)} bytes)")
    if data[8:16] != b"\0\0\0\rIHDR" or zlib.crc32(data[12:29]) != int.from_bytes(data[29:33]):
        raise BadPicture("the PNG's header is broken")
    if data.rfind(_PNG_END) < 33:
        raise BadPicture("the PNG is cut off: it has no end mark")
    return PictureInfo("image/png", int.from_bytes(data[16:20]), int.from_bytes(data[20:24]))


def _jpeg(data: bytes) -> PictureInfo:
    """ITU-T T.81, annex B. In the coded data 0xFF is always stuffed, so an end mark after the first scan's start can
    only be a real one; an embedded thumbnail's lies before."""
    size: PictureInfo | None = None
    several, components = False, b""
    for marker, start, end in _segments(data):
        content = data[start:end]
        if marker == _START_OF_SCAN:
            if size is None:
                break
            _check_scans(data, end, several or content[:1] != components)
            return size
        if marker in _SIZES:
            size, several, components = _jpeg_size(marker, content), marker == _PROGRESSIVE, content[5:6]
    raise BadPicture("the JPEG's header is broken: no size before the picture's data")


def _check_scans(data: bytes, start: int, several: bool) -> None:
    """``several``: progressive, or not all of the components are in the first scan; else a decoder reads that one."""
    if data.rfind(_JPEG_END, start) < 0:
        raise BadPicture("the JPEG is cut off: it has no end mark")
    scans = 1 + data.count(b"\xff\xda", start) if several else 1
    if scans > _MAX_SCANS:
        raise BadPicture(f"the JPEG has {scans} scans; no more than {_MAX_SCANS} are decoded")


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment's content up to the first scan."""
    at = 2
    for _ in range(_MAX_MARKERS):
        if at + 4 > len(data):
            raise BadPicture("the JPEG is cut off in its header")
        if data[at] != 0xFF:
            raise BadPicture(f"the JPEG's header is broken: no marker at byte {at}")
        marker = data[at + 1]
        if marker == 0xFF or marker in _BARE_MARKERS:  # 0xFF may fill before a marker
            at += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4])
        end = at + 2 + length
        if length < 2 or end > len(data):
            raise BadPicture("the JPEG is cut off in its header")
        yield marker, at + 4, end
        at = end
    raise BadPicture(f"the JPEG's header is broken: more than {_MAX_MARKERS} markers")


def _jpeg_size(marker: int, content: bytes) -> PictureInfo:
    if marker not in _COMMON_SIZES or len(content) < 6 or content[0] != 8:
        raise BadPicture(
            f"a JPEG of a kind that few programs read (SOF{marker - 0xC0}, {content[0] if content else 0} bits); "
            "baseline or progressive with 8 bits is right"
        )
    return PictureInfo("image/jpeg", int.from_bytes(content[3:5]), int.from_bytes(content[1:3]))
