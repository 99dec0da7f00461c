"""A decision as a value and as a file: what is written is read again, and what is none is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foureyes_actors.forgewright import decision as subject
from foureyes_actors.forgewright.decision import (
    MAX_HISTORY,
    MAX_NOTE,
    Decision,
    Step,
    from_json,
    new,
    pattern_key,
    plain,
    to_json,
    triaged,
)
from foureyes_actors.forgewright.states import IllegalTransition, State
from foureyes_actors.forgewright.triage import BugClass, triage
from tests.bug.make import a_fault
from tests.forgewright.make import HOSTILE, ID, NOW, a_decision, in_state

TEXT = st.text(max_size=600)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT, lambda inner: st.lists(inner, max_size=30)
)


@given(TEXT, TEXT, TEXT, TEXT, TEXT, st.dictionaries(TEXT, VALUE, max_size=50), st.lists(TEXT, max_size=5))
def test_whatever_a_failure_says_its_decision_is_read_as_it_was_written(
    group: str, source: str, entry: str, kind: str, note: str, facts: dict[str, Any], notes: list[str]
) -> None:
    made = new(
        ID, pattern_key(BugClass.UNKNOWN, entry, group), group=group, source=source, entry=entry,
        exception_type=kind, now=NOW,
    )  # fmt: skip
    made = triaged(made, triage(a_fault(), 1, ())).to(State.TRIAGED, NOW, note)
    for each in notes:
        made = made.noted(NOW, each, facts)
    made = made.noted(NOW + 1, note, facts)
    assert from_json(to_json(made)) == made
    json.dumps(plain(facts), allow_nan=False)


@pytest.mark.parametrize("state", State)
def test_each_state_is_read_again(state: State) -> None:
    made = in_state(state)
    assert made.state is state and from_json(to_json(made)) == made


def forged(**changes: Any) -> bytes:
    return json.dumps({**json.loads(to_json(in_state(State.VERIFIED))), **changes}).encode()


def steps(*states: str) -> list[dict[str, Any]]:
    return [{"at": NOW, "state": state, "note": ""} for state in states]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        forged(id="FORGE-26-1"),
        forged(id="../../etc/passwd"),
        forged(id="FORGE-2026-001\n"),
        forged(state="applied"),  # its history says another one
        forged(state="conquered"),
        forged(history=[]),
        forged(history=steps("verified")),  # out of nothing
        forged(history=steps("new", "triaged", "verified")),  # never proposed
        forged(history=steps("new", "verified")),
        forged(history=steps("new", *["triaged"] * MAX_HISTORY, "verified")),
        forged(state="applied", history=steps("new", "triaged", "proposed", "applied")),
        forged(opened=-1),
        forged(opened=1e12),
        forged(opened="yesterday"),
        forged(occurrences=-1),
        forged(occurrences=10**30),
        forged(revision=1.5),
        forged(title="x" * 501),
        forged(remedy="magic"),
        forged(remedy_facts=[]),
        forged(remedy_facts={"files": {"a": {}}}),
        forged(remedy_facts={"value": 10**30}),
        forged(remedy_facts={str(n): 1 for n in range(41)}),
        forged(remedy_facts={"x": "y" * 501}),
        forged(related=["FORGE-1"]),
        forged(related=[ID] * 21),
        forged().replace(b'"opened": ', b'"opened": NaN, "o": '),
    ],
)
def test_what_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_json(data)


def test_a_key_of_a_later_version_is_no_reason_to_lose_it() -> None:
    assert from_json(forged(colour="blue")) == in_state(State.VERIFIED)


def test_an_illegal_step_raises_and_changes_nothing() -> None:
    made = a_decision()
    with pytest.raises(IllegalTransition):
        made.to(State.APPLIED, NOW)
    assert made == a_decision()


def test_the_history_is_bounded_and_keeps_its_beginning_and_its_end() -> None:
    made = a_decision().to(State.TRIAGED, NOW)
    for number in range(3 * MAX_HISTORY):
        made = made.noted(NOW + number, f"note {number}", {})
    assert len(made.history) == MAX_HISTORY and from_json(to_json(made)) == made
    assert made.history[0].state is State.NEW and made.reason == f"note {3 * MAX_HISTORY - 1}"
    cut = made
    for number in range(40):  # also where what was cut out lies between two states that do not follow each other
        cut = cut.to(State.DEFERRED, NOW + number).to(State.TRIAGED, NOW + number)
        assert from_json(to_json(cut)) == cut


def test_notes_and_names_are_one_short_line() -> None:
    made = a_decision(group=HOSTILE).to(State.TRIAGED, NOW, HOSTILE)
    assert made.reason.isprintable() and len(made.reason) <= MAX_NOTE
    assert made.group.isprintable() and made.key.isprintable()


def test_what_it_knows_of_its_past() -> None:
    made = a_decision().to(State.TRIAGED, 5.0, "first").to(State.DEFERRED, 6.0).to(State.TRIAGED, 7.0, "again")
    assert (made.since(State.TRIAGED), made.since(State.APPLIED), made.reason) == (7.0, 0.0, "again")
    assert made.was(State.DEFERRED) and not made.was(State.APPLIED)
    assert replace(made, history=()).reason == ""


def test_facts_are_plain_and_few() -> None:
    made = plain({"a": float("nan"), "b": (1, "x" * 900), "c": {"d": 1}, "e": True, "f": None, "g": 2**60, "h": 1.5})
    assert made["a"] == "nan" and made["b"][0] == "1" and len(made["b"][1]) == subject.MAX_TEXT
    assert (made["c"], made["e"], made["f"], made["g"], made["h"]) == ("{'d': 1}", True, None, str(2**60), 1.5)
    assert len(plain({str(number): 1 for number in range(100)})) == subject.MAX_FACTS


def test_a_step_is_a_value() -> None:
    assert Step(NOW, State.NEW) == Step(NOW, State.NEW, "") and isinstance(a_decision(), Decision)
