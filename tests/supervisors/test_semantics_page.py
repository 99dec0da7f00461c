"""The page of guarantees: every sentence names a test, and every test that is named exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "runtime-semantics.md"
TEXT = PAGE.read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(test_\w+\.py)::(\w+)`", TEXT)))
PROMISES = re.findall(r"^- .*(?:\n  .*)*", TEXT, re.MULTILINE)
DIFFERENCES = [line for line in TEXT.splitlines() if line.startswith("|")][2:]


@cache
def names_in(file: str) -> frozenset[str]:
    tree = ast.parse((HERE / file).read_text(encoding="utf-8"))
    return frozenset(each.name for each in tree.body if isinstance(each, ast.FunctionDef))


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_test_that_is_named_exists(file: str, name: str) -> None:
    assert name in names_in(file)


@pytest.mark.parametrize("sentence", [*PROMISES, *DIFFERENCES], ids=lambda sentence: sentence[2:40])
def test_every_promise_and_every_difference_names_its_test(sentence: str) -> None:
    assert re.search(r"`test_\w+\.py::test_\w+`", sentence)


def test_the_page_is_read_whole() -> None:
    """Nothing that looks like a test's name is missed by the patterns above."""
    assert len(re.findall(r"::", TEXT)) == len(re.findall(r"`test_\w+\.py::test_\w+`", TEXT)) > 60
    assert len(PROMISES) > 40
    assert len(DIFFERENCES) > 15


def test_all_files_that_the_page_mentions_exist() -> None:
    assert [name for name in set(re.findall(r"test_\w+\.py", TEXT)) if not (HERE / name).exists()] == []


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md"])
def test_the_page_is_linked(page: str) -> None:
    assert "runtime-semantics.md)" in (HERE.parents[1] / page).read_text(encoding="utf-8")
