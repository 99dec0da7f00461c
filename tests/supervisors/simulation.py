"""Supervisors without threads: a machine's commands are carried out in simulated children, on a clock of our own.

A child does what its vice says (``vices.py``). Everything that happens is an entry of one list, by time and then by
order of entry, so that a run is the same every time. Like ``supervisor.py``, ``Sim`` holds back what a fenced or former
incarnation still says.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from supervisors.children import ALIVE, State
from supervisors.commands import Close, Command, End, Kill, Reply, Start, Stop, Timer
from supervisors.decider import Decider
from supervisors.machine import Machine
from supervisors.policy import NO_BACKOFF, Backoff, Restart
from supervisors.specs import ChildSpec, Flags
from tests.supervisors.vices import Crash, Vice

if TYPE_CHECKING:
    from supervisors.actor import ActorContext


def nobody(_context: ActorContext) -> None:
    """The specs' ``make``: simulated children are not built by it."""


def spec(
    name: str,
    restart: Restart = Restart.PERMANENT,
    *,
    significant: bool = False,
    start_timeout: float = 5.0,
    stop_timeout: float | None = 1.5,
    backoff: Backoff = NO_BACKOFF,
    depends_on: tuple[str, ...] = (),
    supervisor: bool = False,
) -> ChildSpec:
    """As OTP has it: no pause before a restart."""
    return ChildSpec(
        name,
        nobody,
        restart,
        significant=significant,
        start_timeout=start_timeout,
        stop_timeout=stop_timeout,
        backoff=backoff,
        depends_on=depends_on,
        supervisor=supervisor,
    )


def specs(names: str, restart: Restart = Restart.PERMANENT) -> list[ChildSpec]:
    """One for each letter."""
    return [spec(name, restart) for name in names]


