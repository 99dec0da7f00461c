"""A child that hangs is seen, fenced and replaced; its thread is counted until it ends; what it says later is refused.

The times are printed (``-s``); ``tests/bench/hangs.py`` holds them to their limits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from pykka import ActorDeadError, ThreadingFuture

from supervisors.actor import ActorContext, Later
from supervisors.inbox import Envelope
from supervisors.leaks import LeakLimits, Leaks
from supervisors.messages import ExitNotice, Stage, Tick
from tests.bench.tables import table
from tests.supervisors.hangs import KINDS, Hang
from tests.supervisors.live import LONG, STUCK_AFTER, Busy, Good, Live
from tests.support import eventually

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def live() -> Iterator[Live]:
    live = Live()
    yield live
    live.end()


def ask_later(live: Live, name: str, message: object) -> ThreadingFuture[Any]:
    future: ThreadingFuture[Any] = ThreadingFuture()
    inbox = live.tree.directory.inbox(name)
    assert inbox is not None
    inbox.put(Envelope(message, future))
    return future


@pytest.mark.parametrize("kind", KINDS)
def test_a_hang_is_seen_and_replaced_and_its_thread_counted_until_it_ends(live: Live, kind: str) -> None:
    hang, seen = KINDS[kind](), Seen()
    live.exits = seen
    live.start(live.spec("bystander"), live.spec("subject", Busy, stuck_after=STUCK_AFTER))
    try:
        question = ask_later(live, "subject", lambda actor: hang())
        behind = ask_later(live, "subject", 7)
        assert behind.get(timeout=20) == 7
        answered = time.monotonic()
        assert live.ask("subject") == 2
        with pytest.raises(ActorDeadError):
            question.get(timeout=5)
        assert (live.leaks.of("subject"), live.status("subject").leaked) == (1, 1)
    finally:
        hang.end()
    eventually(lambda: live.status("subject").leaked == 0, 20, "the thread has ended and is not counted any more")
    assert [(notice.stage, notice.incarnation, notice.handling) for notice in seen] == [(Stage.STUCK, 1, "function")]
    assert (live.status("bystander").incarnation, live.ask("bystander", 7)) == (1, 7)
    row = (kind, 1000 * (seen.at - hang.began), 1000 * (answered - seen.at))
    print("\n" + table("a hang", ("kind", "seen after, ms", "answering then, ms"), [row]))
    assert STUCK_AFTER <= seen.at - hang.began < 5


class Seen(list[ExitNotice]):
    """When the first notice came."""

    at = 0.0

    def append(self, notice: ExitNotice) -> None:
        self.at = self.at or time.monotonic()
        super().append(notice)


class Talkative(Good):
    """Asked for everything at once: ticks, a late message, and, after a hang, a word to all."""

    def __init__(self, context: ActorContext, live: Live, heard: list[tuple[int, object]]) -> None:
        super().__init__(context)
        self.live, self.heard = live, heard
        self.said: list[bool] = []

    def on_receive(self, message: Any) -> Any:
        self.heard.append((self.context.incarnation, message))
        if message != "hang":
            return super().on_receive(message)
        self.context.every(0.01, "clock")
        self.context.after(0.3, "late")
        self.live.release.wait(LONG)
        self.said += [
            self.context.tell("sibling", "from the fenced one"),
            self.context.tell_self("from the fenced one to itself"),
        ]
        self.context.well()
        self.context.unwell(ValueError("from the fenced one"))
        self.context.every(0.01, "clock")
        self.context.after(0.0, "late")
        return None


def test_nothing_that_a_fenced_one_says_counts(live: Live) -> None:
    heard: list[tuple[int, object]] = []
    made: list[Talkative] = []

    def make(context: ActorContext) -> Talkative:
        made.append(Talkative(context, live, heard))
        return made[-1]

    live.start(
        live.spec("sibling", lambda context: Talkative(context, live, heard)),
        live.spec("subject", make, stuck_after=STUCK_AFTER),
    )
    live.tell("subject", "hang")
    live.runs("subject", 2)
    live.release.set()
    eventually(lambda: live.leaks.total == 0, 20, "the fenced thread has ended")
    assert made[0].said == [False, False]
    passed = threading.Event()
    live.tree.schedule.after(0.4, lambda number: passed.set() or False)  # type: ignore[func-returns-value]
    assert passed.wait(20)  # by now its late message and its ticks would have come
    assert live.ask("subject") == 2
    ours = [message for incarnation, message in heard if incarnation == 2]
    assert not [message for message in ours if isinstance(message, Tick) or message == "late"]
    assert not [message for _incarnation, message in heard if "fenced" in str(message)]
    assert len(live.exits) == 1


class Promises(Good):
    """Promises an answer to everybody and never gives it; hangs when told to."""

    def on_receive(self, message: Any) -> Any:
        return message(self) if callable(message) else Later()


@pytest.mark.parametrize("end", ["hang", "error"])
def test_who_was_promised_an_answer_is_told_that_nobody_will_give_it(live: Live, end: str) -> None:
    live.start(live.spec("subject", Promises, stuck_after=STUCK_AFTER))
    promised = [ask_later(live, "subject", number) for number in range(3)]

    def act(_actor: object) -> None:
        if end == "error":
            raise ValueError("the end")
        live.release.wait(LONG)

    live.tell("subject", act)
    for future in promised:  # while the thread still hangs
        with pytest.raises(ActorDeadError):
            future.get(timeout=20)
    assert live.release.is_set() is False
    live.runs("subject", 2)


def fenced(live: Live, count: int) -> bool:
    return live.leaks.total == count


@pytest.mark.parametrize(
    ("limits", "children", "reason"),
    [
        (LeakLimits(of_one_child=2, in_all=8), ("a", "a"), "2 threads of a hang and cannot be ended"),
        (LeakLimits(of_one_child=3, in_all=3), ("a", "b", "c"), "3 threads hang and cannot be ended"),
    ],
)
def test_too_many_leaks_are_told_with_the_reason(limits: LeakLimits, children: tuple[str, ...], reason: str) -> None:
    reasons: list[str] = []
    live = Live(leaks=Leaks(limits, reasons.append))
    live.start(*(live.spec(name, Busy, stuck_after=STUCK_AFTER) for name in dict.fromkeys(children)))
    try:
        for number, name in enumerate(children):
            assert reasons == []
            live.tell(name, lambda actor: live.release.wait(LONG))
            eventually(partial(fenced, live, number + 1), 20, f"hang {number} is fenced")
        eventually(lambda: reasons == [reason], 5, "the reason is told")
    finally:
        live.end()


def test_a_hang_while_it_is_told_to_stop_is_fenced_at_its_time(live: Live) -> None:
    live.start(live.spec("bystander"), live.spec("subject", Busy, stop_timeout=0.1))
    hang = Hang("", lambda: live.release.wait(LONG), live.release.set)
    live.tell("subject", lambda actor: hang())
    eventually(lambda: hang.began > 0, 20, "it hangs")
    assert live.root is not None
    assert live.root.stop(10.0) == ("subject",)
    assert [(notice.stage, notice.handling) for notice in live.exits] == [(Stage.STUCK, "function")]


def test_leaks_count_threads_not_notices() -> None:
    """One whose supervisor has gone before it is not counted for ever."""
    leaks = Leaks()
    ends = [threading.Event() for _ in range(3)]
    for name, end in zip("aab", ends, strict=True):
        leaks.began(name, end)
    leaks.began("a", ends[0])
    assert (leaks.of("a"), leaks.of("b"), leaks.total) == (2, 1, 3)
    ends[0].set()
    assert (leaks.of("a"), leaks.total, leaks.names()) == (1, 2, ("a", "b"))
