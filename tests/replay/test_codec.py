"""The codec: exact there and back, closed to everything else, bounded."""

from __future__ import annotations

import contextlib
import json
import math
import pickle
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foureyes_actors.errors import ServerFault
from foureyes_actors.lm_studio.dialect import server_at
from foureyes_actors.lm_studio.dialects import LM_STUDIO
from foureyes_actors.messages import FrameRef, Task, TaskAnswer
from foureyes_actors.ports.http import HttpReply
from foureyes_actors.replay import codec
from foureyes_actors.replay.codec import CodecError, Decoder, Encoder, Opaque, dumps, loads
from foureyes_actors.replay.registry import registry
from foureyes_actors.settings import InferenceSettings

# What records on disks say instead of a class. The code may move, these may not change.
SETTINGS = """
CabinetSettings FieldRule HealthSettings InferenceSettings LogSettings ModelEntry ModelServerSettings ObsSettings
PictureLimits PicturesSettings ReadingsSettings ResourceSettings RetentionSettings ScreenSettings Settings
SourceSettings StoreSettings VideoSettings
"""
AT = datetime(2026, 1, 1, tzinfo=UTC)


def there_and_back(value: object) -> Any:
    """By way of text, as it is on the disk."""
    encoder = Encoder()
    text = dumps(encoder.encode(value))
    assert encoder.lossy == []
    return Decoder(encoder.blobs.__getitem__).decode(loads(text))


def shape(value: Any) -> Any:
    """Types and values, in a form in which NaN equals NaN and 0.0 does not equal -0.0 or 0 or False."""
    kind = type(value).__name__
    if isinstance(value, float):
        return kind, "nan" if math.isnan(value) else value.hex()
    if isinstance(value, Decimal):
        return kind, str(value)
    if isinstance(value, datetime):
        return kind, value.isoformat(), value.fold
    if isinstance(value, dict | MappingProxyType):
        return kind, [(shape(k), shape(v)) for k, v in value.items()]
    if isinstance(value, list | tuple):
        return kind, [shape(item) for item in value]
    if isinstance(value, set | frozenset):
        return kind, sorted(map(repr, map(shape, value)))
    return kind, value


offsets = st.timedeltas(min_value=timedelta(hours=-23), max_value=timedelta(hours=23))
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(2**5000), max_value=2**5000)
    | st.floats()
    | st.text(st.characters(), max_size=50)
    | st.text(st.characters(categories=["Cs", "Cc", "Lo"]), max_size=20)
    | st.binary(max_size=200)
    | st.decimals()
    | st.datetimes()
    | st.datetimes(timezones=st.just(UTC) | offsets.map(timezone))
    | st.dates()
    | st.timedeltas()
    | st.sampled_from(Task)
)
hashable = st.integers() | st.text(max_size=10) | st.binary(max_size=10) | st.booleans() | st.sampled_from(Task)
values = st.recursive(
    scalars | st.sets(hashable, max_size=5) | st.frozensets(hashable, max_size=5),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.lists(inner, max_size=5).map(tuple)
        | st.dictionaries(hashable | st.tuples(hashable), inner, max_size=5)
        | st.dictionaries(st.text(max_size=10) | st.just("$"), inner, max_size=5).map(MappingProxyType)
        | st.builds(TaskAnswer, st.sampled_from(Task), st.dictionaries(st.text(max_size=5), inner, max_size=3))
    ),
    max_leaves=20,
)


def data_shape(value: Any) -> Any:
    if isinstance(value, TaskAnswer):
        return "TaskAnswer", value.task, data_shape(value.values)
    if isinstance(value, list | tuple):
        return type(value).__name__, [data_shape(item) for item in value]
    if isinstance(value, dict | MappingProxyType):
        return type(value).__name__, [(shape(k), data_shape(v)) for k, v in value.items()]
    return shape(value)


@settings(max_examples=300, deadline=None)
@given(values)
def test_what_went_in_comes_out(value: object) -> None:
    assert data_shape(there_and_back(value)) == data_shape(value)


@pytest.mark.parametrize(
    "value",
    [
        FrameRef("cabinet", 1, AT, 1.5, "0" * 64, "image/jpeg", 3, 4),
        HttpReply(200, {"a": "b"}, b"\x00\xff"),
        server_at("http://h", LM_STUDIO, "t"),
        InferenceSettings(attempts=2),
        date(2026, 1, 2),
        -0.0,
        10**5000,
    ],
    ids=lambda v: type(v).__name__,
)
def test_our_own_values(value: Any) -> None:
    got = there_and_back(value)
    assert got == value and type(got) is type(value)


def test_a_named_constant_is_the_very_same() -> None:
    assert there_and_back(server_at("http://h", LM_STUDIO)).dialect is LM_STUDIO


def test_an_exception_is_data() -> None:
    error = ServerFault("HTTP 503", status=503, excerpt="busy", retryable=True)
    got = there_and_back(error)
    assert type(got) is ServerFault and got.args == error.args and vars(got) == vars(error)
    missing = there_and_back(FileNotFoundError(2, "no such file", "x"))
    assert type(missing) is FileNotFoundError and (missing.errno, missing.filename) == (2, None)
    broken = there_and_back(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "why"))
    assert str(broken) == str(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "why"))


