"""Diffs in the answers of models: found, and put right where only numbers are wrong, as git itself says."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from t00l5et.fixing.diffs import diff_in, files_of, is_diff, repaired
from t00l5et.fixing.sources import lines_in
from tests.t00l5et.fixing.support import DEFECT, diff_of, git_in, small_repository

DIFF = "--- a/x.py\n+++ b/x.py\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"


@pytest.mark.parametrize(
    "answer",
    [
        DIFF,
        f"```diff\n{DIFF}```",
        f"The cause is ...\n\n```diff\n{DIFF}```\n\nI hope that helps.",
        f"Here:\n~~~~patch\n{DIFF}~~~~\n",
        f"<think>\n```diff\n--- a/no\n+++ b/no\n@@ -1 +1 @@\n-x\n```\n</think>\n{DIFF}",
        f"```python\nprint()\n```\n```\n{DIFF}```",
        f"Sure.\n{DIFF}",
        f"{DIFF}```\n",
        DIFF.replace("\n", "\r\n"),
    ],
)
def test_it_is_found(answer: str) -> None:
    assert diff_in(answer) == DIFF


def test_gits_own_lines_before_the_header_stay() -> None:
    whole = f"diff --git a/x.py b/x.py\nindex 1234567..89abcde 100644\n{DIFF}"
    assert diff_in(f"Well:\n{whole}") == whole


def test_several_fences_are_one_diff() -> None:
    other = DIFF.replace("x.py", "y.py")
    assert diff_in(f"```diff\n{DIFF}```\nand\n```diff\n{other}```") == DIFF + other


@pytest.mark.parametrize("answer", ["", "no", "```diff\n```", "--- a\nno", "```python\nx = 1\n```", "+++ b\n--- a\n"])
def test_none_is_none(answer: str) -> None:
    assert diff_in(answer) == ""


@given(st.text(alphabet="-+@ ab`~\n<think>/", max_size=200))
def test_no_answer_breaks_it(answer: str) -> None:
    diff = diff_in(answer)
    repaired(diff or answer, lambda path: ("a", "b"))
    files_of(answer.encode())
    is_diff(answer.encode())


@pytest.mark.parametrize(
    "spoil",
    [
        ("@@ -1,5 +1,5 @@", "@@ -1,9 +1,4 @@"),
        ("@@ -1,5 +1,5 @@", "@@ -40,5 +40,5 @@"),
        ("@@ -1,5 +1,5 @@", "@@ ... @@"),
        ("@@ -1,5 +1,5 @@", "@@ -1 +1 @@ def first() -> None:"),
        ("--- a/", "--- "),
    ],
)
def test_wrong_numbers_are_put_right(tmp_path: Path, spoil: tuple[str, str]) -> None:
    repo = small_repository(tmp_path / "repository")
    good = diff_of(repo).decode()
    assert spoil[0] in good
    found = repaired(good.replace(spoil[0], spoil[1], 1), lambda path: lines_in(repo, path))
    (tmp_path / "patch").write_text(found)
    git_in(repo, "apply", "--check", str(tmp_path / "patch"))
    added = [line for line in found.splitlines() if line[:1] in "+-" and not line.startswith(("+++", "---"))]
    assert added == [line for line in good.splitlines() if line[:1] in "+-" and not line.startswith(("+++", "---"))]


def test_a_good_diff_stays_as_it_is(tmp_path: Path) -> None:
    repo = small_repository(tmp_path / "repository")
    good = diff_of(repo).decode()
    assert repaired(good, lambda path: lines_in(repo, path)) == good
    assert files_of(good.encode()) == (DEFECT,) and is_diff(good.encode())


def test_two_hunks_and_a_new_file(tmp_path: Path) -> None:
    repo = small_repository(tmp_path / "repository")
    (repo / "long.txt").write_text("".join(f"line {number}\n" for number in range(1, 31)))
    git_in(repo, "add", "--all")
    git_in(repo, "commit", "-q", "-m", "long")
    bad = (
        "--- a/long.txt\n+++ b/long.txt\n@@ -1 +1 @@\n line 2\n+new\n line 3\n"
        "@@ -1 +1 @@\n line 20\n-line 21\n line 22\n"
        "--- /dev/null\n+++ b/made.txt\n@@ -1 +1 @@\n+one\n+two\n"
    )
    (tmp_path / "patch").write_text(repaired(bad, lambda path: lines_in(repo, path)))
    git_in(repo, "apply", str(tmp_path / "patch"))
    lines = (repo / "long.txt").read_text().splitlines()
    assert lines[2] == "new" and "line 21" not in lines and len(lines) == 30
    assert (repo / "made.txt").read_text() == "one\ntwo\n"


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "a/../../b", ""])
def test_no_file_outside_of_the_tree_is_read(tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").write_text("secret\n")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "link").symlink_to(tmp_path / "secret")
    assert lines_in(tmp_path / "tree", path) == () and lines_in(tmp_path / "tree", "link") == ()
