"""What a replay point keeps of a failure: references to its inputs and to what its ports gave, and short texts.

The thread that failed only keeps references (``Kept``); who makes a fault of it makes the rest, in whichever thread. It
copies nothing large and runs no foreign ``__repr__``. Nothing is redacted here:
whoever writes it down does that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from types import CodeType, MappingProxyType, TracebackType
from typing import Any

from foureyes_actors.text import CUT, bounded

MARK = "__foureyes_capture__"  # in an exception's __dict__: an error that crosses five layers is one record
MAX_CALLS = 256  # of the tape; a longer one is cut and cannot be replayed
MAX_CHAIN = 8
MAX_FRAMES = 32
MAX_LOCALS = 16  # of a frame
MAX_LOCAL = 160  # characters
MAX_STR = 100  # characters of a text within it
MAX_TEXT = 4 * 1024  # bytes
_PACKAGES = ("foureyes_actors", "supervisors")
_PORTS, _REPLAY = "foureyes_actors.ports", "foureyes_actors.replay"

Place = tuple[int, int, int, int]  # line, last line, column, end column (bytes); 0 where unknown


@dataclass(frozen=True, slots=True)
class CapturedFrame:
    """``names``: its locals as short texts, for people only, never for a replay."""

    module: str
    qualname: str
    file: str
    place: Place
    names: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Raised:
    """An exception as data."""

    kind: type[BaseException]
    args: tuple[Any, ...] = field(repr=False)
    attributes: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class PortCall:
    """One line of the tape. ``raised`` None: it returned ``result``."""

    port: str
    op: str
    args: tuple[Any, ...] = field(repr=False)
    result: Any = field(repr=False)
    raised: Raised | None


@dataclass(frozen=True, slots=True)
class PortArgument:
    """Stands for a port among the arguments."""

    kind: str


@dataclass(frozen=True, slots=True)
class Capture:
    """``chain``: types from the caught exception to the first one that came through a port. ``frames``: our own, from
    the replay point downwards, outermost first."""

    entry: str  # module:qualname
    arguments: Mapping[str, Any] = field(repr=False)
    tape: tuple[PortCall, ...]
    calls: int  # on the whole tape, of which MAX_CALLS are kept
    chain: tuple[str, ...]
    texts: tuple[str, ...] = field(repr=False)  # what each of the chain says
    frames: tuple[CapturedFrame, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """``module:qualname`` of the frames; recursion collapses."""
        return tuple(dict.fromkeys(f"{frame.module}:{frame.qualname}" for frame in self.frames))


@dataclass(frozen=True, slots=True)
class Kept:
    """What a replay point keeps while an error is on its way: how to make the capture, when somebody asks for it. Most
    of a storm's failures are only counted. ``asked``: the point has asked a port."""

    make: Callable[[], Capture] = field(repr=False)
    asked: bool = False


def capture_of(error: BaseException) -> Capture | None:
    """What a replay point kept of this very exception. Never raises; made once."""
    try:
        marks = error.__dict__
        found = marks.get(MARK)
        if isinstance(found, Kept):
            found = marks[MARK] = found.make()
        return found if isinstance(found, Capture) else None
    except Exception:  # what cannot be captured is a failure without a record
        return None


def type_name(kind: type) -> str:
    """Module-qualified, as a traceback writes it: without ``builtins``."""
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return bounded(name, 1024)


def words_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # its __str__ is anybody's code
        return f"<the text of {type(error).__name__} cannot be had>"


def chain_of(
    error: BaseException, before: BaseException | None = None, boundary: frozenset[int] = frozenset()
) -> Iterator[BaseException]:
    """The exception and its causes, as a traceback tells them; a cycle ends it. ``before``: what was being handled
    outside is no part of it. ``boundary``: ids of exceptions that came through a port; what caused those is the
    world's, and a replay does not have it."""
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and at is not before and id(at) not in seen and len(seen) < MAX_CHAIN:
        seen.add(id(at))
        yield at
        if id(at) in boundary:
            return
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)