class World:
    """The clock, and what is still to happen. Supervisors inside one another share it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.trace: list[str] = []
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def at(self, delay: float, action: Callable[[], None]) -> None:
        """``delay`` inf: never."""
        if delay < math.inf:
            heapq.heappush(self._queue, (self.now + delay, next(self._order), action))

    def step(self, until: float = math.inf) -> bool:
        """The next thing that happens, not later than ``until``. False: there is none."""
        if not self._queue or self._queue[0][0] > until:
            return False
        self.now, _order, action = heapq.heappop(self._queue)
        action()
        return True

    def advance(self, seconds: float, most: int = 100_000) -> None:
        until = self.now + seconds
        for _ in range(most):
            if not self.step(until):
                break
        else:
            raise AssertionError("it never comes to rest")
        if until < math.inf:
            self.now = until


@dataclass
class Incarnation:
    """One life of a child."""

    name: str
    up: bool = False
    stopping: bool = False
    inside: Sim | None = None


@dataclass
class Sim:
    """A machine with simulated children.

    Checks on the way what must always hold: a child is started only when no incarnation of it is alive, each request
    is answered once, End comes once, with nobody left alive and every inbox closed.
    """

    children: Sequence[ChildSpec]
    flags: Flags = field(default_factory=Flags)
    vices: dict[str, Vice] = field(default_factory=dict)
    decider: Decider | None = None
    stop_together: bool = False
    world: World = field(default_factory=World)
    boots: bool = True
    on_end: Callable[[End], None] | None = None

    def __post_init__(self) -> None:
        self.machine = Machine(self.children, self.flags, decider=self.decider, stop_together=self.stop_together)
        self.alive: dict[str, Incarnation] = {}
        self.starts: dict[str, int] = {}
        self.answers: dict[int, object] = {}
        self.asked = 0
        self.open: set[str] = set()  # inboxes
        self.killed: list[tuple[str, float]] = []
        self.end: End | None = None
        if self.boots:
            self.do(self.machine.boot(self.now))
            self.settle()

    # --- what the tests look at ---

    @property
    def now(self) -> float:
        return self.world.now

    @property
    def trace(self) -> list[str]:
        """What was done since the last look."""
        seen, self.world.trace = self.world.trace, []
        return seen

    def up(self) -> str:
        """The names of those who run, in start order."""
        return "".join(name for name in self.machine.children if name in self.alive and self.alive[name].up)

    def known(self) -> str:
        return "".join(self.machine.children)

    def state(self, name: str) -> State:
        return self.machine.children[name].state

    # --- what the tests do ---

    def settle(self) -> None:
        """Let everything happen that happens now."""
        self.world.advance(0.0)

    def advance(self, seconds: float) -> None:
        self.world.advance(seconds)

    def crash(self, name: str) -> None:
        self._ends(self.alive[name], Crash(f"{name} crashed"), "crashed")
        self.settle()

    def finish(self, name: str) -> None:
        """It ends by itself, in order."""
        self._ends(self.alive[name], None, "finished")
        self.settle()

    def stuck(self, name: str) -> None:
        self.do(self.machine.stuck(name, TimeoutError("busy for too long"), "stuck", self.now))
        self.settle()

    def unwell(self, name: str) -> None:
        self.do(self.machine.unwell(name, Crash("probe failed"), "unwell", self.now))
        self.settle()

    def shutdown(self, timeout: float = math.inf) -> None:
        self.do(self.machine.shutdown(self.now, timeout))
        self.settle()

    def add(self, child: ChildSpec) -> int:
        return self._ask(lambda request: self.machine.add(request, child, self.now))

    def terminate(self, name: str) -> int:
        return self._ask(lambda request: self.machine.terminate(request, name, self.now))

    def restart(self, name: str) -> int:
        return self._ask(lambda request: self.machine.restart(request, name, self.now))

    def delete(self, name: str) -> int:
        return self._ask(lambda request: self.machine.delete(request, name))

    def change(self, children: Sequence[ChildSpec], flags: Flags | None = None) -> int:
        return self._ask(lambda request: self.machine.change(request, children, flags))

    def answer(self, request: int) -> object:
        """``"none yet"`` while nobody has answered."""
        return self.answers.get(request, "none yet")

    def _ask(self, what: Callable[[int], list[Command]]) -> int:
        self.asked += 1
        request = self.asked
        self.do(what(request))
        self.settle()
        return request

    # --- carrying out ---

    def do(self, commands: list[Command]) -> None:
        for command in commands:
            self._do(command)

    def _do(self, command: Command) -> None:
        match command:
            case Start(name=name):
                self._start(name)
            case Stop(name=name):
                self._stop(self.alive[name])
            case Kill(name=name, why=_):
                self.world.trace.append(f"kill {name}")
                self.killed.append((name, self.now))
                self._gone(self.alive[name])
            case Close(name=name):
                assert name not in self.alive, f"the inbox of {name} is closed while it lives"
                self.open.discard(name)
            case Timer(token=token, delay=delay):
                self.world.at(delay, lambda: self.do(self.machine.fired(token, self.now)))
            case Reply(request=request, answer=answer):
                assert request not in self.answers, f"request {request} is answered again"
                self.answers[request] = answer
            case End():
                self._end(command)

    def _start(self, name: str) -> None:
        assert name not in self.alive, f"{name} is started while it lives"
        assert self.end is None, f"{name} is started after the end"
        self.world.trace.append(f"start {name}")
        vice = self._vice(name)
        life = self.alive[name] = Incarnation(name)
        self.open.add(name)
        number = self.starts[name] = self.starts.get(name, 0) + 1
        fails, declines = (vice.good < number <= vice.good + times for times in (vice.fails, vice.declines))
        if fails:
            self.world.at(vice.start, lambda: self._ends(life, Crash(f"{name} cannot start"), "cannot start"))
        elif declines:
            self.world.at(vice.start, lambda: self._declines(life))
        elif vice.inside is not None:
            life.inside = vice.inside(self.world)
            self._inside_ends(life, life.inside)
            self.world.at(vice.start, lambda: self._is_up(life))
        else:
            self.world.at(0.0 if number <= vice.good else vice.start, lambda: self._is_up(life))

    def _is_up(self, life: Incarnation) -> None:
        if self.alive.get(life.name) is not life:
            return
        life.up = True
        vice = self._vice(life.name)
        if self.starts[life.name] > vice.good:
            self.world.at(vice.lives, lambda: self._ends(life, vice.error, "its time had come"))
        self.do(self.machine.started(life.name, self.now))

    def _declines(self, life: Incarnation) -> None:
        if self._gone(life):
            self.do(self.machine.declined(life.name, self.now))

    def _stop(self, life: Incarnation) -> None:
        assert not life.stopping, f"{life.name} is told to stop twice"
        life.stopping = True
        self.world.trace.append(f"stop {life.name}")
        vice = self._vice(life.name)
        if life.inside is not None:
            life.inside.do(life.inside.machine.shutdown(self.now))
            return
        error = Crash("cannot stop") if vice.fails_in_stop else None
        takes = vice.stop if life.up else math.inf if vice.start == math.inf else vice.start + vice.stop
        self.world.at(takes, lambda: self._ends(life, error, "stopped"))

    def _ends(self, life: Incarnation, error: Exception | None, why: str) -> None:
        if self._gone(life):
            self.do(self.machine.exited(life.name, error, why, self.now))

    def _gone(self, life: Incarnation) -> bool:
        if self.alive.get(life.name) is not life:
            return False
        del self.alive[life.name]
        return True

    def _inside_ends(self, life: Incarnation, inside: Sim) -> None:
        def on_end(end: End) -> None:
            self._ends(life, end.error, "ended" if end.error is None else str(end.error))

        inside.on_end = on_end
        if inside.end is not None:  # while it was built
            self.world.at(0.0, lambda end=inside.end: on_end(end))  # type: ignore[misc]

    def _vice(self, name: str) -> Vice:
        return self.vices.get(name, Vice())

    def _end(self, end: End) -> None:
        assert self.end is None, "it ends twice"
        assert not self.alive, f"it ends, but {sorted(self.alive)} are alive"
        assert not self.open, f"it ends, but the inboxes of {sorted(self.open)} are open"
        self.end = end
        if self.on_end is not None:
            self.on_end(end)


def states(sim: Sim) -> Iterator[tuple[str, State]]:
    """For a look at all of them at once: who lives for the machine lives in fact."""
    for name, child in sim.machine.children.items():
        assert (child.state in ALIVE) == (name in sim.alive), f"{name} is {child.state}"
        yield name, child.state


def error_of(sim: Sim) -> BaseException | None:
    """What it ended with."""
    assert sim.end is not None, "it has not ended"
    return sim.end.error
