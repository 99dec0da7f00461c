"""The set of patches through the gate, and beside it through "the reproduction passes and the suite passes" alone.
Every patch is really run both ways, in the strong sandbox, with the same tests as the suite.

python -m tests.bench.gate [--only WORD]
python -m tests.bench.gate --whole    one good patch, with the whole test suite as the gate has it by default
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from foureyes_actors.errors import ProcessError
from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.local_process import LocalProcesses
from foureyes_actors.replay.program import ROOT
from t00l5et.gate.gate import GateReport, examine
from t00l5et.gate.suite import SCRIPT, Suite
from t00l5et.sandbox import MB, Sandbox, best_sandbox, may_run_foreign_code, run_inside
from tests.bench.tables import quantile, table
from tests.t00l5et.gate.defects import Planted, planted, run
from tests.t00l5et.gate.patches.bad import BY_CODE
from tests.t00l5et.gate.patches.good import GOOD
from tests.t00l5et.gate.patches.made import Patch
from tests.t00l5et.gate.patches.odd import ODD


@dataclass(frozen=True)
class Row:
    """``plain``: what reproduction and suite alone say; empty: accepted."""

    patch: Patch
    report: GateReport
    seconds: float
    plain: str

    @property
    def right(self) -> bool:
        return self.report.passed == (not self.patch.rule)

    def cells(self) -> Sequence[object]:
        gate = "to review" if self.report.passed else f"stopped: {self.report.rule}"
        plain = "accepted" if not self.plain else f"refused: {self.plain}"
        wrong = "" if self.right else "WRONG"
        return (self.patch.kind, self.patch.name, self.patch.defect, gate, plain, f"{self.seconds:.1f}", wrong)


class Plain:
    """Reproduction and suite, as many do it: the patch is applied, and pytest runs both in the patched tree."""

    def __init__(self, below: Path, sandbox: Sandbox) -> None:
        self._below, self._sandbox = below, sandbox

    def verdict(self, patch: Patch, case: Planted) -> str:
        """Why it is refused; empty when it is accepted."""
        tree, folder = self._below / "patched", self._below / "run"
        diff = self._below / "plain.diff"
        diff.write_bytes(patch.data(case))
        clone = str(case.case.repository)
        run("git", "-C", clone, "worktree", "add", "--quiet", "--detach", str(tree), case.case.base)
        try:
            applied = subprocess.run(["git", "-C", str(tree), "apply", str(diff)], capture_output=True, timeout=60)
            return self._pytest(tree, folder, case) if applied.returncode == 0 else "does not apply"
        finally:
            shutil.rmtree(tree, ignore_errors=True)
            shutil.rmtree(folder, ignore_errors=True)
            run("git", "-C", clone, "worktree", "prune")

    def _pytest(self, tree: Path, folder: Path, case: Planted) -> str:
        platform = case.case.platform
        shutil.copytree(platform, folder / platform.name)
        shutil.copyfile(SCRIPT, folder / SCRIPT.name)
        code = {path.name: path for path in sorted(tree.iterdir()) if path.name != ".git" and not path.is_symlink()}
        limits = replace(case.suite.limits, seconds=90.0, cpu=40, memory=1536 * MB)
        tests = [str(ROOT / path) for path in case.suite.paths]
        result = run_inside(
            self._sandbox,
            lambda at: [
                *(sys.executable, "-B", f"{at}/{SCRIPT.name}", str(ROOT), at, "mark", "/out/pytest"),
                *(f"{at}/{platform.name}", *tests),
            ],
            folder,
            LocalProcesses(),
            SystemClock(),
            limits,
            code,
        )
        ends = [line.split()[2] for line in result.lines if line.startswith("mark end ")]
        if result.exit_code is None or not ends:
            return "does not end" if result.exit_code is None else f"breaks off ({result.exit_code})"
        failed = [line for line in result.lines if line.startswith("mark named ")]
        return "" if ends == ["0"] else "reproduction" if any("repro_" in line for line in failed) else "suite"


def rows(patches: Sequence[Patch], below: Path) -> Iterator[Row]:
    sandbox = best_sandbox(LocalProcesses(), SystemClock())
    if not may_run_foreign_code(sandbox):
        raise SystemExit(f"no strong sandbox here, and patches are run in no other: {sandbox}")
    cases, plain = planted(below), Plain(below, sandbox)
    for patch in patches:
        case = cases[patch.defect]
        began = time.perf_counter()
        report = examine(
            *(case.case, patch.data(case), case.suite, LocalProcesses(), SystemClock()),
            sandbox=sandbox,
            cache=below / "cache",
        )
        seconds = time.perf_counter() - began
        try:
            beside = plain.verdict(patch, case)
        except ProcessError as error:
            beside = str(error)
        sys.stderr.write(f"{patch.name}: {report.rule or 'to review'}; {beside or 'accepted'}\n")
        yield Row(patch, report, seconds, beside)


def totals(found: Sequence[Row]) -> str:
    good = [row for row in found if not row.patch.rule]
    bad = [row for row in found if row.patch.rule]
    by_rule = Counter(row.report.rule or "nothing" for row in bad)
    told = [
        ("good patches that reach review", _of([row.report.passed for row in good]), _of([not r.plain for r in good])),
        (
            "bad patches that are stopped",
            _of([not row.report.passed for row in bad]),
            _of([bool(r.plain) for r in bad]),
        ),
    ]
    heads = ("", "gate", "reproduction + suite")
    passed, stopped = [r.seconds for r in good], [r.seconds for r in bad]
    return "\n\n".join(
        [
            table("Totals", heads, told),
            f"stopped by: {', '.join(f'{rule} {n}' for rule, n in by_rule.most_common())}",
            f"seconds in the gate, median: {quantile(passed, 0.5):.1f} to review, {quantile(stopped, 0.5):.1f} stopped",
            f"not as they should: {', '.join(r.patch.name for r in found if not r.right) or 'none'}",
        ]
    )


def _of(verdicts: Sequence[bool]) -> str:
    return f"{sum(verdicts)} of {len(verdicts)}"


def whole() -> None:
    """Twice the time of ``make test JOBS=0``: the base's own run comes first. A base's is kept for its next patch."""
    patch = GOOD[0]
    with tempfile.TemporaryDirectory(prefix="foureyes-bench-gate-") as folder:
        case = planted(Path(folder))[patch.defect]

        def progress(step: str) -> None:
            sys.stderr.write(f"{time.strftime('%H:%M:%S')} {step}\n")

        print(examine(case.case, patch.data(case), Suite(), LocalProcesses(), SystemClock(), progress=progress))


def main() -> None:
    if sys.argv[1:] == ["--whole"]:
        whole()
        return
    word = sys.argv[2] if sys.argv[1:2] == ["--only"] else ""
    patches = [patch for patch in (*GOOD, *BY_CODE, *ODD) if word in f"{patch.name} {patch.kind}"]
    with tempfile.TemporaryDirectory(prefix="foureyes-bench-gate-") as folder:
        found = list(rows(patches, Path(folder)))
    heads = ("kind", "patch", "defect", "gate", "reproduction + suite", "s", "")
    print(table("Patches", heads, [row.cells() for row in found]))
    print("\n" + totals(found))


if __name__ == "__main__":
    main()
