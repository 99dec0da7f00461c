"""What a document may be, and its one form in every store: BSON, the same bytes in SQLite and MongoDB. Pure.

* Text is Unicode: a lone surrogate (half of a UTF-16 pair, as broken screen text may hold) is stored as U+FFFD.
* A key may be any text. MongoDB gives ``$``, ``.`` and NUL in a key a meaning, so in the store they are written as
  ``%24``, ``%2E``, ``%00`` (``%`` itself as ``%25``, the empty key as ``%``); what is read back is what was written.
* Datetimes are UTC and keep milliseconds, the precision of BSON. Decimals are Decimal128: 34 digits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, DecimalException
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import bson
from bson.codec_options import CodecOptions
from bson.decimal128 import Decimal128

from foureyes_actors.errors import DocumentRefused
from foureyes_actors.messages import Collection, Document
from foureyes_actors.replay.point import replay_point

MAX_DEPTH = 100  # MongoDB's limit for nested documents
MAX_BYTES = 16 * 1024 * 1024 - 64 * 1024  # MongoDB's limit, less room for what a store adds
MAX_ID = 512  # characters
MAX_KNOWN = 40  # characters of a decimal that is kept
TEXT_KEYS = ("source", "fingerprint", "kind", "subject")
FILTER_KEYS = (*TEXT_KEYS, "resolved")
ORDER, COUNTED = "_order", "_counted"  # the MongoDB adapter's own keys, never seen outside
INDEXED: Mapping[Collection, tuple[str, ...]] = MappingProxyType(
    {
        Collection.READINGS: ("source",),
        Collection.EVENTS: ("kind", "subject"),
        Collection.ERRORS: ("fingerprint", "source"),
        Collection.DECISIONS: ("fingerprint", "kind", "subject"),
    }
)
_ESCAPES = MappingProxyType({"%": "%25", "$": "%24", ".": "%2E", "\0": "%00"})
_UNESCAPES = MappingProxyType({escape: char for char, escape in _ESCAPES.items()})
_TO_ESCAPE = re.compile(r"[%$.\x00]")
_TO_UNESCAPE = re.compile("|".join(_UNESCAPES))
_AS_IT_IS = frozenset({bool, float, bytes})
_OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True, tzinfo=UTC)


@replay_point(raises=(DocumentRefused,))
def encoded(document: Document) -> dict[str, Any]:
    """A deep copy ready for BSON. Raises DocumentRefused, naming ``_id`` and the place, when it can never be stored."""
    if not isinstance(document, Mapping):
        raise DocumentRefused(f"a document is a mapping, not {type(document).__name__}")
    name = _name(document)
    _check_keys(document, name)
    value = _value(document, name, "", 0)
    assert isinstance(value, dict)
    return value


def body(fields: Mapping[str, Any]) -> bytes:
    """BSON of an ``encoded`` document. Raises DocumentRefused when it is too large."""
    data = bson.encode(fields)
    if len(data) > MAX_BYTES:
        raise DocumentRefused(f"document {fields.get('_id')!r}: {len(data)} bytes as BSON, at most {MAX_BYTES} fit")
    return data


def parsed(data: bytes) -> dict[str, Any]:
    """The encoded form again, from its BSON."""
    return bson.decode(data, _OPTIONS)


def decoded(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The document as it was given, without the store's own keys."""
    return {_unescaped(key): _plain(value) for key, value in fields.items() if key not in (ORDER, COUNTED)}


def clean_text(text: str) -> str:
    """``text`` as it is stored: pairs of surrogates joined, lone ones replaced by U+FFFD."""
    if not text.isascii():
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return str.__str__(text)  # an enumeration's member becomes plain text


def instant(value: datetime) -> datetime:
    """UTC, cut to milliseconds. Raises ValueError for a naive datetime, OverflowError outside the years 1-9999."""
    if value.tzinfo is None or value.utcoffset() is None:
        raise ValueError(f"the datetime {value!r} has no time zone")
    utc = value.astimezone(UTC)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


def checked_filter(where: Mapping[str, str | bool] | None) -> dict[str, str | bool]:
    """``where`` as the store compares it. Raises ValueError for a key or type that ``latest`` does not offer."""
    result: dict[str, str | bool] = {}
    for key, value in (where or {}).items():
        wanted: type = bool if key == "resolved" else str
        if key not in FILTER_KEYS or not isinstance(value, wanted):
            raise ValueError(
                f"where {key!r}: {value!r}: text for one of {', '.join(TEXT_KEYS)}, or true or false for resolved"
            )
        result[key] = clean_text(value) if isinstance(value, str) else value
    return result


