"""Branch, merge and way back in real repositories: once each, and never over what a person has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from foureyes_actors.forgewright.landing import Landed, Landing
from foureyes_actors.forgewright.proposal import Attempt, Outcome, Proposal
from t00l5et.fixing import repository as steps
from t00l5et.fixing.git import Git
from t00l5et.fixing.work import GATE, PATCH, Work
from tests.t00l5et.fixing.support import (
    BROKEN,
    DEFECT,
    MENDED,
    PROCESSES,
    USELESS,
    diff_of,
    git_in,
    head,
    small_repository,
)

ID = "FORGE-2026-001"
BRANCH = "foureyes/forge-2026-001"
GROUP = "v2-0123456789abcdef"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return small_repository(tmp_path / "repository")


@pytest.fixture
def git(repo: Path) -> Git:
    return Git(repo, PROCESSES)


def proposed(repo: Path, folder: Path, patch: bytes) -> Work:
    """A work folder with a proposal that passed, as ``fix`` leaves it."""
    work, base = Work(folder), head(repo)
    work.make()
    work.begin("0123456789abcdef", base, GROUP)
    work.keep(1, PATCH, patch)
    work.keep_json(1, GATE, {"schema": 1, "passed": True, "rule": "", "reason": ""})
    digest = hashlib.sha256(patch).hexdigest()
    attempt = Attempt(1, "", "", 1.0)
    work.finish(attempt, digest)
    work.conclude(Proposal(Outcome.PASSED, "passed", base, digest, (attempt,), (DEFECT,)))
    return work


@pytest.fixture
def work(repo: Path, tmp_path: Path) -> Work:
    return proposed(repo, tmp_path / "work", diff_of(repo))


def branched(git: Git, work: Work, decision: str) -> Landing:
    """As whoever saw it pass the gate asks for it."""
    found = work.proposal()
    return steps.branch(git, decision, work, found.digest if found else "")


def text(repo: Path) -> str:
    return (repo / DEFECT).read_text(encoding="utf-8")


def refused(found: Landing, words: str) -> None:
    assert found.result is Landed.REFUSED and words in found.reason, found


def untouched(repo: Path, act: Callable[[], Landing], words: str) -> None:
    """It is refused, and neither commit nor files nor index are others than before."""
    before = (head(repo), git_in(repo, "status", "--porcelain"), text(repo))
    refused(act(), words)
    assert (head(repo), git_in(repo, "status", "--porcelain"), text(repo)) == before
    assert len(git_in(repo, "worktree", "list").splitlines()) == 1


def test_a_branch_with_one_commit_on_the_base(repo: Path, git: Git, work: Work) -> None:
    found = branched(git, work, ID)
    assert (found.result, found.branch) == (Landed.DONE, BRANCH), found
    assert found.commit == head(repo, BRANCH) and head(repo, f"{BRANCH}^") == head(repo)
    message = git_in(repo, "log", "-1", "--format=%B", BRANCH)
    assert message.startswith(f"{ID}: a patch for failure group {GROUP}\n")
    assert f"Forge-Decision: {ID}" in message and hashlib.sha256(diff_of(repo)).hexdigest() in message
    assert MENDED in git_in(repo, "show", f"{BRANCH}:{DEFECT}") + "\n" and BROKEN in text(repo)
    assert git_in(repo, "status", "--porcelain") == ""
    again = branched(git, work, ID)
    assert (again.result, again.commit) == (Landed.ALREADY, found.commit)
    assert len(git_in(repo, "worktree", "list").splitlines()) == 1


def test_applied_once_and_rolled_back_once(repo: Path, git: Git, work: Work) -> None:
    branched(git, work, ID)
    base = head(repo)
    done = steps.apply(git, ID)
    assert (done.result, done.commit) == (Landed.DONE, head(repo)), done
    assert MENDED in text(repo) and git_in(repo, "status", "--porcelain") == ""
    assert git_in(repo, "log", "-1", "--format=%P").split() == [base, head(repo, BRANCH)]
    again = steps.apply(git, ID)
    assert (again.result, again.commit, again.reason) == (Landed.ALREADY, done.commit, "already applied")
    back = steps.rollback(git, ID)
    assert (back.result, back.commit) == (Landed.DONE, head(repo)), back
    assert BROKEN in text(repo) and git_in(repo, "diff", base, "HEAD") == ""
    assert steps.rollback(git, ID).result is Landed.ALREADY
    assert head(repo) == back.commit
    refused(steps.apply(git, ID), "rolled back; it takes a new proposal")


def test_only_the_patch_that_was_approved(repo: Path, git: Git, work: Work) -> None:
    """The decision's file was changed since, or the branch: what a person saw is not what would be merged."""
    branched(git, work, ID)
    untouched(repo, lambda: steps.apply(git, ID, "ab" * 32), "holds another patch than the decision")
    assert steps.apply(git, ID, hashlib.sha256(diff_of(repo)).hexdigest()).result is Landed.DONE


