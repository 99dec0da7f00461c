"""What would have been with another deadline: the recorded exchange, played again in scaled time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from foureyes_actors.errors import RequestTimeout, SourceUnavailable, StoreUnavailable, WrongModel
from foureyes_actors.inference.client import ask
from foureyes_actors.inference.request import template
from foureyes_actors.inference.tasks import merge
from foureyes_actors.messages import Analysis, Task
from foureyes_actors.ports.clock import ManualClock, SystemClock
from foureyes_actors.ports.http import HttpReply, HttpRequest
from foureyes_actors.ports.wire import End, WireFault, wired
from foureyes_actors.replay.codec import dumps, loads
from foureyes_actors.replay.record import Record
from foureyes_actors.replay.replaying import PORT, WIRE, Outcome
from foureyes_actors.settings import InferenceSettings
from t00l5et.reproduction import source
from t00l5et.wire.replay import Late, WireReplay, judge_best
from t00l5et.wire.script import NotPlayable
from tests.inference.support import ENTRIES, MODEL, completion, frame, good
from tests.replay import live_http, live_obs, live_store
from tests.replay.make import best_verdict_of, failure, record_of
from tests.replay.scenarios import joined


def analysed(answer: Callable[[HttpRequest, ManualClock], HttpReply], deadline: float) -> Callable[[], object]:
    """One inference, whose time passes by a clock that is set."""
    clock, settings = ManualClock(), InferenceSettings(deadline=deadline)

    class Http:
        def exchange(self, request: HttpRequest) -> HttpReply:
            return answer(request, clock)

        def close(self) -> None: ...

    return lambda: ask(
        frame(),
        model=MODEL,
        tasks=tuple(Task),
        http=Http(),
        clock=clock,
        settings=settings,
        base_url="http://127.0.0.1:1234",
        token="",
        shape=template(MODEL, merge(ENTRIES), settings),
    )


def silent(request: HttpRequest, clock: ManualClock) -> HttpReply:
    """As the HTTP port tells of a server that said nothing within the deadline."""
    clock.advance(request.deadline)
    fault = WireFault(End.SILENT, seconds=request.deadline, deadline=request.deadline)
    raise wired(RequestTimeout(f"no complete reply within {request.deadline:g} s"), fault)


def after(seconds: float, reply: HttpReply) -> Callable[[HttpRequest, ManualClock], HttpReply]:
    def answer(_request: HttpRequest, clock: ManualClock) -> HttpReply:
        clock.advance(seconds)
        return replace(reply, seconds=seconds)

    return answer


def replayed(act: Callable[[], object]) -> WireReplay:
    return of(record_of(failure(act)))


def of(record: Record) -> WireReplay:
    return WireReplay(loads(dumps(record.document)), record.blobs.__getitem__)


def test_a_reply_after_31_s_fails_with_30_and_passes_with_45() -> None:
    """What a longer deadline would have brought, if the server had answered then: in scaled time."""
    timeout, clock = replayed(analysed(silent, 30.0)), SystemClock()
    late, began = Late(31.0, good()), clock.monotonic()
    with pytest.raises(RequestTimeout):
        timeout.run()
    with pytest.raises(RequestTimeout):
        timeout.run(late=late)
    with pytest.raises(RequestTimeout):
        timeout.run(changes={"inference.deadline": 45})  # nothing ever came, as far as the record knows
    passed = timeout.run(changes={"inference.deadline": 45}, late=late)
    assert isinstance(passed, Analysis) and passed.latency == pytest.approx(31.0) and len(passed.answers) == len(Task)
    assert clock.monotonic() - began < 31.0  # for four runs


def test_a_recorded_latency_of_31_s_is_too_much_for_30_and_not_for_45() -> None:
    other = completion("{}", model="other")
    record = replayed(analysed(after(31.0, other), 60.0))
    for changes in ({}, {"inference.deadline": 45}, {"inference.deadline": 60.0}):
        with pytest.raises(WrongModel):
            record.run(changes=changes)
    with pytest.raises(RequestTimeout):
        record.run(changes={"inference.deadline": 30})
    assert record.verdict(source).outcome is Outcome.SAME
    found = record.verdict(source, changes={"inference.deadline": 30})
    assert (found.outcome, found.level) == (Outcome.OTHER, WIRE) and "RequestTimeout" in found.reason


def test_a_deadline_and_an_answer_that_scaling_cannot_tell_apart() -> None:
    with pytest.raises(NotPlayable, match="too close"):
        replayed(analysed(silent, 30.0)).run(changes={"inference.deadline": 31.01}, late=Late(31.0, good()))


def test_a_real_timeout_passes_with_a_longer_deadline() -> None:
    record = replayed(live_http.served(live_http.serving(b""), 0.4))
    late = Late(0.7, good())
    with pytest.raises(RequestTimeout):
        record.run(late=late)
    assert isinstance(record.run(changes={"inference.deadline": 2.0}, late=late), Analysis)


def test_deadlines_of_obs_and_of_the_store() -> None:
    """The other side never answers; so the change takes nothing away, and adds nothing."""
    obs = next(s for s in live_obs.failures() if s.name == "no reply until the deadline")
    with pytest.raises(SourceUnavailable):
        replayed(obs.act).run(changes={"source.obs.deadline": 0.3})
    store = next(s for s in live_store.failures() if s.name == "write: no answer until the deadline")
    with pytest.raises(StoreUnavailable):
        replayed(store.act).run(changes={"store.timeout": 0.3})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"inference.max_tokens": 900}, "inference.deadline, source.obs.deadline, store.timeout can be changed"),
        ({"deadline": 45}, "can be changed"),
        ({"store.timeout": 3}, "not among the inputs"),
        ({"inference.deadline": "45"}, "no number of seconds"),
        ({"inference.deadline": True}, "no number of seconds"),
        ({"inference.deadline": float("nan")}, "no number of seconds"),
        ({"inference.deadline": -1}, "no number of seconds"),
    ],
)
def test_changes_that_mean_nothing(changes: Mapping[str, Any], words: str) -> None:
    record = replayed(analysed(silent, 30.0))
    with pytest.raises(ValueError, match=words):
        record.run(changes=changes)
    with pytest.raises(ValueError, match=words):
        record.verdict(source, changes)


def test_an_assumption_about_a_reply_that_did_come() -> None:
    with pytest.raises(ValueError, match="in vain"):
        replayed(analysed(after(1.0, completion("{}", model="other")), 30.0)).run(late=Late(31.0, good()))


# --- what is not played, and why ---


def not_played(record: Record) -> str:
    found = best_verdict_of(record)
    assert (found.outcome, found.level) == (Outcome.SAME, PORT), found
    return found.reason.partition("; not on a wire: ")[2]


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (None, "does not say what happened on the wire"),
        (WireFault(End.UNRESOLVED, connected=False), "a name without an address"),
        (WireFault(End.CANCELLED), "ended from this side"),
        (WireFault(End.OTHER), "not known"),
        (
            WireFault(End.RESET, heard=b"HTTP/1.1 200 OK\r\n", size=900_000),
            "17 of the 900000 bytes that came were kept",
        ),
        (WireFault(End.RESET), "the wire gave ConnectionBroken, recorded was RequestTimeout"),
    ],
)
def test_a_failure_that_cannot_be_played_is_confirmed_at_the_ports(fault: WireFault | None, why: str) -> None:
    def answer(_request: HttpRequest, _clock: ManualClock) -> HttpReply:
        error = RequestTimeout("late")
        raise error if fault is None else wired(error, fault)

    assert why in not_played(record_of(failure(analysed(answer, 30.0))))


def test_a_failure_without_an_exchange_says_nothing_of_a_wire() -> None:
    found = best_verdict_of(record_of(failure(joined({"grand": "1.00"}))))
    assert (found.outcome, found.level, found.reason) == (Outcome.SAME, PORT, "KeyError")


def test_a_reply_that_no_wire_can_carry() -> None:
    reply = HttpReply(99, {}, b'{"error": "x"}')  # HTTP has no such status
    reason = not_played(record_of(failure(analysed(after(0.1, reply), 30.0))))
    assert reason == "tape divergence: the wire gave ConnectionBroken, recorded was an answer"


def test_a_record_of_an_earlier_version_has_no_seconds_and_still_runs() -> None:
    record = record_of(failure(analysed(after(1.0, completion("{}", model="other")), 30.0)))
    document = loads(dumps(record.document))
    line = next(line for line in document["tape"] if line["port"] == "http")
    del line["result"]["fields"]["seconds"]
    found = judge_best(document, record.blobs.__getitem__, source)
    assert (found.outcome, found.level) == (Outcome.SAME, WIRE)
