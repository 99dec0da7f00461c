"""Field rules: a table of sequences, and the property that matters: no latch."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foureyes_actors.messages import Field, FieldValue, Reading, ReadingStatus
from foureyes_actors.readings.fields import FieldState, step
from foureyes_actors.readings.observe import Observation, Seen
from foureyes_actors.settings import FieldRule

NO, NONE, BAD = "no answer", "none", "bad"


def observation(field: Field, what: Any, at: float) -> Observation:
    match what:
        case "no answer":
            return Observation(field, at, Seen.NO_ANSWER, reason="no answer about x")
        case "none":
            return Observation(field, at, Seen.NOTHING, reason="not visible")
        case "bad":
            return Observation(field, at, Seen.ILLEGAL, raw="x", reason="no digits")
    value = Decimal(str(what)) if field in (Field.GRAND, Field.BALANCE) else str(what)
    return Observation(field, at, Seen.VALUE, str(what), value, confidence=0.5)


def run(field: Field, rule: FieldRule, *sequence: Any) -> list[Reading]:
    state, readings = FieldState(field), []
    for at, what in enumerate(sequence):
        state, reading = step(state, observation(field, what, float(at)), rule)
        readings.append(reading)
    return readings


def short(readings: list[Reading]) -> str:
    """Status (accepted, held, missing, rejected, stale) by its letter, and the value that stands."""
    return " ".join(f"{r.status.value[0]}{'-' if r.value is None else r.value}" for r in readings)


Q1, Q2, Q3 = FieldRule(quorum=1), FieldRule(quorum=2), FieldRule(quorum=3)
SEQUENCES: list[tuple[str, Field, FieldRule, list[Any], str]] = [
    ("quorum 1", Field.BALANCE, Q1, [5, 6], "a5 a6"),
    ("first value waits too", Field.STATE, Q2, ["idle", "idle"], "h- aidle"),
    ("a change waits", Field.STATE, Q2, ["idle", "idle", "win", "win"], "h- aidle hidle awin"),
    ("a blip is nothing", Field.STATE, Q2, ["idle", "idle", "win", "idle"], "h- aidle hidle aidle"),
    ("three", Field.BALANCE, Q3, [5, 5, 5, 9, 9, 9], "h- h- a5 h5 h5 a9"),
    ("another value starts anew", Field.BALANCE, Q2, [5, 6, 5, 5], "h- h- h- a5"),
    ("unknown is a value", Field.STATE, Q2, ["unknown", "unknown"], "h- aunknown"),
    ("missing", Field.BALANCE, Q1, [5, NONE, 5], "a5 m- a5"),
    ("rejected", Field.BALANCE, Q1, [5, BAD, 5], "a5 r- a5"),
    ("stale", Field.BALANCE, Q1, [NO, 5, NO], "s- a5 s5"),
    ("a blinking display", Field.BALANCE, Q2, [5, NONE, 5, NO, 6, BAD, 6], "h- m- a5 s5 h5 r- a6"),
    ("a growing jackpot", Field.GRAND, Q3, [100, "100.1", "100.2", "100.3"], "h- h- a100.2 a100.3"),
    ("a jump of a jackpot", Field.GRAND, Q2, [100, 100, 1000, 1000], "h- a100 h100 a1000"),
    ("a misread jackpot", Field.GRAND, Q2, [100, 100, 1000, "100.1"], "h- a100 h100 a100.1"),
    ("a jackpot that was won", Field.GRAND, Q2, [100, 100, 10, "10.1"], "h- a100 h100 a10.1"),
    ("a balance does not just grow", Field.BALANCE, Q2, [100, 100, "100.1"], "h- a100 h100"),
]


@pytest.mark.parametrize(
    ("field", "rule", "sequence", "expected"), [s[1:] for s in SEQUENCES], ids=[s[0] for s in SEQUENCES]
)
def test_sequences(field: Field, rule: FieldRule, sequence: list[Any], expected: str) -> None:
    assert short(run(field, rule, *sequence)) == expected


def test_reasons_say_what_is_waited_for() -> None:
    readings = run(Field.BALANCE, Q3, 5, 5, 5, BAD, NONE, NO)
    assert [r.reason for r in readings] == [
        "1 of 3", "2 of 3", "seen 3 times in a row", "no digits", "not visible", "no answer about x",
    ]  # fmt: skip
    assert [r.raw for r in readings] == ["5", "5", "5", "x", None, None]


@pytest.mark.parametrize(
    ("value", "rule", "words"),
    [
        (4, FieldRule(minimum=5), "4 is below the minimum 5"),
        ("5.01", FieldRule(maximum=5), "5.01 is above the maximum 5"),
        ("0.1", FieldRule(minimum=0.1, maximum=0.1), ""),
    ],
)
def test_the_range(value: Any, rule: FieldRule, words: str) -> None:
    (reading,) = run(Field.BALANCE, rule, value)
    assert reading.status is (ReadingStatus.REJECTED if words else ReadingStatus.ACCEPTED)
    assert reading.reason == words
    assert (reading.value is None) is bool(words)


def test_the_currency_stays_with_its_value() -> None:
    rule, state = FieldRule(quorum=2), FieldState(Field.BALANCE)
    for at, (amount, currency) in enumerate([("5", "$"), ("5", "$"), ("6", "€")]):
        seen = Observation(Field.BALANCE, at, Seen.VALUE, amount, Decimal(amount), currency)
        state, reading = step(state, seen, rule)
    assert (reading.status, reading.value, reading.currency) == (ReadingStatus.HELD, Decimal(5), "$")


def test_an_older_frame_is_recorded_and_changes_nothing() -> None:
    state, _ = step(FieldState(Field.BALANCE), observation(Field.BALANCE, 5, 10.0), Q1)
    after, reading = step(state, observation(Field.BALANCE, 4, 9.0), Q1)
    assert after == state
    assert (reading.status, reading.value, reading.raw) == (ReadingStatus.HELD, Decimal(5), "4")
    assert "newer frame" in reading.reason


def test_no_answer_does_not_make_an_older_answer_late() -> None:
    state, _ = step(FieldState(Field.BALANCE), observation(Field.BALANCE, NO, 10.0), Q1)
    _, reading = step(state, observation(Field.BALANCE, 4, 9.0), Q1)
    assert reading.status is ReadingStatus.ACCEPTED


FIELDS = st.sampled_from([Field.GRAND, Field.BALANCE, Field.STATE])
WHAT = st.one_of(st.sampled_from([NO, NONE, BAD]), st.decimals("0", "1000000", places=2), st.sampled_from([100, 101]))
RULES = st.builds(FieldRule, quorum=st.integers(1, 5))


@given(FIELDS, RULES, st.lists(WHAT, max_size=30), st.decimals("0", "1000000", places=2))
def test_no_latch(field: Field, rule: FieldRule, history: list[Any], value: Decimal) -> None:
    """Whatever was seen before: a value that is seen ``quorum`` times in a row is accepted."""
    readings = run(field, rule, *history, *[value] * rule.quorum)
    assert readings[-1].status is ReadingStatus.ACCEPTED
    assert str(readings[-1].value) == str(value)


@given(FIELDS, RULES, st.lists(WHAT, max_size=30))
def test_only_accepted_values_are_ever_held(field: Field, rule: FieldRule, history: list[Any]) -> None:
    last: FieldValue = None
    for reading in run(field, rule, *history):
        if reading.status is ReadingStatus.ACCEPTED:
            last = reading.value
            assert last is not None
        elif reading.status in (ReadingStatus.HELD, ReadingStatus.STALE):
            assert reading.value == last
        else:
            assert reading.value is None


@given(FIELDS, RULES, st.lists(st.tuples(WHAT, st.integers(0, 5)), max_size=40))
def test_time_never_goes_back(field: Field, rule: FieldRule, history: list[tuple[Any, int]]) -> None:
    """Frames in any order: an older one changes no state."""
    state = FieldState(field)
    for what, at in history:
        before = state
        state, _ = step(state, observation(field, what, float(at)), rule)
        assert state.newest >= before.newest
        if at < before.newest:
            assert state == before