def test_a_new_proposal_after_the_way_back(repo: Path, git: Git, work: Work, tmp_path: Path) -> None:
    """A decision that was reopened: its branch is made anew, and the whole way goes again."""
    other = proposed(repo, tmp_path / "other", diff_of(repo, USELESS))
    branched(git, work, ID)
    refused(branched(git, other, ID), "holds another proposal, which was not rolled back")
    steps.apply(git, ID)
    refused(branched(git, other, ID), "holds another proposal, which was not rolled back")
    steps.rollback(git, ID)
    assert branched(git, other, ID).result is Landed.DONE
    assert steps.apply(git, ID).result is Landed.DONE and USELESS in text(repo)
    assert steps.apply(git, ID).result is Landed.ALREADY
    assert steps.rollback(git, ID).result is Landed.DONE and BROKEN in text(repo)
    assert steps.rollback(git, ID).result is Landed.ALREADY


def test_what_a_person_took_over_counts_as_applied(repo: Path, git: Git, work: Work) -> None:
    branched(git, work, ID)
    (repo / "later.txt").write_text("later\n", encoding="utf-8")
    git_in(repo, "add", "later.txt")
    git_in(repo, "commit", "-q", "-m", "later")
    git_in(repo, "cherry-pick", BRANCH)
    taken = head(repo)
    found = steps.apply(git, ID)
    assert (found.result, found.commit) == (Landed.ALREADY, taken)
    assert steps.rollback(git, ID).result is Landed.DONE and BROKEN in text(repo)
    assert (repo / "later.txt").exists()


def test_a_branch_that_is_gone_after_the_merge(repo: Path, git: Git, work: Work) -> None:
    branched(git, work, ID)
    steps.apply(git, ID)
    git_in(repo, "branch", "-D", BRANCH)
    assert steps.apply(git, ID).result is Landed.ALREADY
    assert steps.rollback(git, ID).result is Landed.DONE and BROKEN in text(repo)


def test_what_came_later_stays_and_is_said(repo: Path, git: Git, work: Work) -> None:
    branched(git, work, ID)
    (repo / "other.txt").write_text("changed\n", encoding="utf-8")
    git_in(repo, "commit", "-q", "-a", "-m", "later")
    found = steps.apply(git, ID)
    assert found.result is Landed.DONE and "commits that the gate has not seen with it: 1" in found.reason
    assert MENDED in text(repo) and (repo / "other.txt").read_text() == "changed\n"


def test_other_changes_of_the_user_stay(repo: Path, git: Git, work: Work) -> None:
    branched(git, work, ID)
    (repo / "other.txt").write_text("not yet committed\n", encoding="utf-8")
    (repo / "new.txt").write_text("untracked\n", encoding="utf-8")
    assert steps.apply(git, ID).result is Landed.DONE and MENDED in text(repo)
    assert steps.rollback(git, ID).result is Landed.DONE and BROKEN in text(repo)
    assert (repo / "other.txt").read_text() == "not yet committed\n" and (repo / "new.txt").exists()


