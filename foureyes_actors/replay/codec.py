"""Values as JSON and back, exactly, in a closed set of types. No pickle: reading a record runs nothing but the
constructors of our own value classes.

    null, true, false, "text", 12, 1.5     themselves (integers of up to 64 bits, finite floats)
    [...]                                  a list
    {"$": tag, ...}                        everything else, see ``_ENCODERS`` and ``_DECODERS``

Bytes lie outside, as blobs named by their SHA-256. What cannot be kept is ``opaque``: it is named, and reading it is
an error. Every size is bounded, on the way in and on the way out.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from enum import Enum
from types import MappingProxyType
from typing import Any, Protocol

from pydantic import BaseModel, SecretStr, ValidationError

from foureyes_actors.replay.capture import PortArgument, Raised, type_name
from foureyes_actors.replay.registry import Registry, name_of, registry

MAX_DEPTH = 120
MAX_NODES = 200_000
MAX_TEXT = 4 * 1024 * 1024  # characters of one text
MAX_BLOB = 32 * 1024 * 1024  # bytes of one blob
MAX_BLOBS = 64 * 1024 * 1024  # of all blobs of a record
MAX_JSON = 32 * 1024 * 1024  # characters of a record
_INT = range(-(2**63), 2**63)

Json = Any


class CodecError(ValueError):
    """Not in the form of this codec, or beyond its bounds."""


class Opaque(CodecError):
    """The record names something that could not be kept."""


class Leaves(Protocol):
    """What becomes of texts and bytes before they are kept (redaction). ``key``: the nearest field or key above."""

    def text(self, text: str, key: str, path: str) -> str: ...

    def data(self, data: bytes, key: str, path: str) -> bytes: ...


class AsTheyAre:
    def text(self, text: str, key: str, path: str) -> str:
        return text

    def data(self, data: bytes, key: str, path: str) -> bytes:
        return data


class Encoder:
    """One record's. ``blobs``: digest -> bytes; ``lossy``: where something is opaque, and why. ``keep`` False: of bytes
    the digest alone is wanted."""

    def __init__(self, leaves: Leaves | None = None, known: Registry | None = None, *, keep: bool = True) -> None:
        self._leaves, self._known, self._keep = leaves or AsTheyAre(), known or registry(), keep
        self.blobs: dict[str, bytes] = {}
        self.lossy: list[str] = []
        self._nodes = self._size = 0

    def encode(self, value: object, key: str = "", path: str = "", depth: int = 0) -> Json:
        self._nodes += 1
        if depth > MAX_DEPTH or self._nodes > MAX_NODES:
            return self._opaque(value, path, "too deep" if depth > MAX_DEPTH else "too many values")
        if value is None or value is True or value is False:
            return value
        kind = type(value)
        name = self._known.constant_name(value)
        if name is not None:
            return {"$": "constant", "name": name}
        simple = _SIMPLE.get(kind)
        if simple is not None:
            return simple(value)
        if kind is str:
            return self._text(str(value), key, path)
        if kind is bytes:
            return self._bytes(value, key, path)  # type: ignore[arg-type]
        return self._structure(value, kind, key, path, depth)

    def _structure(self, value: Any, kind: type, key: str, path: str, depth: int) -> Json:
        if kind in _SEQUENCES:
            items = [self.encode(item, key, f"{path}/{n}", depth + 1) for n, item in enumerate(value)]
            if kind in (set, frozenset):  # their order has no meaning, and must not change a digest
                items.sort(key=lambda item: json.dumps(item, sort_keys=True))
            return items if kind is list else {"$": _SEQUENCES[kind], "items": items}
        if kind in _MAPPINGS:
            return {"$": _MAPPINGS[kind], "items": self._pairs(value, path, depth)}
        if isinstance(value, SecretStr):
            return {"$": "secret", "length": len(value)}
        if isinstance(value, PortArgument):
            return {"$": "port", "kind": value.kind}
        if isinstance(value, BaseException):
            return self._raised(Raised(kind, tuple(value.args), dict(vars(value))), path, depth)
        if isinstance(value, Raised):
            return self._raised(value, path, depth)
        if self._known.types.get(name_of(kind)) is kind:
            return self._registered(value, kind, key, path, depth)
        return self._opaque(value, path, "not a registered type")

    def _registered(self, value: Any, kind: type, key: str, path: str, depth: int) -> Json:
        if isinstance(value, Enum):
            return {"$": "enum", "type": name_of(kind), "name": value.name}
        if isinstance(value, str):
            return {"$": "text", "type": name_of(kind), "text": self._text(str.__str__(value), key, path)}
        if isinstance(value, BaseModel):
            names: tuple[str, ...] = tuple(type(value).model_fields)
        elif is_dataclass(value):
            names = tuple(f.name for f in fields(value) if f.init)
        else:
            return self._opaque(value, path, "not a value")
        inner = {n: self.encode(getattr(value, n), n, f"{path}/{n}", depth + 1) for n in names}
        return {"$": "data", "type": name_of(kind), "fields": inner}

    def _raised(self, value: Raised, path: str, depth: int) -> Json:
        name = type_name(value.kind)
        if self._known.exceptions.get(name) is not value.kind:
            return self._opaque(value, path, f"an exception of a foreign type, {name[:200]}")
        attributes = {k: v for k, v in value.attributes.items() if not k.startswith("__")}
        return {
            "$": "exception",
            "type": name,
            "args": [self.encode(a, "", f"{path}/args/{n}", depth + 1) for n, a in enumerate(value.args)],
            "attributes": self._pairs(attributes, path, depth),
        }

    def _pairs(self, value: Mapping[Any, Any], path: str, depth: int) -> list[list[Json]]:
        pairs = []
        for number, (key, item) in enumerate(value.items()):
            name = key if isinstance(key, str) else ""
            place = f"{path}/{name[:60] or number}"
            pairs.append([self.encode(key, "", place, depth + 1), self.encode(item, name, place, depth + 1)])
        return pairs

    def _text(self, text: str, key: str, path: str) -> Json:
        if len(text) > MAX_TEXT:
            return self._opaque(text, path, f"{len(text)} characters")
        return self._leaves.text(text, key, path)

    def _bytes(self, data: bytes, key: str, path: str) -> Json:
        if len(data) > MAX_BLOB or self._size + len(data) > MAX_BLOBS:
            return self._opaque(data, path, f"{len(data)} bytes")
        data = self._leaves.data(data, key, path)
        digest = hashlib.sha256(data).hexdigest()
        if self._keep and digest not in self.blobs:
            self._size += len(data)
            self.blobs[digest] = data
        return {"$": "bytes", "sha256": digest, "size": len(data)}

    def _opaque(self, value: object, path: str, why: str) -> Json:
        if len(self.lossy) < 100:
            self.lossy.append(f"{path or '/'}: {why} ({type_name(type(value))[:200]})")
        return {"$": "opaque", "type": type_name(type(value))[:200]}


def dumps(value: Json) -> str:
    """As it is stored. Raises CodecError when it is too large."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, indent=1)
    if len(text) > MAX_JSON:
        raise CodecError(f"the record has {len(text)} characters, at most {MAX_JSON} are kept")
    return text


