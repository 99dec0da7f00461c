"""A record, run again. The verdict says what happened; whether that confirms anything is for who asked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any

from foureyes_actors.bug.redact import Redactor
from foureyes_actors.replay.capture import Capture, PortArgument, PortCall, capture_of
from foureyes_actors.replay.codec import CodecError, Decoder, Encoder, Json, Opaque
from foureyes_actors.replay.fingerprint import group_of
from foureyes_actors.replay.point import PointSpec, spec_of
from foureyes_actors.replay.record import SCHEMA, ReadSource, asked_of, strict_from
from foureyes_actors.replay.redaction import StandIns
from foureyes_actors.replay.registry import registry
from foureyes_actors.replay.tape import PORTS, Playback, Played, TapeDivergence

WIRE, PORT = "wire", "port"  # levels


class Outcome(StrEnum):
    SAME = "same failure"
    OTHER = "other failure"
    NONE = "no failure"
    DIVERGED = "tape divergence"
    OPAQUE = "opaque input"
    CHANGED = "code changed"
    BROKEN = "broken record"


@dataclass(frozen=True, slots=True)
class Verdict:
    """``level``: how it was run: what the ports gave was given again, or the exchanges were played on a wire."""

    outcome: Outcome
    reason: str = ""
    redacted: bool = False  # with stand-ins for secrets
    level: str = PORT


class Replay:
    """``document``: of a record, from anywhere: nothing of it is believed. ``blob``: its bytes by digest, KeyError
    when they are gone."""

    def __init__(self, document: Any, blob: Callable[[str], bytes]) -> None:
        """Raises CodecError; Opaque when an input could not be kept."""
        if not isinstance(document, Mapping) or document.get("schema") != SCHEMA:
            raise CodecError(f"not a record of schema {SCHEMA}")
        self._document = document
        self._decoder = Decoder(blob)
        try:
            self._point = registry().points[document["entry"]]
            spec = spec_of(self._point)
            assert spec is not None
            self.spec: PointSpec = spec
            self._expected: Mapping[str, str] = document["fingerprints"]
            self._type = str(document["exceptions"][0]["type"])
            self._sources = {str(frame["module"]): frame["source"] for frame in document["frames"]}
            if not isinstance(self._expected, Mapping):
                raise CodecError("the record has no fingerprints")
            if document["truncated"]:
                raise Opaque(f"the tape was cut: {ascii(document['truncated'])[:200]}")
            self._tape = tuple(self._played(line) for line in document["tape"])
            self._arguments = {str(k): self._decoder.decode(v) for k, v in document["arguments"].items()}
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise CodecError(f"the record lacks something: {type(error).__name__}: {str(error)[:100]}") from None

    @property
    def tape(self) -> Sequence[Played]:
        """``asked`` in the form that ``asked_form`` gives."""
        return [replace(line, asked=self._form(line.asked)) for line in self._tape]

    @property
    def arguments(self) -> Mapping[str, Any]:
        """Of the replay point; ``PortArgument`` for a port."""
        return MappingProxyType(self._arguments)

    def asked_form(self, call: PortCall) -> Json:
        return self._form(_asked(call))

    def run(self, playback: Playback | None = None, arguments: Mapping[str, Any] | None = None) -> Any:
        """The replay point with its inputs and the tape, or with others. Raises what it raises, and TapeDivergence."""
        playback = playback or Playback(self.tape, self.asked_form)
        arguments = {
            name: playback.port(value.kind) if isinstance(value, PortArgument) else value
            for name, value in (arguments or self._arguments).items()
        }
        try:
            result = self._point(**arguments)
        except Exception:
            if not playback.diverged:
                raise
        if playback.diverged:  # something swallowed it, and returned or failed in another way
            raise TapeDivergence(playback.diverged)
        return result

    def verdict(self, read_source: ReadSource, run: Callable[[], Any] | None = None, level: str = PORT) -> Verdict:
        """Of ``run``, which is this one's own or another way to run the same."""
        redacted = bool(self._document.get("redacted"))
        try:
            (run or self.run)()
        except TapeDivergence as divergence:
            return Verdict(Outcome.DIVERGED, str(divergence), redacted, level)
        except Exception as error:
            outcome, reason = self._judged(error, read_source)
        else:
            outcome, reason = Outcome.NONE, "it returned"
        if outcome is not Outcome.SAME and (changed := self._changed(read_source)):
            return Verdict(Outcome.CHANGED, f"{outcome}, {reason}; since then {changed}", redacted, level)
        return Verdict(outcome, reason, redacted, level)

    def _form(self, asked: Json) -> Json:
        return _without_digests(asked) if self._document.get("redacted") else asked

    def _judged(self, error: Exception, read_source: ReadSource) -> tuple[Outcome, str]:
        capture = capture_of(error)
        if capture is None:
            return Outcome.OTHER, f"{type(error).__name__} outside of the replay point"
        found = (capture.entry, capture.chain[0], group_of(capture), strict_from(capture, read_source))
        if found == (self.spec.entry, self._type, self._expected.get("group"), self._expected.get("strict")):
            return Outcome.SAME, capture.chain[0]
        return Outcome.OTHER, f"{capture.chain[0]} in {_where(capture)}"

    def _changed(self, read_source: ReadSource) -> str:
        """The first module of the failure's frames that is not what it was."""
        for module in sorted(set(self._sources) & {entry.partition(":")[0] for entry in registry().points}):
            found = find_spec(module)
            source = read_source(found.origin) if found and found.origin else b""
            if hashlib.sha256(source).hexdigest() != self._sources[module]:
                return f"{module} was changed"
        return ""

    def _played(self, line: Mapping[str, Json]) -> Played:
        port, op = line["port"], line["op"]
        if op not in PORTS.get(port, ()):
            raise CodecError(f"no such port call: {ascii(port)[:40]}.{ascii(op)[:40]}")
        if "raised" not in line:
            return Played(port, op, line["asked"], self._decoder.decode(line["result"]), None)
        error = self._decoder.decode(line["raised"])
        if not isinstance(error, Exception):
            raise CodecError("what a port raised is no exception")
        return Played(port, op, line["asked"], None, error)


def judge(document: Any, blob: Callable[[str], bytes], read_source: ReadSource) -> Verdict:
    """Never raises for what a record holds."""
    redacted = bool(document.get("redacted")) if isinstance(document, Mapping) else False
    try:
        return Replay(document, blob).verdict(read_source)
    except Opaque as error:
        return Verdict(Outcome.OPAQUE, str(error), redacted)
    except CodecError as error:
        return Verdict(Outcome.BROKEN, str(error), redacted)


def _asked(call: PortCall) -> Json:
    """Made from stand-ins already; doing it again brings it into the recorded form."""
    return asked_of(call, Encoder(StandIns(Redactor()), keep=False))


def _without_digests(asked: Json) -> Json:
    """With stand-ins inside a picture its base64 in a request is another one, of the same length."""
    if isinstance(asked, list):
        return [_without_digests(item) for item in asked]
    if isinstance(asked, dict):
        return {k: _without_digests(v) for k, v in asked.items() if k != "sha256" or asked.get("$") != "bytes"}
    return asked


def _where(capture: Capture) -> str:
    return capture.names[-1] if capture.names else capture.entry
