"""Secrets in compressed texts of pictures: the chunk goes, the picture and its size stay."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from foureyes_actors.bug.redact import Redactor, stand_in
from foureyes_actors.replay.packed_text import without_packed_secrets
from foureyes_actors.replay.redaction import StandIns
from tests.canary import traces
from tests.capture.made_pictures import chunk, jpeg, png

SECRET = "c4n4ry-of-a-picture"
REDACTOR = Redactor((SECRET,))
PACKED = zlib.compress(f"a comment with {SECRET}".encode())
CHUNKS = {
    "zTXt": chunk(b"zTXt", b"Comment\0\0" + PACKED),
    "iTXt": chunk(b"iTXt", b"Title\0\x01\0en\0Titel\0" + PACKED),
    "iCCP": chunk(b"iCCP", b"profile\0\0" + PACKED),
}


def cleaned(data: bytes) -> bytes:
    return StandIns(REDACTOR).data(data, "picture", "/picture")


def with_chunk(made: bytes) -> bytes:
    picture = png()
    return picture[:33] + made + picture[33:]


@pytest.mark.parametrize("kind", CHUNKS)
def test_a_packed_secret_goes_and_the_picture_stays(kind: str) -> None:
    before = with_chunk(CHUNKS[kind])
    after = cleaned(before)
    assert len(after) == len(before) and after != before
    assert Image.open(io.BytesIO(after)).tobytes() == Image.open(io.BytesIO(png())).tobytes()
    again = cleaned(after)
    assert again == after


def test_what_has_no_secret_stays_as_it_is() -> None:
    for made in (
        chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"nothing")),
        chunk(b"iTXt", b"Title\0\0\0en\0T\0words"),
    ):
        assert cleaned(with_chunk(made)) == with_chunk(made)
    assert cleaned(png()) == png() and cleaned(jpeg()) == jpeg()


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(with_chunk(CHUNKS["zTXt"]))), st.binary(max_size=6))
def test_a_broken_picture_does_no_harm(at: int, junk: bytes) -> None:
    whole = with_chunk(CHUNKS["zTXt"])
    for data in (whole[:at], whole[:at] + junk + whole[at + len(junk) :], junk):
        clean = REDACTOR.same_length_bytes
        assert len(without_packed_secrets(data, clean, lambda size: stand_in(size).encode())) == len(data)


def test_nothing_of_it_is_left(tmp_path: Path) -> None:
    place = tmp_path / "picture"
    place.write_bytes(cleaned(with_chunk(b"".join(CHUNKS.values()))))
    assert traces(place, [SECRET]) == []
    place.write_bytes(with_chunk(CHUNKS["zTXt"]))
    assert len(traces(place, [SECRET])) == 1
