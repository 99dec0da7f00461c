"""A storm of faults over the whole running program, with a table of the recoveries and the account of what was kept.

python -m tests.bench.storm --faults 300 --seed 1 [--reproduce]
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from pathlib import Path

from tests.bench import storm_failures
from tests.faults.storm.storm import Report, storm, told
from tests.faults.storm.verdict import verdict


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faults", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verbose", action="store_true", help="a line for each recovery")
    parser.add_argument("--reproduce", action="store_true", help="and run again what was recorded of it")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)  # a storm logs much, and all of it is in the store
    with tempfile.TemporaryDirectory() as scratch:
        say = (lambda line: print(line, flush=True)) if arguments.verbose else (lambda line: None)
        code = shown(storm(Path(scratch), faults=arguments.faults, seed=arguments.seed, say=say))
        if arguments.reproduce:
            print("\n" + "\n".join(storm_failures.told(storm_failures.left(Path(scratch)))))
        return code


def shown(report: Report) -> int:
    print("\n".join(told(report)))
    failures = verdict(report)
    print("\n".join(f"MISSED: {each}" for each in failures) or "all bars met")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
