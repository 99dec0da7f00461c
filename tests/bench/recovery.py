"""How long the embedded server is away after each kind of trouble: until its models are loaded and the canary passed.

python -m tests.bench.recovery [ROUNDS]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench.tables import table
from tests.real.test_embedded_server import House, Make
from tests.real.test_recovery import Recovery, deaf, frozen, grown, in_the_way, killed, slow

AIM = 10.0  # seconds, for a crash; the seed allows 60


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    rows = [
        row("kill -9", killed, rounds, AIM),
        row("SIGSTOP (checks each 1 s, 2 fail)", frozen, rounds),
        row("SIGSTOP, and deaf to SIGTERM", deaf, rounds),
        row("kill -9, starts 3 s late", slow, rounds, AIM),
        row("400 MB too much (planned, two steps)", _grown, rounds),
        row("kill -9, a stranger takes its port (from his end on)", in_the_way, 1),
    ]
    print(table("seconds to", ["trouble", "seen", "operational", "worst", "aim", "held"], rows))


def row(name: str, trouble: Callable[[Make], Recovery], rounds: int, aim: float | None = None) -> list[object]:
    took = [_in_a_house(trouble) for _ in range(rounds)]
    ready, worst = statistics.median(each.ready for each in took), max(each.ready for each in took)
    held = "-" if aim is None else ("yes" if worst < aim else "NO")
    return [name, statistics.median(each.seen for each in took), ready, worst, "-" if aim is None else aim, held]


def _in_a_house(trouble: Callable[[Make], Recovery]) -> Recovery:
    houses: list[House] = []

    def make(**values: Any) -> House:
        houses.append(House(**values))
        return houses[-1]

    try:
        return trouble(make)
    finally:
        for each in houses:
            each.stop()


def _grown(make: Make) -> Recovery:
    with tempfile.TemporaryDirectory() as folder:
        return grown(make, Path(folder) / "grown")


if __name__ == "__main__":
    main()
