"""Secrets in the compressed texts of a PNG: a search of its bytes does not see them. Pure."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

SIGNATURE = b"\x89PNG\r\n\x1a\n"
KINDS = (b"zTXt", b"iTXt", b"iCCP")
BLANK = b"reTx"  # in place of such a chunk: ancillary and private, so that every reader passes it by
MAX_UNPACKED = 2**20  # bytes
MAX_CHUNKS = 1000


def without_packed_secrets(data: bytes, clean: Callable[[bytes], bytes], stand_in: Callable[[int], bytes]) -> bytes:
    """``data`` with each compressed text in which ``clean`` would change something replaced by a blank chunk of the
    same size. What is no PNG, or a broken one from where it breaks, stays."""
    if not data.startswith(SIGNATURE):
        return data
    parts, at = [data[: len(SIGNATURE)]], len(SIGNATURE)
    for _ in range(MAX_CHUNKS):
        head = data[at : at + 8]
        size = struct.unpack(">I", head[:4])[0] if len(head) == 8 else -1
        if size < 0 or at + 12 + size > len(data):
            break
        kind, content = head[4:], data[at + 8 : at + 8 + size]
        if kind in KINDS and (text := _unpacked(kind, content)) and clean(text) != text:
            kind, content = BLANK, stand_in(size)
            parts.append(head[:4] + kind + content + struct.pack(">I", zlib.crc32(kind + content)))
        else:
            parts.append(data[at : at + 12 + size])
        at += 12 + size
    return b"".join((*parts, data[at:]))


def _unpacked(kind: bytes, content: bytes) -> bytes:
    """The text of a chunk; empty when it is not compressed, or broken."""
    _, _, rest = content.partition(b"\0")  # the keyword
    if kind == b"iTXt":
        if rest[:2] != b"\x01\0":
            return b""
        _, _, rest = rest[2:].partition(b"\0")  # the language
        _, _, rest = rest.partition(b"\0")  # the keyword again
    else:
        rest = rest[1:]  # the method
    try:
        return zlib.decompressobj().decompress(rest, MAX_UNPACKED)
    except zlib.error:
        return b""
