"""The contract test at the base commit, run once in a sandbox: does it fail there, and what does it print?"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.process import ProcessPort
from t00l5et.sandbox import PACKAGES, Limits, Sandbox, run_inside

SECONDS = 60.0
SKIPPED, HOLDS = 5, 0  # exit codes
TREE = "tree"
RUN = """\
import sys
from pathlib import Path
inside, name, record = sys.argv[1:]
sys.path.insert(0, inside + "/tree")
try:
    from t00l5et.reproduction import Reproduction
except Exception as error:  # it cannot even be asked
    print("cannot be asked:", error)
    sys.exit(5)
try:
    Reproduction(Path(inside, name), record).contract()
except BaseException as error:
    if type(error).__name__ == "Skipped" or getattr(error, "name", "") == "pytest":
        print("skipped:", error)
        sys.exit(5)
    raise
"""


class Contract(StrEnum):
    FAILS = "fails"
    HOLDS = "holds"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Found:
    """``output``: untrusted text, at most a hundred lines."""

    contract: Contract
    output: str = field(repr=False)


def run_contract(
    platform: Path, record: str, tree: Path, box: Path, processes: ProcessPort, clock: Clock, sandbox: Sandbox
) -> Found:
    """``tree``: a checkout of the base commit; ``box``: an empty folder for the run, which stays to be thrown away.
    Raises OSError, ProcessError."""
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    for package in PACKAGES:
        shutil.copytree(tree / package, box / TREE / package, symlinks=True, ignore=ignored)
    shutil.copytree(platform, box / platform.name, symlinks=True, ignore=ignored)

    def command(inside: str) -> list[str]:
        return [sys.executable, "-B", "-c", RUN, inside, platform.name, record]

    result = run_inside(sandbox, command, box, processes, clock, Limits(seconds=SECONDS))
    output = "\n".join(result.lines)
    if result.exit_code is None:
        return Found(Contract.FAILS, f"{output}\nno end within {SECONDS:g} s")
    if result.exit_code == HOLDS:
        return Found(Contract.HOLDS, output)
    return Found(Contract.UNCLEAR if result.exit_code == SKIPPED else Contract.FAILS, output)
