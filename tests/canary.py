"""Look for planted secrets in everything below a folder: files, members of zip archives, compressed parts of pictures;
in the forms in which a secret travels."""

from __future__ import annotations

import base64
import io
import json
import re
import urllib.parse
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

_COMPRESSED = re.compile(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b\x08")  # the beginnings of zlib and gzip streams
_MOST = 200  # streams looked into, of one file


def forms(secret: str) -> set[bytes]:
    """Plain in three encodings, in an address, in JSON, in hex, and in Base64 at each of its three alignments."""
    plain = secret.encode()
    found = {plain, secret.encode("utf-16-le"), secret.encode("utf-16-be"), plain.hex().encode()}
    found |= {
        urllib.parse.quote(secret, safe="").encode(),
        json.dumps(secret)[1:-1].encode(),
        plain.hex().upper().encode(),
    }
    for before in range(3):
        text = base64.b64encode(b"\0" * before + plain)
        core = text[4 if before else 0 : len(text) - 4]  # what does not depend on its neighbours
        found |= {core, core.replace(b"+", b"-").replace(b"/", b"_")}
    return {form for form in found if len(form) >= 6}


def traces(folder: Path, secrets: Iterable[str]) -> list[str]:
    """``place: secret`` for each that is found; empty when there is none. ``folder`` may be one file."""
    wanted = {secret: forms(secret) for secret in secrets}
    files = [folder] if folder.is_file() else [path for path in sorted(folder.rglob("*")) if path.is_file()]
    found = []
    for path in files:
        for place, data in _parts(str(path.relative_to(folder.parent)), path.read_bytes()):
            found += [f"{place}: {secret}" for secret, shapes in wanted.items() if any(each in data for each in shapes)]
    names = [str(path) for path in files]
    return found + [f"a name: {secret}" for secret in wanted if any(secret in name for name in names)]


def _parts(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """A file, and what is packed in it."""
    yield name, data
    for number, match in enumerate(_COMPRESSED.finditer(data)):
        if number >= _MOST:
            break
        unpacked = _unpacked(data[match.start() :])
        if unpacked:
            yield f"{name} (compressed, at {match.start()})", unpacked
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.namelist():
                yield from _parts(f"{name}!{member}", archive.read(member))


def _unpacked(data: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=47)  # zlib or gzip
    try:
        return unpacker.decompress(data, 2**20)
    except zlib.error:
        return b""
