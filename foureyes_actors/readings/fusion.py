"""Joins what several models say about one frame. Pure: a state, and functions that give the next one.

Each model takes the newest frame when it is free, so models skip different frames. A model that has answered about a
frame will not answer about an older one any more; a frame is complete when every model has answered about it or about
a newer one. That also keeps frames in order: when one is complete, all older ones are. A frame that has waited longer
than the timeout comes out with what is there, and all older ones with it.

An answer that comes after its frame came out is not lost: it comes out at once, alone, as a supplement; fields take
it only where they have nothing newer (``fields.step``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from foureyes_actors.messages import Field, FrameRef, GameState, Motion, PopupKind, TaskAnswer, TaskFailure
from foureyes_actors.readings.observe import Observation, Seen
from foureyes_actors.replay.point import replay_point

MAX_OPEN = 128  # frames that wait; more push the oldest out
REMEMBERED = 512  # frames that came out and may still get a supplement

Order = tuple[float, int]  # capture (monotonic seconds), sequence number
FrameKey = tuple[str, int, float]


@dataclass(frozen=True, slots=True)
class Part:
    """What one model said about a frame. ``latency``: seconds that its answer took; None: the model's server was not
    asked, or did not answer."""

    model: str
    answers: tuple[TaskAnswer, ...] = ()
    failures: tuple[TaskFailure, ...] = ()
    degraded: bool = False
    latency: float | None = None


@dataclass(frozen=True, slots=True)
class Joined:
    """A frame that came out. ``supplement``: 0, or the number of this addition to a frame that came out before.
    ``late``: a newer frame came out before."""

    frame: FrameRef
    parts: tuple[Part, ...]
    supplement: int = 0
    late: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    frame: FrameRef
    parts: tuple[Part, ...]
    until: float  # monotonic seconds


@dataclass(frozen=True, slots=True)
class Join:
    """``waiting`` is in frame order. ``reached``: the newest frame that each model has answered about."""

    models: tuple[str, ...]
    timeout: float  # seconds
    waiting: tuple[Waiting, ...] = ()
    reached: Mapping[str, Order] = field(default_factory=lambda: MappingProxyType({}))
    newest: Order | None = None  # the newest frame that came out
    out: tuple[tuple[FrameKey, int], ...] = ()  # the frames that came out last, and how often
    former: frozenset[str] = frozenset()  # models that were waited for once, and are not asked any more


def order(frame: FrameRef) -> Order:
    return frame.captured_monotonic, frame.sequence


def _key(frame: FrameRef) -> FrameKey:
    return frame.source, frame.sequence, frame.captured_monotonic


@replay_point()
def add(join: Join, frame: FrameRef, part: Part, now: float) -> tuple[Join, tuple[Joined, ...]]:
    """One model's part arrived at ``now`` (monotonic seconds). The frames that come out for it, in frame order."""
    here = order(frame)
    reached = MappingProxyType({**join.reached, part.model: max(here, join.reached.get(part.model, here))})
    if join.models == (part.model,) and not join.waiting and (join.newest is None or here > join.newest):
        # Nearly always: one model, one frame after the other. As below, without the steps between.
        out = (*join.out[-REMEMBERED + 1 :], (_key(frame), 1))
        return Join(join.models, join.timeout, (), reached, here, out, join.former), (Joined(frame, (part,)),)
    join = replace(join, reached=reached)
    if join.newest is not None and here <= join.newest:
        join, joined = _late(join, frame, part)
        return join, (joined,)
    return _release(_put(join, frame, part, now), now)


@replay_point()
def expire(join: Join, now: float) -> tuple[Join, tuple[Joined, ...]]:
    """Time has passed: the frames that have waited long enough."""
    return _release(join, now) if join.waiting else (join, ())


def expect(join: Join, models: tuple[str, ...], now: float) -> tuple[Join, tuple[Joined, ...]]:
    """From now on frames wait for these models; those that waited for others alone come out. What a model still says
    that is no longer asked comes out at once."""
    if models == join.models:
        return join, ()
    former = (join.former | set(join.models)) - set(models)
    return _release(replace(join, models=models, former=former), now)