@pytest.mark.parametrize("step", ["apply", "rollback"])
@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("changed", "are changed in this checkout"),
        ("staged", "changes are staged"),
        ("detached", "no branch is checked out"),
        ("merge", "a merge is under way"),
        ("rebase", "a rebase is under way"),
        ("conflict", ""),
    ],
)
def test_refused_without_a_trace(repo: Path, git: Git, work: Work, step: str, trouble: str, words: str) -> None:
    branched(git, work, ID)
    if step == "rollback":
        steps.apply(git, ID)
    if trouble == "changed":
        (repo / DEFECT).write_text(text(repo) + "# mine\n", encoding="utf-8")
    elif trouble == "staged":
        (repo / "other.txt").write_text("staged\n", encoding="utf-8")
        git_in(repo, "add", "other.txt")
    elif trouble == "detached":
        git_in(repo, "checkout", "-q", "--detach")
    elif trouble == "merge":
        (repo / ".git" / "MERGE_HEAD").write_text(head(repo) + "\n")
    elif trouble == "rebase":
        (repo / ".git" / "rebase-merge").mkdir()
    else:
        line = BROKEN if step == "apply" else MENDED
        (repo / DEFECT).write_text(text(repo).replace(line, "    texts = None\n"), encoding="utf-8")
        git_in(repo, "commit", "-q", "-a", "-m", "the same line")
        words = "cannot be merged" if step == "apply" else "later changes touch the same lines"
    untouched(repo, lambda: getattr(steps, step)(git, ID), words)


@pytest.mark.parametrize("step", ["apply", "rollback"])
def test_what_a_killed_step_wrote_is_gone_on_with(repo: Path, git: Git, work: Work, step: str) -> None:
    """The power went off between the files and the commit."""
    branched(git, work, ID)
    if step == "rollback":
        steps.apply(git, ID)
    before, after = (BROKEN, MENDED) if step == "apply" else (MENDED, BROKEN)
    (repo / DEFECT).write_text(text(repo).replace(before, after), encoding="utf-8")
    assert getattr(steps, step)(git, ID).result is Landed.DONE
    assert after in text(repo) and git_in(repo, "status", "--porcelain") == ""


def test_a_file_in_the_way_stays(repo: Path, git: Git) -> None:
    """Also one that git ignores, which a merge would write over."""
    git_in(repo, "checkout", "-q", "-b", BRANCH)
    (repo / "foureyes_actors" / "extra.py").write_text("EXTRA = 1\n")
    git_in(repo, "add", "--all")
    git_in(repo, "commit", "-q", "-m", f"x\n\nForge-Decision: {ID}\nForge-Patch: {'a' * 64}\nForge-Step: proposed")
    git_in(repo, "checkout", "-q", "main")
    (repo / ".git" / "info" / "exclude").write_text("extra.py\n")
    (repo / "foureyes_actors" / "extra.py").write_text("mine\n")
    untouched(repo, lambda: steps.apply(git, ID), "")
    assert (repo / "foureyes_actors" / "extra.py").read_text() == "mine\n"


def test_hooks_and_signing_are_not_for_these_commits(repo: Path, git: Git, work: Work) -> None:
    for name in ("pre-commit", "commit-msg", "post-checkout", "pre-merge-commit", "post-commit", "prepare-commit-msg"):
        hook = repo / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch '{repo}/../hook-ran'\nexit 1\n")
        hook.chmod(0o755)
    git_in(repo, "config", "commit.gpgSign", "true")
    git_in(repo, "config", "gpg.program", "/nonexistent/gpg")
    git_in(repo, "config", "merge.ff", "only")
    git_in(repo, "config", "merge.autoStash", "true")
    assert branched(git, work, ID).result is Landed.DONE
    assert steps.apply(git, ID).result is Landed.DONE
    assert steps.rollback(git, ID).result is Landed.DONE
    assert not (repo.parent / "hook-ran").exists()


def test_a_worktree_that_a_killed_step_left_is_no_hindrance(repo: Path, git: Git, work: Work) -> None:
    place = repo / ".git" / "foureyes" / ID.lower()
    git_in(repo, "worktree", "add", "-q", "--detach", str(place), "HEAD")
    (place / "half.txt").write_text("half")
    assert branched(git, work, ID).result is Landed.DONE
    place.mkdir(parents=True)
    (place / "rest").write_text("git does not know this one")
    assert steps.apply(git, ID).result is Landed.DONE
    assert len(git_in(repo, "worktree", "list").splitlines()) == 1 and not place.exists()


