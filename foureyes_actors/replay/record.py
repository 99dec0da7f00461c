"""A failure as a record: everything that a replay needs, and what people want to read about it. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from foureyes_actors.bug.redact import Redactor
from foureyes_actors.messages import Fault
from foureyes_actors.replay.capture import Capture, CapturedFrame, PortCall
from foureyes_actors.replay.codec import Encoder, Json
from foureyes_actors.replay.fingerprint import VERSION, basis_of, group_frames, group_of, strict_of
from foureyes_actors.replay.redaction import Collecting, StandIns

SCHEMA = 1
ID = re.compile(r"[0-9a-f]{8,64}")  # of a record; a name of files and tests, so nothing else is ever one
PICTURE_STARTS = (b"\xff\xd8\xff", b"\x89PNG")

ReadSource = Callable[[str], bytes]  # a source file's bytes, empty when they cannot be had


@dataclass(frozen=True, slots=True)
class Record:
    """``document``: JSON. ``blobs``: SHA-256 -> bytes."""

    id: str
    document: Mapping[str, Json] = field(repr=False)
    blobs: Mapping[str, bytes] = field(repr=False)


def make_record(
    fault: Fault,
    capture: Capture,
    *,
    severity: str,
    redactor: Redactor,
    code: Mapping[str, Any],
    read_source: ReadSource,
) -> Record:
    """``redactor`` must know the configured secrets. ``code``: revision and versions, for people."""
    if not ID.fullmatch(fault.id):
        raise ValueError(f"{fault.id[:80]!a} is not the id of a record")
    collecting = Collecting()
    _Writing(collecting).capture(capture)
    redactor = redactor.with_also(tuple(collecting.found))
    leaves = StandIns(redactor)
    writing = _Writing(leaves)
    replayed = writing.capture(capture)
    sources = {frame.file: read_source(frame.file) for frame in capture.frames}
    document = {
        "schema": SCHEMA,
        "id": fault.id,
        "at": fault.at.isoformat(),
        "actor": fault.source,
        "operation": redactor.text(fault.context.get("message") or fault.context.get("frame") or ""),
        "digest": _digest(fault.context.get("digest", "")),
        "severity": severity,
        **replayed,
        "exceptions": [
            {"type": kind, "text": redactor.text(text)} for kind, text in zip(capture.chain, capture.texts, strict=True)
        ],
        "fingerprints": _fingerprints(capture, sources),
        "frames": [_frame(frame, sources[frame.file], redactor) for frame in capture.frames],
        "code": dict(code),
        "blobs": {digest: _kind(data) for digest, data in writing.values.blobs.items()},
        "lossy": [*writing.values.lossy, *writing.asked.lossy],
        "redacted": leaves.places,
        "truncated": [f"tape: {capture.calls} calls"] if capture.calls > len(capture.tape) else [],
    }
    return Record(fault.id, document, writing.values.blobs)


class _Writing:
    def __init__(self, leaves: Collecting | StandIns) -> None:
        self.values, self.asked = Encoder(leaves), Encoder(leaves, keep=False)

    def capture(self, capture: Capture) -> dict[str, Json]:
        arguments = {name: self.values.encode(v, name, f"/arguments/{name}") for name, v in capture.arguments.items()}
        tape = [self._call(call, f"/tape/{number}") for number, call in enumerate(capture.tape)]
        return {"entry": capture.entry, "arguments": arguments, "tape": tape}

    def _call(self, call: PortCall, path: str) -> dict[str, Json]:
        line: dict[str, Json] = {"port": call.port, "op": call.op, "asked": asked_of(call, self.asked, path)}
        if call.raised is None:
            line["result"] = self.values.encode(call.result, "", f"{path}/result")
        else:
            line["raised"] = self.values.encode(call.raised, "", f"{path}/raised")
        return line


def asked_of(call: PortCall, encoder: Encoder, path: str = "") -> Json:
    """What a port was asked, for comparing; of bytes the digests."""
    return [encoder.encode(arg, "", f"{path}/asked/{number}") for number, arg in enumerate(call.args)]


def lines_of(source: bytes) -> Sequence[str]:
    return source.decode("utf-8", "replace").splitlines()


def strict_from(capture: Capture, read_source: ReadSource) -> str:
    return strict_of(capture, lines_of(read_source(capture.frames[-1].file)) if capture.frames else ())


def _fingerprints(capture: Capture, sources: Mapping[str, bytes]) -> dict[str, Json]:
    return {
        "version": VERSION,
        "group": group_of(capture),
        "strict": strict_from(capture, lambda file: sources.get(file, b"")),
        "basis": list(basis_of(capture.chain, group_frames(capture))),
    }


def _frame(frame: CapturedFrame, source: bytes, redactor: Redactor) -> dict[str, Json]:
    """The file's digest instead of its place on this machine."""
    return {
        "module": frame.module,
        "qualname": frame.qualname,
        "line": frame.place[0],
        "source": hashlib.sha256(source).hexdigest(),
        "locals": redactor.mapping(frame.names),
    }


def _kind(data: bytes) -> str:
    """Pictures are kept for a shorter time: they may show anything."""
    return "frame" if data.startswith(PICTURE_STARTS) else "bytes"


def _digest(text: str) -> str:
    return text if re.fullmatch(r"[0-9a-f]{64}", text) else ""
