"""What a supervisor is told about its children, checked before anything starts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from supervisors.policy import AutoShutdown, Backoff, Restart, Strategy

if TYPE_CHECKING:
    from supervisors.actor import ActorContext, SupervisedActor

STOP_TIMEOUT = 1.5  # seconds
START_TIMEOUT = 15.0  # seconds; a busy machine has made an actor that opens a file wait for five
STUCK_AFTER = 30.0  # seconds


class SpecError(ValueError):
    """A child spec or a supervisor's flag that cannot be used. Names child, field, value, and what would be right."""

    def __init__(self, child: str, field_name: str, value: object, wanted: str) -> None:
        who = f"child {child!r}" if child else "supervisor"
        super().__init__(f"{who}: {field_name} is {value!r}, but must be {wanted}")
        self.child, self.field, self.value = child, field_name, value


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """One child. Raises SpecError.

    ``make`` builds the actor, in the child's own thread. Returning None means that the child does not want to run now
    (OTP's ``ignore``); its spec is kept.
    """

    name: str
    make: Callable[[ActorContext], SupervisedActor | None]
    restart: Restart = Restart.PERMANENT
    significant: bool = False
    start_timeout: float = START_TIMEOUT  # seconds for on_start
    stop_timeout: float | None = STOP_TIMEOUT  # seconds; 0: fenced at once; None: no limit (supervisors only)
    stuck_after: float = STUCK_AFTER  # seconds in one message after which the child counts as hung
    backoff: Backoff = field(default_factory=Backoff)
    depends_on: tuple[str, ...] = ()  # names of children whose reload takes this one along
    proves: bool = False  # the child says itself when it is well (``context.well``): a start alone is no success
    supervisor: bool = False

    def __post_init__(self) -> None:
        for name, wanted, good in self._checks():
            if not good:
                raise SpecError(str(self.name) or "(no name)", name, getattr(self, name), wanted)

    def _checks(self) -> Sequence[tuple[str, str, bool]]:
        endless_stop = self.stop_timeout is None and self.supervisor
        return (
            ("name", "a text that is not empty", isinstance(self.name, str) and bool(self.name)),
            ("make", "a function that builds the actor", callable(self.make)),
            ("restart", f"one of {_values(Restart)}", isinstance(self.restart, Restart)),
            ("significant", "True or False", isinstance(self.significant, bool)),
            (
                "significant",
                "False for a permanent child",
                not (self.significant and self.restart is Restart.PERMANENT),
            ),
            ("start_timeout", "a positive number of seconds", _seconds(self.start_timeout, above=0)),
            ("stop_timeout", _STOP, endless_stop or _seconds(self.stop_timeout)),
            ("stuck_after", "a positive number of seconds", _seconds(self.stuck_after, above=0)),
            ("backoff", _BACKOFF, _good_backoff(self.backoff)),
            ("depends_on", "a tuple of other children's names", _other_names(self.depends_on, self.name)),
            ("proves", "True or False", isinstance(self.proves, bool)),
            ("supervisor", "True or False", isinstance(self.supervisor, bool)),
        )


_STOP = "a number of seconds from 0 (None for a supervisor alone)"
_BACKOFF = "a Backoff of seconds from 0, ``longest`` not below ``first``, jitter from 0 to 1"


@dataclass(frozen=True, slots=True)
class Flags:
    """How a supervisor acts on failures. OTP's defaults, but for the intensity (Elixir's); the period is exact."""

    strategy: Strategy = Strategy.ONE_FOR_ONE
    intensity: int = 3  # restarts within ``period``; one more and the supervisor itself gives up
    period: float = 5.0  # seconds
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER
    max_children: int | None = None

    def __post_init__(self) -> None:
        most = self.max_children
        for name, wanted, good in (
            ("strategy", f"one of {_values(Strategy)}", isinstance(self.strategy, Strategy)),
            ("intensity", "a whole number from 0", _whole(self.intensity, 0)),
            ("period", "a positive number of seconds", _seconds(self.period, above=0)),
            ("auto_shutdown", f"one of {_values(AutoShutdown)}", isinstance(self.auto_shutdown, AutoShutdown)),
            ("max_children", "None or a whole number from 1", most is None or _whole(most, 1)),
        ):
            if not good:
                raise SpecError("", name, getattr(self, name), wanted)


def check(children: Sequence[ChildSpec], flags: Flags) -> None:
    """What can only be seen with all of them together. Raises SpecError."""
    check_unique(children)
    names = [child.name for child in children]
    for child in children:
        check_one(child, names, flags)
    if flags.max_children is not None and len(children) > flags.max_children:
        raise SpecError("", "max_children", flags.max_children, f"at least {len(children)}, the number of children")


def check_unique(children: Sequence[ChildSpec]) -> None:
    """Raises SpecError."""
    seen: set[str] = set()
    for child in children:
        if child.name in seen:
            raise SpecError(child.name, "name", child.name, "unique; another child has it")
        seen.add(child.name)


def check_one(child: ChildSpec, names: Sequence[str], flags: Flags) -> None:
    """``names``: of all children, in start order. Raises SpecError."""
    if child.significant and flags.auto_shutdown is AutoShutdown.NEVER:
        raise SpecError(child.name, "significant", True, "False under auto_shutdown=never")
    before = names[: names.index(child.name)] if child.name in names else names
    for needed in child.depends_on:
        if needed not in before:
            raise SpecError(child.name, "depends_on", child.depends_on, f"children started before it; not {needed!r}")


def _seconds(value: Any, above: float | None = None) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return False
    return value > above if above is not None else value >= 0


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _good_backoff(backoff: Any) -> bool:
    if not isinstance(backoff, Backoff):
        return False
    times = (backoff.first, backoff.longest, backoff.stable_after, backoff.jitter)
    return all(_seconds(time) for time in times) and backoff.first <= backoff.longest and backoff.jitter <= 1


def _other_names(names: Any, own: str) -> bool:
    return isinstance(names, tuple) and all(isinstance(name, str) and name != own for name in names)


def _values(kind: type[Restart] | type[Strategy] | type[AutoShutdown]) -> str:
    return ", ".join(f"{kind.__name__}.{value.name}" for value in kind)
