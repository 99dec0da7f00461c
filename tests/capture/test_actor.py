"""The capture actor: frames, numbers, faults on edges, health on edges, and an answer at any time."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from foureyes_actors.capture.actor import GRAB, NUMBERS, REFUSED_PAUSE, WEDGED_AFTER, CaptureActor
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
    Fault,
    FrameCaptured,
    FrameRef,
    GetStatus,
    SourceExhausted,
    StreamCondition,
    StreamHealthChanged,
    Tick,
)
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.settings import SourceSettings
from supervisors.inbox import InboxFull
from tests.capture.made_pictures import jpeg
from tests.capture.scripted import Gate, ScriptedSource, Step
from tests.support import FakeContext, eventually

A, B, C = (jpeg(shade=shade) for shade in (60, 120, 180))
PERIOD = 1 / 3


class Capture:
    """One actor without its thread; the worker's thread is real. ``step`` is one tick and what comes of it."""

    def __init__(self, steps: Iterable[Step], context: FakeContext | None = None, **settings: Any) -> None:
        self.context, self.clock = context or FakeContext("capture"), ManualClock()
        self.source = ScriptedSource(steps)
        self.actor = CaptureActor(
            self.context,
            settings=SourceSettings(**settings),
            source=lambda: self.source,
            clock=self.clock,
            targets=("inference:a", "inference:b"),
            audience=("readings", "console"),
        )
        self.ticks = 0

    def start(self) -> Capture:
        self.actor.on_start()
        return self

    def result(self) -> None:
        """Wait for the worker and hand its result to the actor."""
        self.wait()
        self.actor.on_receive(self.context.to_self.pop(0))

    def wait(self) -> None:
        eventually(lambda: bool(self.context.to_self), 20, "the worker's result", every=0.001)

    def tick(self, seconds: float = PERIOD) -> None:
        self.clock.advance(seconds)
        self.ticks += 1
        self.actor.on_receive(Tick(GRAB, self.ticks))

    def step(self, seconds: float = PERIOD) -> None:
        self.tick(seconds)
        self.result()

    def status(self) -> dict[str, Any]:
        reply = self.actor.on_receive(GetStatus())
        assert type(reply) is dict
        return reply

    def frames(self, target: str = "inference:a") -> list[FrameRef]:
        return [m.frame.ref for m in self.context.sent_to(target) if isinstance(m, FrameCaptured)]

    def faults(self) -> list[Fault]:
        return [m for m in self.context.sent_to("bug") if isinstance(m, Fault)]

    def edges(self, name: str = "readings") -> list[tuple[StreamCondition, StreamCondition]]:
        return [(m.before, m.after) for m in self.context.sent_to(name) if isinstance(m, StreamHealthChanged)]


Make = Callable[..., Capture]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Capture] = []

    def build(steps: Iterable[Step], **keywords: Any) -> Capture:
        made.append(Capture(steps, **keywords))
        return made[-1]

    yield build
    for capture in made:
        capture.actor.on_stop()
    eventually(lambda: not [t for t in threading.enumerate() if t.name.endswith("-grab")], 20, "the threads ended")


# --- frames -----------------------------------------------------------------------------------------------------------


def test_the_first_frame_is_asked_for_at_once_and_then_one_each_tick(make: Make) -> None:
    capture = make([A, B, C]).start()
    assert capture.context.ticks == [(1 / 3, GRAB)]
    capture.result()
    capture.step()
    capture.step()
    assert [ref.sequence for ref in capture.frames()] == [1, 2, 3]
    assert [ref.digest for ref in capture.frames()] == [hashlib.sha256(data).hexdigest() for data in (A, B, C)]


def test_every_target_gets_the_picture_as_the_source_gave_it(make: Make) -> None:
    capture = make([A]).start()
    asked_at, asked = capture.clock.utc_now(), capture.clock.monotonic()
    capture.wait()
    capture.clock.advance(0.2)
    capture.result()
    [first], [second] = (capture.context.sent_to(name) for name in ("inference:a", "inference:b"))
    assert isinstance(first, FrameCaptured)
    assert first is second
    assert first.frame.data is A
    assert first.frame.ref == FrameRef(
        source="scripted:one",
        sequence=1,
        captured_at=asked_at,
        captured_monotonic=asked,
        digest=hashlib.sha256(A).hexdigest(),
        media_type="image/jpeg",
        width=160,
        height=120,
    )


