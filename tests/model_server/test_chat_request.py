"""What a chat request may be, as a table."""

from __future__ import annotations

import base64
import io
import json
import struct
import zlib
from typing import Any

import pytest
from PIL import Image

from foureyes_actors.messages import Task
from foureyes_actors.model_server.api_error import ApiError
from foureyes_actors.model_server.catalog import BUILT_IN
from foureyes_actors.model_server.chat_request import parse_chat, picture_of
from foureyes_actors.model_server.chat_schema import wanted
from foureyes_actors.model_server.pictures import decode
from foureyes_actors.settings import PictureLimits
from tests.model_server.support import TINY, chat, data_uri, picture


def body(document: object) -> bytes:
    return json.dumps(document).encode()


def refused(document: object) -> ApiError:
    with pytest.raises(ApiError) as caught:
        parse_chat(document if isinstance(document, bytes) else body(document))
    return caught.value


def test_a_whole_request() -> None:
    request = parse_chat(
        body(chat(tasks=[Task.STATE, Task.OCR], max_tokens=500, temperature=0.1, user="obs", stream=False, seed=1))
    )
    assert request.model.id == TINY
    assert request.picture == picture()
    assert request.tasks == (Task.STATE, Task.OCR)
    assert request.text == "What does it show?"
    assert request.user == "obs"
    assert not request.stream


def test_the_model_is_found_whatever_its_case() -> None:
    assert parse_chat(body(chat(model="FourEyes/Screen-Reader-TINY"))).model.id == TINY


def test_without_a_schema_all_tasks_are_answered() -> None:
    for model in BUILT_IN:
        assert wanted(None, model) == wanted({"type": "text"}, model) == dict.fromkeys(Task, ())


def test_a_picture_may_be_in_any_message_and_the_url_alone() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "image_url", "image_url": data_uri(picture("JPEG"), "image/jpeg")}]},
        {"role": "user", "content": "Now?"},
    ]
    request = parse_chat(body({"model": TINY, "messages": messages}))
    assert request.picture == picture("JPEG")
    assert request.text == "Be brief.\nNow?"


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe{}", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"n": ' + b"9" * 10_000 + b"}", "not JSON"),
        ([], "not a JSON object but list"),
        ({}, "'model' is required"),
        ({"model": 7}, "'model' is required"),
        ({"model": TINY}, "'messages' must be a list"),
        ({"model": TINY, "messages": []}, "'messages' must be a list"),
        ({"model": TINY, "messages": ["hello"]}, "with a 'role'"),
        ({"model": TINY, "messages": [{"role": "user"}]}, "'content' must be"),
        ({"model": TINY, "messages": [{"role": "user", "content": [7]}]}, "A part of 'content'"),
        ({"model": TINY, "messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "A part of 'content'"),
        (chat(""), "this one has no picture"),
        (chat(max_tokens=0), "'max_tokens' must be a number from 1 on"),
        (chat(max_tokens="many"), "'max_tokens' must be"),
        (chat(temperature=-1), "'temperature' must be"),
        (chat(temperature=True), "'temperature' must be"),
        (chat(n=2), "'n' must be 1"),
        (chat(user=7), "'user' must be text"),
        (chat(stream="yes"), "'stream' must be true or false"),
        (chat(response_format={"type": "json_object"}), "'response_format.type' must be 'json_schema' or 'text'"),
        (chat(tool_choice="required"), "'tool_choice' must be 'none' or 'auto'"),
        (chat(tool_choice={"type": "function"}), "'tool_choice' must be 'none' or 'auto'"),
        (chat(response_format="json"), "'response_format' must be an object"),
        (chat(response_format={"type": "json_schema"}), "must name tasks"),
        (chat(response_format={"type": "json_schema", "json_schema": {"schema": {}}}), "must name tasks"),
    ],
)
def test_what_is_refused(document: Any, words: str) -> None:
    error = refused(document)
    assert (error.status, words in error.message) == (400, True), error.message
    assert error.body()["error"]["type"] == "invalid_request_error"


def test_two_pictures_are_refused() -> None:
    document = chat()
    document["messages"] *= 2
    assert "2 pictures" in refused(document).message


def test_a_schema_with_a_strange_key() -> None:
    schema: dict[str, Any] = {"properties": {"vision_ocr": {}, "weather": {}}}
    error = refused(chat(response_format={"type": "json_schema", "json_schema": {"schema": schema}}))
    assert error.status == 400
    assert "'weather'" in error.message and "animation_detection" in error.message


AMOUNTS = {"type": "object", "properties": {"balance": {}, "grand": {}}}


