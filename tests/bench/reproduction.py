"""How many of the failure scenarios are confirmed, at which level, and how long that takes: each is made to happen,
recorded, written as a platform and run three times, each in a process and a sandbox of its own.

python -m tests.bench.reproduction
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from pathlib import Path

from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.local_process import LocalProcesses
from t00l5et.confirm import Confirmation, Level, confirm
from tests.bench.tables import quantile, table
from tests.replay.make import failure, record_of, written
from tests.replay.scenarios import Scenario, scenarios

BAR = 15.0  # seconds: what the median is to be below


def one(scenario: Scenario, folder: Path) -> tuple[Confirmation, str, float]:
    """The confirmation, the replay point, seconds from the exception to the confirmation."""
    error = failure(scenario.act)
    began = time.perf_counter()
    record = record_of(error, scenario.secrets)
    found = confirm(written(record, folder), LocalProcesses(), SystemClock())
    return found, str(record.document["entry"]).rpartition(".")[2], time.perf_counter() - began


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        rows = [(scenario, *one(scenario, Path(folder))) for scenario in scenarios()]
    shown = [
        (s.group, s.name[:45], entry, c.level, f"{c.same} of {c.runs}", c.reason[-60:], f"{seconds:.1f}")
        for s, c, entry, seconds in rows
    ]
    print(table("failures", ("class", "scenario", "replay point", "level", "same", "what", "s"), shown))
    levels = Counter(c.level for _, c, _, _ in rows)
    times = [seconds for *_, seconds in rows]
    confirmed = len(rows) - levels[Level.UNCONFIRMED]
    print(f"\nconfirmed {confirmed} of {len(rows)}: {', '.join(f'{n} {level}' for level, n in levels.items())}")
    print(f"sandbox: {', '.join(sorted({c.sandbox for _, c, _, _ in rows}))}")
    median = quantile(times, 0.5)
    verdict = "met" if median < BAR else "missed"
    print(
        f"exception to confirmation: median {median:.1f} s (wanted < {BAR:g} s: {verdict}), longest {max(times):.1f} s"
    )


if __name__ == "__main__":
    main()
