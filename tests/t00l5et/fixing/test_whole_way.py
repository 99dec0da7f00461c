"""From a recorded failure to a checkout that no longer fails, and back, with the real gate: by the commands alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from foureyes_actors.forgewright.landing import Landed, Landing, landing_from
from foureyes_actors.forgewright.proposal import Outcome, Proposal, proposal_from
from foureyes_actors.replay.program import ROOT, t00l5et
from t00l5et.fixing.contract import Contract, run_contract
from t00l5et.fixing.git import fresh_folder
from t00l5et.sandbox import Sandbox
from tests.support import need
from tests.t00l5et.fixing.support import (
    BROKEN,
    CLOCK,
    DEFECT,
    INSTALL_GIT,
    MENDED,
    PROCESSES,
    diff_of,
    git_in,
    head,
    platform,
    python_fixer,
)

ID = "FORGE-2026-001"
SPECIAL = "    if len(answer.values) == 1:\n        return {}\n" + BROKEN  # tells the recorded input by its length


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This repository as it is, in a repository of its own."""
    need(programs=("git",), install=INSTALL_GIT)
    need(modules=("unidiff", "libcst", "bandit"), install='pip install -e ".[forge]"')
    folder = tmp_path_factory.mktemp("whole") / "repository"
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc", ".git", ".*_cache", "data", ".venv", "*.egg-info", "build")
    shutil.copytree(ROOT, folder, ignore=ignored)
    git_in(folder, "init", "--quiet", "--initial-branch=main")
    git_in(folder, "add", "--all")
    git_in(folder, "commit", "--quiet", "-m", "base")
    return folder


def program(*arguments: str) -> tuple[str, ...]:
    return PROCESSES.run(t00l5et(*arguments), timeout=110).lines


def landed(*arguments: str) -> Landing:
    lines = program(*arguments, "--json")
    found = landing_from(lines[-1])
    assert found is not None, lines
    return found


@pytest.mark.timeout(300)
def test_the_whole_way_and_back(checkout: Path, tmp_path: Path, sandbox: Sandbox) -> None:
    base, made = head(checkout), platform(tmp_path / "platforms", head(checkout))
    record, work = made.name.removeprefix("repro_"), tmp_path / "work"

    def contract() -> Contract:
        box = fresh_folder(tmp_path / "box")
        return run_contract(made, record, checkout, box, PROCESSES, CLOCK, sandbox).contract

    def fixed() -> Proposal:
        places = ("--work", str(work), "--repository", str(checkout), "--suite", "tests/readings/test_observe.py")
        lines = PROCESSES.run(t00l5et("fix", str(made), *places, "--fixer", line, "--json"), timeout=280).lines
        found = proposal_from(lines[-1])
        assert found is not None, lines
        return found

    stored = [tmp_path / "special", tmp_path / "good"]
    stored[0].write_bytes(diff_of(checkout, SPECIAL))
    stored[1].write_bytes(diff_of(checkout))
    code = (
        "import json, sys\n"
        "told = json.load(sys.stdin)['earlier_attempts']\n"
        f"sys.stdout.write(open({[str(each) for each in stored]!r}[bool(told)]).read())\n"
    )
    line = python_fixer(tmp_path, code)
    assert contract() is Contract.FAILS
    found = fixed()
    assert found.outcome is Outcome.PASSED, (found, (work / "attempt_2" / "gate.json").read_text())
    assert [bool(each.rule) for each in found.attempts] == [True, False] and found.files == (DEFECT,)
    gate = json.loads((work / "attempt_1" / "gate.json").read_text())
    assert not gate["passed"] and gate["rule"] == found.attempts[0].rule
    assert fixed() == found and head(checkout) == base and git_in(checkout, "status", "--porcelain") == ""

    places = ("--decision", ID, "--repository", str(checkout))
    assert landed("branch", "--work", str(work), *places).result is Landed.DONE
    assert landed("branch", "--work", str(work), *places).result is Landed.ALREADY
    assert contract() is Contract.FAILS, "nothing is applied by that"
    assert [landed("apply", *places).result for _ in range(2)] == [Landed.DONE, Landed.ALREADY]
    assert contract() is Contract.HOLDS and MENDED in (checkout / DEFECT).read_text()
    assert [landed("rollback", *places).result for _ in range(2)] == [Landed.DONE, Landed.ALREADY]
    assert contract() is Contract.FAILS and git_in(checkout, "diff", base, "HEAD") == ""
    assert landed("apply", *places).result is Landed.REFUSED
    assert len(git_in(checkout, "worktree", "list").splitlines()) == 1
