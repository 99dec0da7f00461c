"""Pictures of other kinds than JPEG and PNG (WebP, BMP, GIF), turned into JPEG. The first picture of an animation.

The size is read from the header before Pillow sees the bytes: WebP's decoder allocates its canvas when it is opened.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.WebPImagePlugin import WebPImageFile

from foureyes_actors.capture.cabinet import encode_jpeg
from foureyes_actors.capture.picture import check_bytes, check_pixels, describe_start
from foureyes_actors.errors import BadPicture
from foureyes_actors.settings import PictureLimits

Size = tuple[int, int]
_GIF_SEARCH = 1 << 20  # bytes in which the first picture must begin


def to_jpeg(data: bytes, limits: PictureLimits, quality: int) -> bytes:
    """Raises BadPicture when the bytes are none of the three kinds, broken, or larger than allowed. Transparent
    parts become black."""
    check_bytes(len(data), limits)
    measure, opened = _kind(data)
    width, height = measure(data)
    check_pixels(width, height, limits)
    try:
        with opened(BytesIO(data)) as image:
            return encode_jpeg(flattened(image), quality)
    except Exception as error:  # a decoder at work on a stranger's bytes: any exception means that they are broken
        raise BadPicture(f"the picture does not decode: {type(error).__name__}: {error}") from error


def flattened(image: Image.Image) -> Image.Image:
    """Any mode as RGB."""
    if image.mode == "RGB":
        return image
    if not image.has_transparency_data:
        return image.convert("RGB")
    ground = Image.new("RGBA", image.size, (0, 0, 0, 255))
    return Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")


def _kind(data: bytes) -> tuple[Callable[[bytes], Size], Callable[[BytesIO], Image.Image]]:
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _webp_size, WebPImageFile
    if data.startswith((b"GIF87a", b"GIF89a")):
        return _gif_size, GifImageFile
    if data.startswith(b"BM"):
        return _bmp_size, BmpImageFile
    raise BadPicture(f"neither JPEG, PNG, WebP, GIF nor BMP: it begins with {describe_start(data)}")


def _webp_size(data: bytes) -> Size:
    """RFC 9649, section 2.7 (VP8X) and 3.4 (VP8L); RFC 6386, section 9.1 (VP8)."""
    header = _header(data, 30, "WebP")
    match header[12:16]:
        case b"VP8X":
            return _little(header[24:27]) + 1, _little(header[27:30]) + 1
        case b"VP8L":
            bits = _little(header[21:25])
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            return _little(header[26:28]) & 0x3FFF, _little(header[28:30]) & 0x3FFF
    raise BadPicture("the WebP's header is broken")


def _bmp_size(data: bytes) -> Size:
    """Windows GDI: BITMAPCOREHEADER has 12 bytes and 16-bit sizes; all later headers have 32-bit ones, where a
    negative height means that the rows run downwards."""
    header = _header(data, 26, "BMP")
    if _little(header[14:18]) == 12:
        return _little(header[18:20]), _little(header[20:22])
    return _little(header[18:22]), abs(int.from_bytes(header[22:26], "little", signed=True))


def _gif_size(data: bytes) -> Size:
    """GIF89a, sections 18 and 20. Pillow enlarges the screen when the first picture lies beyond it."""
    header = _header(data, 13, "GIF")
    width, height = _little(header[6:8]), _little(header[8:10])
    at = 13 + _colours(header[10])
    while data[at : at + 1] == b"!" and at < _GIF_SEARCH:  # extensions before the first picture
        at += 2
        while at < min(len(data), _GIF_SEARCH) and data[at]:
            at += 1 + data[at]
        at += 1
    picture = data[at : at + 10]
    if len(picture) < 10 or picture[:1] != b",":
        raise BadPicture("the GIF is cut off or broken: it has no picture")
    left, top, right, bottom = (_little(picture[i : i + 2]) for i in (1, 3, 5, 7))
    return max(width, left + right), max(height, top + bottom)


def _colours(flags: int) -> int:
    """Bytes of the global colour table."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _header(data: bytes, size: int, kind: str) -> bytes:
    if len(data) < size:
        raise BadPicture(f"the {kind} is cut off in its header ({len(data)} bytes)")
    return data[:size]


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")
