"""The values of the state machine in ``advance``: where things stand, what is to be done, what has happened."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from foureyes_actors.errors import ErrorClass


class Stage(StrEnum):
    STARTING = "starting"
    LOADING = "loading"
    WARMING_UP = "warming_up"
    READY = "ready"
    FAILED = "failed"


class Do(StrEnum):
    LAUNCH = "launch"  # find a running server, or start one
    WAIT = "wait"  # a moment, for its first sign of life
    LOAD = "load"
    RELOAD = "reload"  # unload, then load
    WARM_UP = "warm_up"
    CHECK = "check"
    CHOOSE = "choose"  # which of the models that would do the server has
    UNLOAD = "unload"


Choices = tuple[tuple[str, ...], ...]  # groups of wanted ids: of each the first that the server has


@dataclass(frozen=True, slots=True)
class Command:
    """``attach``: LAUNCH must not start anything. ``model``: the wanted id, for LOAD, RELOAD, WARM_UP and UNLOAD;
    ``known_as``: the id that requests use, for RELOAD, WARM_UP and UNLOAD. ``url``: of the server, once it is known.
    ``choices``: for CHOOSE."""

    do: Do
    round: int
    url: str = ""
    attach: bool = False
    model: str = ""
    known_as: str = ""
    reasons: bool = False
    choices: Choices = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """Seconds. ``models``: the wanted ids. ``groups``: a wanted id and what may stand in for it, the best first."""

    models: tuple[str, ...]
    start_timeout: float
    check_every: float
    silent_after: int
    manage: bool = True  # the server may be started from here
    restart_foreign: bool = False  # one that somebody else started may be started again from here
    reload_after: int = 0  # pictures; 0: never
    reload_above: int = 0  # bytes of the server's own process; 0: never
    rest_timeout: float = 35.0  # for a picture that is being read when its model is to be reloaded
    groups: Choices = ()


# --- events ---


@dataclass(frozen=True, slots=True)
class Found:
    """Result of LAUNCH: a server was there already. It is never started or stopped."""

    url: str


@dataclass(frozen=True, slots=True)
class Launched:
    """Result of LAUNCH."""


@dataclass(frozen=True, slots=True)
class Alive:
    """Result of WAIT."""

    url: str


@dataclass(frozen=True, slots=True)
class NotYet:
    """Result of WAIT."""

    reason: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """Result of LOAD and RELOAD. ``kept``: why a RELOAD did not unload it; empty when it did."""

    known_as: str
    reasons: bool = False
    kept: str = ""


@dataclass(frozen=True, slots=True)
class Warm:
    """Result of WARM_UP."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Result of CHOOSE. ``lacking``: what would have been better, and the server has not."""

    models: tuple[str, ...]
    lacking: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unloaded:
    """Result of UNLOAD."""


@dataclass(frozen=True, slots=True)
class Healthy:
    """Result of CHECK. ``resident``: the wanted models that are loaded. ``memory``: of the server's process and what
    it started, in bytes; None: unknown."""

    resident: tuple[str, ...]
    memory: int | None = None


Result = Found | Launched | Alive | NotYet | Loaded | Warm | Healthy | Chosen | Unloaded | Exception


@dataclass(frozen=True, slots=True)
class Finished:
    command: Command
    result: Result


@dataclass(frozen=True, slots=True)
class Ticked:
    """A second has passed. ``exited``: why the server's own process is no more, when it is."""

    exited: Exception | None = None


@dataclass(frozen=True, slots=True)
class Suspected:
    """Somebody got no answer. ``model``: the wanted id; empty: not about one model."""

    reason: str = ""
    model: str = ""
    error_class: ErrorClass = ErrorClass.TRANSPORT


@dataclass(frozen=True, slots=True)
class PictureRead:
    """A model was asked about one more picture. ``model``: the wanted id."""

    model: str


@dataclass(frozen=True, slots=True)
class Rested:
    """Nobody asks the model at present."""

    model: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Other models are wanted from now on. ``make_room``: the others go first."""

    choices: Choices
    make_room: bool


PlanEvent = Finished | Ticked | Suspected | PictureRead | Rested | Wanted


# --- state ---


@dataclass(frozen=True, slots=True)
class Plan:
    """Times are monotonic seconds. ``due`` infinite in a failed one: only a new start of server and actor can help."""

    stage: Stage
    since: float  # when the stage began
    round: int = 1  # one more with each failure: what a command of a former round brings is not looked at
    busy: bool = False  # a command is in work; no other one is given
    url: str = ""
    mine: bool = False  # we started it
    attached: bool = False  # somebody else did: never started or stopped from here
    reloading: tuple[tuple[str, str], ...] = ()  # to be unloaded and loaded: wanted id, id for requests
    loading: tuple[str, ...] = ()  # still to be loaded, the present one first
    warming: tuple[tuple[str, str], ...] = ()  # loaded, to be warmed up: wanted id, id for requests
    ready: tuple[tuple[str, str], ...] = ()  # the same, passed
    broken: tuple[tuple[str, str], ...] = ()  # wanted id, reason
    doubted: tuple[str, ...] = ()  # wanted ids that hang: the canary comes after the next check that passes
    healing: tuple[str, ...] = ()  # wanted ids that were taken out of ``ready`` because of what a request got
    reloads: tuple[tuple[str, float], ...] = ()  # wanted id, when: the reloads that count against the cap
    failed_checks: int = 0
    due: float = 0.0  # when the next check (ready) or try (failed) is
    mend_at: float = 0.0  # when the broken ones are tried again
    reason: str = ""
    failing_since: float | None = None  # when it was ready last, or the first failure
    keep: bool = False  # failed: the server itself is well, and is not started anew
    reasoning: tuple[str, ...] = ()  # ids for requests, of those that think aloud unless they are told not to
    used: tuple[tuple[str, int], ...] = ()  # wanted id, pictures since it was loaded
    resting: tuple[str, ...] = ()  # to be reloaded as soon as nobody asks them; wanted ids
    rested: tuple[str, ...] = ()  # those of them that nobody asks
    rest_since: float = 0.0
    kept: tuple[tuple[str, float], ...] = ()  # not unloaded by their last planned reload: wanted id, not again before
    heavy: int = 0  # checks in a row, each followed by a planned reload, that found too much memory in use
    heavy_until: float = -math.inf  # no planned reload for the memory's sake before that
    choices: Choices = ()  # wanted instead of the rules' models; empty: those
    make_room: bool = False  # what is not wanted goes first
    chosen: tuple[str, ...] = ()  # of ``choices``, once the server's list has been seen
    unsettled: bool = False  # that is still to be done
    retiring: tuple[tuple[str, str], ...] = ()  # to be unloaded: wanted id, id for requests

    @property
    def unwell(self) -> bool:
        return self.stage is Stage.FAILED and self.due == math.inf


@dataclass(frozen=True, slots=True)
class Step:
    """``command``: for the worker. ``error``: what people should hear of."""

    plan: Plan
    command: Command | None = None
    error: Exception | None = None
