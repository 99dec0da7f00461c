"""The capture actor in trouble: faults and health on edges, what ends it and what does not, and the source's end."""

from __future__ import annotations

import hashlib
import threading
from datetime import UTC, datetime

import pytest

from foureyes_actors.capture.actor import REFUSED_PAUSE
from foureyes_actors.errors import (
    BadPicture,
    FourEyesError,
    MissingExtraError,
    SettingsError,
    SourceEnded,
    SourceRefused,
    SourceUnavailable,
)
from foureyes_actors.messages import (
    SourceExhausted,
    StreamCondition,
    StreamHealthChanged,
)
from tests.capture.made_pictures import jpeg
from tests.capture.scripted import Gate, Step
from tests.capture.stage import Make
from tests.support import FakeContext, eventually

A, B, C = (jpeg(shade=shade) for shade in (60, 120, 180))


# --- trouble ----------------------------------------------------------------------------------------------------------


def test_an_outage_is_one_fault_and_then_one_a_minute(make: Make) -> None:
    capture = make([A, *[SourceUnavailable(f"attempt {n}") for n in range(400)]]).start()
    capture.result()
    for _ in range(200):
        capture.step(0.5)
    assert [fault.context["failures"] for fault in capture.faults()] == ["1", "120"]
    first = capture.faults()[0]
    assert first.source == "capture"
    assert first.exception_type == "foureyes_actors.errors.SourceUnavailable"
    assert first.message == "attempt 0"
    assert dict(first.context) == {"frame_source": "scripted:one", "failures": "1", "frames": "1"}
    assert first.retryable
    status = capture.status()
    assert status["failures"] == {"SourceUnavailable": 200}
    assert status["last_failure"] == "SourceUnavailable: attempt 199"


def test_each_edge_into_trouble_is_a_fault(make: Make) -> None:
    capture = make([A, BadPicture("x"), BadPicture("x"), B, BadPicture("y"), SourceUnavailable("z"), C]).start()
    capture.result()
    for _ in range(6):
        capture.step()
    assert [fault.message for fault in capture.faults()] == ["x", "y", "z"]
    assert len(capture.frames()) == 3
    assert capture.status()["last_failure"] == ""


def test_health_changes_are_told_to_the_audience_on_edges_only(make: Make) -> None:
    capture = make([A, *[SourceUnavailable("away")] * 30, B, C, A]).start()
    capture.result()
    for _ in range(33):
        capture.step(0.5)
    starting, healthy, down = StreamCondition.STARTING, StreamCondition.HEALTHY, StreamCondition.DOWN
    for name in ("readings", "console"):
        assert capture.edges(name) == [(starting, healthy), (healthy, down), (down, healthy)]
    change = capture.context.sent_to("readings")[1]
    assert isinstance(change, StreamHealthChanged)
    assert change.source == "scripted:one"
    assert (change.at - datetime(2026, 1, 1, tzinfo=UTC)).total_seconds() == 5.5
    assert change.reason == "no frame for 5.5 s: away"


def test_a_still_picture_is_frozen(make: Make) -> None:
    capture = make([A] * 100).start()
    capture.result()
    for _ in range(95):
        capture.step()
    assert [after for _, after in capture.edges()] == [StreamCondition.HEALTHY, StreamCondition.FROZEN]


def test_a_source_at_work_for_too_long_is_down(make: Make) -> None:
    gate = Gate(A)
    capture = make([gate]).start()
    assert gate.entered.wait(20)
    for _ in range(6):
        capture.tick(1.0)
    assert capture.edges() == [(StreamCondition.STARTING, StreamCondition.DOWN)]
    gate.open()
    capture.result()
    assert [after for _, after in capture.edges()] == [StreamCondition.DOWN, StreamCondition.HEALTHY]


