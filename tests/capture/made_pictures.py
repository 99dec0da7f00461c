"""Pictures made by the tests, good and hostile."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

from PIL import Image, ImageDraw


def drawn(size: tuple[int, int] = (160, 120), mode: str = "RGB", shade: int = 200) -> Image.Image:
    image = Image.new("RGB", size, (20, 40, 60))
    ImageDraw.Draw(image).rectangle((10, 10, size[0] // 2, size[1] // 2), (shade, shade, shade))
    return image.convert(mode)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def jpeg(size: tuple[int, int] = (160, 120), shade: int = 200, **options: object) -> bytes:
    return encoded(drawn(size, shade=shade), "JPEG", **options)


def png(size: tuple[int, int] = (160, 120), mode: str = "RGB") -> bytes:
    return encoded(drawn(size, mode), "PNG")


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_claiming(width: int, height: int) -> bytes:
    """A complete PNG of a few bytes that says it is so large."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(b"\0" * 100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + chunk(b"IEND", b"")


def jpeg_claiming(width: int, height: int) -> bytes:
    data = jpeg()
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]
