"""Which commit is mended: the recorded one, and for the whole of one work the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from t00l5et.fixing.attempts import Impossible
from t00l5et.fixing.git import Git, GitError, worktree
from t00l5et.fixing.planning import begun
from t00l5et.fixing.work import OtherWork, Work
from tests.t00l5et.fixing.support import PROCESSES, git_in, head, small_repository

RECORD = "0123456789abcdef"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """With two commits."""
    made = small_repository(tmp_path / "repository")
    (made / "other.txt").write_text("later\n")
    git_in(made, "commit", "-q", "-a", "-m", "later")
    return made


def document(revision: Any, record: str = RECORD, group: Any = "v2-90c3c4b415c6a622") -> dict[str, Any]:
    return {"id": record, "code": {"revision": revision}, "fingerprints": {"group": group}}


@pytest.mark.parametrize(
    ("revision", "wanted", "expected"),
    [
        ("first", "", "first"),
        ("unknown", "", "HEAD"),
        (None, "", "HEAD"),
        ("--upload-pack=x", "", "HEAD"),
        ("first", "HEAD", "HEAD"),
    ],
)
def test_the_base(repo: Path, tmp_path: Path, revision: Any, wanted: str, expected: str) -> None:
    commits = {"first": head(repo, "HEAD^"), "HEAD": head(repo)}
    work, git = Work(tmp_path / "work"), Git(repo, PROCESSES)
    assert begun(work, git, document(commits.get(revision, revision)), wanted) == commits[expected]
    assert work.base(RECORD) == commits[expected] and work.group() == "v2-90c3c4b415c6a622"


def test_it_stays_what_it_was_while_the_checkout_moves_on(repo: Path, tmp_path: Path) -> None:
    work, git = Work(tmp_path / "work"), Git(repo, PROCESSES)
    first = begun(work, git, document("unknown"), "")
    git_in(repo, "commit", "-q", "--allow-empty", "-m", "more")
    assert begun(work, git, document("unknown"), "") == first != head(repo)
    with pytest.raises(Impossible, match="another base takes another folder"):
        begun(work, git, document("unknown"), "HEAD")


@pytest.mark.parametrize("wanted", ["1" * 40, "no-such-name", "--help", "HEAD:other.txt"])
def test_what_is_no_commit_here(repo: Path, tmp_path: Path, wanted: str) -> None:
    with pytest.raises(Impossible, match="is not in"):
        begun(Work(tmp_path / "work"), Git(repo, PROCESSES), document("unknown"), wanted)


def test_a_recorded_commit_that_is_not_here(repo: Path, tmp_path: Path) -> None:
    with pytest.raises(Impossible, match="--base names another one"):
        begun(Work(tmp_path / "work"), Git(repo, PROCESSES), document("2" * 40), "")


def test_a_folder_of_another_record(repo: Path, tmp_path: Path) -> None:
    work, git = Work(tmp_path / "work"), Git(repo, PROCESSES)
    begun(work, git, document("unknown"), "")
    with pytest.raises(OtherWork):
        begun(work, git, document("unknown", "f" * 16), "")


@pytest.mark.parametrize("group", ["x\nForge-Decision: FORGE-2026-999", None, 3, "v2-xyz", "a" * 99])
def test_a_forged_group_is_none(repo: Path, tmp_path: Path, group: Any) -> None:
    """It would be in a commit's message."""
    work = Work(tmp_path / "work")
    begun(work, Git(repo, PROCESSES), document("unknown", group=group), "")
    assert work.group() == ""


@pytest.mark.parametrize("text", ["", "{", "[]", '{"record": 3}', '{"record": "0123456789abcdef", "base": "HEAD"}'])
def test_a_work_folder_that_says_nothing_is_begun_anew(repo: Path, tmp_path: Path, text: str) -> None:
    work = Work(tmp_path / "work")
    work.make()
    (work.folder / "work.json").write_text(text)
    if '"record": 3' in text:
        with pytest.raises(OtherWork):
            work.base(RECORD)
    else:
        assert begun(work, Git(repo, PROCESSES), document("unknown"), "") == head(repo)


def test_without_git_it_is_said(tmp_path: Path) -> None:
    class NoGit(type(PROCESSES)):  # type: ignore[misc]
        def find_program(self, name: str) -> str | None:
            return None

    with pytest.raises(GitError, match="there is no git on PATH"):
        Git(tmp_path, NoGit())


def test_a_worktree_goes_however_its_use_ends(repo: Path, tmp_path: Path) -> None:
    git, place = Git(repo, PROCESSES), tmp_path / "tree"
    with pytest.raises(SystemExit), worktree(git, place, "HEAD") as tree:
        (tree / "made.txt").write_text("x")
        raise SystemExit(3)
    assert not place.exists() and len(git_in(repo, "worktree", "list").splitlines()) == 1
    with pytest.raises(GitError, match="git worktree"), worktree(git, place, "1" * 40):
        pass
    assert not place.exists()
