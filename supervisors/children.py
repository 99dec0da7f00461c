"""What a supervisor knows of its children: each one's state, the plans to bring some back, why a request is refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from supervisors.errors import (
    AlreadyPresent,
    AlreadyRunning,
    BeingRestarted,
    NotFound,
    StartFailed,
    SupervisionError,
    TooMany,
)
from supervisors.specs import ChildSpec, Flags, SpecError, check_one


class State(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    RESTARTING = "restarting"  # down now, and to be started again
    STOPPED = "stopped"  # down, and nobody is going to start it unasked


ALIVE = (State.STARTING, State.RUNNING, State.STOPPING)


@dataclass
class Child:
    """A spec and what is going on with it. Read it; only the machine writes."""

    spec: ChildSpec
    state: State = State.STOPPED
    serial: int = 0  # of its last change of state: a timer set before it is void
    in_a_row: int = 0  # failures since it was stable
    since: float = 0.0  # when the present state began
    last_reason: str = ""
    was_up: bool = False  # once at least
    asker: int | None = None  # the request that waits for its start
    stoppers: list[int] = field(default_factory=list)  # the requests that wait for its end
    new: bool = False  # added by hand and not up yet: no trace of it if it fails
    forget: bool = False  # drop the spec when it is down


@dataclass(eq=False)
class Plan:
    """Stop these, the last one first; wait; start those, the first one first."""

    number: int
    stop: list[str]
    start: list[str]
    delay: float = 0.0
    pausing: bool = False

    def touches(self, names: Iterable[str]) -> bool:
        return not {*self.stop, *self.start}.isdisjoint(names)


def why_not_add(spec: ChildSpec, children: Mapping[str, Child], flags: Flags) -> Exception | None:
    child = children.get(spec.name)
    if child is not None:
        kind = AlreadyPresent if child.state is State.STOPPED else AlreadyRunning
        return kind(f"there is a child named {spec.name!r} already; it is {child.state}")
    if flags.max_children is not None and len(children) >= flags.max_children:
        return TooMany(f"max_children is {flags.max_children}, and as many are there")
    try:
        check_one(spec, tuple(children), flags)
    except SpecError as error:
        return error
    return None


def why_not_touch(name: str, children: Mapping[str, Child], awaited: bool) -> SupervisionError | None:
    """Restart and delete are for children that are down and stay down. ``awaited``: some plan is to start it."""
    child = children.get(name)
    if child is None:
        return not_found(name)
    if child.state is State.RESTARTING:
        return BeingRestarted(f"{name} is being restarted")
    if child.state is State.STOPPED and awaited:
        return BeingRestarted(f"{name} is about to be started")
    return None if child.state is State.STOPPED else AlreadyRunning(f"{name} is {child.state}")


def not_found(name: str) -> NotFound:
    return NotFound(f"no child is named {name!r}")


def start_failed(name: str, error: BaseException | None, why: str) -> StartFailed:
    failed = StartFailed(f"{name} could not be started: {why}")
    failed.__cause__ = error
    return failed
