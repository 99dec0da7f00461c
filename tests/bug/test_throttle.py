"""Of a storm only so many faults are made; the rest is counted where it happens."""

from __future__ import annotations

from foureyes_actors.bug.throttle import IN_ALL, MAX_KINDS, PER_KIND, Throttle
from foureyes_actors.messages import Fault
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.replay.capture import capture_of
from foureyes_actors.telling import Teller
from tests.bug.make import raised
from tests.replay.make import failure
from tests.replay.scenarios import joined
from tests.support import FakeContext


def test_of_one_kind_only_so_many_a_second() -> None:
    throttle = Throttle()
    assert [throttle.admits(raised(ValueError("x")), 1.0) for _ in range(50)].count(True) == PER_KIND
    assert throttle.admits(raised(KeyError("another kind")), 1.5)
    assert not throttle.admits(raised(ValueError("x")), 1.999)
    assert throttle.admits(raised(ValueError("x")), 2.0)


def test_another_place_is_another_kind_and_a_new_kind_is_heard_in_any_storm() -> None:
    throttle = Throttle()
    for number in range(IN_ALL):
        throttle.admits(raised(type(f"Kind{number}", (Exception,), {})("x")), 1.0)
    assert throttle.admits(raised(ValueError("new")), 1.0) and not throttle.admits(raised(ValueError("new")), 1.0)
    assert throttle.admits(failure(joined({"grand": "1.00"})), 1.0)  # a KeyError of another place
    for number in range(MAX_KINDS):
        throttle.admits(raised(type(f"More{number}", (Exception,), {})("x")), 1.0)
    assert not throttle.admits(raised(LookupError("one kind too many")), 1.0)  # bounded


def test_a_teller_counts_what_it_holds_back_and_drops_its_traceback() -> None:
    context, clock = FakeContext("capture"), ManualClock()
    teller = Teller(context, clock)
    errors = [raised(ValueError("x")) for _ in range(20)]
    for error in errors:
        teller.fault(error, {})
    assert len(context.sent_to("bug")) == PER_KIND and teller.undelivered["bug"] == 20 - PER_KIND
    assert all(error.__traceback__ is None for error in errors)
    clock.advance(1.0)
    teller.fault(raised(ValueError("x")), {})
    assert len(context.sent_to("bug")) == PER_KIND + 1


def test_what_a_replay_point_kept_outlives_the_traceback() -> None:
    """It is made when it is asked for, once, by whoever asks."""
    error = failure(joined({"grand": "1.00"}))
    whole = capture_of(failure(joined({"grand": "1.00"})))
    error.with_traceback(None)
    late = capture_of(error)
    assert late is not None and whole is not None and capture_of(error) is late
    assert (late.names, late.chain, late.entry) == (whole.names, whole.chain, whole.entry)
    assert [frame.names for frame in late.frames] == [frame.names for frame in whole.frames]


def test_a_fault_that_is_made_late_has_its_record() -> None:
    context = FakeContext("readings")
    Teller(context, ManualClock()).fault(failure(joined({"grand": "1.00"})), {})
    (fault,) = context.sent_to("bug")
    assert isinstance(fault, Fault) and fault.capture is not None