@replay_point()
def flush(join: Join) -> tuple[Join, tuple[Joined, ...]]:
    """The end: every frame that still waits."""
    return _release(join, float("inf"))


def _late(join: Join, frame: FrameRef, part: Part) -> tuple[Join, Joined]:
    times = next((times for key, times in reversed(join.out) if key == _key(frame)), 0)
    late = join.newest is not None and order(frame) < join.newest
    return _came_out(join, frame, times + 1), Joined(frame, (part,), times, late)


def _put(join: Join, frame: FrameRef, part: Part, now: float) -> Join:
    found = next((w for w in join.waiting if _key(w.frame) == _key(frame)), None)
    if found is None:
        item = Waiting(frame, (part,), now + join.timeout)
        waiting = sorted((*join.waiting, item), key=lambda w: order(w.frame))
    else:
        parts = (*(p for p in found.parts if p.model != part.model), part)
        waiting = [replace(w, parts=parts) if w is found else w for w in join.waiting]
    return replace(join, waiting=tuple(waiting))


def _release(join: Join, now: float) -> tuple[Join, tuple[Joined, ...]]:
    """All frames up to the newest one that is complete, overdue or too many."""
    count = max(0, len(join.waiting) - MAX_OPEN)
    for number, item in enumerate(join.waiting, start=1):
        if item.until <= now or _complete(join, item):
            count = max(count, number)
    out = []
    for item in join.waiting[:count]:
        out.append(Joined(item.frame, item.parts))
        join = _came_out(join, item.frame, 1)
    return replace(join, waiting=join.waiting[count:]), tuple(out)


def _complete(join: Join, item: Waiting) -> bool:
    answered = {part.model for part in item.parts}
    if answered & join.former:
        return True  # those that are asked now were not asked about this frame
    here = order(item.frame)
    return all(model in answered or join.reached.get(model, here) > here for model in join.models)


def _came_out(join: Join, frame: FrameRef, times: int) -> Join:
    newest = order(frame) if join.newest is None else max(join.newest, order(frame))
    return replace(join, newest=newest, out=(*join.out[-REMEMBERED + 1 :], (_key(frame), times)))


# --- what does not fit together ---


@dataclass(frozen=True, slots=True)
class Conflict:
    """``state`` together with one of ``words`` of ``field`` is a contradiction. The state stays what vision_state
    says; its reading tells the reason."""

    states: frozenset[GameState]
    field: Field
    words: frozenset[str]
    reason: str


CONFLICTS = (
    Conflict(
        frozenset({GameState.IDLE}), Field.MOTION, frozenset({Motion.SPINNING}), "animation_detection sees reels turn"
    ),
    Conflict(
        frozenset({GameState.SPINNING}),
        Field.MOTION,
        frozenset({Motion.STOPPED}),
        "animation_detection sees reels rest",
    ),
    Conflict(
        frozenset(GameState) - {GameState.DISCONNECTED, GameState.ERROR, GameState.UNKNOWN},
        Field.POPUP,
        frozenset({PopupKind.DISCONNECTED}),
        "error_detection sees a lost connection",
    ),
    Conflict(
        frozenset(GameState) - {GameState.DISCONNECTED, GameState.ERROR, GameState.UNKNOWN},
        Field.POPUP,
        frozenset({PopupKind.ERROR}),
        "error_detection sees an error message",
    ),
    Conflict(
        frozenset({GameState.ERROR, GameState.DISCONNECTED}),
        Field.POPUP,
        frozenset({PopupKind.NONE}),
        "error_detection sees no message",
    ),
)


def conflicts(observations: Mapping[Field, Observation]) -> str:
    """What of this frame contradicts vision_state; empty when nothing does, or it gave no state."""
    state = observations.get(Field.STATE)
    if state is None or state.seen is not Seen.VALUE:
        return ""
    return "; ".join(
        conflict.reason
        for conflict in CONFLICTS
        if state.value in conflict.states
        and (other := observations.get(conflict.field)) is not None
        and other.seen is Seen.VALUE
        and other.value in conflict.words
    )
