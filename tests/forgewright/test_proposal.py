"""What the tools answer is one line that a parent reads whole; what is none is nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foureyes_actors.forgewright import landing
from foureyes_actors.forgewright.landing import Landed, Landing, landing_from
from foureyes_actors.forgewright.proposal import MAX_LINE, Attempt, Outcome, Proposal, as_line, proposal_from

STOPPED = Attempt(1, "contract", "KeyError: 'major'", 3.5)
PASSED = Proposal(
    Outcome.PASSED,
    "attempt 2 passed",
    "a" * 40,
    "b" * 64,
    (STOPPED, Attempt(2, "", "", 1.0)),
    ("foureyes_actors/x.py",),
)
DONE = Landing("apply", "FORGE-2026-001", Landed.DONE, "", "foureyes/forge-2026-001", "c" * 40)


def test_it_comes_back_as_it_was() -> None:
    for proposal in (
        PASSED,
        Proposal(Outcome.STOPPED, "no", "a" * 40, "", (STOPPED,)),
        Proposal(Outcome.IMPOSSIBLE, "no git"),
    ):
        assert proposal_from(as_line(proposal)) == proposal
        assert proposal_from(as_line(proposal).encode()) == proposal


@given(st.text(max_size=2000), st.lists(st.text(min_size=1, max_size=300), max_size=20))
def test_it_is_one_line_that_a_parent_reads_whole(text: str, files: list[str]) -> None:
    attempts = tuple(Attempt(number, text[:100] or "x", text, 1e8) for number in (1, 2, 3))
    for proposal in (
        Proposal(Outcome.STOPPED, text, "a" * 64, "", attempts, tuple(files)),
        replace(PASSED, reason=text, attempts=(*attempts[:2], replace(attempts[2], rule="")), files=tuple(files)),
    ):
        line = as_line(proposal)
        assert len(line) <= MAX_LINE and line.isprintable()


def test_what_it_is_survives_any_cut() -> None:
    long = "\N{SNOWMAN}" * 1000
    attempts = (Attempt(1, long, long, 1.0), Attempt(2, long, long, 1.0), Attempt(3, "", long, 1.0))
    found = proposal_from(as_line(replace(PASSED, reason=long, attempts=attempts, files=(long,) * 30)))
    assert found is not None and (found.outcome, found.base, found.digest) == (Outcome.PASSED, "a" * 40, "b" * 64)
    assert len(found.attempts) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"outcome": "done"},
        {"outcome": ["passed"]},
        {"reason": None},
        {"base": "HEAD"},
        {"base": ""},
        {"digest": ""},
        {"digest": "x" * 64},
        {"attempts": []},
        {"attempts": [{"number": 2, "rule": "", "reason": "", "seconds": 1}]},
        {"attempts": [{"number": 1, "rule": "contract", "reason": "", "seconds": 1}]},
        {"attempts": [{"number": 1, "rule": "", "reason": "", "seconds": -1}]},
        {"attempts": [{"number": 1, "rule": "", "reason": "", "seconds": True}]},
        {"attempts": [{"number": n, "rule": "", "reason": "", "seconds": 1} for n in (1, 2)]},
        {"attempts": [{"number": n, "rule": "x", "reason": "", "seconds": 1} for n in (1, 2, 3, 4)]},
        {"attempts": "none"},
        {"files": [3]},
        {"outcome": "stopped"},
        {"outcome": "impossible"},
    ],
)
def test_what_is_no_proposal_is_none(change: dict[str, Any]) -> None:
    """A forged one, above all: it says that something passed and does not say what."""
    assert proposal_from(json.dumps({**json.loads(as_line(PASSED)), **change})) is None


@pytest.mark.parametrize("text", [b"\xff", b"[" * 100_000, b"null", b"{}", b"", b"[]", b"3"])
def test_nor_is_anything_else(text: bytes) -> None:
    assert proposal_from(text) is None and landing_from(text) is None


def test_a_landing_comes_back_as_it_was() -> None:
    assert landing_from(landing.as_line(DONE)) == DONE
    refused = replace(DONE, result=Landed.REFUSED, reason="no", commit="", branch="")
    assert landing_from(landing.as_line(refused)) == refused


@given(st.text(max_size=2000))
def test_a_landing_is_one_line_too(text: str) -> None:
    line = landing.as_line(replace(DONE, reason=text))
    assert len(line) <= 900 and line.isprintable() and landing_from(line) is not None


@pytest.mark.parametrize(
    "change",
    [{"schema": 3}, {"result": "maybe"}, {"decision": "x"}, {"decision": None}, {"commit": "HEAD"}, {"more": 1}],
)
def test_what_is_no_landing_is_none(change: dict[str, Any]) -> None:
    assert landing_from(json.dumps({**json.loads(landing.as_line(DONE)), **change})) is None