class Foreign:
    def __reduce__(self) -> Any:
        raise AssertionError("nobody asks for this")

    def __repr__(self) -> str:
        raise AssertionError("nor for this")


class ForeignError(Exception):
    pass


@pytest.mark.parametrize("value", [Foreign(), ForeignError("x"), lambda: None, object, iter([]), print, Task])
def test_what_is_not_ours_is_named_and_never_kept(value: object) -> None:
    encoder = Encoder()
    encoded = encoder.encode([value], path="/x")
    assert len(encoder.lossy) == 1 and encoder.lossy[0].startswith("/x/0: ")
    with pytest.raises(Opaque):
        Decoder(no_blob).decode(encoded)


def no_blob(digest: str) -> bytes:
    raise KeyError(digest)


def refuses(text: str) -> None:
    with pytest.raises(CodecError):
        Decoder({"a" * 64: b"x"}.__getitem__).decode(loads(text))


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"a": 1}',
        '{"$": 1}',
        '{"$": "pickle", "data": ""}',
        '{"$": "py/object", "type": "os:system"}',
        '{"$": "data", "type": "os:system", "fields": {}}',
        '{"$": "data", "type": "subprocess:Popen", "fields": {"args": ["x"]}}',
        '{"$": "data", "type": "foureyes_actors.errors:ServerFault", "fields": {"message": "", "status": 1}}',
        '{"$": "data", "type": "foureyes_actors.messages:Task", "fields": {}}',
        '{"$": "data", "type": "foureyes_actors.messages:FrameRef", "fields": {}}',
        '{"$": "data", "type": "foureyes_actors.messages:FrameRef", "fields": {"nothing": 1}}',
        '{"$": "data", "type": "foureyes_actors.ports.files:LocalFiles", "fields": {}}',
        '{"$": "data", "type": "foureyes_actors.settings:InferenceSettings", "fields": {"attempts": 99}}',
        '{"$": "enum", "type": "foureyes_actors.messages:Task", "name": "NOTHING"}',
        '{"$": "enum", "type": "foureyes_actors.messages:FrameRef", "name": "x"}',
        '{"$": "exception", "type": "SystemExitX", "args": [], "attributes": []}',
        '{"$": "exception", "type": "ValueError", "args": 3, "attributes": []}',
        '{"$": "constant", "name": "foureyes_actors.lm_studio.dialects:rows"}',
        '{"$": "bytes", "sha256": "../../etc/passwd", "size": 1}',
        '{"$": "bytes", "sha256": "%s", "size": 1}' % ("a" * 64),
        '{"$": "int", "hex": "zz"}',
        '{"$": "float", "text": "7"}',
        '{"$": "decimal", "text": "one"}',
        '{"$": "decimal", "text": [1]}',
        '{"$": "datetime", "text": "yesterday", "fold": 0}',
        '{"$": "tuple", "items": "abc"}',
        '{"$": "set", "items": [[]]}',
        '{"$": "dict", "items": [[1]]}',
        '{"$": "timedelta", "parts": [1e300, 0, 0]}',
        "NaN",
        "1e999",
        "9" * 5000,
        "[" * 5000 + "]" * 5000,
        "[" * 100_000,
        '{"$": "tuple", "items": ' * 300 + "[]" + "}" * 300,
        "[1",
        "",
    ],
    ids=lambda text: text[:60],
)
def test_hostile_records_are_refused(text: str) -> None:
    refuses(text)


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["$", "type", "items", "fields", "args", "text", "name"]), inner, max_size=4
            )
            | st.fixed_dictionaries({"$": st.sampled_from(sorted(codec._DECODERS))})
        ),
        max_leaves=15,
    )
)
def test_any_json_is_read_or_refused(document: Any) -> None:
    with contextlib.suppress(CodecError):
        Decoder(no_blob).decode(loads(json.dumps(document)))


def too_deep() -> Any:
    value: list[Any] = []
    for _ in range(codec.MAX_DEPTH + 10):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        too_deep,
        lambda: "x" * (codec.MAX_TEXT + 1),
        lambda: bytes(codec.MAX_BLOB + 1),
        lambda: [0] * (codec.MAX_NODES + 1),
        lambda: [bytes([n]) + bytes(codec.MAX_BLOB - 10) for n in range(3)],
    ],
    ids=["depth", "text", "blob", "values", "blobs"],
)
def test_bounds(value: Callable[[], object]) -> None:
    encoder = Encoder()
    encoder.encode(value())
    assert encoder.lossy
    assert sum(map(len, encoder.blobs.values())) <= codec.MAX_BLOBS


def test_a_cycle_ends() -> None:
    value: list[Any] = []
    value.append(value)
    encoder = Encoder()
    encoder.encode(value)
    assert encoder.lossy


def test_nothing_here_unpickles() -> None:
    data = pickle.dumps({"a": 1})
    assert there_and_back(data) == data


def test_settings_keep_the_names_that_records_have_for_them() -> None:
    old = '{"$": "data", "type": "foureyes_actors.settings:InferenceSettings", "fields": {"attempts": 7}}'
    assert Decoder(lambda digest: b"").decode(loads(old)) == InferenceSettings(attempts=7)
    assert Encoder().encode(InferenceSettings())["type"] == "foureyes_actors.settings:InferenceSettings"
    assert {f"foureyes_actors.settings:{name}" for name in SETTINGS.split()} <= set(registry().types)
