"""Telling: what cannot be delivered is counted, reported once in a row, and kills nobody."""

from __future__ import annotations

import pytest

from foureyes_actors.messages import Fault
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.telling import Teller
from supervisors.inbox import InboxFull
from tests.support import FakeContext


class CrowdedContext(FakeContext):
    """The inboxes of ``full`` take nothing."""

    full: tuple[str, ...] = ()

    def tell(self, name: str, message: object) -> bool:
        if name in self.full:
            raise InboxFull(f"{name} has 1000 messages waiting")
        return super().tell(name, message)


def faults(context: FakeContext) -> list[Fault]:
    return [m for m in context.sent_to("bug") if isinstance(m, Fault)]


def test_everybody_is_told() -> None:
    context = CrowdedContext()
    Teller(context, ManualClock()).tell(("a", "b"), "hello")
    assert context.sent == [("a", "hello"), ("b", "hello")]


def test_one_full_inbox_does_not_keep_the_message_from_the_others() -> None:
    context = CrowdedContext()
    context.full = ("a",)
    teller = Teller(context, ManualClock())
    for _ in range(3):
        teller.tell(("a", "b"), "hello")
    assert context.sent_to("b") == ["hello"] * 3
    assert teller.undelivered == {"a": 3}
    assert [f.context["receiver"] for f in faults(context)] == ["a"]


def test_each_row_of_refusals_is_reported_once() -> None:
    context = CrowdedContext()
    teller = Teller(context, ManualClock())
    for full in (("a",), ("a",), (), ("a",)):
        context.full = full
        teller.tell(("a",), "hello")
    assert len(faults(context)) == 2


def test_a_bug_actor_whose_inbox_is_full_is_only_counted() -> None:
    context = CrowdedContext()
    context.full = ("a", "bug")
    teller = Teller(context, ManualClock())
    teller.tell(("a",), "hello")
    assert teller.undelivered == {"a": 1, "bug": 1}


def test_an_absent_receiver_is_counted_and_is_no_fault() -> None:
    context = CrowdedContext(absent=("a",))
    teller = Teller(context, ManualClock())
    teller.tell(("a",), "hello")
    assert (teller.undelivered, faults(context)) == ({"a": 1}, [])


def test_what_is_kept_for_an_absent_receiver_reaches_it_later_in_order_and_only_the_newest() -> None:
    context = CrowdedContext(absent=("a",))
    teller = Teller(context, ManualClock(), keep=2)
    for word in ("one", "two", "three"):
        teller.tell(("a",), word)
    teller.again()
    assert (teller.undelivered, context.sent_to("a")) == ({"a": 1}, [])
    context.absent = ()
    teller.again()
    teller.again()
    assert (teller.undelivered, context.sent_to("a")) == ({"a": 1}, ["two", "three"])


def test_a_reported_error_keeps_no_traceback() -> None:
    context = CrowdedContext("inference:vl")
    with pytest.raises(ValueError) as caught:
        raise ValueError("bad")
    Teller(context, ManualClock()).fault(caught.value, {"frame": "7"})
    assert caught.value.__traceback__ is None
    (fault,) = faults(context)
    assert (fault.source, fault.message, fault.context["frame"]) == ("inference:vl", "bad", "7")
