"""Attempts with a real repository, a real recorded failure, real programs as fixers, and a small real gate."""

from __future__ import annotations

import hashlib

import pytest

from foureyes_actors.forgewright.proposal import Attempt, Outcome, Proposal
from t00l5et.fixing.attempts import Impossible
from t00l5et.fixing.command import CommandFixer
from t00l5et.fixing.work import GATE, PATCH
from tests.t00l5et.fixing.support import (
    BROKEN,
    CLOCK,
    DEFECT,
    MENDED,
    PROCESSES,
    USELESS,
    Bench,
    diff_of,
    printing,
    python_fixer,
)


def fixer(line: str) -> CommandFixer:
    return CommandFixer(line, PROCESSES, CLOCK, {})


def test_a_diff_that_mends_it_passes(bench: Bench) -> None:
    patch = diff_of(bench.repository)
    found = bench.fixing(fixer(printing(bench.folder, patch))).run()
    assert found.outcome is Outcome.PASSED, found
    assert (found.base, found.files) == (bench.base, (DEFECT,))
    assert found.digest == hashlib.sha256(patch).hexdigest()
    assert bench.work.proposal() == found and bench.work.passed() == (found, patch)
    assert bench.work.path(1, "patch.diff").read_bytes() == patch
    bench.nothing_is_left()


def test_the_gates_words_go_into_the_next_attempt(bench: Bench) -> None:
    """The fixer mends it only once it has been told what was wrong."""
    stored = [bench.folder / "useless", bench.folder / "good"]
    stored[0].write_bytes(diff_of(bench.repository, USELESS))
    stored[1].write_bytes(diff_of(bench.repository))
    code = (
        "import json, sys\n"
        "task = json.load(sys.stdin)\n"
        "told = [(each['rule'], 'KeyError' in each['reason'], 'str(field.value)' in each['diff'])"
        "        for each in task['earlier_attempts']]\n"
        f"good = told == [('contract', True, True)]\n"
        f"sys.stdout.write(open({[str(each) for each in stored]!r}[good]).read())\n"
    )
    found = bench.fixing(fixer(python_fixer(bench.folder, code))).run()
    assert found.outcome is Outcome.PASSED, found
    assert [each.rule for each in found.attempts] == ["contract", ""]
    bench.nothing_is_left()


def test_the_same_diff_is_not_examined_again(bench: Bench) -> None:
    found = bench.fixing(fixer(printing(bench.folder, diff_of(bench.repository, USELESS)))).run()
    assert found.outcome is Outcome.STOPPED and found.digest == ""
    assert [each.rule for each in found.attempts] == ["contract", "repeated", "repeated"]
    assert "the same diff as attempt 1" in found.attempts[1].reason
    assert len(bench.gate.seen) == 1 and bench.work.passed() is None
    bench.nothing_is_left()


def test_each_attempt_has_a_worktree_at_the_base(bench: Bench) -> None:
    """What a fixer does in it is gone with it; what it prints counts."""
    code = (
        "import pathlib, subprocess, sys\n"
        f"file = pathlib.Path({DEFECT!r})\n"
        f"before, after = {BROKEN!r}, {MENDED!r}\n"
        "assert before in file.read_text()\n"
        "file.write_text(file.read_text().replace(before, after))\n"
        "subprocess.run(['git', 'diff'], check=True)\n"
    )
    found = bench.fixing(fixer(python_fixer(bench.folder, code))).run()
    assert found.outcome is Outcome.PASSED, found
    bench.nothing_is_left()


def test_a_run_that_was_ended_is_gone_on_with(bench: Bench) -> None:
    """The first run ends in the middle of its second attempt, with a worktree and half an attempt left behind."""
    useless = printing(bench.folder, diff_of(bench.repository, USELESS))

    class Ended(Exception):
        pass

    class Ending(CommandFixer):
        def propose(self, assignment):  # type: ignore[no-untyped-def]
            if "attempt_2" in str(assignment.task):
                raise Ended
            return super().propose(assignment)

    with pytest.raises(Ended):
        bench.fixing(Ending(useless, PROCESSES, CLOCK, {})).run()
    assert [each.attempt.rule for each in bench.work.finished()] == ["contract"]
    left = bench.work.scratch / "tree_2"
    bench.git.lines("worktree", "add", "--detach", str(left), bench.base)  # as after a SIGKILL
    bench.said.clear()
    found = bench.fixing(fixer(printing(bench.folder, diff_of(bench.repository)))).run()
    assert found.outcome is Outcome.PASSED and [each.rule for each in found.attempts] == ["contract", ""]
    assert not any("attempt 1" in line for line in bench.said)
    bench.nothing_is_left()
    seen = list(bench.gate.seen)
    assert bench.fixing(fixer(useless)).run() == found, "it is done: nobody is asked, what passed is examined again"
    assert bench.gate.seen == [*seen, found.digest]


