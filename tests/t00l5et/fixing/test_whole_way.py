"""From a recorded failure to a checkout that no longer fails, and back, with the real gate: by the commands alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from foureyes_actors.forgewright.landing import Landed, Landing, landing_from
from foureyes_actors.forgewright.proposal import Outcome, Proposal, proposal_from
from foureyes_actors.replay.program import t00l5et
from t00l5et.fixing.contract import Contract, run_contract
from t00l5et.fixing.git import fresh_folder
from t00l5et.sandbox import Sandbox
from tests.support import missing, need
from tests.t00l5et.fixing.support import CLOCK, PROCESSES, git_in, head, python_fixer
from tests.t00l5et.gate.defects import DEFECTS, ROOT, Planted, _plant, need_git
from tests.t00l5et.gate.patches.bad import BY_CODE
from tests.t00l5et.gate.patches.good import GOOD

ID = "FORGE-2026-001"
DEFECT = "growth"
GOOD_ONE = next(patch for patch in GOOD if patch.defect == DEFECT)
BAD_ONE = next(patch for patch in BY_CODE if patch.defect == DEFECT and patch.rule == "literals")


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """This repository with a defect as a commit on main, and what was recorded of it."""
    if not need_git():
        missing("a git checkout of FourEyes, which can be cloned")
    need(modules=("unidiff", "libcst", "bandit"), install='pip install -e ".[forge]"')
    below = tmp_path_factory.mktemp("whole")
    clone = below / "repository"
    git_in(ROOT, "clone", "--quiet", "--shared", str(ROOT), str(clone))
    made = _plant(next(each for each in DEFECTS if each.name == DEFECT), clone, head(clone), below)
    git_in(clone, "worktree", "remove", "--force", str(made.tree))
    git_in(clone, "checkout", "-q", "-B", "main", made.case.base)
    return made


def landed(*arguments: str) -> Landing:
    lines = PROCESSES.run(t00l5et(*arguments, "--json"), timeout=110).lines
    found = landing_from(lines[-1])
    assert found is not None, lines
    return found


def fixed(planted: Planted, work: Path, line: str) -> Proposal:
    places = ["--work", str(work), "--repository", str(planted.case.repository)]
    suite = [part for path in planted.defect.suite for part in ("--suite", path)]
    siblings = [part for folder in planted.case.siblings for part in ("--sibling", str(folder))]
    command = t00l5et("fix", str(planted.case.platform), *places, *suite, *siblings, "--fixer", line, "--json")
    lines = PROCESSES.run(command, timeout=280).lines
    found = proposal_from(lines[-1])
    assert found is not None, lines
    return found


@pytest.mark.timeout(400)
def test_the_whole_way_and_back(planted: Planted, tmp_path: Path, sandbox: Sandbox) -> None:
    """The first diff knows the recorded value; the gate says so to the fixer, whose second one is good."""
    checkout, base, work = planted.case.repository, planted.case.base, tmp_path / "work"
    platform = planted.case.platform
    record = platform.name.removeprefix("repro_")

    def contract() -> Contract:
        box = fresh_folder(tmp_path / "box")
        return run_contract(platform, record, checkout, box, PROCESSES, CLOCK, sandbox).contract

    source = Planted(planted.defect, checkout, planted.case)
    for patch, name in ((BAD_ONE, "bad.diff"), (GOOD_ONE, "good.diff")):
        (tmp_path / name).write_bytes(patch.data(source))
    code = (
        "import json, sys\n"
        "told = [each['rule'] for each in json.load(sys.stdin)['earlier_attempts']]\n"
        f"place = {str(tmp_path)!r} + ('/good.diff' if told == ['literals'] else '/bad.diff')\n"
        "sys.stdout.write(open(place, encoding='utf-8').read())\n"
    )
    assert contract() is Contract.FAILS
    line = python_fixer(tmp_path, code)
    found = fixed(planted, work, line)
    assert found.outcome is Outcome.PASSED, found
    assert [each.rule for each in found.attempts] == ["literals", ""]
    assert found.base == base and found.files == (planted.defect.edits[0][0],)
    reports = [json.loads((work / f"attempt_{n}" / "gate.json").read_text(encoding="utf-8")) for n in (1, 2)]
    assert [report["passed"] for report in reports] == [False, True]
    assert fixed(planted, work, line) == found, "done: nobody is asked, and what passed passes again"
    assert head(checkout) == base and git_in(checkout, "status", "--porcelain") == ""

    places = ("--decision", ID, "--repository", str(checkout))
    made = ("branch", "--work", str(work), *places, "--patch")
    assert [landed(*made, digest).result for digest in (reports[0]["rule"], found.digest, found.digest)] == [
        *(Landed.REFUSED, Landed.DONE, Landed.ALREADY)
    ]
    assert contract() is Contract.FAILS, "nothing is applied by that"
    assert [landed("apply", *places).result for _ in range(2)] == [Landed.DONE, Landed.ALREADY]
    assert contract() is Contract.HOLDS
    assert [landed("rollback", *places).result for _ in range(2)] == [Landed.DONE, Landed.ALREADY]
    assert contract() is Contract.FAILS and git_in(checkout, "diff", base, "HEAD") == ""
    assert landed("apply", *places).result is Landed.REFUSED
    assert len(git_in(checkout, "worktree", "list").splitlines()) == 1
