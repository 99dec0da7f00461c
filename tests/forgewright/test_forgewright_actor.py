"""ForgewrightActor: keeps what triage found, and says it once."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from foureyes_actors.bite_words import outcome
from foureyes_actors.errors import AnswerContractError, RequestTimeout, SourceUnavailable
from foureyes_actors.forgewright import actor as actor_module
from foureyes_actors.forgewright.actor import ForgewrightActor
from foureyes_actors.forgewright.forging import Forging
from foureyes_actors.forgewright.triage_table import load_rules
from foureyes_actors.messages import Collection, Event, EventKind, Fault, FaultRecorded, GetStatus, StoreDocuments
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.ports.files import LocalFiles
from supervisors.heads import Head
from tests.bug.make import a_fault
from tests.forgewright.bench import WITH_FIXER, ToldWorkshop, confirmed
from tests.forgewright.make import RECORD, a_ledger
from tests.support import FakeContext, TimedContext, eventually


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


# --- decisions ---


def told(bench: DecisionBench) -> list[tuple[str | None, str | None]]:
    return [(event.before, event.after) for event in bench.context.sent_to("console") if isinstance(event, Event)]


class DecisionBench:
    """The actor with decisions on a real disk."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.shop = ManualClock(), ToldWorkshop()
        self.context, self.ledger = TimedContext("forgewright", self.clock), a_ledger(folder, self.clock)
        self.actor = ForgewrightActor(
            self.context,
            rules=load_rules(LocalFiles()),
            clock=self.clock,
            audience=("console",),
            forging=lambda context, changed: Forging(
                context, ledger=self.ledger, workshop=self.shop, clock=self.clock, settings=WITH_FIXER, changed=changed
            ),
        )
        self.actor.on_start()
        self.hear()

    def hear(self) -> None:
        eventually(lambda: bool(self.context.to_self), 20.0, "the worker answers")
        while self.context.to_self:
            self.actor.on_receive(self.context.to_self.pop(0))

    @property
    def stored(self) -> list[Any]:
        messages = [each for each in self.context.sent_to("recorder") if isinstance(each, StoreDocuments)]
        return [doc for each in messages if each.collection is Collection.DECISIONS for doc in each.documents]


def test_a_decision_is_stored_with_each_revision_and_told_when_it_is_news(tmp_path: Path) -> None:
    bench = DecisionBench(tmp_path)
    bench.shop.confirmations["v1-a"] = confirmed()
    fault = a_fault(OverflowError("date value out of range"), at=bench.clock.utc_now())
    bench.actor.on_receive(FaultRecorded(fault, "v1-a", 1, record=RECORD))
    assert bench.stored[-1]["state"] == "captured" and told(bench) == []
    bench.actor._forging.reproduced("v1-a", confirmed())  # type: ignore[union-attr]
    while bench.actor.on_receive(GetStatus())["decisions"]["in_work"]:
        bench.hear()
    assert told(bench) == [("verified", "awaiting approval")], "the steps on the way are no news"
    revisions = [document["revision"] for document in bench.stored]
    assert revisions == list(range(1, len(revisions) + 1)) and len({doc["_id"] for doc in bench.stored}) == len(
        revisions
    )
    status = bench.actor.on_receive(GetStatus())["decisions"]
    assert status["by_state"] == {"awaiting approval": 1}
    assert status["budget"] == {
        "patches_asked_for_in_24_hours": "1 of 5",
        "applied_unasked_in_24_hours": "0 of 5",
    }
    bench.actor.on_stop()


def test_cerberus_himself_tells_of_what_he_mended(tmp_path: Path) -> None:
    bench = DecisionBench(tmp_path)
    fault = a_fault(SourceUnavailable("OBS at 127.0.0.1:4455: x"), at=bench.clock.utc_now())
    bench.actor.on_receive(FaultRecorded(fault, "v1-a", 1))
    bite = Event("e", EventKind.HEAD_BITTEN, bench.clock.utc_now() + timedelta(seconds=1), "capture", None, None)
    reason = "SourceUnavailable: OBS"
    bite = replace(bite, after=outcome(next(iter(Head)), recovered=True, took=1.0), reason=reason, seconds=1.0)
    bench.actor.on_receive(bite)
    assert bench.stored[-1]["state"] == "watched" and told(bench) == []
    bench.actor.on_stop()