def loads(text: str) -> Json:
    """Raises CodecError."""
    if len(text) > MAX_JSON:
        raise CodecError(f"the record has {len(text)} characters, at most {MAX_JSON} are read")
    try:
        return json.loads(text, parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise CodecError(f"not JSON: {type(error).__name__}") from None


def _refused(name: str) -> Any:
    raise CodecError(f"{name} is not JSON")


class Decoder:
    """``blob``: the bytes of a digest; KeyError when there are none. Raises CodecError for whatever ``Encoder`` does
    not write."""

    def __init__(self, blob: Callable[[str], bytes], known: Registry | None = None) -> None:
        self._blob, self._known = blob, known or registry()
        self._nodes = 0

    def decode(self, value: Json, depth: int = 0) -> Any:
        self._nodes += 1
        if depth > MAX_DEPTH + 1 or self._nodes > MAX_NODES:
            raise CodecError("nested too deeply or too many values")
        match value:
            case float() if not math.isfinite(value):
                raise CodecError("a number beyond a float's range")
            case None | bool() | int() | float() | str():
                return value
            case list():
                return [self.decode(item, depth + 1) for item in value]
            case {"$": str(tag)} if tag in _DECODERS:
                try:
                    return _DECODERS[tag](self, value, depth)
                except CodecError:
                    raise
                except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, ValidationError) as error:
                    raise CodecError(f"{tag}: {type(error).__name__}: {str(error)[:200]}") from None
        raise CodecError(f"unknown: {ascii(value)[:80]}")

    def items(self, value: Json, depth: int) -> list[Any]:
        if not isinstance(value["items"], list):
            raise CodecError("items is no list")
        return [self.decode(item, depth + 1) for item in value["items"]]

    def pairs(self, items: Json, depth: int) -> dict[Any, Any]:
        return {self.decode(k, depth + 1): self.decode(v, depth + 1) for k, v in items}

    def constant(self, value: Json, _depth: int) -> Any:
        return self._known.constants[value["name"]]

    def bytes(self, value: Json, _depth: int) -> bytes:
        data = self._blob(value["sha256"])
        if len(data) != value["size"] or hashlib.sha256(data).hexdigest() != value["sha256"]:
            raise CodecError(f"the blob {value['sha256'][:16]} is not what it was")
        return data

    def enum(self, value: Json, _depth: int) -> Any:
        kind = self._known.types[value["type"]]
        if not issubclass(kind, Enum):
            raise CodecError(f"{name_of(kind)} is no enumeration")
        return kind[value["name"]]

    def text(self, value: Json, _depth: int) -> Any:
        kind = self._known.types[value["type"]]
        if not issubclass(kind, str) or issubclass(kind, Enum):
            raise CodecError(f"{name_of(kind)} is no text")
        return kind(value["text"])

    def data(self, value: Json, depth: int) -> Any:
        kind = self._known.types[value["type"]]
        inner = {name: self.decode(item, depth + 1) for name, item in value["fields"].items()}
        if issubclass(kind, BaseModel):
            return kind.model_validate(inner)
        if not is_dataclass(kind) or issubclass(kind, BaseException):
            raise CodecError(f"{name_of(kind)} is no value")
        return kind(**inner)

    def exception(self, value: Json, depth: int) -> BaseException:
        kind = self._known.exceptions[value["type"]]
        args = tuple(self.decode(item, depth + 1) for item in value["args"])
        if kind.__module__ == "builtins":
            return kind(*args)
        error = kind.__new__(kind, *args)  # its constructor may want other things than it keeps
        error.args = args
        attributes = self.pairs(value["attributes"], depth)
        vars(error).update({str(k): v for k, v in attributes.items() if not str(k).startswith("__")})
        return error

    def opaque(self, value: Json, _depth: int) -> Any:
        raise Opaque(f"a {ascii(value.get('type'))[:100]} could not be kept")


