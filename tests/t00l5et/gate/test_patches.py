"""The set of patches through the real gate: every good one reaches review, every bad one is stopped by its rule.

With few tests as the suite; ``python -m tests.bench.gate`` prints them all beside "reproduction and suite" alone. Of
those that are run, the first of each kind and rule (of the good ones, of each defect) is in the ordinary suite, and the
rest in the long one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.local_process import LocalProcesses
from t00l5et.gate.gate import GateReport, examine
from t00l5et.sandbox import Sandbox
from tests.t00l5et.gate.defects import Planted
from tests.t00l5et.gate.patches.bad import BY_CODE
from tests.t00l5et.gate.patches.good import GOOD
from tests.t00l5et.gate.patches.made import Patch
from tests.t00l5et.gate.patches.odd import ODD

pytestmark = pytest.mark.timeout(900)

PATIENCE = 600.0  # seconds: others are examined before it
STATIC = ("encoding", "diff", "paths", "size", "applies", "parses", "platform", "smells", "literals", "lint")


def parameters(patches: Sequence[Patch]) -> list[Any]:
    seen, made = set(), []
    for patch in patches:
        alike = (patch.kind, patch.rule or patch.defect)
        again = alike in seen and patch.rule not in STATIC
        seen.add(alike)
        made.append(pytest.param(patch, marks=pytest.mark.slow) if again else patch)
    return made


Reports = Mapping[str, Future[GateReport]]  # by the name of the patch


@pytest.fixture(scope="module")
def reports(
    request: pytest.FixtureRequest,
    cases: Mapping[str, Planted],
    strong: Sandbox,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Reports]:
    """Of all patches that are asked for, examined two at a time. What is kept for the next one is each worker's own, so
    those of one defect that are run go to one of them."""
    wanted = [getattr(getattr(item, "callspec", None), "params", {}).get("patch") for item in request.session.items]
    patches = [patch for patch in wanted if isinstance(patch, Patch)]
    caches = [tmp_path_factory.mktemp("cache") for _ in range(2)]

    def examined(patch: Patch, cache: Path) -> GateReport:
        case = cases[patch.defect]
        data, suite = patch.data(case), case.few
        return examine(case.case, data, suite, LocalProcesses(), SystemClock(), sandbox=strong, cache=cache)

    with ThreadPoolExecutor(1, "gate-1") as first, ThreadPoolExecutor(1, "gate-2") as second:
        found = {}
        for number, patch in enumerate(patches):
            place = number % 2 if patch.rule in STATIC else int(patch.defect != "money")
            found[patch.name] = (first, second)[place].submit(examined, patch, caches[place])
        yield found
        for report in found.values():  # after -x nobody wants the rest
            report.cancel()


def test_there_are_enough_of_them() -> None:
    kinds = Counter(patch.kind for patch in (*BY_CODE, *ODD))
    assert len(GOOD) >= 12 and sum(kinds.values()) >= 36, kinds
    names = [patch.name for patch in (*GOOD, *BY_CODE, *ODD)]
    assert len(set(names)) == len(names), Counter(names).most_common(1)


@pytest.mark.parametrize("patch", parameters([*BY_CODE, *ODD]), ids=str)
def test_a_bad_one_is_stopped(patch: Patch, reports: Reports) -> None:
    report = reports[patch.name].result(PATIENCE)
    assert not report.passed
    assert report.rule == patch.rule, str(report)
    assert bool(report.sandbox) == (patch.rule not in STATIC and not _by_decorator(report.reason)), report


def _by_decorator(reason: str) -> bool:
    """A contract that became another is seen before anything is run."""
    return "became" in reason


@pytest.mark.parametrize("patch", parameters(GOOD), ids=str)
def test_a_good_one_reaches_review(patch: Patch, reports: Reports) -> None:
    report = reports[patch.name].result(PATIENCE)
    assert report.passed, str(report)
    assert [step.name for step in report.steps][-4:] == ["contract", "variants", "runs", "suite"]
    assert report.sandbox == "bubblewrap"
