"""Three ticks a second beside slow handlers and busy threads: no drift, none piled up, every skipped one counted."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from supervisors.actor import ActorContext, SupervisedActor
from supervisors.cerberus import Cerberus, start_root
from supervisors.context import ChildContext, Tree
from supervisors.inbox import Inbox
from supervisors.messages import Tick
from supervisors.schedule import Schedule
from supervisors.specs import ChildSpec
from tests.support import eventually

PERIOD = 1 / 3  # seconds
MINUTE = 180  # ticks
SLOW = 0.5  # seconds in a handler


class Clock:
    """Starts at a number that is not round, as a machine's clock does."""

    def __init__(self, now: float = 12345.678) -> None:
        self.began = self.now = now

    def __call__(self) -> float:
        return self.now


class Still:
    """A child's context and its ticks, without threads: ``Schedule.run_due`` is called by hand."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.schedule = clock, Schedule(clock)
        self.tree = Tree(schedule=self.schedule, monotonic=clock)
        self.inbox = Inbox("subject", monotonic=clock)

    def incarnation(self) -> ChildContext:
        return ChildContext("subject", self.inbox, self.tree, None)

    def advance(self, seconds: float, step: float = 0.01) -> None:
        """The timer thread is on time, within ``step`` seconds."""
        for _ in range(round(seconds / step)):
            self.clock.now += step
            self.schedule.run_due()

    def take(self, context: ChildContext) -> Tick | None:
        if self.inbox.empty():
            return None
        envelope = self.inbox.take(context.incarnation)
        assert envelope is not None
        assert isinstance(envelope.message, Tick)
        return envelope.message


def counting(numbers: list[int]) -> Callable[[int], bool]:
    """A ``fire`` that goes on for ever."""

    def fire(number: int) -> bool:
        numbers.append(number)
        return True

    return fire


@pytest.fixture
def still() -> Still:
    return Still(Clock())


def test_each_deadline_is_hit_once_and_exactly(still: Still) -> None:
    """The clock stands on the deadline itself: the hardest case for rounding."""
    numbers: list[int] = []
    still.schedule.every(PERIOD, counting(numbers))
    for number in range(1, MINUTE + 1):
        still.clock.now = still.clock.began + number * PERIOD
        still.schedule.run_due()
    assert numbers == list(range(1, MINUTE + 1))
    assert still.schedule.skipped == 0


@pytest.mark.parametrize("work", [SLOW, 1.7])
def test_a_slow_handler_gets_the_newest_tick_and_never_an_old_one(still: Still, work: float) -> None:
    context = still.incarnation()
    context.every(PERIOD, "look")
    lateness, numbers = [], []
    while still.clock.now < still.clock.began + MINUTE * PERIOD:
        tick = still.take(context)
        if tick is not None:
            numbers.append(tick.number)
            lateness.append(still.clock.now - (still.clock.began + tick.number * PERIOD))
        still.advance(work if tick is not None else 0.01)
    assert max(lateness) < PERIOD + 0.02, "a handler ends somewhere between two ticks"
    third = len(lateness) // 3
    assert max(lateness[2 * third :]) <= max(lateness[third : 2 * third]) + 0.02
    waiting = len(still.inbox)
    assert len(numbers) + still.inbox.replaced["tick:look"] + waiting >= MINUTE - 1
    assert still.schedule.skipped == 0, "the timer itself was on time"


def test_a_late_timer_thread_skips_and_counts_and_keeps_the_grid(still: Still) -> None:
    numbers: list[int] = []
    still.schedule.every(PERIOD, counting(numbers))
    late = [0.5, 1.7, 0.4, 3.0, 0.34] * 20
    for seconds in late:
        still.clock.now += seconds
        still.schedule.run_due()
    due = int((still.clock.now - still.clock.began) / PERIOD)
    assert numbers == sorted(set(numbers))
    assert due - 1 <= len(numbers) + still.schedule.skipped <= due
    assert len(numbers) <= len(late), "one tick for each time that the thread got there"
    still.clock.now = still.clock.began + (due + 1) * PERIOD + 0.001
    still.schedule.run_due()
    assert numbers[-1] == due + 1


def test_what_an_old_incarnation_was_to_get_is_discarded_and_counted(still: Still) -> None:
    old = still.incarnation()
    old.every(PERIOD, "look")
    still.advance(PERIOD + 0.02)
    assert len(still.inbox) == 1
    old.fence()
    new = still.incarnation()
    new.every(1.0, "probe")
    still.advance(1.02)
    assert still.take(new) == Tick("probe", 1)
    assert still.inbox.stale == 1
    assert still.inbox.empty()


def test_a_schedule_ends_with_its_incarnation(still: Still) -> None:
    old = still.incarnation()
    old.every(PERIOD, "look")
    old.fence()
    still.advance(3.0)
    assert still.inbox.empty()
    assert still.schedule.skipped == 0


# --- in real time ---


@dataclass
class Seen:
    start: float = 0.0
    ticks: list[tuple[int, float]] = field(default_factory=list)  # number, seconds after its deadline

    def worst(self, first: float, last: float) -> float:
        """Of a part of the run; the 90th percentile, as a single stall of the machine is not drift."""
        count = len(self.ticks)
        part = sorted(late for _, late in self.ticks[int(first * count) : int(last * count)])
        return part[int(0.9 * len(part))]


class Looker(SupervisedActor):
    def __init__(self, context: ActorContext, seen: Seen, work: float, released: threading.Event) -> None:
        super().__init__(context)
        self.seen, self.work, self.released = seen, work, released

    def on_start(self) -> None:
        self.seen.start = time.monotonic()
        self.context.every(PERIOD, "look")

    def on_receive(self, message: Any) -> None:
        self.seen.ticks.append((message.number, time.monotonic() - (self.seen.start + message.number * PERIOD)))
        if self.work:
            self.released.wait(self.work)


def spin(over: threading.Event) -> None:
    count = 0
    while not over.is_set():
        count += 1


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_minute_beside_two_busy_threads() -> None:
    slow, quick, released, tree = Seen(), Seen(), threading.Event(), Tree()
    specs = (
        ChildSpec("slow", lambda context: Looker(context, slow, SLOW, released)),
        ChildSpec("quick", lambda context: Looker(context, quick, 0.0, released)),
    )
    busy = [threading.Thread(target=spin, args=(released,), name=f"busy {n}", daemon=True) for n in range(2)]
    root = start_root(lambda context, given: Cerberus(context, tree=given, children=specs), tree)
    for thread in busy:
        thread.start()
    try:
        threading.Event().wait(60.0)
    finally:
        skipped = tree.schedule.skipped
        replaced = {name: _replaced(tree, name) for name in ("slow", "quick")}
        released.set()
        root.stop(10.0)
        for thread in busy:
            thread.join(10)
    eventually(lambda: not any("#" in t.name for t in threading.enumerate()), 30, "all actor threads ended")
    for name, seen in (("slow", slow), ("quick", quick)):
        _show(name, seen, replaced[name])
        numbers = [number for number, _ in seen.ticks]
        assert numbers == sorted(set(numbers))
        assert MINUTE - 4 <= numbers[-1] <= MINUTE + 1
        assert seen.worst(2 / 3, 1) < seen.worst(1 / 3, 2 / 3) + 0.25, "drift would grow with time"
        assert seen.worst(2 / 3, 1) < 2 * PERIOD
    left_out = sum(seen.ticks[-1][0] - len(seen.ticks) for seen in (slow, quick))
    print(f"skipped by the timer: {skipped}")
    assert 0 <= skipped + sum(replaced.values()) - left_out <= 4, "all that were left out are counted"


def _replaced(tree: Tree, name: str) -> int:
    inbox = tree.directory.inbox(name)
    assert inbox is not None
    return inbox.replaced["tick:look"]


def _show(name: str, seen: Seen, replaced: int) -> None:
    late = [late * 1000 for _, late in seen.ticks]
    print(
        f"\n{name}: last tick {seen.ticks[-1][0]}, handled {len(late)}, replaced {replaced}, lateness median "
        f"{statistics.median(late):.0f} ms, worst {max(late):.0f} ms; 90 % in the middle third "
        f"{seen.worst(1 / 3, 2 / 3) * 1000:.0f} ms, in the last {seen.worst(2 / 3, 1) * 1000:.0f} ms"
    )
