"""ForgewrightActor: keeps what triage found, and says it once."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from foureyes_actors.errors import AnswerContractError, RequestTimeout
from foureyes_actors.forgewright import actor as actor_module
from foureyes_actors.forgewright.actor import ForgewrightActor
from foureyes_actors.forgewright.triage_table import load_rules
from foureyes_actors.messages import Fault, FaultRecorded, GetStatus
from foureyes_actors.ports.files import LocalFiles
from tests.bug.make import a_fault
from tests.support import FakeContext


class Bench:
    def __init__(self) -> None:
        self.context = FakeContext("forgewright")
        self.actor = ForgewrightActor(self.context, rules=load_rules(LocalFiles()))
        self.actor.on_start()

    def take(self, fault: Fault, fingerprint: str = "v1-a", occurrences: int = 1) -> None:
        assert self.actor.on_receive(FaultRecorded(fault, fingerprint, occurrences)) is None

    @property
    def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.actor.on_receive(GetStatus())
        return answer


def test_before_anything_happened() -> None:
    status = Bench().status
    assert (status["triaged"], status["groups"], status["unknown"]) == (0, 0, 0)


def test_occurrences_are_counted_by_class_and_cause_also_those_of_a_storm() -> None:
    bench = Bench()
    bench.take(a_fault(AnswerContractError("x")), "v1-a", 1)
    bench.take(a_fault(AnswerContractError("x")), "v1-a", 400)
    bench.take(a_fault(KeyError("x")), "v1-b", 1)
    bench.take(a_fault(KeyError("x")), "v1-b", 1)  # the BugActor was replaced and counts anew
    status = bench.status
    assert status["by_class"] == {"vision_inference": 400, "unknown": 2} and status["unknown"] == 2
    assert status["by_cause"] == {"data": 400, "unknown": 2}
    assert (status["triaged"], status["groups"]) == (4, 2)


def test_the_most_urgent_come_first() -> None:
    bench = Bench()
    bench.take(a_fault(AnswerContractError("x")), "v1-low")
    bench.take(a_fault(MemoryError()), "v1-critical")
    bench.take(a_fault(RequestTimeout("x")), "v1-medium", 7)
    rows = bench.status["most_urgent"]
    assert [row["fingerprint"] for row in rows] == ["v1-critical", "v1-medium", "v1-low"]
    assert rows[1] == {
        "fingerprint": "v1-medium",
        "class": "lm_studio_connection",
        "cause": "external",
        "priority": 5,
        "retryable": True,
        "action": "monitor",
        "remedy": "configuration",
        "occurrences": 7,
        "exception_type": "foureyes_actors.errors.RequestTimeout",
        "source": "capture",
    }


def test_what_triage_found_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    bench = Bench()
    for i in range(3):
        bench.take(a_fault(KeyError("x")), "v1-a", i + 1)
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [
        "v1-a is unknown, cause unknown, will not pass by itself, priority 4 (no rule)",
    ]
    assert bench.context.sent == [], "nothing is changed, nobody is told"


def test_groups_are_bounded() -> None:
    bench = Bench()
    for i in range(actor_module.MAX_GROUPS + 10):
        bench.take(a_fault(KeyError("x")), f"v1-{i}")
    assert bench.status["groups"] == actor_module.MAX_GROUPS
    assert len(bench.status["most_urgent"]) == actor_module.SHOWN_GROUPS


def test_other_messages_are_left_alone() -> None:
    assert Bench().actor.on_receive("something else") is None
