"""Anything may happen in any order: random walks over the machine, and what must hold all the way."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass

from hypothesis import example, given, settings
from hypothesis import strategies as st

from supervisors.children import ALIVE, State
from supervisors.commands import Close, Command, End, Kill, Reply, Start, Stop, Timer, Token
from supervisors.decider import Bring, Decider, Failure, GiveUp, LeaveDown, OtpDecider, Verdict
from supervisors.errors import SupervisionError
from supervisors.machine import Machine
from supervisors.policy import NO_BACKOFF, AutoShutdown, Backoff, Restart, Strategy
from supervisors.specs import ChildSpec, Flags, SpecError
from tests.supervisors.simulation import spec

NAMES = "abcdef"


@dataclass
class Whimsical(OtpDecider):
    """Any verdict that a decider may give."""

    chance: random.Random = random.Random(0)  # noqa: RUF009  # replaced by each walk

    def failed(self, failure: Failure) -> Verdict:
        group = tuple(name for name in failure.names if name == failure.name or self.chance.random() < 0.3)
        verdicts: list[Verdict] = [Bring(group, self.chance.choice([0.0, 0.0, 0.5, 3.0]))] * 12
        return self.chance.choice([*verdicts, LeaveDown(), GiveUp("a whim")])

    def up(self, name: str, now: float) -> float | None:
        return self.chance.choice([None, 1.0])

    def still_up(self, name: str, now: float) -> float | None:
        return self.chance.choice([None, 1.0])


class Walk:
    """Surroundings that only know what they were told, and check it."""

    def __init__(self, children: list[ChildSpec], flags: Flags, decider: Decider | None, together: bool) -> None:
        self.machine = Machine(children, flags, decider=decider, stop_together=together)
        self.now = 0.0
        self.alive: dict[str, bool] = {}  # whether it has been told to stop
        self.open: set[str] = set()
        self.timers: list[tuple[float, Token]] = []
        self.fired: list[Token] = []
        self.asked = 0
        self.answers: dict[int, object] = {}
        self.end: End | None = None

    # --- carrying out ---

    def do(self, commands: list[Command]) -> None:
        for command in commands:
            self.carry_out(command)
        lives = {name for name, child in self.machine.children.items() if child.state in ALIVE}
        assert lives == set(self.alive)
        assert self.machine.ended == (self.end is not None)

    def carry_out(self, command: Command) -> None:
        assert self.end is None or isinstance(command, Reply | Close), f"{command} after the end"
        match command:
            case Start(name=name):
                assert name not in self.alive, f"{name} is started while it lives"
                self.alive[name] = False
                self.open.add(name)
            case Stop(name=name):
                assert not self.alive[name], f"{name} is told to stop twice"
                self.alive[name] = True
            case Kill(name=name):
                del self.alive[name]
            case Close(name=name):
                assert name not in self.alive
                self.open.discard(name)
            case Timer(token=token, delay=delay):
                assert 0 <= delay < math.inf
                self.timers.append((self.now + delay, token))
            case Reply(request=request, answer=answer):
                assert 0 < request <= self.asked and request not in self.answers
                assert answer is None or isinstance(answer, SupervisionError | SpecError)
                self.answers[request] = answer
            case End():
                assert self.end is None and not self.alive and not self.open
                self.end = command

    # --- what may happen ---

    def happen(self, what: str, name: str, number: int) -> None:
        machine, now, error = self.machine, self.now, ValueError("no")
        match what:
            case "wait":
                self.now += number / 4
            case "started":
                self.do(machine.started(name, now))
            case "declined" if self.dies(name, State.STARTING, State.STOPPING):
                self.do(machine.declined(name, now))
            case "crashed" if self.dies(name):
                self.do(machine.exited(name, error, "crashed", now))
            case "finished" if self.dies(name):
                self.do(machine.exited(name, None, "finished", now))
            case "stuck":
                self.do(machine.stuck(name, error, "stuck", now))
            case "unwell":
                self.do(machine.unwell(name, error, "unwell", now))
            case "well":
                self.do(machine.well(name, now))
            case "timer" if self.timers:
                self.fire(number % len(self.timers))
            case "late timer" if self.fired:
                self.do(machine.fired(self.fired[number % len(self.fired)], now))
            case "shutdown":
                self.do(machine.shutdown(now, [0.0, 1.0, 5.0, math.inf][number % 4]))
            case "add" | "terminate" | "restart" | "delete" | "change":
                self.ask(what, name, number)

    def dies(self, name: str, *states: State) -> bool:
        if name not in self.alive or (states and self.machine.children[name].state not in states):
            return False
        del self.alive[name]
        return True

    def fire(self, number: int) -> None:
        due, token = self.timers.pop(number)
        self.now = max(self.now, due)
        self.fired.append(token)
        self.do(self.machine.fired(token, self.now))

    def ask(self, what: str, name: str, number: int) -> None:
        self.asked += 1
        machine, request = self.machine, self.asked
        match what:
            case "add":
                self.do(machine.add(request, some_spec(name, number), self.now))
            case "terminate":
                self.do(machine.terminate(request, name, self.now))
            case "restart":
                self.do(machine.restart(request, name, self.now))
            case "delete":
                self.do(machine.delete(request, name))
            case "change":
                flags = [None, Flags(intensity=number), Flags(list(Strategy)[number % 3])][number % 3]
                self.do(machine.change(request, [some_spec(name, number)], flags))


def some_spec(name: str, number: int) -> ChildSpec:
    """``number`` chooses what it is like."""
    restart = list(Restart)[number % 3]
    return spec(
        name,
        restart,
        significant=restart is not Restart.PERMANENT and number % 5 == 0,
        stop_timeout=[1.5, 0.0, None][number // 3 % 3],
        supervisor=number // 3 % 3 == 2,
        backoff=[NO_BACKOFF, Backoff(jitter=0.0)][number % 2],
        depends_on=("a",) if name > "c" and number % 7 == 0 else (),
    )


EVENTS = [
    "wait",
    "started",
    "started",
    "started",
    "declined",
    "crashed",
    "crashed",
    "finished",
    "stuck",
    "unwell",
    "well",
]
REQUESTS = ["add", "add", "terminate", "restart", "delete", "change"]
TIMERS = ["timer", "timer", "timer", "late timer"]
STEPS = st.tuples(st.sampled_from([*EVENTS, *REQUESTS, *TIMERS]), st.sampled_from(f"{NAMES}x"), st.integers(0, 20))
FLAGS = st.builds(
    Flags,
    strategy=st.sampled_from(Strategy),
    intensity=st.sampled_from([0, 1, 3, 1000]),
    auto_shutdown=st.sampled_from([AutoShutdown.ANY_SIGNIFICANT, AutoShutdown.ALL_SIGNIFICANT]),
    max_children=st.sampled_from([None, 6]),
)


@settings(max_examples=600)
@given(
    kinds=st.lists(st.integers(0, 20), max_size=4),
    flags=FLAGS,
    whims=st.one_of(st.none(), st.integers(0, 1000)),
    together=st.booleans(),
    boots=st.sampled_from([True, True, True, False]),
    steps=st.lists(STEPS, max_size=100),
    ends_at=st.integers(0, 200),
)
@example(kinds=[0, 1], flags=Flags(), whims=None, together=False, boots=True, steps=[], ends_at=0)
def test_any_walk_keeps_the_rules(
    kinds: list[int],
    flags: Flags,
    whims: int | None,
    together: bool,
    boots: bool,
    steps: list[tuple[str, str, int]],
    ends_at: int,
) -> None:
    children = [some_spec(name, kind) for name, kind in zip(NAMES, kinds, strict=False)]
    decider = None if whims is None else Whimsical(flags, chance=random.Random(whims))
    walk = Walk(children, flags, decider, together)
    if boots:
        walk.do(walk.machine.boot(walk.now))
    for number, (what, name, choice) in enumerate(steps):
        if number == ends_at:
            walk.happen("shutdown", name, choice)
        walk.happen(what, name, choice)
    walk.do(walk.machine.shutdown(walk.now, 1.0))
    begun, stopping = walk.now, len(walk.machine.children)
    while walk.timers and walk.end is None:  # no child does anything any more: the timers are enough
        walk.fire(walk.timers.index(min(walk.timers, key=lambda timer: timer[0])))
    assert walk.end is not None
    assert set(walk.answers) == set(range(1, walk.asked + 1))
    assert walk.now - begun <= 1.0 + 0.05 * stopping + 1e-6
    assert not any(isinstance(each, Start) for each in walk.machine.boot(walk.now))


def test_the_walks_see_all_there_is_to_see() -> None:
    """One long walk with dice, so that it is known that such walks come everywhere."""
    seen: set[str] = set()
    states: Mapping[State, set[str]] = {state: set() for state in State}
    for seed in range(300):
        dice = random.Random(seed)
        flags = Flags(dice.choice(list(Strategy)), intensity=1000, auto_shutdown=AutoShutdown.ALL_SIGNIFICANT)
        children = [some_spec(name, dice.randrange(20)) for name in "abc"]
        walk = Walk(children, flags, None, False)
        walk.do(walk.machine.boot(0.0))
        for _ in range(100):
            name = dice.choice(NAMES)
            walk.happen(dice.choice([*EVENTS, *REQUESTS, *TIMERS]), name, dice.randrange(20))
            if (child := walk.machine.children.get(name)) is not None:
                states[child.state].add(name)
        seen |= {type(answer).__name__ for answer in walk.answers.values()}
        seen |= {token.kind for token in walk.fired}
        walk.do(walk.machine.shutdown(walk.now, 1.0))
        seen.add(type(walk.end.error).__name__ if walk.end else "not yet")
    refusals = {"NotFound", "AlreadyRunning", "AlreadyPresent", "BeingRestarted", "StartFailed", "ShuttingDown"}
    assert {"NoneType", "SpecError", "BootFailed", "pause", "start", "stop", "not yet", *refusals} <= seen
    assert all(states.values())