def _int(value: Any) -> Json:
    return value if value in _INT else {"$": "int", "hex": hex(value)}


def _float(value: Any) -> Json:
    return value if math.isfinite(value) else {"$": "float", "text": str(value)}


def _datetime(value: datetime) -> Json:
    """The offset lies beside: ``fromisoformat`` loses one of less than a second."""
    offset = value.utcoffset()
    plain = value.replace(fold=0, tzinfo=None).isoformat()
    return {"$": "datetime", "text": plain, "fold": value.fold, "offset": None if offset is None else _parts(offset)}


def _parts(value: timedelta) -> list[int]:
    return [value.days, value.seconds, value.microseconds]


_SIMPLE: Mapping[type, Callable[[Any], Json]] = MappingProxyType(
    {
        int: _int,
        float: _float,
        Decimal: lambda v: {"$": "decimal", "text": str(v)},
        datetime: _datetime,
        date: lambda v: {"$": "date", "text": v.isoformat()},
        timedelta: lambda v: {"$": "timedelta", "parts": _parts(v)},
    }
)
_SEQUENCES: Mapping[type, str] = MappingProxyType({list: "", tuple: "tuple", set: "set", frozenset: "frozenset"})
_MAPPINGS: Mapping[type, str] = MappingProxyType({dict: "dict", MappingProxyType: "mapping"})


def _when(value: Json) -> datetime:
    offset = value["offset"]
    zone = None if offset is None else timezone(timedelta(*offset))
    return datetime.fromisoformat(value["text"]).replace(fold=value["fold"], tzinfo=zone)


def _decimal(text: Any) -> Decimal:
    try:
        return Decimal(text) if isinstance(text, str) else _refused("decimal")
    except InvalidOperation:
        raise CodecError("no decimal") from None


_DECODERS: Mapping[str, Callable[[Decoder, Json, int], Any]] = MappingProxyType(
    {
        "int": lambda _d, v, _n: int(v["hex"], 16),
        "float": lambda _d, v, _n: {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[v["text"]],
        "decimal": lambda _d, v, _n: _decimal(v["text"]),
        "datetime": lambda _d, v, _n: _when(v),
        "date": lambda _d, v, _n: date.fromisoformat(v["text"]),
        "timedelta": lambda _d, v, _n: timedelta(*v["parts"]),
        "tuple": lambda d, v, n: tuple(d.items(v, n)),
        "set": lambda d, v, n: set(d.items(v, n)),
        "frozenset": lambda d, v, n: frozenset(d.items(v, n)),
        "dict": lambda d, v, n: d.pairs(v["items"], n),
        "mapping": lambda d, v, n: MappingProxyType(d.pairs(v["items"], n)),
        "bytes": Decoder.bytes,
        "constant": Decoder.constant,
        "enum": Decoder.enum,
        "text": Decoder.text,
        "data": Decoder.data,
        "exception": Decoder.exception,
        "secret": lambda _d, v, _n: SecretStr("*" * min(int(v["length"]), 1000)),
        "port": lambda _d, v, _n: PortArgument(str(v["kind"])),
        "opaque": Decoder.opaque,
    }
)
