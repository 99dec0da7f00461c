"""How much may be asked of the machine: a state machine of immutable values, without clock or sensors.

    normal --low memory, or high CPU for high_for--> smaller models --still so, after step_after--> lower rhythm
       ^                                                |   ^                                            |
       +----------- calm for calm_for ------------------+   +----------- calm for calm_for --------------+

Why it does not flap: the marks for going down and up differ, CPU must be high for a while, each step has time to help,
and a step back that was too early makes the next one wait twice as long.

Unknown is unknown. A sensor that tells nothing is neither low nor calm: it starts no step down, and whatever caused
one must be seen to be well before the step back. A time goes on only over samples that are known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from foureyes_actors.messages import PressureLevel, ResourceSample
from foureyes_actors.settings.pressure import PressureSettings

MB = 1_000_000
SOON = 600.0  # seconds: pressure so soon after a step back means that it was too early
LONGEST = 16.0  # times calm_for

Levels = tuple[PressureLevel, ...]
ALL_LEVELS: Levels = tuple(PressureLevel)
CPU, MEMORY = "CPU", "memory"


@dataclass(frozen=True, slots=True)
class Seen:
    """One look. None: not known."""

    cpu: float | None = None  # percent of the whole machine
    memory: float | None = None  # MB available


@dataclass(frozen=True, slots=True)
class Pressure:
    """Times are monotonic seconds. ``causes``: which sensors have told of trouble since it was normal."""

    level: PressureLevel = PressureLevel.NORMAL
    changed_at: float | None = None
    high_since: float | None = None  # CPU above high_cpu in every sample since
    calm_since: float | None = None  # nothing short in every sample since
    causes: frozenset[str] = frozenset()
    raised_at: float | None = None  # the last step back
    patience: float = 1.0  # times calm_for before the next step back


@dataclass(frozen=True, slots=True)
class Switch:
    before: PressureLevel
    after: PressureLevel
    reason: str  # with the figures, for people
    figures: Mapping[str, float | None]


def seen_of(sample: ResourceSample | None) -> Seen:
    """None: the machine did not tell anything."""
    if sample is None:
        return Seen()
    memory = None if sample.available_memory is None else sample.available_memory / MB
    return Seen(sample.machine_cpu, memory)


def advance(
    pressure: Pressure, seen: Seen, now: float, settings: PressureSettings, levels: Levels = ALL_LEVELS
) -> tuple[Pressure, Switch | None]:
    """The state after one look at ``now``. ``levels``: those that there are, NORMAL first."""
    pressure = _timed(pressure, seen, now, settings)
    short = _short(pressure, seen, now, settings)
    at = levels.index(pressure.level) if pressure.level in levels else 0
    if short:
        pressure = replace(pressure, causes=pressure.causes | set(short))
        if at + 1 < len(levels) and _had_time(pressure, now, settings):
            return _down(pressure, levels[at + 1], "; ".join(short.values()), seen, now)
        return pressure, None
    if at > 0 and pressure.calm_since is not None:
        wait = settings.calm_for * pressure.patience
        if now - pressure.calm_since >= wait:
            return _up(pressure, levels[at - 1], _calm_reason(seen, wait, settings), seen, now)
    return pressure, None


def _timed(pressure: Pressure, seen: Seen, now: float, settings: PressureSettings) -> Pressure:
    high = seen.cpu is not None and seen.cpu > settings.high_cpu
    calm = _calm(pressure, seen, settings)
    return replace(
        pressure,
        high_since=(now if pressure.high_since is None else pressure.high_since) if high else None,
        calm_since=(now if pressure.calm_since is None else pressure.calm_since) if calm else None,
    )


def _short(pressure: Pressure, seen: Seen, now: float, settings: PressureSettings) -> dict[str, str]:
    """What there is too little of now: sensor -> words."""
    found = {}
    if seen.memory is not None and seen.memory < settings.low_memory:
        found[MEMORY] = f"{seen.memory:.0f} MB of memory available, less than {settings.low_memory:g}"
    if pressure.high_since is not None and now - pressure.high_since >= settings.high_for:
        lasted = now - pressure.high_since
        found[CPU] = f"CPU {seen.cpu:.0f} %, above {settings.high_cpu:g} for {lasted:.0f} s"
    return found


def _calm(pressure: Pressure, seen: Seen, settings: PressureSettings) -> bool:
    """Each sensor that tells is calm; each that has told of trouble tells, and at least one does."""
    told = {
        CPU: None if seen.cpu is None else seen.cpu < settings.calm_cpu,
        MEMORY: None if seen.memory is None else seen.memory >= settings.enough_memory,
    }
    known = {name: calm for name, calm in told.items() if calm is not None}
    return bool(known) and all(known.values()) and pressure.causes <= set(known)


def _had_time(pressure: Pressure, now: float, settings: PressureSettings) -> bool:
    """The last step down has had its time to help."""
    if pressure.level is PressureLevel.NORMAL or pressure.changed_at is None:
        return True
    return now - pressure.changed_at >= settings.step_after


def _down(pressure: Pressure, level: PressureLevel, reason: str, seen: Seen, now: float) -> tuple[Pressure, Switch]:
    after = replace(
        pressure, level=level, changed_at=now, calm_since=None, raised_at=None, patience=_patience(pressure, now)
    )
    return after, Switch(pressure.level, level, reason, _figures(seen))


def _patience(pressure: Pressure, now: float) -> float:
    """A step back that was too early doubles it; one that held ends that."""
    if pressure.raised_at is None:
        return pressure.patience
    return min(pressure.patience * 2, LONGEST) if now - pressure.raised_at < SOON else 1.0


def _up(pressure: Pressure, level: PressureLevel, reason: str, seen: Seen, now: float) -> tuple[Pressure, Switch]:
    causes = frozenset[str]() if level is PressureLevel.NORMAL else pressure.causes
    after = replace(pressure, level=level, changed_at=now, calm_since=now, causes=causes, raised_at=now)
    return after, Switch(pressure.level, level, reason, _figures(seen))


def _calm_reason(seen: Seen, lasted: float, settings: PressureSettings) -> str:
    parts = []
    if seen.cpu is not None:
        parts.append(f"CPU {seen.cpu:.0f} %, below {settings.calm_cpu:g}")
    if seen.memory is not None:
        parts.append(f"{seen.memory:.0f} MB of memory available, at least {settings.enough_memory:g}")
    return f"{'; '.join(parts)}; for {lasted:.0f} s"


def _figures(seen: Seen) -> Mapping[str, float | None]:
    def rounded(value: float | None) -> float | None:
        return None if value is None else round(value, 1)

    return MappingProxyType({"cpu_percent": rounded(seen.cpu), "free_memory_mb": rounded(seen.memory)})
