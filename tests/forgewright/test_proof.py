"""The line that says whether another value is proven to help."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foureyes_actors.forgewright.proof import MAX_LINE, Proof, as_line, proof_from

FOUND = Proof("inference.deadline", 45.0, True, "a reply after 31 s is in time", 3, None, 31.0, "bubblewrap")


def test_it_says_what_the_border_asks_for() -> None:
    line = json.loads(as_line(FOUND))
    wanted = {"schema": 1, "key": "inference.deadline", "value": 45.0, "proven": True, "runs": 3}
    assert {name: line[name] for name in wanted} == wanted and line["reason"]
    assert proof_from(as_line(FOUND)) == FOUND


@given(st.text(max_size=2000), st.text(max_size=2000))
def test_whatever_the_reason_it_is_one_line_that_a_parent_reads_whole(reason: str, sandbox: str) -> None:
    line = as_line(Proof("store.timeout", 6.0, False, reason, 3, sandbox=sandbox))
    assert len(line) <= MAX_LINE and line.isprintable()
    found = proof_from(line)
    assert found is not None and not found.proven


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"proven": 1},
        {"proven": "true"},
        {"value": True},
        {"value": float("nan")},
        {"value": -1},
        {"runs": "3"},
        {"late": "31"},
        {"was": 10**400},
        {"reason": None},
        {"key": ["inference.deadline"]},
    ],
)
def test_what_is_no_proof_is_none(change: dict[str, Any]) -> None:
    assert proof_from(json.dumps({**json.loads(as_line(FOUND)), **change})) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", b"\xff", "[" * 100_000, "not proven"])
def test_nor_is_anything_else(text: str | bytes) -> None:
    assert proof_from(text) is None
