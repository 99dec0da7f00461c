"""BugActor: documents for the recorder, words to Forgewright, and an even temper."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from foureyes_actors.bug import actor as actor_module
from foureyes_actors.bug.actor import BugActor
from foureyes_actors.bug.faults import fault_from_exception
from foureyes_actors.bug.fingerprint import fingerprint
from foureyes_actors.errors import AnswerContractError, StoreUnavailable
from foureyes_actors.messages import CountError, ErrorHistory, ErrorHistoryWanted, Fault, FaultRecorded, GetStatus
from foureyes_actors.ports.clock import ManualClock
from supervisors.inbox import InboxFull
from tests.bug.make import a_fault, raised
from tests.support import FakeContext, TimedContext

CANARY = "c4n4ry-7f3a"
OTHER = "sk-lm-abcdefgh:c4n4ry-other"

FIELDS = {
    "_id", "at", "first_at", "last_at", "error_type", "exception_type", "exception_chain", "severity", "source",
    "component", "message", "stack_trace", "context", "retryable", "fingerprint", "occurrences", "resolved",
    "resolved_at", "resolution", "history",
}  # fmt: skip


class Bench:
    def __init__(self, kind: type[TimedContext] = TimedContext, absent: tuple[str, ...] = ()) -> None:
        self.clock = ManualClock()
        self.context = kind("bug", self.clock, absent=absent)
        self.actor = BugActor(self.context, clock=self.clock, secrets=(CANARY, ""))
        self.actor.on_start()

    def tick(self, seconds: float = 1.0) -> None:
        self.context.pass_time(seconds, self.actor.on_receive)

    @property
    def documents(self) -> list[Mapping[str, Any]]:
        return [m.document for m in self.context.sent_to("recorder") if isinstance(m, CountError)]

    @property
    def told(self) -> list[FaultRecorded]:
        return [m for m in self.context.sent_to("forgewright") if isinstance(m, FaultRecorded)]

    @property
    def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.actor.on_receive(GetStatus())
        return answer


def test_a_fault_becomes_a_document_and_a_word() -> None:
    bench, fault = Bench(), a_fault(AnswerContractError("no JSON"), context={"frame": "7"})
    bench.actor.on_receive(fault)
    (document,) = bench.documents
    assert set(document) == FIELDS
    assert document["_id"] == fault.id and document["fingerprint"] == fingerprint(fault)
    assert document["at"] == document["first_at"] == document["last_at"] == fault.at
    assert (document["severity"], document["error_type"]) == ("Low", "ValidationError")
    assert document["exception_type"] == "foureyes_actors.errors.AnswerContractError"
    assert (document["source"], document["component"]) == (fault.source, fault.component)
    assert document["context"] == {"frame": "7"} and document["occurrences"] == 1
    assert (document["resolved"], document["resolved_at"], document["resolution"]) == (False, None, None)
    assert bench.told == [FaultRecorded(fault, fingerprint(fault), 1)]
    assert (bench.context.ticks, bench.context.later) == ([], [])  # nothing waits, so nothing wakes it


def test_occurrences_are_counted_for_forgewright() -> None:
    bench = Bench()
    for _ in range(3):
        bench.actor.on_receive(a_fault())
    assert [told.occurrences for told in bench.told] == [1, 2, 3]
    assert len({document["_id"] for document in bench.documents}) == 3


def test_no_secret_leaves_by_any_way(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    bench = Bench()

    def fails(_local: str) -> None:
        raise StoreUnavailable(f"mongodb://u:{CANARY}@h and {OTHER}: {CANARY!r}") from raised(KeyError(CANARY))

    try:
        fails(CANARY)
    except StoreUnavailable as error:
        context = {"uri": f"x {CANARY}", "password": "anything", CANARY: "a key"}
        bench.actor.on_receive(fault_from_exception(error, source="recorder", clock=bench.clock, context=context))
    shown = f"{bench.documents} {bench.told} {bench.status} {caplog.text}"
    assert CANARY not in shown and OTHER not in shown and "anything" not in shown
    assert "[redacted]" in bench.documents[0]["message"] and "KeyError" in bench.documents[0]["stack_trace"]


def test_ids_and_types_are_never_touched_by_redaction() -> None:
    context = FakeContext("bug")
    actor = BugActor(context, clock=ManualClock(), secrets=("capture", "ValueError", "abcd"))
    actor.on_receive(a_fault(id="abcdabcd"))
    (message,) = context.sent_to("recorder")
    assert isinstance(message, CountError)
    document = message.document
    assert (document["_id"], document["source"], document["exception_type"]) == ("abcdabcd", "capture", "ValueError")


def test_a_storm_is_bounded_and_its_size_is_told() -> None:
    bench = Bench()
    for _ in range(10_000):
        bench.actor.on_receive(a_fault())
        bench.clock.advance(0.0001)
    assert len(bench.documents) == 5
    bench.tick()
    assert len(bench.documents) == 6
    assert bench.documents[-1]["context"] == {"suppressed": "9994"}
    assert bench.told[-1].occurrences == 10_000
    status = bench.status
    assert (status["received"], status["recorded"], status["suppressed"]) == (10_000, 6, 9994)
    assert status["waiting"] == 0


def test_another_group_is_heard_in_the_middle_of_a_storm() -> None:
    bench = Bench()
    for _ in range(100):
        bench.actor.on_receive(a_fault())
    bench.actor.on_receive(a_fault(KeyError("other")))
    assert bench.documents[-1]["exception_type"] == "KeyError"


class FullContext(TimedContext):
    """Its recorder's inbox is full."""

    full = True

    def tell(self, name: str, message: object) -> bool:
        if self.full and name == "recorder":
            raise InboxFull("recorder has 1000 messages waiting")
        return super().tell(name, message)