@pytest.mark.parametrize(
    ("part", "names"),
    [
        ({"type": "object"}, ()),
        (True, ()),
        (AMOUNTS, ("balance", "grand")),
        ({"$ref": "#/$defs/Amounts"}, ("balance", "grand")),
        ({"anyOf": [{"type": "null"}, {"$ref": "#/$defs/Amounts"}]}, ("balance", "grand")),
        ({"allOf": [{"$ref": "#/$defs/Amounts"}], "description": "what it shows"}, ("balance", "grand")),
        ({"$ref": "#/$defs/Nothing"}, ()),
        ({"$ref": "https://example.org/amounts.json"}, ()),
        ({"$ref": "#/properties/vision_ocr"}, ()),
    ],
)
def test_the_values_that_a_schema_names(part: object, names: tuple[str, ...]) -> None:
    schema = {"properties": {"vision_ocr": part}, "$defs": {"Amounts": AMOUNTS}}
    assert wanted({"type": "json_schema", "json_schema": {"schema": schema}}, BUILT_IN.models[0]) == {Task.OCR: names}


def test_a_value_that_nobody_reads() -> None:
    schema: Any = {"properties": {"vision_ocr": {"properties": {"grand": {}, "mega": {}}}}}
    error = refused(chat(response_format={"type": "json_schema", "json_schema": {"schema": schema}}))
    assert (error.status, error.param) == (400, "response_format")
    assert "'vision_ocr.mega'" in error.message and "balance" in error.message


def test_an_earlier_answer_without_text_is_no_fault() -> None:
    document = chat()
    document["messages"].append({"role": "assistant", "content": None, "refusal": "no"})
    assert parse_chat(body(document)).picture == picture()


def test_an_unknown_model() -> None:
    error = refused(chat(model="qwen/qwen3-vl-8b"))
    assert error.status == 404
    assert error.body()["error"]["code"] == "model_not_found"
    assert "'qwen/qwen3-vl-8b' not found" in error.message and TINY in error.message


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1/a.png", "Addresses are not fetched"),
        ("https://example.org/a.png", "Addresses are not fetched"),
        ("file:///etc/passwd", "Addresses are not fetched"),
        (base64.b64encode(picture()).decode(), "'url' field must be a base64 encoded image."),
        ("data:image/webp;base64,AAAA", "must be PNG or JPEG, not 'image/webp'"),
        ("data:text/plain;base64,AAAA", "must be PNG or JPEG"),
        ("data:;base64,AAAA", "must be PNG or JPEG"),
        ("data:image/png,AAAA", "must be a base64 encoded image"),
        ("data:image/png;base64,", "It is empty"),
        ("data:image/png;base64,@@@@", "not base64"),
        ("data:image/png;base64,AAA", "not base64"),
        ("data:image/png;base64,AA\nAA", "not base64"),
        ("data:image/png;base64,ÄÄÄÄ", "not base64"),
        ("data:image/png" + ";x" * 1000, "must be a base64 encoded image"),
    ],
)
def test_addresses_that_are_no_picture(url: str, words: str) -> None:
    with pytest.raises(ApiError) as caught:
        picture_of(url)
    assert (caught.value.status, words in caught.value.message) == (400, True), caught.value.message


# --- pixels ---

LIMITS = PictureLimits(max_bytes=1_000_000, max_pixels=1_000_000)


@pytest.mark.parametrize(("kind", "mode"), [("PNG", m) for m in ("RGB", "RGBA", "L", "LA", "P", "1", "I;16")])
def test_every_kind_of_png_becomes_rgb(kind: str, mode: str) -> None:
    assert decode(picture(kind, (20, 10), mode), LIMITS).shape == (10, 20, 3)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_every_kind_of_jpeg_becomes_rgb(mode: str) -> None:
    pixels = decode(picture("JPEG", (20, 10), mode), LIMITS)
    assert pixels.shape == (10, 20, 3) and pixels.dtype == "uint8"


def test_the_channels_are_in_order() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), (255, 128, 0)).save(buffer, "PNG")
    assert decode(buffer.getvalue(), LIMITS)[0, 0].tolist() == [255, 128, 0]


def png_bomb() -> bytes:
    """A header that claims 50000 x 50000 pixels, in a few bytes."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\0IEND\xaeB`\x82"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (png_bomb(), "50000 x 50000 pixels"),
        (picture("PNG", (1001, 1000)), "max_pixels allows 1000000"),
        (b"x" * 1_000_001, "max_bytes allows"),
        (picture("PNG", (300, 300))[:-20], "cut off"),
        (picture("JPEG", (300, 300))[:-200], "cut off"),
        (picture("PNG")[:20], "cut off"),
        (picture("WEBP"), "neither JPEG nor PNG"),
        (picture("GIF"), "neither JPEG nor PNG"),
        (b"hello", "neither JPEG nor PNG"),
        (picture("PNG", (300, 300)).replace(b"IDAT", b"IDAX"), "does not decode"),
    ],
)
def test_pictures_that_are_none(data: bytes, words: str) -> None:
    with pytest.raises(ApiError) as caught:
        decode(data, LIMITS)
    assert (caught.value.status, words in caught.value.message) == (400, True), caught.value.message
    assert "source.limits" not in caught.value.message
