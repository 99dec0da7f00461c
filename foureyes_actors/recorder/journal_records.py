"""The journal's records as bytes: pure.

A record is ``MAGIC``, the payload's length (32 bits, big endian), CRC-32 of length and payload, payload. A process
that dies while it writes leaves a torn tail, which fails the checksum. ``MAGIC`` begins with a byte that UTF-8 never
has, so no text inside a payload can look like the beginning of a record.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import bson
from bson.errors import BSONError

from foureyes_actors.messages import Collection, CountError, StoreDocuments
from foureyes_actors.ports import error_groups
from foureyes_actors.ports.documents import body, decoded, encoded, parsed

Entry = StoreDocuments | CountError

MAGIC = b"\xffFEJ"
_HEAD = struct.Struct(">4sII")
_LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Scan:
    """``end``: where the last whole record ends; what follows is torn. ``damaged``: bytes before it that are none."""

    payloads: tuple[bytes, ...]
    end: int
    damaged: int


def framed(payload: bytes) -> bytes:
    return _HEAD.pack(MAGIC, len(payload), _checksum(payload)) + payload


def scan(data: bytes) -> Scan:
    """Every whole record, in order. A damaged one costs itself alone: reading goes on at the next whole record."""
    payloads: list[bytes] = []
    at = end = damaged = 0
    while (at := data.find(MAGIC, at)) >= 0:
        payload = _record(data, at)
        if payload is None:
            at += 1
            continue
        damaged += at - end
        payloads.append(payload)
        at = end = at + _HEAD.size + len(payload)
    return Scan(tuple(payloads), end, damaged)


def entry_bytes(entry: Entry) -> bytes:
    """Raises DocumentRefused for a document that no store takes."""
    if isinstance(entry, CountError):
        fields: dict[str, Any] = {"kind": "count", "documents": [error_groups.occurrence(entry.document)]}
    else:
        documents = [encoded(document) for document in entry.documents]
        fields = {"kind": "append", "collection": str(entry.collection), "documents": documents}
    for document in fields["documents"]:
        body(document)  # refused when it is too large
    return bson.encode(fields)


def entry_from(payload: bytes) -> Entry:
    """Raises ValueError for what ``entry_bytes`` has not written."""
    try:
        fields = parsed(payload)
        documents = tuple(decoded(document) for document in fields["documents"])
        if fields["kind"] == "count":
            return CountError(documents[0])
        if fields["kind"] == "append":
            return StoreDocuments(Collection(fields["collection"]), documents)
    except (BSONError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(f"not a journal entry: {error}") from error
    raise ValueError(f"not a journal entry: kind {fields['kind']!r}")


def merged(entries: Sequence[Entry], most: int = 500) -> list[tuple[Entry, int]]:
    """Neighbours for one collection as one entry of at most about ``most`` documents, with how many were merged."""
    result: list[tuple[Entry, int]] = []
    for entry in entries:
        last = result[-1] if result else None
        if last is not None and _mergeable(last[0], entry, most):
            result[-1] = (_joined((last[0], entry)), last[1] + 1)
        else:
            result.append((entry, 1))
    return result


def _mergeable(first: Entry, second: Entry, most: int) -> bool:
    if not isinstance(first, StoreDocuments) or not isinstance(second, StoreDocuments):
        return False
    return first.collection is second.collection and len(first.documents) + len(second.documents) <= most


def _joined(entries: Iterable[Entry]) -> StoreDocuments:
    parts = [entry for entry in entries if isinstance(entry, StoreDocuments)]
    return StoreDocuments(parts[0].collection, tuple(document for part in parts for document in part.documents))


def _record(data: bytes, at: int) -> bytes | None:
    if at + _HEAD.size > len(data):
        return None
    _, length, checksum = _HEAD.unpack_from(data, at)
    payload = data[at + _HEAD.size : at + _HEAD.size + length]
    return payload if len(payload) == length and _checksum(payload) == checksum else None


def _checksum(payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(_LENGTH.pack(len(payload))))
