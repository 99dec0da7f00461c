"""What supervision costs beside plain Pykka (a ThreadingActor with its stock queue), and how fast it mends.

python -m tests.bench.supervision

The two take turns in one process, in many short rounds; their medians are shown. CPU is the whole process's, sender
and receiver. Ours is what FourEyes uses: a tree under Cerberus, messages sent by name through the directory.
"""

from __future__ import annotations

import gc
import logging
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import psutil
import pykka

from supervisors.actor import ActorContext, SupervisedActor
from supervisors.cerberus import Cerberus, Root, start_root
from supervisors.context import Tree
from supervisors.heads import Heads
from supervisors.messages import ExitNotice, Stage
from supervisors.policy import NO_BACKOFF
from supervisors.specs import ChildSpec
from tests.bench.tables import quantile, table
from tests.support import eventually

PAIRS, ROUNDS = 9, 7  # a system may keep two threads on one core or on two for as long as they live
ASKS, STARTS, RESTARTS, HANGS = 400, 9, 60, 6
MESSAGES = 4_000  # in one round, over all actors
WAITING = 800  # messages in one inbox before the sender waits; below our inbox's bound
IDLE = 400  # actors whose memory is measured
TIMEOUT = 60.0  # seconds
PATIENT = Heads(restarts=10**6)


def receive(message: Any) -> Any:
    """The same work in both: almost none."""
    if type(message) is threading.Semaphore:
        message.release()
    return message


class Plain(pykka.ThreadingActor):
    use_daemon_thread = True

    def on_receive(self, message: Any) -> Any:
        return receive(message)


class Supervised(SupervisedActor):
    def on_receive(self, message: Any) -> Any:
        if isinstance(message, Exception):
            raise message
        if isinstance(message, threading.Event):
            message.wait(TIMEOUT)
        return receive(message)


class Stack(Protocol):
    def tell(self, index: int, message: object) -> None: ...
    def ask(self, index: int, message: object) -> object: ...
    def stop(self) -> None: ...


class PlainStack:
    def __init__(self, actors: int) -> None:
        self.refs = [Plain.start() for _ in range(actors)]

    def tell(self, index: int, message: object) -> None:
        self.refs[index].tell(message)

    def ask(self, index: int, message: object) -> object:
        return self.refs[index].ask(message, timeout=TIMEOUT)

    def stop(self) -> None:
        for ref in reversed(self.refs):
            ref.stop(timeout=TIMEOUT)


class OurStack:
    def __init__(
        self,
        actors: int,
        on_exit: Callable[[ExitNotice], None] = lambda notice: None,
        stuck_after: float = 30.0,
    ) -> None:
        self.names = [f"actor {index}" for index in range(actors)]
        specs = [ChildSpec(name, Supervised, stuck_after=stuck_after, backoff=NO_BACKOFF) for name in self.names]

        def make(context: ActorContext, tree: Tree) -> Cerberus:
            return Cerberus(context, tree=tree, children=specs, heads=PATIENT, on_exit=on_exit)

        self.tree = Tree()
        self.root: Root = start_root(make, self.tree)

    def tell(self, index: int, message: object) -> None:
        self.tree.directory.tell(self.names[index], message)

    def ask(self, index: int, message: object) -> object:
        return self.tree.directory.ask(self.names[index], message, TIMEOUT)

    def stop(self) -> None:
        assert self.root.stop(TIMEOUT) == ()


STACKS: tuple[Callable[[int], Stack], ...] = (PlainStack, OurStack)


