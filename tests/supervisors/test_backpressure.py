"""Frames that come faster than they can be worked on: memory stays flat and the work begins with a fresh one.

A frame that waits its turn would be as old as the queue is long, and a consumer of 1.5 s cannot keep up with 3 a
second. So "at most two frame periods old" can only be had by leaving frames out: the inbox keeps the newest one
alone (latest wins) and counts those it replaced.
"""

from __future__ import annotations

import gc
import statistics
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psutil
import pytest

from supervisors.actor import ActorContext, SupervisedActor
from supervisors.cerberus import Cerberus, Root, start_root
from supervisors.context import Tree
from supervisors.messages import Tick
from supervisors.specs import ChildSpec
from tests.support import eventually

SIZE = 1920 * 1080 * 3  # bytes of a 1080p picture
WORK = 1.5  # seconds
MIB = 2**20
MOST_GROWTH = 32 * MIB
SEVERAL = 4  # frames worked on at the very least, or nothing has been shown


@dataclass(frozen=True)
class Picture:
    number: int
    taken_at: float
    data: bytes = field(repr=False)


class Newest(Picture):
    conflation_key = "picture"


@dataclass
class Seen:
    """``ages``: seconds at the start of work; ``behind``: frames sent since the one that is worked on."""

    sent: int = 0
    numbers: list[int] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)
    behind: list[int] = field(default_factory=list)
    growth: int = 0


class Camera(SupervisedActor):
    """A fresh picture at each tick: filled, so that its memory is really taken."""

    def __init__(self, context: ActorContext, seen: Seen, rate: float, kind: type[Picture]) -> None:
        super().__init__(context)
        self.seen, self.rate, self.kind = seen, rate, kind

    def on_start(self) -> None:
        self.context.every(1 / self.rate, "grab")

    def on_receive(self, message: Any) -> None:
        assert isinstance(message, Tick)
        taken_at, number = time.monotonic(), self.seen.sent + 1
        picture = self.kind(number, taken_at, bytes([1 + number % 255]) * SIZE)
        self.context.tell("consumer", picture)
        self.seen.sent = number


class Consumer(SupervisedActor):
    def __init__(self, context: ActorContext, seen: Seen, work: threading.Event) -> None:
        super().__init__(context)
        self.seen, self.work = seen, work

    def on_receive(self, message: Any) -> None:
        self.seen.ages.append(time.monotonic() - message.taken_at)
        self.seen.behind.append(max(0, self.seen.sent - message.number))
        self.seen.numbers.append(message.number)
        self.work.wait(WORK)


class Run:
    def __init__(self) -> None:
        self.tree, self.seen, self.released = Tree(), Seen(), threading.Event()
        self.root: Root | None = None

    def run(self, rate: float, seconds: float, kind: type[Picture] = Newest) -> Seen:
        """The largest growth of resident memory is looked for ten times a second."""
        gc.collect()
        process = psutil.Process()
        before = process.memory_info().rss
        self.root = start_root(lambda context, tree: self._cerberus(context, tree, rate, kind), self.tree)
        end, pause = time.monotonic() + seconds, threading.Event()
        while time.monotonic() < end:
            pause.wait(0.1)
            self.seen.growth = max(self.seen.growth, process.memory_info().rss - before)
        return self.seen

    def _cerberus(self, context: ActorContext, tree: Tree, rate: float, kind: type[Picture]) -> Cerberus:
        consumer = ChildSpec("consumer", lambda given: Consumer(given, self.seen, self.released))
        camera = ChildSpec("camera", lambda given: Camera(given, self.seen, rate, kind))
        return Cerberus(context, tree=tree, children=(consumer, camera))

    @property
    def replaced(self) -> int:
        inbox = self.tree.directory.inbox("consumer")
        assert inbox is not None
        return inbox.replaced["picture"]


@pytest.fixture
def a_run() -> Iterator[Run]:
    run = Run()
    yield run
    run.released.set()
    if run.root is not None:
        run.root.stop(5.0)
    eventually(lambda: not any("#" in t.name for t in threading.enumerate()), 5, "all actor threads ended")


def check(seen: Seen, run: Run, seconds: float) -> None:
    assert len(seen.numbers) >= min(SEVERAL, seconds / WORK - 1)
    assert seen.numbers == sorted(set(seen.numbers)), "in order, none twice"
    assert seen.growth < MOST_GROWTH
    assert 0 <= seen.sent - len(seen.numbers) - run.replaced <= 2, "worked on, replaced, waiting or just being sent"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("rate", [3, 30])
def test_memory_stays_flat_and_work_begins_with_a_fresh_frame(a_run: Run, rate: int) -> None:
    seen = a_run.run(rate, seconds=6.0)
    check(seen, a_run, 6.0)
    assert max(seen.behind) <= 2  # counted in frames: a busy machine makes seconds long, but not this
    assert statistics.median(seen.ages) < 2 / rate


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("rate", [3, 30])
def test_a_minute_of_frames(a_run: Run, rate: int) -> None:
    seen = a_run.run(rate, seconds=60.0)
    ages = [age * 1000 for age in seen.ages]
    print(
        f"\n{rate}/s for 60 s: sent {seen.sent}, worked on {len(ages)}, replaced {a_run.replaced}, "
        f"growth {seen.growth / MIB:.1f} MiB, age median {statistics.median(ages):.1f} ms, worst {max(ages):.1f} ms"
    )
    check(seen, a_run, 60.0)
    assert max(seen.ages) < 2 / rate


def test_without_latest_wins_the_same_measure_sees_the_memory_grow(a_run: Run) -> None:
    seen = a_run.run(30, seconds=1.4, kind=Picture)
    assert seen.growth > MOST_GROWTH
