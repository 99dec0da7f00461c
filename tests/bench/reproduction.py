"""How many of the failure scenarios are confirmed, at which level, and how long that takes: each is made to happen,
recorded, written as a platform and run three times, each in a process and a sandbox of its own.

python -m tests.bench.reproduction [--only WORD]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.local_process import LocalProcesses
from foureyes_actors.replay.replaying import PORT, WIRE, Outcome
from t00l5et.confirm import Confirmation, Level, confirm, record_id
from t00l5et.reproduction import Reproduction
from tests.bench.tables import quantile, table
from tests.replay.make import failure, record_of, written
from tests.replay.scenario import Scenario
from tests.replay.scenarios import scenarios

BAR = 15.0  # seconds: what the median is to be below
LEVELS = (WIRE, PORT, str(Level.STAND_IN), str(Level.UNCONFIRMED))


@dataclass(frozen=True)
class Row:
    """``run_at``: the level of a run; ``level``: what the three of them confirm. ``seconds``: from the exception to the
    confirmation."""

    scenario: Scenario
    entry: str
    found: Confirmation
    run_at: str
    seconds: float

    @property
    def level(self) -> str:
        return self.run_at if self.found.level in (WIRE, PORT) else str(self.found.level)

    @property
    def confirmed(self) -> bool:
        return self.found.level is not Level.UNCONFIRMED

    def cells(self) -> Sequence[object]:
        same, reason = f"{self.found.same} of {self.found.runs}", self.found.reason.partition("; not on a wire")[0]
        return (
            self.scenario.group,
            self.scenario.name[:45],
            self.entry,
            self.level,
            same,
            reason[-60:],
            f"{self.seconds:.1f}",
        )


def one(scenario: Scenario, folder: Path) -> Row:
    error = failure(scenario.act)
    began = time.perf_counter()
    record = record_of(error, scenario.secrets)
    made = written(record, folder)
    found = confirm(made, LocalProcesses(), SystemClock())
    seconds = time.perf_counter() - began
    verdict = Reproduction(made, record_id(made) or "").verdict()
    run_at = verdict.level if verdict.outcome is Outcome.SAME else PORT
    return Row(scenario, str(record.document["entry"]).rpartition(".")[2], found, run_at, seconds)


def by(rows: Sequence[Row], key: Callable[[Row], str], head: str) -> str:
    """Counts with their denominators."""
    lines = []
    for name in [*dict.fromkeys(key(row) for row in rows), "all"]:
        of = [row for row in rows if name in ("all", key(row))]
        counts = Counter(row.level for row in of)
        confirmed = f"{sum(row.confirmed for row in of)} of {len(of)}"
        times = [row.seconds for row in of]
        spent = (f"{quantile(times, 0.5):.1f}", f"{max(times):.1f}")
        lines.append((name, confirmed, *(counts[level] for level in LEVELS), *spent))
    return table("confirmed, three of three", (head, "confirmed", *LEVELS, "median s", "longest s"), lines)


def main() -> None:
    word = sys.argv[2] if sys.argv[1:2] == ["--only"] else ""
    with tempfile.TemporaryDirectory() as folder:
        rows = [one(scenario, Path(folder)) for scenario in scenarios() if word in str(scenario)]
    heads = ("class", "scenario", "replay point", "level", "same", "what", "s")
    print(table("failures", heads, [row.cells() for row in rows]))
    print(f"\n{by(rows, lambda row: row.scenario.group, 'class')}")
    median = quantile([row.seconds for row in rows], 0.5)
    print(f"\nexception to confirmation: {median:.1f} s (wanted < {BAR:g} s: {'met' if median < BAR else 'missed'})")
    print(f"sandbox: {', '.join(sorted({row.found.sandbox for row in rows}))}")


if __name__ == "__main__":
    main()