def test_failed_grabs_use_no_number(make: Make) -> None:
    capture = make([A, SourceUnavailable("away"), BadPicture("broken"), B]).start()
    capture.result()
    for _ in range(3):
        capture.step()
    assert [ref.sequence for ref in capture.frames()] == [1, 2]


def test_a_replacement_never_repeats_a_number(make: Make) -> None:
    capture = make([A, B], context=FakeContext("capture", incarnation=3)).start()
    capture.result()
    capture.step()
    assert [ref.sequence for ref in capture.frames()] == [2 * NUMBERS + 1, 2 * NUMBERS + 2]


def test_a_result_of_an_earlier_incarnation_is_left_alone(make: Make) -> None:
    earlier = make([A]).start()
    earlier.wait()
    capture = make([B], context=FakeContext("capture", incarnation=2)).start()
    capture.actor.on_receive(earlier.context.to_self[0])
    assert capture.frames() == []
    capture.result()
    assert len(capture.frames()) == 1


def test_a_target_that_is_away_or_full_does_not_stop_capture(make: Make) -> None:
    class Full(FakeContext):
        def tell(self, name: str, message: object) -> bool:
            if name == "readings":
                raise InboxFull("readings has 1000 messages waiting")
            return super().tell(name, message)

    capture = make([A, B], context=Full("capture", absent=("inference:b",))).start()
    capture.result()
    capture.step()
    assert len(capture.frames()) == 2
    assert capture.status()["undelivered"] == {"inference:b": 2, "readings": 1}


# --- pace -------------------------------------------------------------------------------------------------------------


def test_the_actor_answers_while_the_source_is_at_work(make: Make) -> None:
    gate = Gate(A)
    capture = make([gate]).start()
    assert gate.entered.wait(20)
    assert capture.status()["frames"] == 0
    gate.open()
    capture.result()
    assert capture.status()["frames"] == 1


def test_a_slow_grab_never_piles_up_and_one_owed_is_made_good_at_once(make: Make) -> None:
    gate = Gate(A)
    capture = make([gate, B, C]).start()
    assert gate.entered.wait(20)
    for _ in range(4):
        capture.tick()
    assert capture.source.grabs == 1
    gate.open()
    capture.result()  # starts the owed one
    capture.result()
    assert len(capture.frames()) == 2
    assert capture.context.to_self == []
    status = capture.status()
    assert (status["late"], status["dropped"]) == (4, 3)


def test_ticks_that_never_came_are_counted(make: Make) -> None:
    capture = make([A, B, C]).start()
    capture.result()
    for number in (1, 4):
        capture.actor.on_receive(Tick(GRAB, number))
        capture.result()
    assert capture.status()["skipped"] == 2


def test_a_source_that_never_comes_back_is_given_up(make: Make) -> None:
    gate = Gate(A)
    capture = make([gate]).start()
    assert gate.entered.wait(20)
    capture.tick(WEDGED_AFTER)
    with pytest.raises(TimeoutError, match="scripted:one: a grab has been in work for 31 s"):
        capture.tick(1.0)
    gate.open()
    eventually(lambda: capture.source.closed_in == ["capture#1-grab"], 20, "its thread closed the source")


def test_status_tells_rate_age_and_grab_times(make: Make) -> None:
    capture = make([A, B, C, A]).start()
    assert capture.status()["last_frame_age"] is None
    capture.result()
    for _ in range(3):
        capture.step()
    capture.clock.advance(0.5)
    status = capture.status()
    assert status["source"] == "scripted:one"
    assert status["condition"] == "healthy"
    assert status["frames"] == 4
    assert status["rate"] == pytest.approx(4 / 1.5, abs=0.01)
    assert status["last_frame_age"] == 0.5
    assert status["grab_ms"] == {"median": 0.0, "longest": 0.0}  # the clock stood still
    assert (status["failures"], status["last_failure"]) == ({}, "")


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
    assert not [t for t in threading.enumerate() if t.name == "capture#1-grab"]
