"""What is held about one screen, and the step from a joined frame to its readings and changes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from foureyes_actors.messages import Field, Reading, ReadingStatus
from foureyes_actors.readings.events import Change, Told, changes
from foureyes_actors.readings.fields import FieldState, step
from foureyes_actors.readings.fusion import Joined, conflicts
from foureyes_actors.readings.observe import Observation, Seen, observe
from foureyes_actors.replay.point import replay_point
from foureyes_actors.settings import ReadingsSettings


def _unread() -> Mapping[Field, FieldState]:
    return MappingProxyType({name: FieldState(name) for name in Field})


@dataclass(frozen=True, slots=True)
class Screen:
    """One source's fields, and what was told of them as events."""

    fields: Mapping[Field, FieldState] = field(default_factory=_unread)
    told: tuple[Told, ...] = ()


@replay_point()
def read(
    screen: Screen, joined: Joined, settings: ReadingsSettings
) -> tuple[Screen, tuple[Reading, ...], tuple[Change, ...]]:
    """The readings of a frame: all fields; of a supplement: the fields that it adds."""
    seen = _observations(joined)
    fields = dict(screen.fields)
    readings = []
    for name, observation in seen.items():
        fields[name], reading = step(fields[name], observation, settings.rule(name))
        readings.append(reading)
    readings = _with_conflicts(readings, conflicts(seen))
    told, found = changes(screen.told, readings, settings)
    return Screen(MappingProxyType(fields), told), tuple(readings), found


def _observations(joined: Joined) -> dict[Field, Observation]:
    answers = [answer for part in joined.parts for answer in part.answers]
    failures = {failure.task: failure.reason for part in joined.parts for failure in part.failures}
    seen = observe(answers, failures, joined.frame.captured_monotonic)
    return {s.field: s for s in seen if not joined.supplement or s.seen is not Seen.NO_ANSWER}


def _with_conflicts(readings: list[Reading], conflict: str) -> list[Reading]:
    if not conflict:
        return readings
    return [
        replace(r, reason="; ".join(filter(None, (r.reason, conflict)))) if r.field is Field.STATE else r
        for r in readings
    ]


@replay_point()
def stale(screen: Screen, reason: str) -> tuple[Reading, ...]:
    """Every field as it was accepted last, when no frame is answered any more."""
    return tuple(
        Reading(name, None, held.value, None, ReadingStatus.STALE, reason, held.currency)
        for name, held in screen.fields.items()
    )