def test_a_source_that_is_merely_absent_is_tried_for_ever(make: Make) -> None:
    capture = make([*[SourceUnavailable("nobody listens there")] * 50, A]).start()
    capture.result()
    for _ in range(50):
        capture.step()
    assert len(capture.frames()) == 1


@pytest.mark.parametrize(
    "error",
    [
        SourceRefused("wrong password"),
        MissingExtraError("mss", "screen", "source.kind screen"),
        SettingsError(["source.cabinet.theme"]),
        ZeroDivisionError("a defect"),
    ],
    ids=lambda e: type(e).__name__,
)
def test_what_only_the_user_or_a_restart_can_mend_ends_the_actor(make: Make, error: Exception) -> None:
    capture = make([error]).start()
    with pytest.raises(type(error)):
        capture.result()
    capture.actor.on_failure()  # as the actor's loop does after an exception
    assert capture.source.closed_in
    assert capture.faults() == []  # supervision reports it


def test_a_refusal_after_an_absence_ends_the_run_too_when_no_frame_was_ever_seen(make: Make) -> None:
    capture = make([SourceUnavailable("not yet"), SourceRefused("wrong password")]).start()
    capture.result()
    with pytest.raises(SourceRefused):
        capture.step()


@pytest.mark.parametrize(("steps", "incarnation"), [([A], 1), ([], 2)])
def test_a_refusal_later_is_a_fault_and_tried_again_slowly(make: Make, steps: list[Step], incarnation: int) -> None:
    refusals: list[FourEyesError] = [SourceRefused("no such scene")] * 2
    capture = make([*steps, *refusals, B], context=FakeContext("capture", incarnation=incarnation)).start()
    capture.result()
    if steps:
        capture.step()
    before = capture.source.grabs
    for _ in range(4):
        capture.tick(REFUSED_PAUSE / 5)
    assert capture.source.grabs == before
    assert capture.status()["late"] == 0  # nothing is in work
    capture.step(REFUSED_PAUSE / 5)
    capture.step(REFUSED_PAUSE)
    assert capture.frames()[-1].digest == hashlib.sha256(B).hexdigest()
    assert [fault.message for fault in capture.faults()] == ["no such scene"]
    assert capture.status()["failures"] == {"SourceRefused": 2}


def test_a_refused_source_is_down_though_nobody_asks_it(make: Make) -> None:
    capture = make([A, SourceRefused("no such scene")]).start()
    capture.result()
    capture.step(1.0)
    for _ in range(2):
        capture.tick(2.3)
    assert [after for _, after in capture.edges()] == [StreamCondition.HEALTHY, StreamCondition.DOWN]


# --- the end ----------------------------------------------------------------------------------------------------------


def test_the_end_is_told_once_and_is_no_failure(make: Make) -> None:
    capture = make([A, B]).start()
    capture.result()
    capture.step()
    capture.step()
    for _ in range(50):
        capture.tick()
    for name in ("readings", "console"):
        ends = [m for m in capture.context.sent_to(name) if isinstance(m, SourceExhausted)]
        assert ends == [SourceExhausted("scripted:one", 2)]
    assert capture.faults() == []
    assert len(capture.edges()) == 1
    assert capture.source.grabs == 3 and capture.source.closed_in
    assert capture.status()["exhausted"] is True


def test_an_end_before_any_frame_is_told_too(make: Make) -> None:
    capture = make([SourceEnded("nothing")]).start()
    capture.result()
    assert SourceExhausted("scripted:one", 0) in capture.context.sent_to("readings")


def test_an_unknown_message_is_an_error(make: Make) -> None:
    capture = make([A]).start()
    with pytest.raises(TypeError, match="does not know str"):
        capture.actor.on_receive("hello")


def test_stopping_closes_the_source(make: Make) -> None:
    capture = make([A]).start()
    capture.result()
    capture.actor.on_stop()
    assert capture.source.closed_in
    eventually(lambda: not [t for t in threading.enumerate() if t.name == "capture#1-grab"], 20, "its thread ended")
