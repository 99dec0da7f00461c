"""The inbox: order, conflation, bound, ownership, atomic close."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import ClassVar

import pytest
from pykka import ActorDeadError, ThreadingFuture

from supervisors.inbox import Envelope, Inbox, InboxFull
from tests.support import eventually


@dataclass(frozen=True)
class Picture:
    conflation_key: ClassVar[str] = "picture"
    number: int


@dataclass(frozen=True)
class Count:
    patient: ClassVar[bool] = True
    number: int


def owned(bound: int = 10) -> Inbox:
    inbox = Inbox("subject", bound=bound)
    inbox.own(1)
    return inbox


def taken(inbox: Inbox, incarnation: int = 1) -> object:
    envelope = inbox.take(incarnation)
    assert envelope is not None
    return envelope.message


def test_plain_messages_come_first_and_in_order_then_the_newest_of_each_key() -> None:
    inbox = owned()
    for message in (Picture(1), "a", Picture(2), "b", Picture(3)):
        inbox.put(Envelope(message))
    assert [taken(inbox) for _ in range(3)] == ["a", "b", Picture(3)]
    assert inbox.replaced == {"picture": 2}
    assert inbox.empty()


def test_a_message_that_waits_for_a_reply_is_never_replaced() -> None:
    inbox = owned()
    inbox.put(Envelope(Picture(1), ThreadingFuture()))
    inbox.put(Envelope(Picture(2)))
    assert [taken(inbox), taken(inbox)] == [Picture(1), Picture(2)]


def test_the_bound_is_told_to_the_sender_and_does_not_touch_conflated_messages() -> None:
    inbox = owned(bound=2)
    inbox.put(Envelope("a"))
    inbox.put(Envelope("b"))
    with pytest.raises(InboxFull, match="subject has 2 messages waiting"):
        inbox.put(Envelope("c"))
    inbox.put(Envelope(Picture(1)))
    assert len(inbox) == 3


def test_close_refuses_new_messages_and_answers_every_asker() -> None:
    inbox = owned()
    future: ThreadingFuture[object] = ThreadingFuture()
    inbox.put(Envelope("question", future))
    inbox.close()
    with pytest.raises(ActorDeadError):
        future.get(timeout=1)
    with pytest.raises(ActorDeadError):
        inbox.put(Envelope("late"))
    assert inbox.take(1) is None


def test_a_fenced_incarnation_gets_nothing_and_its_successor_everything() -> None:
    inbox = owned()
    got: list[object] = []
    waiter = threading.Thread(target=lambda: got.append(inbox.take(1)), name="old owner")
    waiter.start()
    inbox.own(2)
    waiter.join(30)
    inbox.put(Envelope("work"))
    assert got == [None]
    assert taken(inbox, 2) == "work"


def test_busy_for_counts_from_the_take_and_only_for_the_owner() -> None:
    now = [10.0]
    inbox = Inbox("subject", monotonic=lambda: now[0])
    inbox.own(1)
    inbox.put(Envelope("work"))
    inbox.take(1)
    now[0] = 13.5
    assert (inbox.busy_for(), inbox.handling) == (3.5, "str")
    inbox.own(2)
    assert inbox.busy_for() == 0.0


def test_put_and_close_race_loses_no_asker() -> None:
    for _ in range(200):
        inbox = owned()
        futures: list[ThreadingFuture[object]] = []

        def ask(inbox: Inbox = inbox, futures: list[ThreadingFuture[object]] = futures) -> None:
            for _ in range(10):
                future: ThreadingFuture[object] = ThreadingFuture()
                try:
                    inbox.put(Envelope("question", future))
                except ActorDeadError:
                    return
                futures.append(future)

        asker = threading.Thread(target=ask, name="asker")
        asker.start()
        inbox.close()
        asker.join(30)
        for future in futures:
            with pytest.raises(ActorDeadError):
                future.get(timeout=1)


def test_a_patient_message_wakes_nobody_and_comes_in_its_order_with_the_next_one() -> None:
    inbox, got = owned(), list[object]()
    thread = threading.Thread(target=lambda: got.extend(taken(inbox) for _ in range(3)), daemon=True)
    thread.start()
    eventually(lambda: inbox._waits, 5, "it waits")
    inbox.put(Envelope(Count(1)))
    inbox.put(Envelope(Count(2)))
    assert len(inbox) == 2 and inbox._waits
    inbox.put(Envelope("tick"))
    thread.join(5)
    assert got == [Count(1), Count(2), "tick"]


def test_who_waits_for_an_answer_is_not_patient() -> None:
    inbox, got = owned(), list[object]()
    thread = threading.Thread(target=lambda: got.append(taken(inbox)), daemon=True)
    thread.start()
    eventually(lambda: inbox._waits, 5, "it waits")
    inbox.put(Envelope(Count(1), ThreadingFuture()))
    thread.join(5)
    assert got == [Count(1)]


def test_no_message_and_no_wake_up_is_lost_among_many_senders_and_owners() -> None:
    """A lost wake-up would cost WAKE_UP seconds, and the test its end."""
    inbox, got, senders, each = owned(bound=100_000), list[object](), 4, 2_000

    def take(incarnation: int) -> None:
        while (envelope := inbox.take(incarnation)) is not None:
            if envelope.message == "stop":
                return
            got.append(envelope.message)

    def send(sender: int) -> None:
        for number in range(each):
            inbox.put(Envelope((sender, number)))

    threads = [threading.Thread(target=send, args=(n,), name=f"send {n}", daemon=True) for n in range(senders)]
    takers = [threading.Thread(target=take, args=(1,), name="take 1", daemon=True)]
    for thread in (*takers, *threads):
        thread.start()
    for incarnation in range(2, 40):
        inbox.own(incarnation)
        takers.append(threading.Thread(target=take, args=(incarnation,), name=f"take {incarnation}", daemon=True))
        takers[-1].start()
    for thread in threads:
        thread.join(20)
    inbox.put(Envelope("stop"))
    for thread in takers:
        thread.join(20)
    assert not any(thread.is_alive() for thread in (*threads, *takers))
    assert len(got) == len(set(got)) == senders * each