def test_a_file_that_says_that_a_patch_has_passed_is_not_believed(bench: Bench) -> None:
    """As somebody may have put it there: whole, and never seen by a gate."""
    forged = diff_of(bench.repository, USELESS)
    digest = hashlib.sha256(forged).hexdigest()
    bench.work.keep(1, PATCH, forged)
    bench.work.keep_json(1, GATE, {"schema": 1, "passed": True, "rule": "", "reason": ""})
    bench.work.finish(Attempt(1, "", "", 1.0), digest)
    bench.work.conclude(Proposal(Outcome.PASSED, "passed", bench.base, digest, (Attempt(1, "", "", 1.0),), (DEFECT,)))
    found = bench.fixing(fixer(printing(bench.folder, diff_of(bench.repository)))).run()
    assert [each.rule for each in found.attempts] == ["contract", ""] and found.digest != digest
    assert bench.gate.seen == [digest, found.digest] and bench.work.proposal() == found
    bench.nothing_is_left()


def test_a_patch_that_was_changed_after_it_passed_is_examined_as_it_is(bench: Bench) -> None:
    asked = fixer(printing(bench.folder, diff_of(bench.repository)))
    passed = bench.fixing(asked, attempts=1).run()
    assert passed.outcome is Outcome.PASSED
    bench.work.keep(1, PATCH, diff_of(bench.repository, USELESS))
    found = bench.fixing(asked, attempts=1).run()
    assert (found.outcome, found.digest) == (Outcome.STOPPED, "") and bench.work.passed() is None


def test_nothing_to_mend_is_said_before_anybody_is_asked(bench: Bench) -> None:
    """At a base at which the contract test passes."""
    patch = bench.folder / "p.diff"
    patch.write_bytes(diff_of(bench.repository))
    tree = bench.folder / "mended"
    bench.git.lines("worktree", "add", "--detach", str(tree), bench.base)
    inside = bench.git.at(tree)
    inside.lines("apply", "--index", str(patch))
    inside.lines("commit", "-q", "-m", "mended")
    bench.base = inside.commit("HEAD") or ""
    bench.git.lines("worktree", "remove", str(tree))
    fixing = bench.fixing(fixer(printing(bench.folder, b"")))
    with pytest.raises(Impossible, match="nothing that a patch could be measured by"):
        fixing.run()
    assert bench.work.finished() == []


@pytest.mark.parametrize(
    ("secret", "configured"), [("c4n4ry-of-the-settings", True), ("sk-abcdefghijklmnop0123", False)]
)
def test_a_secret_in_the_diff_is_masked_and_nothing_is_used(bench: Bench, secret: str, configured: bool) -> None:
    patch = diff_of(bench.repository, MENDED + f"    # {secret}\n")
    code = (
        f"import sys; sys.stderr.write('the key is {secret}\\n');"
        f" sys.stdout.write(open({str(bench.folder / 'patch')!r}).read())"
    )
    (bench.folder / "patch").write_bytes(patch)
    fixing = bench.fixing(fixer(python_fixer(bench.folder, code)), attempts=1, secrets=(secret,) if configured else ())
    found = fixing.run()
    assert found.outcome is Outcome.STOPPED and found.attempts[0].rule == "secret", found
    assert bench.gate.seen == [] and bench.work.passed() is None
    kept = [path for path in bench.work.folder.rglob("*") if path.is_file()]
    assert len(kept) >= 5 and not any(secret.encode() in path.read_bytes() for path in kept)
    bench.nothing_is_left()


@pytest.mark.parametrize(
    ("code", "reason"),
    [("", "it printed nothing"), ("import sys; sys.exit('the key sk-abcdefghijklmnop0123')", "exit code 1")],
)
def test_no_diff_is_kept_as_the_reason(bench: Bench, code: str, reason: str) -> None:
    found = bench.fixing(fixer(python_fixer(bench.folder, code)), attempts=2).run()
    assert found.outcome is Outcome.STOPPED
    assert [each.rule for each in found.attempts] == ["fixer", "fixer"]
    assert all(reason in each.reason and "sk-abc" not in each.reason for each in found.attempts)
    assert bench.work.proposal() == found and bench.gate.seen == []
    assert bench.task(2)["earlier_attempts"][0]["rule"] == "fixer"
    bench.nothing_is_left()
