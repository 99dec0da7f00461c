"""The capture actor: frames, their numbers, the pace, and an answer at any time."""

from __future__ import annotations

import hashlib

import pytest

from foureyes_actors.capture.actor import GRAB, WEDGED_AFTER
from foureyes_actors.capture.numbering import FrameNumbers
from foureyes_actors.errors import (
    BadPicture,
    SourceUnavailable,
)
from foureyes_actors.messages import (
    Fault,
    FrameCaptured,
    FrameRef,
    ServerPhase,
    ServerState,
    ServerStateWanted,
    Tick,
)
from supervisors.inbox import InboxFull
from tests.capture.made_pictures import jpeg
from tests.capture.scripted import Gate
from tests.capture.stage import Make
from tests.support import FakeContext, eventually

A, B, C = (jpeg(shade=shade) for shade in (60, 120, 180))


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


def test_a_replacement_goes_on_with_the_numbers(make: Make) -> None:
    numbers = FrameNumbers()
    first = make([A, B, A], numbers=numbers).start()
    first.result()
    first.step()
    second = make([A, B], context=FakeContext("capture", incarnation=3), numbers=numbers).start()
    second.result()
    first.step()  # it was given up, and is not done yet
    second.step()
    assert [ref.sequence for ref in first.frames()] == [1, 2, 4]
    assert [ref.sequence for ref in second.frames()] == [3, 5]


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
    (fault,) = capture.context.sent_to("bug")
    assert isinstance(fault, Fault)
    assert fault.context["receiver"] == "readings"


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
    capture.actor.on_failure()  # as the actor's loop does after an exception
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


def test_a_source_with_an_end_waits_for_the_models(make: Make) -> None:
    capture = make([A, B], wait_for="lm_studio").start()
    assert capture.context.sent_to("lm_studio") == [ServerStateWanted("capture")]
    capture.actor.on_receive(ServerState(ServerPhase.LOADING))
    assert capture.context.ticks == [] and not capture.actor._in_work
    capture.actor.on_receive(ServerState(ServerPhase.READY))
    capture.result()
    capture.actor.on_receive(ServerState(ServerPhase.READY))
    assert [frame.sequence for frame in capture.frames()] == [1]
    assert len(capture.context.ticks) == 1
