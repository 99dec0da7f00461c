"""What it costs to wake a thread: a Bell beside a Condition, two threads in turn, CPU of both for each wake-up.

python -m tests.bench.wake_up
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from typing import Protocol

from supervisors.bell import Bell
from tests.bench.tables import table

ROUNDS, TURNS = 7, 10_000
PATIENCE = 30.0  # seconds


class Wake(Protocol):
    def ring(self) -> None: ...

    def wait(self, timeout: float) -> bool: ...


class OfCondition:
    """The usual way: a flag under a Condition."""

    def __init__(self) -> None:
        self._condition, self._rung = threading.Condition(threading.Lock()), False

    def ring(self) -> None:
        with self._condition:
            self._rung = True
            self._condition.notify()

    def wait(self, timeout: float) -> bool:
        with self._condition:
            while not self._rung:
                if not self._condition.wait(timeout):
                    return False
            self._rung = False
            return True


def in_turn(make: Callable[[], Wake]) -> float:
    """Microseconds of CPU for each wake-up."""
    there, back = make(), make()

    def answer() -> None:
        for _ in range(TURNS):
            there.wait(PATIENCE)
            back.ring()

    thread = threading.Thread(target=answer, name="answers")
    thread.start()
    began = time.process_time()
    for _ in range(TURNS):
        there.ring()
        back.wait(PATIENCE)
    thread.join()
    return (time.process_time() - began) / TURNS / 2 * 1e6


def main() -> None:
    kinds: dict[str, Callable[[], Wake]] = {"Bell": Bell, "Condition": OfCondition}
    found: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(ROUNDS):
        for name, make in kinds.items():
            found[name].append(in_turn(make))
    rows = [(name, statistics.median(each), max(each)) for name, each in found.items()]
    print(table(f"{ROUNDS} rounds of {TURNS} turns", ("", "median us a wake-up", "slowest round"), rows))


if __name__ == "__main__":
    main()
