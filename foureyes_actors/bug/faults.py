"""From an exception to a ``Fault``: everything that is kept of it, bounded and clean, without its traceback.

Pure functions; any thread may call them. They never raise for the sake of a strange exception: one whose ``str()``
fails gets a placeholder. Secrets are still in the texts here: the BugActor takes them out before anything is stored.
"""

from __future__ import annotations

import traceback
import uuid
from collections.abc import Mapping, Sequence
from types import CodeType, TracebackType
from typing import Any

from foureyes_actors.errors import FourEyesError
from foureyes_actors.messages import EMPTY, Fault
from foureyes_actors.ports.clock import Clock
from foureyes_actors.replay.capture import Capture, capture_of, chain_of, in_app, type_name, words_of
from foureyes_actors.replay.fingerprint import group_frames
from foureyes_actors.text import bounded, bounded_middle

MAX_MESSAGE = 4 * 1024  # bytes of UTF-8, as the two below
MAX_TRACE = 16 * 1024
MAX_CONTEXT_VALUE = 1024
MAX_CONTEXT_KEYS = 32
MAX_FRAMES = 32
MAX_CAUSES = 16
MARK = "__foureyes_fault__"  # in an exception's __dict__: the id of the fault that it is
TOLD = "told"  # in a fault's context: the user is told in another way already, and not by the log as well

_PACKAGES = ("foureyes_actors", "supervisors")
_REPLAY = "foureyes_actors.replay."


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
    capture = capture_of(error)
    if capture is None:
        chain = _chain(error)
        grouping = tuple(f for f in dict.fromkeys(frames) if in_app(f.partition(":")[0]))  # recursion collapses
    else:  # as a replay gives them
        chain, grouping = capture.chain, group_frames(capture)
    return Fault(
        id=identity_of(error),
        at=clock.utc_now(),
        source=bounded(source, MAX_CONTEXT_VALUE),
        component=frames[-1] if frames else bounded(source, MAX_CONTEXT_VALUE),
        exception_type=type_name(type(error)),
        message=bounded(words_of(error) or type(error).__name__, MAX_MESSAGE),
        stack_trace=bounded_middle(trace, MAX_TRACE),
        context=_clean_context(context),
        retryable=is_retryable(error),
        exception_chain=chain,
        frames=grouping[-MAX_FRAMES:],
        capture=capture or _inner_capture(error),
    )


def identity_of(error: BaseException) -> str:
    """A failure has one id, however many layers catch it: the same exception, and one raised ``from`` it, are the same
    failure. One that came about while another was being handled is not."""
    made = uuid.uuid4().hex
    try:
        layers = _layers(error)
        found = next((each for layer in layers if isinstance(each := layer.get(MARK), str)), made)
        # The first cause is where threads that have different layers of it meet, and there it is one step.
        identity = str(layers[-1].setdefault(MARK, found))
        for layer in layers:
            layer[MARK] = identity
        return identity
    except Exception:  # an exception without a place for it
        return made


def _layers(error: BaseException) -> list[dict[str, Any]]:
    """The attributes of the exception and of its explicit causes; not by setattr, which they may refuse."""
    layers: list[dict[str, Any]] = []
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen and len(seen) < MAX_CAUSES:
        seen.add(id(at))
        layers.append(getattr(at, "__dict__", {}))
        at = at.__cause__
    return layers


def _chain(error: BaseException) -> tuple[str, ...]:
    """Where one of the causes left a replay point, from there on what that kept: what lies inside a port is the
    world's, and no part of a group."""
    kinds: list[str] = []
    for each in chain_of(error):
        if (capture := capture_of(each)) is not None:
            return (*kinds, *capture.chain)
        kinds.append(type_name(type(each)))
    return tuple(kinds)


def _inner_capture(error: BaseException) -> Capture | None:
    """Of what caused it, when it came about outside of a replay point itself."""
    return next((found for each in chain_of(error) if (found := capture_of(each)) is not None), None)


def way_of(fault: Fault) -> tuple[str, str]:
    """The replay point that it left, and the ``port.operation`` that raised last; each empty when there was none."""
    if fault.capture is None:
        return "", ""
    calls = reversed(fault.capture.tape)
    return fault.capture.entry, next((f"{call.port}.{call.op}" for call in calls if call.raised is not None), "")


def is_retryable(error: BaseException) -> bool:
    """Ours say it themselves; of the rest, a lost connection and a timeout may pass by themselves."""
    if isinstance(error, FourEyesError):
        return error.retryable is True
    return isinstance(error, ConnectionError | TimeoutError)


def _formatted(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error))
    except Exception:
        return f"<the trace of {type(error).__name__} cannot be had>"


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
    return module.partition(".")[0] in _PACKAGES and not module.startswith(_REPLAY)


def _clean_context(context: Mapping[str, str]) -> Mapping[str, str]:
    items = list(context.items())[:MAX_CONTEXT_KEYS]
    return {bounded(str(key), 100): bounded(str(value), MAX_CONTEXT_VALUE) for key, value in items}
