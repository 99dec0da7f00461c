"""The set of patches through the real gate: every good one reaches review, every bad one is stopped by its rule.

With few tests as the suite; ``python -m tests.bench.gate`` prints them all beside "reproduction and suite" alone. Of
those that are run, the first of each kind and rule (of the good ones, of each defect) is in the ordinary suite, and the
rest in the long one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.local_process import LocalProcesses
from t00l5et.gate.gate import examine
from t00l5et.sandbox import Sandbox
from tests.t00l5et.gate.defects import Planted
from tests.t00l5et.gate.patches.bad import BY_CODE
from tests.t00l5et.gate.patches.good import GOOD
from tests.t00l5et.gate.patches.made import Patch
from tests.t00l5et.gate.patches.odd import ODD

STATIC = ("encoding", "diff", "paths", "size", "applies", "parses", "platform", "smells", "literals", "lint")


def parameters(patches: Sequence[Patch]) -> list[Any]:
    seen, made = set(), []
    for patch in patches:
        alike = (patch.kind, patch.rule or patch.defect)
        again = alike in seen and patch.rule not in STATIC
        seen.add(alike)
        made.append(pytest.param(patch, marks=pytest.mark.slow) if again else patch)
    return made


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def test_there_are_enough_of_them() -> None:
    kinds = Counter(patch.kind for patch in (*BY_CODE, *ODD))
    assert len(GOOD) >= 12 and sum(kinds.values()) >= 36, kinds
    names = [patch.name for patch in (*GOOD, *BY_CODE, *ODD)]
    assert len(set(names)) == len(names), Counter(names).most_common(1)


@pytest.mark.parametrize("patch", parameters([*BY_CODE, *ODD]), ids=str)
def test_a_bad_one_is_stopped(patch: Patch, cases: Mapping[str, Planted], cache: Path, strong: Sandbox) -> None:
    case = cases[patch.defect]
    report = examine(
        case.case, patch.data(case), case.few, LocalProcesses(), SystemClock(), sandbox=strong, cache=cache
    )
    assert not report.passed
    assert report.rule == patch.rule, str(report)
    assert bool(report.sandbox) == (patch.rule not in STATIC and not _by_decorator(report.reason)), report


def _by_decorator(reason: str) -> bool:
    """A contract that became another is seen before anything is run."""
    return "became" in reason


@pytest.mark.parametrize("patch", parameters(GOOD), ids=str)
def test_a_good_one_reaches_review(patch: Patch, cases: Mapping[str, Planted], cache: Path, strong: Sandbox) -> None:
    case = cases[patch.defect]
    report = examine(
        case.case, patch.data(case), case.few, LocalProcesses(), SystemClock(), sandbox=strong, cache=cache
    )
    assert report.passed, str(report)
    assert [step.name for step in report.steps][-4:] == ["contract", "variants", "runs", "suite"]
    assert report.sandbox == "bubblewrap"
