"""A record, run again with its exchanges played on a wire: the real client libraries against servers on loopback.

Time is scaled: a deadline that passes is waited for half a second (OBS and MongoDB: one), in the request's own
``deadline`` and by the client's own code; everything else happens at once and may take as long as it needs. With
``changes`` the moment of an answer counts too, and both are scaled alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from foureyes_actors.ports.http import HttpReply
from foureyes_actors.ports.wire import End
from foureyes_actors.replay.capture import PortCall
from foureyes_actors.replay.record import ReadSource
from foureyes_actors.replay.replaying import WIRE, Outcome, Replay, Verdict, judge
from foureyes_actors.replay.tape import Playback, Played
from foureyes_actors.settings import InferenceSettings
from t00l5et.wire import http, obs, store
from t00l5et.wire.script import NotPlayable, Script, of_reply

NOTHING: Mapping[str, Any] = MappingProxyType({})
_CHECKS: Mapping[str, Callable[[Played], None]] = MappingProxyType(
    {"http": http.check, "obs": obs.check, "obs_port": obs.check, "store": store.check, "store_opener": store.check}
)
_ASIDE = ("clock",)  # given again from the tape
# What can be another than it was: the type of the replay point's argument that has it, and the ports that do.
DEADLINES: Mapping[str, tuple[type[BaseModel] | None, tuple[str, ...]]] = MappingProxyType(
    {
        "inference.deadline": (InferenceSettings, ()),
        "source.obs.deadline": (None, ("obs", "obs_port")),
        "store.timeout": (None, ("store", "store_opener")),
    }
)
_KNOWN = ", ".join(DEADLINES)


@dataclass(frozen=True, slots=True)
class Late:
    """What would have come where nothing came until the deadline: an assumption, which no record holds.
    ``seconds``: after the request."""

    seconds: float
    reply: HttpReply


class WireReplay:
    """Pure but for its loopback connections. One thread at a time."""

    def __init__(self, document: Any, blob: Callable[[str], bytes]) -> None:
        """Raises CodecError and Opaque as ``Replay``, NotPlayable when the tape has no exchange or one that cannot be
        played."""
        self._replay = Replay(document, blob)
        lines = self._replay.tape
        for line in lines:
            if line.port not in _ASIDE:
                _check(line)
        if all(line.port in _ASIDE for line in lines):
            raise NotPlayable("")

    def run(self, changes: Mapping[str, Any] = NOTHING, late: Late | None = None) -> Any:
        """What the replay point returns. ``changes``: seconds by the names of settings (``DEADLINES``), other than
        recorded: ``{"inference.deadline": 45}``. A reply then comes as late as it did. No other can be changed: nobody
        knows what would have been said to another question. Raises what the replay point raises; NotPlayable;
        TapeDivergence; ValueError for a change or an assumption that means nothing here."""
        arguments = self._arguments(changes, late)
        timed = bool(changes) or late is not None
        with _Wire(self._replay, timed, changes, late) as wire:
            return self._replay.run(wire, arguments)

    def verdict(
        self, read_source: ReadSource, changes: Mapping[str, Any] = NOTHING, late: Late | None = None
    ) -> Verdict:
        """Raises NotPlayable, and ValueError as ``run``."""
        self._arguments(changes, late)
        return self._replay.verdict(read_source, lambda: self.run(changes, late), WIRE)

    def _arguments(self, changes: Mapping[str, Any], late: Late | None) -> Mapping[str, Any]:
        """Raises ValueError."""
        if late is not None and not any(_never_came(line) for line in self._replay.tape):
            raise ValueError("no reply of a model server was waited for in vain")
        return _changed(self._replay, changes)


def judge_best(document: Any, blob: Callable[[str], bytes], read_source: ReadSource) -> Verdict:
    """On the wire when that gives the same failure, else at the ports; the reason then says why it was not the wire.
    Never raises for what a record holds."""
    try:
        found = WireReplay(document, blob).verdict(read_source)
        why = "" if found.outcome is Outcome.SAME else f"{found.outcome}: {found.reason}"
    except NotPlayable as reason:
        found, why = None, str(reason)
    except Exception as error:  # a record from anywhere; what is wrong with it is said below
        found, why = None, type(error).__name__
    if found is not None and not why:
        return found
    verdict = judge(document, blob, read_source)
    if verdict.outcome is Outcome.SAME and why:
        return replace(verdict, reason=f"{verdict.reason}; not on a wire: {why}")
    return verdict


class _Wire(Playback):
    """A context manager."""

    def __init__(self, replay: Replay, timed: bool, changes: Mapping[str, Any], late: Late | None) -> None:
        lines = replay.tape
        if timed:  # other settings ask for other things
            super().__init__([replace(line, asked=None) for line in lines], lambda _call: None)
        else:
            super().__init__(lines, replay.asked_form)
        self._timed, self._changes, self._late = timed, changes, late
        self._clock = _Clock()
        self._session = obs.Session([x for x in lines if x.port == "obs"], changes.get("source.obs.deadline"))

    def __enter__(self) -> _Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def next(self, call: PortCall) -> Played:
        ahead = self.upcoming
        if self._timed and call.port == "clock" and (ahead is None or ahead.port != "clock"):
            return Played("clock", call.op, None, self._clock.now(call.op), None)  # it goes on otherwise than recorded
        return super().next(call)

    def give(self, line: Played, call: PortCall) -> Any:
        if line.port in _ASIDE:
            self._clock.seen(line)
            return super().give(line, call)
        try:
            result = self._played(line, call)
        except NotPlayable as reason:
            self.diverged = str(reason)
            raise
        except Exception as error:
            if not self._timed and type(error) is not type(line.error):
                self.diverge(f"the wire gave {type(error).__name__}, recorded was {_outcome(line)}")
            raise
        if not self._timed and (line.error is not None or not _alike(result, line.result)):
            self.diverge(f"the wire gave another answer, recorded was {_outcome(line)}")
        return result

    def _played(self, line: Played, call: PortCall) -> Any:
        match line.port:
            case "http":
                return self._exchange(line, call)
            case "obs":
                return self._session.call(call)
            case "obs_port":
                obs.connect(line, call.args[0], self._changes.get("source.obs.deadline"))
                return None
        return store.call(line, call, self._changes.get("store.timeout"))

    def _exchange(self, line: Played, call: PortCall) -> HttpReply:
        late = self._assumed(line, call.args[0].method)
        reply = http.exchange(line, call.args[0], timed=self._timed, late=late)
        self._clock.passed += late.at or 0.0 if late else reply.seconds
        return reply

    def _assumed(self, line: Played, method: str) -> Script | None:
        if self._late is None or not _never_came(line):
            return None
        return of_reply(self._late.reply, method, self._late.seconds)


@dataclass(slots=True)
class _Clock:
    """Goes on after the tape: with the seconds of the exchanges, unscaled."""

    last: dict[str, Any] = field(default_factory=dict)
    passed: float = 0.0

    def seen(self, line: Played) -> None:
        self.last[line.op], self.passed = line.result, 0.0

    def now(self, op: str) -> Any:
        last = self.last.get(op)
        if last is None:
            raise NotPlayable(f"clock.{op} was never asked")
        return last + (timedelta(seconds=self.passed) if op == "utc_now" else self.passed)


def _check(line: Played) -> None:
    check = _CHECKS.get(line.port)
    if check is None:
        raise NotPlayable(f"{line.port}.{line.op} is no exchange on a wire")
    check(line)


def _never_came(line: Played) -> bool:
    fault = http.fault_on(line) if line.port == "http" else None
    return fault is not None and fault.end is End.SILENT


def _changed(replay: Replay, changes: Mapping[str, Any]) -> Mapping[str, Any]:
    """The replay point's arguments with other settings."""
    changed, ports = dict(replay.arguments), {line.port for line in replay.tape}
    for name, value in changes.items():
        if name not in DEADLINES:
            raise ValueError(f"{name}: no record says what would have come of another value; {_KNOWN} can be changed")
        kind, of_ports = DEADLINES[name]
        found = [argument for argument, given in changed.items() if kind is not None and type(given) is kind]
        if not found and ports.isdisjoint(of_ports):
            raise ValueError(f"{name} is not among the inputs of this failure")
        if not (type(value) in (int, float) and 0 < value < math.inf):
            raise ValueError(f"{name}: {value!r:.40} is no number of seconds")
        for argument in found:
            key = name.rpartition(".")[2]
            changed[argument] = type(changed[argument]).model_validate({**dict(changed[argument]), key: value})
    return changed


def _outcome(line: Played) -> str:
    return "an answer" if line.error is None else type(line.error).__name__


def _alike(result: Any, recorded: Any) -> bool:
    if isinstance(result, HttpReply):
        return bool((result.status, result.body) == (recorded.status, recorded.body))
    return bool(result == recorded)
