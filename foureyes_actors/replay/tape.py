"""The tape: what went through the ports of one replay point, recorded as it happens, and played again.

A port is wrapped for the length of one call; when nothing fails the tape is dropped. Only what the table names is
offered inside a replay point: nothing that waits. What is a live object itself (a connection, a store) is not on the
tape: a replay point that opens one returns it and does nothing else with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NoReturn

from foureyes_actors.replay.capture import PortCall

PORTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "http": ("exchange",),
        "clock": ("monotonic", "utc_now"),
        "obs": ("screenshot", "program_scene"),  # an ObsConnection
        "obs_port": ("connect",),
        "process": ("run",),
        "store": ("append", "count_occurrence", "purge"),
        "store_opener": ("__call__",),
    }
)
TIME = "clock"  # the one port that may be asked beyond the end of a tape
MOST_BEYOND = 16  # times; whoever asks more often waits for the time to pass
# port, op, args, result, error
Line = tuple[str, str, tuple[Any, ...], Any, BaseException | None]


class Recording:
    """A port for the length of one call; ``_port`` is the real one. Written out by hand: this is what a replay point
    costs when nothing fails."""

    __slots__ = ("_port", "_tape")
    kind = ""

    def __init__(self, port: Any, tape: list[Line]) -> None:
        self._port, self._tape = port, tape


class RecordingHttp(Recording):
    __slots__ = ()
    kind = "http"

    def exchange(self, request: Any) -> Any:
        try:
            reply = self._port.exchange(request)
        except BaseException as error:
            self._tape.append(("http", "exchange", (request,), None, error))
            raise
        self._tape.append(("http", "exchange", (request,), reply, None))
        return reply


class RecordingClock(Recording):
    __slots__ = ()
    kind = "clock"

    def monotonic(self) -> float:
        now: float = self._port.monotonic()
        self._tape.append(("clock", "monotonic", (), now, None))
        return now

    def utc_now(self) -> Any:
        now = self._port.utc_now()
        self._tape.append(("clock", "utc_now", (), now, None))
        return now


class RecordingObs(Recording):
    __slots__ = ()
    kind = "obs"

    def screenshot(self, request: Any) -> Any:
        try:
            picture = self._port.screenshot(request)
        except BaseException as error:
            self._tape.append(("obs", "screenshot", (request,), None, error))
            raise
        self._tape.append(("obs", "screenshot", (request,), picture, None))
        return picture

    def program_scene(self) -> Any:
        try:
            scene = self._port.program_scene()
        except BaseException as error:
            self._tape.append(("obs", "program_scene", (), None, error))
            raise
        self._tape.append(("obs", "program_scene", (), scene, None))
        return scene


class RecordingObsPort(Recording):
    __slots__ = ()
    kind = "obs_port"

    def connect(self, address: Any) -> Any:
        return _noted(self._tape, "obs_port", "connect", (address,), lambda: self._port.connect(address), live=True)


class RecordingProcess(Recording):
    __slots__ = ()
    kind = "process"

    def run(self, command: Any, *, timeout: float) -> Any:
        run = self._port.run
        return _noted(self._tape, "process", "run", (command, timeout), lambda: run(command, timeout=timeout))


class RecordingStore(Recording):
    __slots__ = ()
    kind = "store"

    def append(self, *given: Any) -> Any:
        return _noted(self._tape, "store", "append", given, lambda: self._port.append(*given))

    def count_occurrence(self, *given: Any) -> Any:
        return _noted(self._tape, "store", "count_occurrence", given, lambda: self._port.count_occurrence(*given))

    def purge(self, *given: Any) -> Any:
        return _noted(self._tape, "store", "purge", given, lambda: self._port.purge(*given))


class RecordingStoreOpener(Recording):
    __slots__ = ()
    kind = "store_opener"

    def __call__(self) -> Any:
        return _noted(self._tape, "store_opener", "__call__", (), self._port, live=True)


def _noted(
    tape: list[Line], port: str, op: str, asked: tuple[Any, ...], call: Callable[[], Any], *, live: bool = False
) -> Any:
    """For the calls that are rarer. ``live``: the result is no value."""
    try:
        result = call()
    except BaseException as error:
        tape.append((port, op, asked, None, error))
        raise
    tape.append((port, op, asked, None if live else result, None))
    return result


RECORDINGS: Mapping[str, type[Recording]] = MappingProxyType(
    {
        kind.kind: kind
        for kind in (
            RecordingHttp,
            RecordingClock,
            RecordingObs,
            RecordingObsPort,
            RecordingProcess,
            RecordingStore,
            RecordingStoreOpener,
        )
    }
)


class TapeDivergence(BaseException):
    """The replayed function asked something else than the recorded one. No ``except Exception`` may swallow it."""


@dataclass(frozen=True, slots=True)
class Played:
    """One line of a tape, ready to be played. ``asked``: in the form of the codec. ``error`` None: ``result`` it is."""

    port: str
    op: str
    asked: Any = field(repr=False)
    result: Any = field(repr=False)
    error: BaseException | None


class Playback:
    """Plays a tape once, in order. ``asked``: a question in the form in which it was recorded.

    A mended function goes further than the one that failed, and the tape ends where that one did. After its last line
    the clock still tells what it told last: time stands still, so that the same run gives the same, and a loop that
    waits for it does not come to an end unseen. What any other port would have said, nobody knows.
    """

    def __init__(self, tape: Sequence[Played], asked: Callable[[PortCall], Any]) -> None:
        self._tape, self._asked = tuple(tape), asked
        self._at = 0
        self._beyond = 0
        self.diverged = ""

    def port(self, kind: str) -> Any:
        """A port that gives what the recorded one gave."""
        members = {op: self._op(kind, op) for op in PORTS[kind]}
        return type(f"Replaying_{kind}", (), members)()

    def _op(self, kind: str, op: str) -> Callable[..., Any]:
        def call(_self: object, *args: Any, **keywords: Any) -> Any:
            asked = PortCall(kind, op, (*args, *keywords.values()), None, None)
            return self.give(self.next(asked), asked)

        return call

    def give(self, line: Played, call: PortCall) -> Any:
        """What a recorded call gave. Other levels override it."""
        if line.error is not None:
            raise line.error
        return line.result

    @property
    def rest(self) -> int:
        """Lines that were not played yet."""
        return len(self._tape) - self._at

    @property
    def upcoming(self) -> Played | None:
        return self._tape[self._at] if self.rest else None

    def next(self, call: PortCall) -> Played:
        """The line of this call. Raises TapeDivergence."""
        number = self._at + 1
        if not self.rest:
            return self._standing(call)
        line = self._tape[self._at]
        if (line.port, line.op) != (call.port, call.op):
            self.diverge(f"call {number} is {call.port}.{call.op}, recorded was {line.port}.{line.op}")
        if self._asked(call) != line.asked:
            self.diverge(f"call {number}, {call.port}.{call.op}, asks something else than recorded")
        self._at = number
        return line

    def _standing(self, call: PortCall) -> Played:
        """Raises TapeDivergence."""
        self._beyond += 1
        known = (x for x in reversed(self._tape) if (x.port, x.op, x.error) == (TIME, call.op, None))
        line = next(known, None) if call.port == TIME else None
        if line is None or self._asked(call) != line.asked:
            self.diverge(f"call {self._at + self._beyond}, {call.port}.{call.op}, is not on the tape")
        if self._beyond > MOST_BEYOND:
            self.diverge(
                f"the clock is asked more than {MOST_BEYOND} times after the tape's end: time stands still there"
            )
        return line

    def diverge(self, reason: str) -> NoReturn:
        """Also said when something swallows it."""
        self.diverged = reason
        raise TapeDivergence(reason)