def _name(document: Document) -> str:
    identity = document.get("_id")
    if not isinstance(identity, str):
        raise DocumentRefused(f"document without a text _id (it has {identity!r}; keys: {list(document)[:10]})")
    name = f"document {identity[:100]!r}"
    if not 0 < len(identity) <= MAX_ID or "\0" in identity or clean_text(identity) != identity:
        raise DocumentRefused(f"{name}: an _id has 1 to {MAX_ID} characters, without NUL and lone surrogates")
    return name


def _check_keys(document: Document, name: str) -> None:
    if not isinstance(document.get("at"), datetime):
        raise DocumentRefused(f"{name} at: a datetime with time zone must be there, not {document.get('at')!r:.100}")
    for key in (ORDER, COUNTED):
        if key in document:
            raise DocumentRefused(f"{name} {key}: the store keeps this key for itself")
    for key in FILTER_KEYS:
        wanted = bool if key == "resolved" else str
        if document.get(key) is not None and not isinstance(document[key], wanted):
            raise DocumentRefused(f"{name} {key}: {wanted.__name__} or None, not {type(document[key]).__name__}")


def _value(value: object, name: str, path: str, depth: int) -> Any:
    """``value`` as BSON takes it. ``path``: where it is, for people."""
    if depth > MAX_DEPTH:
        raise DocumentRefused(f"{name} {path[:100]}...: nested deeper than {MAX_DEPTH} levels")
    if value is None or type(value) in _AS_IT_IS:
        return value
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, Mapping):
        return _mapping(value, name, path, depth)
    match value:
        case bool() | bytes():
            return value
        case int():
            if not -(2**63) <= value < 2**63:
                raise DocumentRefused(f"{name} {path}: an integer of {value.bit_length()} bits does not fit in 64")
            return int(value)
        case float():
            return float(value)
        case Decimal() | datetime():
            return _scalar(value, name, path)
        case list() | tuple():
            return [_value(item, name, f"{path}[{at}]", depth + 1) for at, item in enumerate(value)]
    raise DocumentRefused(f"{name} {path}: {type(value).__name__} is not a type that can be stored")


def _scalar(value: Decimal | datetime, name: str, path: str) -> Decimal128 | datetime:
    try:
        return _decimal128(value) if isinstance(value, Decimal) else instant(value)
    except DecimalException:
        raise DocumentRefused(f"{name} {path}: the decimal {str(value)[:60]} does not fit in 34 digits") from None
    except (ValueError, OverflowError) as error:
        raise DocumentRefused(f"{name} {path}: {error}") from None


def _decimal128(value: Decimal) -> Decimal128:
    """By its text, as 1.0 and 1.00 are equal and not the same. Raises DecimalException."""
    text = str(value)
    return _known_decimal128(text) if len(text) <= MAX_KNOWN else Decimal128(text)


@lru_cache(maxsize=256)  # most amounts of a screen are those of the frame before
def _known_decimal128(text: str) -> Decimal128:
    return Decimal128(text)


def _mapping(value: Mapping[Any, object], name: str, path: str, depth: int) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise DocumentRefused(f"{name} {path}: the key {key!r:.100} is not text")
        usual = type(key) is str and key.isascii() and key.isidentifier()
        escaped = key if usual else _escaped(clean_text(key))
        if escaped in result:
            raise DocumentRefused(f"{name} {path}: the key {key!r:.100} is there twice without its lone surrogates")
        plain = item is None or type(item) in _AS_IT_IS or (type(item) is str and item.isascii())
        if plain and depth < MAX_DEPTH:  # nearly always: the place need not be spelled out
            result[escaped] = item
        else:
            result[escaped] = _value(item, name, f"{path}.{key[:50]}" if path else key[:50], depth + 1)
    return result


def _escaped(key: str) -> str:
    if key.isidentifier():  # nearly always
        return key
    return _TO_ESCAPE.sub(lambda found: _ESCAPES[found[0]], key) or "%"


def _unescaped(key: str) -> str:
    return "" if key == "%" else _TO_UNESCAPE.sub(lambda found: _UNESCAPES[found[0]], key)


def _plain(value: Any) -> Any:
    match value:
        case Decimal128():
            return value.to_decimal()
        case dict():
            return {_unescaped(key): _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case int() if not isinstance(value, bool):
            return int(value)  # BSON's 64 bit integers come as a type of their own
    return value
