"""Stream health as a pure state machine: what a viewer of the stream would say about it, told on edges only."""

from __future__ import annotations

from dataclasses import dataclass, replace

from foureyes_actors.messages import StreamCondition
from foureyes_actors.settings import SourceSettings

BLACK_AFTER = 1.0  # seconds: a fade through black between two scenes is no fault
MISSED_PERIODS = 3.0  # a source slower than down_after may miss so many of its periods


@dataclass(frozen=True, slots=True)
class HealthLimits:
    """Seconds."""

    down_after: float
    frozen_after: float


def limits_for(settings: SourceSettings) -> HealthLimits:
    health = settings.health
    return HealthLimits(max(health.down_after, MISSED_PERIODS / settings.rate), health.frozen_after)


@dataclass(frozen=True, slots=True)
class GoodFrame:
    """``black``: None when nobody looked."""

    digest: str
    black: bool | None = None


@dataclass(frozen=True, slots=True)
class NoFrame:
    """A grab failed, or is still in work when the next one is due."""

    reason: str


StreamSight = GoodFrame | NoFrame


@dataclass(frozen=True, slots=True)
class HealthChange:
    before: StreamCondition
    after: StreamCondition
    reason: str


@dataclass(frozen=True, slots=True)
class StreamHealth:
    """All times are monotonic seconds. ``seen_at`` of a source that never gave a frame: when watching began."""

    seen_at: float
    condition: StreamCondition = StreamCondition.STARTING
    digest: str = ""
    unchanged_since: float = 0.0
    black_since: float | None = None


def observe(
    health: StreamHealth, now: float, sight: StreamSight, limits: HealthLimits
) -> tuple[StreamHealth, HealthChange | None]:
    """The next state, and the edge if there is one. A repeated digest is a frozen stream even when the source is a
    still picture by nature: nobody can see the difference."""
    if isinstance(sight, GoodFrame):
        health = _with_frame(health, now, sight)
    condition, reason = _judge(health, now, sight, limits)
    change = None if condition is health.condition else HealthChange(health.condition, condition, reason)
    return replace(health, condition=condition), change


def _with_frame(health: StreamHealth, now: float, frame: GoodFrame) -> StreamHealth:
    same = frame.digest == health.digest
    black_since = health.black_since
    if frame.black is not None:
        black_since = (now if black_since is None else black_since) if frame.black else None
    return replace(
        health,
        seen_at=now,
        digest=frame.digest,
        unchanged_since=health.unchanged_since if same else now,
        black_since=black_since,
    )


def _judge(health: StreamHealth, now: float, sight: StreamSight, limits: HealthLimits) -> tuple[StreamCondition, str]:
    """Down before black before frozen: a black picture that never changes is told as black."""
    if isinstance(sight, NoFrame):
        silent = now - health.seen_at
        if silent > limits.down_after:
            return StreamCondition.DOWN, f"no frame for {silent:.1f} s: {sight.reason}"
        return health.condition, ""
    if _black(health, now, sight):
        return StreamCondition.BLACK, "nothing but black"
    same = now - health.unchanged_since
    if same > limits.frozen_after:
        return StreamCondition.FROZEN, f"the same picture for {same:.1f} s"
    return StreamCondition.HEALTHY, "frames arrive"


def _black(health: StreamHealth, now: float, frame: GoodFrame) -> bool:
    if health.black_since is None:
        return False
    if health.condition is StreamCondition.BLACK:
        return True
    # Only a look decides, not time: the frames since the last look may have been anything.
    return frame.black is True and now - health.black_since >= BLACK_AFTER
