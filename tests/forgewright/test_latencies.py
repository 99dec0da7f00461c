"""Which latencies found a longer deadline."""

from __future__ import annotations

from typing import Any

import pytest

from foureyes_actors.forgewright.latencies import Evidence, Observed, model_of, observed_in, weigh

LONGEST = 54.0


def of(*latencies: float) -> Evidence | None:
    return weigh(Observed(latencies), 30.0, LONGEST)


def late(*latencies: float) -> float:
    found = of(*latencies)
    assert found is not None
    return found.late


def test_an_answer_that_took_longer_than_the_deadline_is_evidence() -> None:
    """It was recorded while the deadline was another one."""
    found = of(2.0, 31.0)
    assert found == Evidence(31.0, "an answer of this model took longer than 30 s, as long as 31.0 s")
    assert late(*[1.0] * 30, 34.0, 33.0) == 34.0


def test_answers_that_come_close_to_the_deadline_are_evidence() -> None:
    slow = [20.0] * 18 + [25.0] * 2
    found = of(*slow)
    assert found is not None and found.late == pytest.approx(33.0)
    assert (
        found.words == "5 of 100 of this model's answers took 25.0 s or more, close to 30 s: one after 33 s is assumed"
    )
    assert of(*slow[1:]) is None, "too few"
    assert of(*[20.0] * 19, 29.0) is None, "one in twenty is the slowest twentieth itself"
    assert of(*[1.0] * 100) is None


def test_answers_that_no_allowed_deadline_has_room_for_are_none() -> None:
    assert of(*[29.0] * 30, 55.0) is None
    assert weigh(Observed((50.0,) * 40), 55.0, LONGEST) is None, "the next one would be beyond"
    assert late(*[29.0] * 30, 55.0, 40.0) == 40.0


@pytest.mark.parametrize("seconds", [30.0, 30.5])
def test_what_took_just_as_long_as_the_deadline_is_no_late_answer(seconds: float) -> None:
    assert of(seconds) is None


def test_nothing_seen_is_no_evidence() -> None:
    assert of() is None
    assert Observed().words(30.0) == "0 answers of this model were seen, fewer than 20"
    assert Observed((2.0,) * 20).words(30.0) == "95 of 100 of this model's answers took at most 2.0 s, far from 30 s"


def test_the_readings_of_the_store_tell() -> None:
    readings: list[dict[str, Any]] = [
        {"models": ["a", "b"], "latencies_ms": [31_000, 500]},
        {"models": ["b"], "latencies_ms": [700]},
        {"models": ["a"], "latencies_ms": [None]},  # out of the cache, or in the fallback
        {"models": ["a"]},  # of an earlier version
        {"models": ["a"], "latencies_ms": [1, 2]},
        {"models": ["a"], "latencies_ms": [True]},
        {"models": ["a"], "latencies_ms": [float("nan")]},
        {"models": "a", "latencies_ms": "a"},
        {},
    ]
    assert observed_in(readings, "a") == Observed((31.0,))
    assert observed_in(readings, "b") == Observed((0.5, 0.7))
    assert observed_in(readings, "c") == Observed()


@pytest.mark.parametrize(
    ("document", "model"),
    [({"actor": "inference:qwen/vl:2"}, "qwen/vl:2"), ({"actor": "capture"}, ""), ({"actor": 3}, ""), ({}, "")],
)
def test_whose_answers_a_record_is_about(document: dict[str, Any], model: str) -> None:
    assert model_of(document) == model
