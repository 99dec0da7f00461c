"""Trees of Python source, whatever else is being parsed at the time."""

from __future__ import annotations

import ast
import gc
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from foureyes_actors import messages
from foureyes_actors.syntax import tree_of

SOURCE = Path(messages.__file__).read_text(encoding="utf-8")
NESTED = "(" * 20 + "1" + ")" * 20 + " + 1" * 20


@contextmanager
def at_a_collection(act: Callable[[], object]) -> Iterator[list[str]]:
    """``act`` is done once, at a collection of garbage; the list says so. A tree of this size brings one about."""
    done: list[str] = []

    def collected(phase: str, _info: object) -> None:
        if phase == "stop" and not done:
            done.append(phase)
            act()

    gc.callbacks.append(collected)
    try:
        yield done
    finally:
        gc.callbacks.remove(collected)


def below(depth: int, act: Callable[[], object]) -> object:
    return below(depth - 1, act) if depth else act()


@pytest.mark.parametrize("parse", [ast.parse, tree_of])
def test_one_that_is_built_within_another_costs_neither(parse: Callable[[str], ast.Module]) -> None:
    inner: list[ast.Module] = []
    with at_a_collection(lambda: below(30, lambda: inner.append(parse(NESTED)))) as done:
        tree = tree_of(SOURCE)
    assert done and ast.dump(inner[0]) == ast.dump(ast.parse(NESTED))
    assert ast.dump(tree) == ast.dump(ast.parse(SOURCE))


def test_many_threads_build_trees() -> None:
    expected, before = ast.dump(ast.parse(SOURCE)), sys.getswitchinterval()

    def built(depth: int) -> bool:
        with at_a_collection(lambda: [None for _ in range(1000)]):  # a place at which threads take turns
            return ast.dump(below(depth, lambda: tree_of(SOURCE))) == expected  # type: ignore[arg-type]

    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(3, "parser") as pool:
            assert all(pool.map(built, [10, 20, 30] * 20))
    finally:
        sys.setswitchinterval(before)


@pytest.mark.parametrize(
    ("source", "error"),
    [("def", SyntaxError), ("a\0b", (SyntaxError, ValueError)), ("(" * 5000, (MemoryError, SyntaxError))],
)
def test_what_is_no_source_is_told(source: str, error: type[BaseException]) -> None:
    with pytest.raises(error):
        tree_of(source)
