"""The kinds of faults. Each hits one target, may last for a while, and knows when its target is well again."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psutil

from foureyes_actors import wiring
from t00l5et.doubles.obs import Stage, Vice
from tests.faults.storm.program import Program
from tests.faults.storm.relay import ServerVice
from tests.faults.storm.store import StoreVice
from tests.faults.storm.vices import Hang, Poison

SERVER, STORE = "server", "store"  # targets that are no actors


@dataclass(frozen=True)
class Blow:
    """What the plan says: a kind, its target, its variant, and for how long (seconds; 0: a moment)."""

    kind: str
    target: str
    variant: str = ""
    lasts: float = 0.0

    @property
    def name(self) -> str:
        """For the table."""
        return f"{self.kind} {self.target if self.kind in ('kill', 'hang') else self.variant}".strip()

    def __str__(self) -> str:
        return " ".join(part for part in (self.kind, self.target, self.variant) if part)


@dataclass
class Hit:
    """A blow that has been struck. Times: monotonic seconds."""

    blow: Blow
    well: Callable[[], bool]  # the part that was hit
    end: Callable[[], None] = lambda: None  # of what lasts
    mends_itself: bool = False  # the part may be well before the end
    began: float = field(default_factory=time.monotonic)
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended: float | None = None
    part_well: float | None = None  # for the first time since
    recovered: float | None = None  # and newer frames are read

    def look(self, program: Program) -> None:
        """End it when its time has come, and see whether all is well again: the part, and newer readings."""
        now = time.monotonic()
        if self.ended is None and now >= self.began + self.blow.lasts:
            self.end()
            self.ended, self.since = now, datetime.now(UTC)
        if (self.ended is None and not self.mends_itself) or not self.well():
            return
        self.part_well = self.part_well or time.monotonic()
        newest = program.door.newest_frame
        if self.ended is not None and newest is not None and newest > self.since:
            self.recovered = time.monotonic()


class NotNow(Exception):
    """There is nothing to hit at the moment."""


def strike(program: Program, blow: Blow) -> Hit:
    """Raises NotNow."""
    return _KINDS[blow.kind](program, blow)


# --- actors ---

ERRORS: dict[str, type[BaseException]] = {
    each.__name__: each for each in (RuntimeError, SystemExit, KeyboardInterrupt, MemoryError)
}


def _kill_actor(program: Program, blow: Blow) -> Hit:
    before = program.children()[blow.target]
    if before.state != "running" or not program.directory.tell(blow.target, Poison(ERRORS[blow.variant])):
        raise NotNow
    return Hit(blow, lambda: _replaced(program, blow.target, before.restarts))


def _hang_actor(program: Program, blow: Blow) -> Hit:
    """Let go a while after the replacement is there."""
    before, hang = program.children()[blow.target], Hang()
    if before.state != "running" or not program.directory.tell(blow.target, hang):
        raise NotNow
    return Hit(blow, lambda: _replaced(program, blow.target, before.restarts), hang.release.set, mends_itself=True)


def _replaced(program: Program, name: str, restarts: int) -> bool:
    child = program.children()[name]
    return child.restarts > restarts and child.state == "running" and bool(program.asked(name))


# --- the model server ---


def _kill_server(program: Program, blow: Blow) -> Hit:
    server = _server(program)
    server.kill()
    return Hit(blow, lambda: _another(program, server.pid))


def _stop_server(program: Program, blow: Blow) -> Hit:
    """SIGSTOP. Variant "cont": it goes on after a while; "left": the system has to replace it."""
    server = _server(program)
    server.send_signal(signal.SIGSTOP)

    def go_on() -> None:
        with contextlib.suppress(psutil.Error):
            server.send_signal(signal.SIGCONT)

    if blow.variant == "cont":
        return Hit(blow, program.server_ready, go_on)
    return Hit(blow, lambda: _another(program, server.pid))


def _server(program: Program) -> psutil.Process:
    servers = program.servers()
    if not servers or not program.server_ready():
        raise NotNow
    return servers[-1]


def _another(program: Program, pid: int) -> bool:
    status = program.asked(wiring.LM_STUDIO)
    return status.get("phase") == "ready" and status.get("pid") not in (None, pid)


def _spoil_answers(program: Program, blow: Blow) -> Hit:
    program.relay.vice = ServerVice(blow.variant)

    def heal() -> None:
        program.relay.vice = None

    return Hit(blow, program.server_ready, heal)


# --- OBS and the store ---


def _harm_obs(program: Program, blow: Blow) -> Hit:
    """A moment of OBS's; from then on it serves again."""
    if blow.variant == "drop":
        program.obs.drop_sessions()
    else:
        vice, stage, times = _OBS[blow.variant]
        program.obs.misbehave(vice, stage, times=times)
        if stage is not Stage.REPLY:
            program.obs.drop_sessions()  # so that it comes to connecting
    began = time.monotonic()
    return Hit(blow, lambda: program.newer_frame(began))


_OBS = {
    "kick": (Vice.KICK, Stage.REPLY, 1),
    "silence": (Vice.SILENT, Stage.REPLY, 3),
    "reset": (Vice.RESET, Stage.REPLY, 1),
    "junk": (Vice.JUNK, Stage.REPLY, 1),
    "cut": (Vice.CUT, Stage.REPLY, 1),
    "no hello": (Vice.SILENT, Stage.HELLO, 2),
    "another server": (Vice.HTTP_404, Stage.UPGRADE, 2),
}


def _harm_store(program: Program, blow: Blow) -> Hit:
    program.weather.turn(StoreVice(blow.variant))
    return Hit(blow, program.stored, lambda: program.weather.turn(None))


_KINDS: dict[str, Callable[[Program, Blow], Hit]] = {
    "kill": _kill_actor,
    "hang": _hang_actor,
    "kill -9": _kill_server,
    "SIGSTOP": _stop_server,
    "answers": _spoil_answers,
    "OBS": _harm_obs,
    "store": _harm_store,
}
OBS_VARIANTS = ("drop", *_OBS)
STOP_VARIANTS = {"cont": 2.5, "left": 0.0}  # and for how long
