"""``replay_point``: around a function of immutable inputs plus ports, so that its failures can be run again."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from sys import exception
from types import MappingProxyType, TracebackType
from typing import Any, ParamSpec, TypeVar, cast

from foureyes_actors.replay.capture import (
    MARK,
    MAX_CALLS,
    MAX_TEXT,
    Capture,
    Kept,
    PortArgument,
    PortCall,
    chain_of,
    frames_of,
    raised,
    type_name,
    words_of,
)
from foureyes_actors.replay.tape import RECORDINGS, Line, Recording
from foureyes_actors.text import bounded

P = ParamSpec("P")
T = TypeVar("T")
SPEC = "__replay_point__"


@dataclass(frozen=True, slots=True)
class PointSpec:
    """``raises``: the contract. No other exception may leave the function; a ``FourEyesError`` outside of it and any
    of Python's own is a defect of ours. ``ports``: parameter -> kind."""

    entry: str
    function: Callable[..., Any]
    ports: Mapping[str, str]
    raises: tuple[type[BaseException], ...]


def replay_point(
    *, ports: Mapping[str, str] | None = None, raises: tuple[type[BaseException], ...] = ()
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """The function must not keep what it is given, start threads, or look at anything but its arguments: a frozen
    value, a tuple, bytes; whatever changes of the world comes through one of ``ports``. When an exception leaves it,
    its inputs and the tape of its ports stay with the exception (``capture_of``); else nothing is kept."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        entry = f"{function.__module__}:{function.__qualname__}"
        spec = PointSpec(entry, function, MappingProxyType(dict(ports or {})), raises)
        point = _with_ports(spec) if spec.ports else _without_ports(spec)
        setattr(point, SPEC, spec)
        return cast("Callable[P, T]", point)

    return decorate


def spec_of(function: object) -> PointSpec | None:
    found = getattr(function, SPEC, None)
    return found if isinstance(found, PointSpec) else None


def _without_ports(spec: PointSpec) -> Callable[..., Any]:
    function = spec.function

    @wraps(function)
    def point(*args: Any, **keywords: Any) -> Any:
        before = exception()
        try:
            return function(*args, **keywords)
        except Exception as error:
            _keep(error, before, spec, args, keywords, [])
            raise

    return point


def _with_ports(spec: PointSpec) -> Callable[..., Any]:
    function = spec.function
    names = list(inspect.signature(function).parameters)
    wrapped = tuple((name, names.index(name), RECORDINGS[kind]) for name, kind in spec.ports.items())

    @wraps(function)
    def point(*given: Any, **keywords: Any) -> Any:
        before = exception()
        tape: list[Line] = []
        args = list(given)
        for name, at, recording in wrapped:
            if name in keywords:
                keywords[name] = recording(keywords[name], tape)
            elif at < len(args):
                args[at] = recording(args[at], tape)
        try:
            return function(*args, **keywords)
        except Exception as error:
            _keep(error, before, spec, args, keywords, tape)
            raise

    return point


def _keep(
    error: Exception,
    before: BaseException | None,
    spec: PointSpec,
    args: Sequence[Any],
    keywords: dict[str, Any],
    tape: list[Line],
) -> None:
    """The innermost replay point's capture stands: its inputs are the nearest. But one that has asked the world takes
    over from one that has not, if its ports gave what led to the error and not the error itself: then the exchange can
    be played again, too. Never raises: the error that is on its way matters more."""
    with suppress(Exception):
        marks = error.__dict__  # not setattr: an exception may refuse attributes
        inner = marks.get(MARK)
        asked = inner.asked if isinstance(inner, Kept) else bool(getattr(inner, "tape", ()))
        if inner is None or (tape and not asked and all(line[4] is not error for line in tape)):
            trace = error.__traceback__  # from here downwards; above, and by whoever drops it, it changes
            marks[MARK] = Kept(lambda: _captured(error, trace, before, spec, args, keywords, tape), bool(tape))


def _captured(
    error: Exception,
    trace: TracebackType | None,
    before: BaseException | None,
    spec: PointSpec,
    args: Sequence[Any],
    keywords: dict[str, Any],
    tape: list[Line],
) -> Capture:
    bound = inspect.signature(spec.function).bind(*args, **keywords).arguments
    arguments = {name: PortArgument(v.kind) if isinstance(v, Recording) else v for name, v in bound.items()}
    chain = tuple(chain_of(error, before, frozenset(id(line[4]) for line in tape if line[4] is not None)))
    return Capture(
        entry=spec.entry,
        arguments=MappingProxyType(arguments),
        tape=tuple(_line(line) for line in tape[:MAX_CALLS]),
        calls=len(tape),
        chain=tuple(type_name(type(each)) for each in chain),
        texts=tuple(bounded(words_of(each), MAX_TEXT) for each in chain),
        frames=frames_of(trace, spec.function.__module__),
    )


def _line(line: Line) -> PortCall:
    port, op, args, result, error = line
    return PortCall(port, op, args, result, None if error is None else raised(error))
