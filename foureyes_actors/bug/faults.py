"""From an exception to a ``Fault``: everything that is kept of it, bounded and clean, without its traceback.

Pure functions; any thread may call them. They never raise for the sake of a strange exception: one whose ``str()``
fails gets a placeholder. Secrets are still in the texts here: the BugActor takes them out before anything is stored.
"""

from __future__ import annotations

import traceback
import uuid
from collections.abc import Iterator, Mapping, Sequence
from types import CodeType, TracebackType

from foureyes_actors.errors import FourEyesError
from foureyes_actors.messages import EMPTY, Fault
from foureyes_actors.ports.clock import Clock
from foureyes_actors.text import bounded, bounded_middle

MAX_MESSAGE = 4 * 1024  # bytes of UTF-8, as the two below
MAX_TRACE = 16 * 1024
MAX_CONTEXT_VALUE = 1024
MAX_CONTEXT_KEYS = 32
MAX_CHAIN = 8  # exceptions along __cause__ and __context__
MAX_FRAMES = 32
TOLD = "told"  # in a fault's context: the user is told in another way already, and not by the log as well

_PACKAGES = ("foureyes_actors", "supervisors")
_PORTS = "foureyes_actors.ports"


def fault_from_exception(
    error: BaseException, *, source: str, clock: Clock, context: Mapping[str, str] = EMPTY
) -> Fault:
    """A caught exception, with its traceback. ``source``: the actor's name; ``context``: short facts for people."""
    return _fault(error, _formatted(error), _live_frames(error.__traceback__), source, clock, context)


def fault_from_exit(
    error: BaseException,
    stack_trace: str,
    frames: Sequence[str],
    *,
    source: str,
    clock: Clock,
    context: Mapping[str, str] = EMPTY,
) -> Fault:
    """An exception whose traceback was dropped already (``ExitNotice``): ``stack_trace`` is its text, ``frames`` its
    ``module:qualname``, outermost first."""
    own = tuple(bounded(frame, MAX_CONTEXT_VALUE) for frame in frames if _ours(frame.partition(":")[0]))
    return _fault(error, stack_trace or _formatted(error), own, source, clock, context)


def _fault(
    error: BaseException, trace: str, frames: tuple[str, ...], source: str, clock: Clock, context: Mapping[str, str]
) -> Fault:
    return Fault(
        id=uuid.uuid4().hex,
        at=clock.utc_now(),
        source=bounded(source, MAX_CONTEXT_VALUE),
        component=frames[-1] if frames else bounded(source, MAX_CONTEXT_VALUE),
        exception_type=type_name(type(error)),
        message=bounded(_message(error) or type(error).__name__, MAX_MESSAGE),
        stack_trace=bounded_middle(trace, MAX_TRACE),
        context=_clean_context(context),
        retryable=is_retryable(error),
        exception_chain=tuple(type_name(type(each)) for each in _chain(error)),
        frames=tuple(f for f in dict.fromkeys(frames) if not _of_port(f))[-MAX_FRAMES:],  # recursion collapses
    )


def type_name(kind: type) -> str:
    """Module-qualified, as a traceback writes it: without ``builtins``."""
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return bounded(name, MAX_CONTEXT_VALUE)


def is_retryable(error: BaseException) -> bool:
    """Ours say it themselves; of the rest, a lost connection and a timeout may pass by themselves."""
    if isinstance(error, FourEyesError):
        return error.retryable is True
    return isinstance(error, ConnectionError | TimeoutError)


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # its __str__ is anybody's code
        return f"<the text of {type(error).__name__} cannot be had>"


def _formatted(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error))
    except Exception:
        return f"<the trace of {type(error).__name__} cannot be had>"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and its causes, as a traceback tells them; a cycle ends it."""
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen and len(seen) < MAX_CHAIN:
        seen.add(id(at))
        yield at
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)


def _live_frames(at: TracebackType | None) -> tuple[str, ...]:
    """``module:qualname`` of our frames, outermost first."""
    frames = []
    while at is not None:
        module = at.tb_frame.f_globals.get("__name__")
        if isinstance(module, str) and _ours(module):
            frames.append(f"{module}:{_qualname(at.tb_frame.f_code)}")
        at = at.tb_next
    return tuple(frames)


def _qualname(code: CodeType) -> str:
    return bounded(code.co_qualname, MAX_CONTEXT_VALUE)


def _ours(module: str) -> bool:
    return module.partition(".")[0] in _PACKAGES


def _of_port(frame: str) -> bool:
    """Ports are doors: a replay goes through other ones, and must still give the same fingerprint."""
    module = frame.partition(":")[0]
    return module == _PORTS or module.startswith(f"{_PORTS}.")


def _clean_context(context: Mapping[str, str]) -> Mapping[str, str]:
    items = list(context.items())[:MAX_CONTEXT_KEYS]
    return {bounded(str(key), 100): bounded(str(value), MAX_CONTEXT_VALUE) for key, value in items}