def test_from_another_worktree_of_the_repository(repo: Path, git: Git, work: Work, tmp_path: Path) -> None:
    git_in(repo, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    side = git.at(tmp_path / "side")
    assert branched(side, work, ID).result is Landed.DONE
    assert steps.apply(side, ID).result is Landed.DONE
    assert MENDED in text(tmp_path / "side") and BROKEN in text(repo), "what is checked out there, not here"


@pytest.mark.parametrize(
    "decision", ["", "FORGE-2026-1", "FORGE-2026-001\n", "../x", "FORGE-2026-001;x", "-f", "FORGE-２０２６-００１"]
)
def test_what_is_no_decision_is_refused(git: Git, work: Work, decision: str) -> None:
    for found in (branched(git, work, decision), steps.apply(git, decision), steps.rollback(git, decision)):
        refused(found, "is not the id of a decision")


def test_a_proposal_that_was_changed_since_is_none(repo: Path, git: Git, work: Work) -> None:
    work.keep(1, PATCH, diff_of(repo, USELESS))
    refused(branched(git, work, ID), "no proposal that passed the gate")
    work.keep(1, PATCH, diff_of(repo))
    work.keep_json(1, GATE, {"passed": False})
    refused(branched(git, work, ID), "no proposal that passed the gate")
    refused(branched(git, Work(work.folder / "nothing"), ID), "no proposal that passed the gate")


def test_a_work_folder_that_says_of_itself_that_it_passed(repo: Path, git: Git, work: Work, tmp_path: Path) -> None:
    """Everything in it fits together; it is not what the one who ran the gate saw."""
    passed = hashlib.sha256(diff_of(repo)).hexdigest()
    forged = proposed(repo, tmp_path / "forged", diff_of(repo, USELESS))
    for said in (passed, "", passed[:12]):
        refused(steps.branch(git, ID, forged, said), "another one than the one that passed")
    assert git.commit(f"refs/heads/{BRANCH}") is None
    assert steps.branch(git, ID, work, passed).result is Landed.DONE


def test_a_branch_on_commits_that_nobody_has_here(repo: Path, git: Git, work: Work) -> None:
    """The base is what the work folder says, and a merge would bring all that it stands on."""
    git_in(repo, "checkout", "-q", "-b", "elsewhere")
    (repo / "other.txt").write_text("brought along\n", encoding="utf-8")
    git_in(repo, "commit", "-q", "-a", "-m", "elsewhere")
    document = json.loads((work.folder / "proposal.json").read_bytes())
    (work.folder / "proposal.json").write_text(json.dumps({**document, "base": head(repo)}), encoding="utf-8")
    git_in(repo, "checkout", "-q", "main")
    assert branched(git, work, ID).result is Landed.DONE
    untouched(repo, lambda: steps.apply(git, ID), "commits that are not in what is checked out")


def test_a_base_that_is_not_here(repo: Path, git: Git, work: Work) -> None:
    document = json.loads((work.folder / "proposal.json").read_bytes())
    (work.folder / "proposal.json").write_text(json.dumps({**document, "base": "1" * 40}))
    refused(branched(git, work, ID), f"the base commit {'1' * 40} is not in this repository")


def test_a_foreign_branch_of_that_name_stays(repo: Path, git: Git, work: Work) -> None:
    git_in(repo, "branch", BRANCH)
    refused(branched(git, work, ID), "not of this decision")
    refused(steps.apply(git, ID), "there is no branch")
    assert head(repo, BRANCH) == head(repo)


def test_nothing_to_apply_or_to_roll_back(git: Git) -> None:
    refused(steps.apply(git, ID), "there is no branch")
    refused(steps.rollback(git, ID), "it is not applied")


def test_a_repository_without_a_commit(tmp_path: Path, git: Git) -> None:
    (tmp_path / "empty").mkdir()
    git_in(tmp_path / "empty", "init", "--quiet")
    empty = git.at(tmp_path / "empty")
    refused(steps.apply(empty, ID), "there is no branch")
    refused(steps.rollback(empty, ID), "it is not applied")


def test_undone_by_hand(repo: Path, git: Git, work: Work) -> None:
    branched(git, work, ID)
    steps.apply(git, ID)
    git_in(repo, "revert", "--no-edit", "-m", "1", "HEAD")
    found = steps.rollback(git, ID)
    assert (found.result, found.reason) == (Landed.ALREADY, "nothing of it is left in the files")


def test_no_checkout(tmp_path: Path) -> None:
    found = steps.apply(Git(tmp_path, PROCESSES), ID)
    refused(found, "is no git checkout")