def raised(error: BaseException) -> Raised:
    attributes = {name: value for name, value in vars(error).items() if not name.startswith("__")}
    return Raised(type(error), tuple(error.args), MappingProxyType(attributes))


def in_app(module: object, entry_module: str = "") -> bool:
    """Ours, and neither a port nor the machinery of replays: a replay goes through other ones, and must still give the
    same frames. A replay point that lies among the ports counts with its own module."""
    if not isinstance(module, str) or module.partition(".")[0] not in _PACKAGES:
        return False
    return module == entry_module or not any(module == each or module.startswith(f"{each}.") for each in _OUTSIDE)


_OUTSIDE = (_PORTS, _REPLAY)


def frames_of(trace: TracebackType | None, entry_module: str) -> tuple[CapturedFrame, ...]:
    """Of a deep recursion the beginning and the end, which tell enough."""
    found: list[tuple[str, TracebackType]] = []
    while trace is not None:
        module = trace.tb_frame.f_globals.get("__name__")
        if in_app(module, entry_module):
            found.append((str(module), trace))
            if len(found) > MAX_FRAMES:
                del found[MAX_FRAMES // 2]
        trace = trace.tb_next
    return tuple(_frame(*each) for each in found)


def _frame(module: str, trace: TracebackType) -> CapturedFrame:
    code = trace.tb_frame.f_code
    names = {bounded(name, 100): sketch(value) for name, value in list(trace.tb_frame.f_locals.items())[:MAX_LOCALS]}
    return CapturedFrame(module, bounded(code.co_qualname, 1024), code.co_filename, _place(code, trace), names)


def _place(code: CodeType, trace: TracebackType) -> Place:
    """Of the statement's part that was at work."""
    at = trace.tb_lasti // 2
    for number, (line, end_line, column, end_column) in enumerate(code.co_positions()):
        if number == at and None not in (line, end_line, column, end_column):
            return (line or 0, end_line or 0, column or 0, end_column or 0)
    return (trace.tb_lineno or 0, 0, 0, 0)


def sketch(value: object, depth: int = 2) -> str:
    """A value in few words. Runs no code but Python's own: a foreign ``__repr__`` can do anything."""
    text = _sketch(value, depth)
    return text if len(text) <= MAX_LOCAL else text[: MAX_LOCAL - 1] + CUT


def _sketch(value: object, depth: int) -> str:
    kind = type(value)
    if isinstance(value, Enum):
        return f"{kind.__name__}.{value.name}"
    if kind is str:
        # Whole or not at all: half a secret would not be found any more.
        return ascii(value) if len(value) <= MAX_STR else f"<str of {len(value)}>"  # type: ignore[arg-type]
    if kind is int:
        return str(value) if -(2**63) <= value < 2**63 else "<a large int>"  # type: ignore[operator]
    if kind in (bool, float, complex, type(None)) or isinstance(value, Decimal | date | timedelta):
        return str(value)
    if kind in (bytes, bytearray, memoryview):
        return f"<{kind.__name__} of {len(value)}>"  # type: ignore[arg-type]
    if kind in (list, tuple, set, frozenset, dict, MappingProxyType):
        return f"<{kind.__name__} of {len(value)}>" if depth <= 0 else _items(value, depth)  # type: ignore[arg-type]
    if is_dataclass(value) and in_app(kind.__module__) and depth > 0:
        shown = (f"{f.name}={_sketch(getattr(value, f.name, None), depth - 1)}" for f in fields(value) if f.repr)
        return f"{kind.__name__}({', '.join(shown)})"
    return f"<{type_name(kind)}>"


def _items(value: Any, depth: int) -> str:
    if isinstance(value, Mapping):
        some: Sequence[str] = [f"{_sketch(k, 0)}: {_sketch(value[k], depth - 1)}" for k in list(value)[:6]]
    else:
        some = [_sketch(item, depth - 1) for item in list(value)[:6]]
    more = ", ..." if len(value) > len(some) else ""
    return f"{type(value).__name__}({', '.join(some)}{more})"
