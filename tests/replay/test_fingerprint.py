"""The same failure has the same fingerprints wherever its code stands; another one has others."""

from __future__ import annotations

import ast
import builtins
import sys
import threading
import types
from collections.abc import Iterator
from itertools import pairwise
from keyword import iskeyword

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foureyes_actors.replay.capture import Capture, capture_of
from foureyes_actors.replay.fingerprint import group_of, strict_of

NAME = "foureyes_actors.imagined_for_a_test"
CODE = """\
from foureyes_actors.replay.point import replay_point

@replay_point()
def read(text):
    return parse(text)

def parse(text):
    return number(text) + 1

def number(text):
    if text == "loop":
        return number2(text)
    raise ValueError("cannot read " + text)

def number2(text):
    raise KeyError(text)
"""


@pytest.fixture(autouse=True)
def no_trace_left() -> Iterator[None]:
    yield
    sys.modules.pop(NAME, None)


def captured(code: str = CODE, text: str = "x", thread: bool = False) -> tuple[str, str, Capture]:
    """Group, strict, and what was kept of a call of ``read`` in a module made of ``code``."""
    module = types.ModuleType(NAME)
    exec(compile(code, "imagined.py", "exec"), vars(module))
    found: list[Capture] = []

    def call() -> None:
        try:
            module.read(text)
        except Exception as error:
            kept = capture_of(error)
            assert kept is not None
            found.append(kept)

    if thread:
        other = threading.Thread(target=call)
        other.start()
        other.join(30)
    else:
        call()
    return group_of(found[0]), strict_of(found[0], code.splitlines()), found[0]


GROUP, STRICT, KEPT = captured()


def test_what_goes_in() -> None:
    assert KEPT.names == (f"{NAME}:read", f"{NAME}:parse", f"{NAME}:number") and KEPT.chain == ("ValueError",)
    assert KEPT.frames[-1].names == {"text": "'x'"}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 300), st.text(st.characters(), max_size=50), st.booleans())
def test_shifted_lines_other_texts_other_threads(lines: int, text: str, thread: bool) -> None:
    if text != "loop":
        assert captured("\n" * lines + CODE, text, thread)[:2] == (GROUP, STRICT)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('raise ValueError("cannot read " + text)', 'raise ValueError(\n        "cannot read "\n        + text\n    )'),
        ('raise ValueError("cannot read " + text)', "raise ValueError( 'cannot read '  + text )  # a remark"),
        ("def number2", "# one more remark\n\ndef number2"),
    ],
)
def test_another_layout_is_the_same_failure(before: str, after: str) -> None:
    assert captured(CODE.replace(before, after))[:2] == (GROUP, STRICT)


def test_renamed_locals_are_the_same_group() -> None:
    assert captured(CODE.replace("text", "words"))[0] == GROUP


FUNCTIONS = ("read", "parse", "number", "number2", "replay_point", "text")


def is_free(name: str) -> bool:
    return not iskeyword(name) and name not in vars(builtins) and name not in FUNCTIONS


NAMES: st.SearchStrategy[str] = st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True).filter(is_free)


class Renamed(ast.NodeTransformer):
    def __init__(self, before: str, after: str) -> None:
        self._before, self._after = before, after

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self._after, node.ctx) if node.id == self._before else node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return ast.arg(self._after) if node.arg == self._before else node


@settings(max_examples=40, deadline=None)
@given(NAMES, st.text(max_size=30), st.booleans(), st.integers(0, 50))
def test_any_names_of_locals_are_the_same_group(name: str, text: str, thread: bool, lines: int) -> None:
    """Together with other texts, another thread and shifted lines."""
    renamed = ast.unparse(ast.fix_missing_locations(Renamed("text", name).visit(ast.parse(CODE))))
    if text != "loop":
        assert captured("\n" * lines + renamed, text, thread)[0] == GROUP


def chain(names: list[str]) -> str:
    """A replay point that calls these one after another, of which the last one raises."""
    calls = [
        f"def {name}(text):\n    return {following}(text)\n"
        for name, following in pairwise(dict.fromkeys(("begin", *names)))
    ]
    last = list(dict.fromkeys(("begin", *names)))[-1]
    end = f"def {last}(text):\n    raise ValueError(text)\n"
    point = "@replay_point()\ndef read(text):\n    return begin(text)\n"
    head = f"from foureyes_actors.replay.point import replay_point\n\n{point}"
    return "\n".join([head, *calls, end])


@settings(max_examples=60, deadline=None)
@given(st.lists(NAMES, max_size=4), st.lists(NAMES, max_size=4))
def test_other_functions_on_the_way_are_another_group(one: list[str], other: list[str]) -> None:
    """And the same ones the same."""
    same = list(dict.fromkeys(("begin", *one))) == list(dict.fromkeys(("begin", *other)))
    assert (captured(chain(one))[0] == captured(chain(other))[0]) is same


def test_another_raising_statement_is_another_strict_one_of_the_same_group() -> None:
    group, strict, _ = captured(CODE.replace('"cannot read " + text', '"refused"'))
    assert group == GROUP and strict != STRICT


@pytest.mark.parametrize(
    "code",
    [
        CODE.replace("ValueError", "TypeError"),
        CODE.replace("number(", "digits("),
        CODE.replace("number(text) + 1", "None + 1"),
    ],
    ids=["type", "function", "place"],
)
def test_another_failure_is_another_group(code: str) -> None:
    assert captured(code)[0] != GROUP


def test_another_way_is_another_group() -> None:
    assert captured(text="loop")[0] != GROUP


def test_source_that_is_gone_still_gives_one() -> None:
    assert strict_of(KEPT, []) == strict_of(KEPT, []) != STRICT
