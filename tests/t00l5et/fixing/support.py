"""A real repository with a real defect, a recorded failure of it, and fixers that are real programs."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from foureyes_actors.bug.redact import Redactor
from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.local_process import LocalProcesses
from foureyes_actors.replay.program import ROOT
from t00l5et.fixing.attempts import Fixing, Plan, Report, Say
from t00l5et.fixing.contract import Contract, run_contract
from t00l5et.fixing.fixer import Fixer
from t00l5et.fixing.git import Git, GitError, discard, fresh_folder, worktree
from t00l5et.fixing.planning import recorded
from t00l5et.fixing.work import Work
from t00l5et.sandbox import PACKAGES, Sandbox, best_sandbox, may_run_foreign_code
from tests.replay.make import failure, record_of, written
from tests.replay.scenarios import joined
from tests.support import missing, need

INSTALL_GIT, INSTALL_BWRAP = "apt-get install git", "apt-get install bubblewrap"
DEFECT = "foureyes_actors/readings/observe.py"
BROKEN = "    texts = {field: answer.values[field.value] for field in MONEY_FIELDS}\n"
MENDED = "    texts = {field: answer.values.get(field.value) for field in MONEY_FIELDS}\n"
USELESS = "    texts = {field: answer.values[str(field.value)] for field in MONEY_FIELDS}\n"
PROCESSES, CLOCK = LocalProcesses(), SystemClock()


def git_in(folder: Path, *arguments: str) -> str:
    """A git command that must succeed; its output."""
    return "\n".join(Git(folder, PROCESSES).lines(*arguments))


def repository(folder: Path) -> Path:
    """FourEyes's own packages as a new repository with one commit, on the branch main."""
    need(programs=("git",), install=INSTALL_GIT)
    folder.mkdir(parents=True)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    git_in(folder, "init", "--quiet", "--initial-branch=main")
    git_in(folder, "add", "--all")
    git_in(folder, "commit", "--quiet", "-m", "base")
    return folder


def small_repository(folder: Path) -> Path:
    """With one file of the defect's name: enough where nothing is run."""
    need(programs=("git",), install=INSTALL_GIT)
    (folder / DEFECT).parent.mkdir(parents=True)
    (folder / DEFECT).write_text("def first() -> None:\n" + BROKEN + "    return texts\n" * 20, encoding="utf-8")
    (folder / "other.txt").write_text("other\n", encoding="utf-8")
    git_in(folder, "init", "--quiet", "--initial-branch=main")
    git_in(folder, "add", "--all")
    git_in(folder, "commit", "--quiet", "-m", "base")
    return folder


def head(folder: Path, name: str = "HEAD") -> str:
    return Git(folder, PROCESSES).commit(name) or ""


def diff_of(folder: Path, after: str = MENDED, path: str = DEFECT, before: str = BROKEN) -> bytes:
    """What git would print for this change; the checkout stays as it is."""
    from difflib import unified_diff

    old = (folder / path).read_text(encoding="utf-8")
    assert before in old
    new = old.replace(before, after, 1)
    lines = unified_diff(old.splitlines(True), new.splitlines(True), f"a/{path}", f"b/{path}")
    return "".join(lines).encode()


def platform(folder: Path, base: str) -> Path:
    """A recorded KeyError of readings: a model's answer lacks the fields but one."""
    made = record_of(failure(joined({"grand": "1.00"})))
    return written(replace(made, document={**made.document, "code": {"revision": base}}), folder)


def strong_sandbox() -> Sandbox:
    need(programs=("bwrap",), install=INSTALL_BWRAP)
    found = best_sandbox(PROCESSES, CLOCK)
    if not may_run_foreign_code(found):
        missing(f"bubblewrap does not work here: {found}")
    return found


def python_fixer(folder: Path, code: str, name: str = "fixer.py") -> str:
    """A command line that runs this code as a program of its own."""
    script = folder / name
    script.write_text(code, encoding="utf-8")
    return f'"{Path(sys.executable).as_posix()}" "{script.as_posix()}"'


def printing(folder: Path, data: bytes, name: str = "fixer.py") -> str:
    """The fixer that plays back what it is given."""
    stored = folder / f"{name}.out"
    stored.write_bytes(data)
    code = f"import sys; sys.stdin.buffer.read(); sys.stdout.buffer.write(open({str(stored)!r}, 'rb').read())"
    return python_fixer(folder, code, name)


@dataclass(frozen=True)
class Said:
    """What a gate says."""

    passed: bool
    rule: str = ""
    reason: str = ""

    def document(self) -> dict[str, Any]:
        return {"schema": 1, "passed": self.passed, "rule": self.rule, "reason": self.reason}


@dataclass
class SmallGate:
    """A real gate of two rules: the diff applies to the base, and the contract test passes with it."""

    git: Git
    base: str
    platform: Path
    record: str
    scratch: Path
    sandbox: Sandbox
    seen: list[str] = field(default_factory=list)

    def __call__(self, patch: bytes, say: Say) -> Report:
        self.seen.append(hashlib.sha256(patch).hexdigest())
        with worktree(self.git, self.scratch / "gate", self.base) as tree:
            diff = self.scratch / "gate.diff"
            diff.write_bytes(patch)
            try:
                self.git.at(tree).lines("apply", str(diff))
            except GitError as error:
                return Said(False, "applies", str(error))
            say("it applies")
            box = fresh_folder(self.scratch / "gate_box")
            found = run_contract(self.platform, self.record, tree, box, PROCESSES, CLOCK, self.sandbox)
            discard(self.git, box)
        if found.contract is Contract.HOLDS:
            return Said(True)
        return Said(False, "contract", found.output.splitlines()[-1])


@dataclass
class Bench:
    """Everything that one fixing takes, in ``folder``."""

    folder: Path
    repository: Path
    sandbox: Sandbox
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.base = head(self.repository)
        self.platform = platform(self.folder / "platforms", self.base)
        self.record = self.platform.name.removeprefix("repro_")
        self.work = Work(self.folder / "work")
        self.git = Git(self.repository, PROCESSES)
        scratch = self.folder / "gate"
        scratch.mkdir()
        self.gate = SmallGate(self.git, self.base, self.platform, self.record, scratch, self.sandbox)

    def fixing(
        self, fixer: Fixer, *, attempts: int = 3, seconds: float = 60.0, secrets: tuple[str, ...] = ()
    ) -> Fixing:
        document, blob = recorded(self.platform, self.record)
        plan = Plan(self.platform, document, blob, self.git, self.base, ("small",), attempts, seconds, self.sandbox)
        self.work.begin(self.record, self.base, document["fingerprints"]["group"])
        return Fixing(
            plan,
            self.work,
            fixer,
            self.gate,
            processes=PROCESSES,
            clock=CLOCK,
            redactor=Redactor(secrets),
            say=self.said.append,
        )

    def task(self, number: int) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.work.path(number, "task.json").read_bytes())
        return found

    def nothing_is_left(self) -> None:
        assert list(self.work.scratch.iterdir()) == []
        listed = git_in(self.repository, "worktree", "list").splitlines()
        assert len(listed) == 1, listed
        assert git_in(self.repository, "status", "--porcelain") == ""
        assert head(self.repository) == self.base
