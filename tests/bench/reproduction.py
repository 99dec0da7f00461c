"""How many of the failure scenarios are confirmed, at which level, and how long that takes: each is made to happen,
recorded, written as a platform and run three times, each in a process and a sandbox of its own. With ``--storm`` what a
storm of faults over the whole running program leaves behind is counted beside them.

python -m tests.bench.reproduction [--only WORD] [--storm FAULTS [--seed S]]
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.local_process import LocalProcesses
from t00l5et.confirm import confirm
from tests.bench import storm_failures
from tests.bench.reproduction_row import Row, by, run_level
from tests.bench.tables import quantile, table
from tests.faults.storm.storm import storm
from tests.replay.make import failure, record_of, written
from tests.replay.scenario import Scenario
from tests.replay.scenarios import scenarios

BAR = 15.0  # seconds: what the median, from the exception to the confirmation, is to be below


def one(scenario: Scenario, folder: Path) -> Row:
    error = failure(scenario.act)
    began = time.perf_counter()
    record = record_of(error, scenario.secrets)
    made = written(record, folder)
    found = confirm(made, LocalProcesses(), SystemClock())
    seconds = time.perf_counter() - began
    entry = str(record.document["entry"]).rpartition(".")[2]
    return Row(scenario.group, scenario.name, entry, found, run_level(made), seconds, record.id)


def after_a_storm(folder: Path, faults: int, seed: int) -> storm_failures.Left:
    logging.disable(logging.CRITICAL)  # a storm logs much, and all of it is in the store
    storm(folder, faults=faults, seed=seed)
    return storm_failures.left(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description="How many failures are confirmed, and at which level.")
    parser.add_argument("--only", default="", metavar="WORD", help="scenarios with this word in their names")
    parser.add_argument("--storm", type=int, default=0, metavar="FAULTS", help="and what so many faults leave")
    parser.add_argument("--seed", type=int, default=1, help="of the storm")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [one(scenario, Path(folder)) for scenario in scenarios() if arguments.only in str(scenario)]
        left = after_a_storm(Path(folder, "storm"), arguments.storm, arguments.seed) if arguments.storm else None
    shown(rows, left)


def shown(rows: Sequence[Row], left: storm_failures.Left | None) -> None:
    heads = ("class", "scenario", "replay point", "level", "same", "what", "s")
    print(table("failures", heads, [row.cells() for row in rows]))
    if left is not None:
        print("\n" + "\n".join(storm_failures.told(left)))
    every = [*rows, *(left.rows if left else ())]
    if every:
        print(f"\n{by(every, lambda row: row.group, 'class')}")
        print(f"sandbox: {', '.join(sorted({row.found.sandbox for row in every}))}")
    if rows:
        median = quantile([row.seconds for row in rows], 0.5)
        print(
            f"\nexception to confirmation: {median:.1f} s (wanted < {BAR:g} s: {'met' if median < BAR else 'missed'})"
        )


if __name__ == "__main__":
    main()