def flood(stack: Stack, actors: int) -> None:
    """Returns when all messages have been handled."""
    done = threading.Semaphore(0)
    chunk = min(MESSAGES, WAITING * actors)
    for _ in range(MESSAGES // chunk):
        for number in range(chunk):
            stack.tell(number % actors, number)
        for index in range(actors):
            stack.tell(index, done)
        for _ in range(actors):
            assert done.acquire(timeout=TIMEOUT)


def timed(job: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the wall clock and of CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    job()
    return time.perf_counter() - wall, time.process_time() - cpu


def in_turn(actors: int, measure: Callable[[Stack], Sequence[float]]) -> tuple[list[float], list[float]]:
    """Median of each figure, for plain and ours."""
    seen: tuple[list[Sequence[float]], list[Sequence[float]]] = ([], [])
    for _ in range(PAIRS):
        stacks = [make(actors) for make in STACKS]
        for stack in stacks:
            measure(stack)
        gc.collect()
        for number in range(ROUNDS):
            for index in (0, 1) if number % 2 else (1, 0):
                seen[index].append(measure(stacks[index]))
        for stack in stacks:
            stack.stop()
    plain, ours = ([statistics.median(column) for column in zip(*rows, strict=True)] for rows in seen)
    return plain, ours


def told(actors: int) -> list[tuple[object, ...]]:
    def measure(stack: Stack) -> Sequence[float]:
        wall, cpu = timed(lambda: flood(stack, actors))
        return MESSAGES / wall, cpu / MESSAGES * 1e6

    plain, ours = in_turn(actors, measure)
    return [
        (f"tell and handle, {actors} actors: messages/s", plain[0], ours[0], plain[0] / ours[0]),
        (f"tell and handle, {actors} actors: CPU us", plain[1], ours[1], ours[1] / plain[1]),
    ]


def asked(actors: int) -> list[tuple[object, ...]]:
    def measure(stack: Stack) -> Sequence[float]:
        cpu = time.process_time()
        trips = [timed(lambda number=n: stack.ask(number % actors, number))[0] * 1e6 for n in range(ASKS)]  # type: ignore[misc]
        return quantile(trips, 0.5), quantile(trips, 0.99), (time.process_time() - cpu) / ASKS * 1e6

    plain, ours = in_turn(actors, measure)
    titles = (f"ask, {actors} actors: p50 us", f"ask, {actors} actors: p99 us", f"ask, {actors} actors: CPU us")
    return [(title, p, o, o / p) for title, p, o in zip(titles, plain, ours, strict=True)]


def started(actors: int = 100) -> list[tuple[object, ...]]:
    """All started and each has answered once; all stopped."""
    starts: list[list[float]] = [[], []]
    stops: list[list[float]] = [[], []]
    for _ in range(STARTS):
        for index, make in enumerate(STACKS):
            began = time.perf_counter()
            stack = make(actors)
            for number in range(actors):
                stack.ask(number, number)
            starts[index].append((time.perf_counter() - began) / actors * 1e6)
            stops[index].append(timed(stack.stop)[0] / actors * 1e6)
    (p, o), (ps, os) = (map(statistics.median, each) for each in (starts, stops))
    return [("start until it answers, us per actor", p, o, o / p), ("stop, us per actor", ps, os, os / ps)]


def memory(which: str) -> float:
    """KiB of resident memory per idle actor; in a process of its own, or freed stacks would be used again."""
    command = [sys.executable, "-m", "tests.bench.supervision", which]
    return float(subprocess.run(command, capture_output=True, text=True, check=True, timeout=TIMEOUT).stdout)


def print_memory(which: str) -> None:
    make = STACKS[which == "ours"]
    make(10).stop()
    gc.collect()
    rss = psutil.Process().memory_info().rss
    stack = make(IDLE)
    gc.collect()
    print((psutil.Process().memory_info().rss - rss) / IDLE / 1024)
    stack.stop()


def mended() -> list[tuple[object, ...]]:
    """From the sending of the message that kills to the answer of the replacement. Plain Pykka mends nothing."""
    stack = OurStack(1)
    trips = []
    for number in range(RESTARTS):
        stack.tell(0, ValueError("killed by the bench"))
        trips.append(timed(lambda number=number: stack.ask(0, number))[0] * 1e3)  # type: ignore[misc]
    stack.stop()
    return [
        ("crash until the replacement answers, ms: median", "-", statistics.median(trips), "-"),
        ("crash until the replacement answers, ms: worst", "-", max(trips), "-"),
    ]


def unstuck() -> list[tuple[object, ...]]:
    """``stuck_after`` 0.5 s: when the hang is told, and how much later the replacement answers."""
    notices: list[float] = []
    stack = OurStack(
        1, lambda notice: notices.append(time.perf_counter()) if notice.stage is Stage.STUCK else None, 0.5
    )
    seen, answered = [], []
    for number in range(HANGS):
        hang = threading.Event()
        began = time.perf_counter()
        stack.tell(0, hang)
        stack.ask(0, number)
        eventually(lambda number=number: len(notices) > number, 5, "the hang is told")  # type: ignore[misc]
        seen.append((notices[-1] - began) * 1e3)
        answered.append((time.perf_counter() - notices[-1]) * 1e3)
        hang.set()
    stack.stop()
    return [
        ("hang (stuck_after 500 ms) seen after, ms: median", "-", statistics.median(seen), "-"),
        ("hang (stuck_after 500 ms) seen after, ms: worst", "-", max(seen), "-"),
        ("hang seen until the replacement answers, ms: worst", "-", max(answered), "-"),
    ]


def main() -> None:
    if len(sys.argv) > 1:
        print_memory(sys.argv[1])
        return
    logging.disable()  # a line for each crash is not what is measured here
    rows = [row for actors in (1, 10, 100) for row in told(actors)]
    rows += [row for actors in (1, 10, 100) for row in asked(actors)]
    plain, ours = memory("plain"), memory("ours")
    rows += [("resident memory per idle actor, KiB", plain, ours, ours / plain)]
    rows += started() + mended() + unstuck()
    print(table("supervision", ("figure", "plain Pykka", "ours", "ours costs"), [_shown(row) for row in rows]))


def _shown(row: tuple[object, ...]) -> tuple[object, ...]:
    return (*row[:3], f"{row[3]:.2f} x" if isinstance(row[3], float) else row[3])


if __name__ == "__main__":
    main()