def test_what_the_recorder_does_not_take_is_offered_again() -> None:
    for bench in (Bench(FullContext), Bench(absent=("recorder",))):
        context = bench.context
        fault = a_fault()
        bench.actor.on_receive(fault)
        assert bench.documents == [] and bench.status["undelivered"] == 1
        context.absent = ()
        if isinstance(context, FullContext):
            context.full = False
        bench.tick()
        assert [document["_id"] for document in bench.documents] == [fault.id]
        assert [told.occurrences for told in bench.told] == [1]


def test_an_absent_forgewright_costs_nothing() -> None:
    bench = Bench(absent=("forgewright",))
    bench.actor.on_receive(a_fault())
    assert len(bench.documents) == 1


@pytest.mark.parametrize("end", [BugActor.on_stop, BugActor.on_failure])
@pytest.mark.parametrize("seconds", [0.0, 1.0])
def test_what_waits_goes_out_before_the_end(end: Callable[[BugActor], None], seconds: float) -> None:
    """Whatever the end, and without waiting until the second is over: no replacement knows of it."""
    bench = Bench()
    for _ in range(10):
        bench.actor.on_receive(a_fault())
    bench.clock.advance(seconds)
    end(bench.actor)
    assert bench.documents[-1]["context"] == {"suppressed": "4"}


def test_a_defect_of_its_own_is_counted_and_logged_without_the_fault(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_fault: Fault) -> str:
        raise RuntimeError(f"a defect with {CANARY}")

    bench = Bench()
    monkeypatch.setattr(actor_module, "fingerprint", broken)
    bench.actor.on_receive(a_fault())
    bench.actor.on_receive(a_fault())
    assert bench.status["own_failures"] == 2 and bench.documents == [] and bench.told == []
    assert "a fault could not be handled: RuntimeError" in caplog.text and CANARY not in caplog.text


def test_a_strange_fault_does_no_harm() -> None:
    bench = Bench()
    bench.actor.on_receive(a_fault(message=None))
    bench.actor.on_receive(a_fault(message="\ud800\x00", frames=("\ud800",), context={}))
    assert bench.status["own_failures"] == 1 and bench.status["recorded"] == 1


def test_the_first_of_a_group_is_logged_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    for _ in range(3):
        bench.actor.on_receive(a_fault(ValueError("first line\nsecond line")))
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == [
        f"capture: ValueError: first line (High, {fingerprint(a_fault())})"
    ]


def test_other_messages_are_left_alone() -> None:
    assert Bench().actor.on_receive("something else") is None


def test_a_fault_is_one_however_often_it_is_told() -> None:
    bench, fault = Bench(), a_fault()
    for _ in range(3):
        bench.actor.on_receive(fault)
    assert len(bench.documents) == 1
    assert (bench.status["received"], bench.status["repeated"], bench.status["recorded"]) == (3, 2, 1)


def test_an_exception_and_those_raised_from_it_are_one_failure_but_not_what_came_while_it_was_handled() -> None:
    cause = raised(ValueError("x"))
    try:
        raise RuntimeError("y") from cause
    except RuntimeError as error:
        above = error
    try:
        try:
            raise cause
        except ValueError:
            raise KeyError("another") from None
    except KeyError as error:
        other = error
    try:
        try:
            raise cause
        except ValueError:
            int("meanwhile")
    except ValueError as error:
        meanwhile = error
    first, again, second, third = (a_fault_of(each) for each in (above, cause, other, meanwhile))
    assert first.id == again.id and len({first.id, second.id, third.id}) == 3


def a_fault_of(error: BaseException) -> Fault:
    return fault_from_exception(error, source="capture", clock=ManualClock())


def test_it_asks_what_runs_before_saw_and_says_what_recurs() -> None:
    bench = Bench()
    assert bench.context.sent_to("recorder") == [ErrorHistoryWanted("bug")]
    fault = a_fault()
    before = {"recent": [int(fault.at.timestamp() * 1000) - 1000] * 2, "days": {}}
    bench.actor.on_receive(ErrorHistory({fingerprint(fault): before}))
    bench.actor.on_receive(fault)
    assert [told.recurrence for told in bench.told] == ["3 in 10 min"]
    assert bench.status["recurring"] == 1
    assert bench.documents[0]["history"]["recent"] == [int(fault.at.timestamp() * 1000)]


def test_its_condition_is_in_its_status() -> None:
    bench = Bench()
    assert bench.status["condition"] == "healthy"
    for _ in range(21):
        bench.actor.on_receive(a_fault())
    assert bench.status["condition_is"] == "degraded: 21 failures in the last 5 min, 0 of them critical"
    bench.actor.on_receive(a_fault(MemoryError()))
    assert bench.status["condition"] == "critical"
    bench.tick(301.0)
    assert bench.status["condition"] == "healthy"


def test_a_history_goes_on_in_the_next_document_when_the_recorder_does_not_take_one() -> None:
    bench = Bench(absent=("recorder",))
    bench.actor.on_receive(a_fault())
    bench.context.absent = ()
    bench.actor.on_receive(a_fault())
    assert sum(bench.documents[-1]["history"]["days"].values()) == 2
