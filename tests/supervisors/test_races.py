"""Asks racing stops, messages racing deaths: nobody waits for ever, nothing is lost in silence, nothing is done twice.

The small numbers run in CI; the full ones are marked slow (``-m slow -s`` prints what was seen).
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from pykka import ActorDeadError, ThreadingFuture

from supervisors.actor import ActorContext
from supervisors.context import ChildContext
from supervisors.inbox import Envelope, Inbox
from supervisors.leaks import Leaks
from supervisors.messages import RestartChild, TerminateChild
from supervisors.policy import NO_BACKOFF
from tests.supervisors.live import Good, Live
from tests.support import eventually

WAIT = 60.0  # seconds; no single answer takes so long


@pytest.fixture
def live() -> Iterator[Live]:
    live = Live()
    yield live
    live.end()


# --- asks racing stops ---


@dataclass
class Asker:
    """Asks in bursts, then waits for every answer. Refused, it waits until there is somebody to ask again."""

    live: Live
    asks: int
    burst: int = 50
    outcomes: Counter[str] = field(default_factory=Counter)

    @property
    def done(self) -> int:
        return sum(self.outcomes.copy().values())

    def run(self) -> None:
        asked = 0
        while asked < self.asks:
            futures = [self.ask(asked + number) for number in range(min(self.burst, self.asks - asked))]
            for number, future in enumerate(futures, asked):
                self.outcomes[outcome(number, future)] += 1
            asked += len(futures)

    def ask(self, number: int) -> ThreadingFuture[Any]:
        future: ThreadingFuture[Any] = ThreadingFuture()
        inbox = self.live.tree.directory.inbox("subject")
        assert inbox is not None
        try:
            inbox.put(Envelope(number, future))
        except ActorDeadError as error:
            future.set_exception((type(error), Refused(), None))
            eventually(lambda: not inbox.closed, WAIT, "it runs again", every=0.0005)
        return future


class Refused(Exception):
    """Told at once."""


def outcome(number: int, future: ThreadingFuture[Any]) -> str:
    try:
        return "answered" if future.get(timeout=WAIT) == number else "wrong"
    except Exception as error:
        return type(error).__name__


def race(live: Live, asks: int, stops: int, askers: int = 2) -> Counter[str]:
    """``stops`` times the child is stopped and started again, in the midst of the asks."""
    live.start(live.spec("subject", Good, stop_timeout=30.0, start_timeout=30.0))
    crowd = [Asker(live, asks // askers) for _ in range(askers)]
    threads = [threading.Thread(target=each.run, name=f"asker {n}", daemon=True) for n, each in enumerate(crowd)]
    for thread in threads:
        thread.start()
    for stop in range(stops):
        due = stop * asks // (stops + 1)
        eventually(partial(reached, crowd, due), 600, f"{due} asks", every=0.0005)
        assert live.ask("cerberus", TerminateChild("subject"), WAIT) is None
        assert live.ask("cerberus", RestartChild("subject"), WAIT) is None
    for thread in threads:
        thread.join(600)
    assert live.status("subject").incarnation == stops + 1
    return sum((each.outcomes for each in crowd), Counter())


def reached(crowd: Sequence[Asker], due: int) -> bool:
    return sum(each.done for each in crowd) >= due


def check_race(live: Live, asks: int, stops: int) -> None:
    began = time.monotonic()
    outcomes = race(live, asks, stops)
    print(f"\n{asks:,} asks racing {stops:,} stops in {time.monotonic() - began:.1f} s: {dict(outcomes)}")
    assert outcomes.total() == asks
    assert set(outcomes) <= {"answered", "Refused", "ActorDeadError"}
    assert outcomes["answered"] > asks / 2


@pytest.mark.timeout(120)
def test_no_ask_that_races_a_stop_is_left_unanswered(live: Live) -> None:
    check_race(live, 50_000, 100)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_ask_of_a_million_that_race_a_thousand_stops_is_left_unanswered(live: Live) -> None:
    check_race(live, 1_000_000, 1_000)


# --- messages racing deaths ---


@dataclass(frozen=True, slots=True)
class Work:
    id: str
    poison: bool = False


class Takes(Good):
    """Tells the sink what it has done, as the last act of each message; dies of poison."""

    def on_receive(self, message: Any) -> Any:
        if not isinstance(message, Work):
            return super().on_receive(message)
        if message.poison:
            raise ValueError(message.id)
        self.context.tell("sink", message.id)
        return None


class Sink(Good):
    def __init__(self, context: ActorContext, got: list[str]) -> None:
        super().__init__(context)
        self.got = got

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, str) and message.startswith("m"):
            self.got.append(message)
            return None
        return super().on_receive(message)


@dataclass
class Storm:
    """Messages to a child that is killed meanwhile: by poison among them, and by a fence at any moment."""

    live: Live
    messages: int
    kills: int
    seed: int
    got: list[str] = field(default_factory=list)
    contexts: list[ActorContext] = field(default_factory=list)
    sent: int = 0
    fenced: int = 0
    poison: set[str] = field(default_factory=set)

    def start(self) -> None:
        def make(context: ActorContext) -> Takes:
            self.contexts.append(context)
            return Takes(context)

        sink = self.live.spec("sink", lambda context: Sink(context, self.got))
        subject = self.live.spec("subject", make, backoff=NO_BACKOFF, stop_timeout=0.0)
        self.live.start(sink, subject)

    def run(self) -> None:
        """No message is sent before the last fence but one has been put up, or some would fall together."""
        pick = random.Random(self.seed)
        moments = sorted(pick.sample(range(self.messages), self.kills))
        fences = moments[1::2]
        self.poison = {f"m{number}" for number in moments[::2]}
        fencer = threading.Thread(target=self._fence, args=(fences,), name="fencer", daemon=True)
        fencer.start()
        for number in range(self.messages):
            if number in fences[1:]:
                eventually(partial(self._have_fenced, fences.index(number)), 60, "the fence before", every=0.0005)
            self._send(Work(f"m{number}", f"m{number}" in self.poison))
            self.sent += 1
        fencer.join(300)
        assert not fencer.is_alive()

    def _have_fenced(self, count: int) -> bool:
        return self.fenced >= count

    def _send(self, work: Work) -> None:
        """When neither inbox is near its bound."""
        eventually(self._room, 60, f"there is room for {work.id}", every=0.0005)
        assert self.live.tell("subject", work)

    def _room(self) -> bool:
        boxes = [self.live.tree.directory.inbox(name) for name in ("subject", "sink")]
        return all(box is not None and len(box) < 400 for box in boxes)

    def _fence(self, moments: list[int]) -> None:
        for moment in moments:
            eventually(partial(self._have_sent, moment), 300, f"message {moment}", every=0.0005)
            while not self._fence_one():
                pass
            self.fenced += 1

    def _have_sent(self, count: int) -> bool:
        return self.sent >= count

    def _fence_one(self) -> bool:
        """``unwell`` with a ``stop_timeout`` of 0: its supervisor fences it whatever it is doing. False when it was
        dying of poison just then."""
        context = self.contexts[-1]
        eventually(partial(self._replaced, context), 60, "there is a replacement", every=0.0005)
        named = {notice.message_id for notice in self.live.exits if notice.incarnation == context.incarnation}
        return named.isdisjoint(self.poison)

    def _replaced(self, context: ActorContext) -> bool:
        """Said again and again: while it starts it does not count."""
        context.unwell(TimeoutError("to be fenced"))
        return self.contexts[-1] is not context

    def done(self) -> bool:
        return len(set(self.got) | set(self.named())) >= self.messages

    def named(self) -> list[str]:
        return [notice.message_id for notice in self.live.exits if notice.message_id]


def check_storm(live: Live, messages: int, kills: int, seed: int) -> None:
    storm = Storm(live, messages, kills, seed)
    storm.start()
    began = time.monotonic()
    storm.run()
    eventually(storm.done, 60, "every message is accounted for")
    handled, named = Counter(storm.got), Counter(storm.named())
    both = set(handled) & set(named)
    deaths = live.status("subject").restarts
    print(
        f"\n{messages:,} messages, {deaths} deaths in {time.monotonic() - began:.1f} s: {len(handled):,} handled, "
        f"{len(named)} named, {len(both)} fenced between their last act and their end"
    )
    assert set(handled) | set(named) == {f"m{number}" for number in range(messages)}
    assert max(handled.values()) == max(named.values()) == 1
    assert deaths >= kills
    assert storm.poison <= set(named)
    assert storm.poison.isdisjoint(handled)
    notices = Counter((notice.child, notice.incarnation) for notice in live.exits)
    assert max(notices.values()) == 1


@pytest.mark.timeout(300)
def test_every_message_to_a_child_that_is_killed_is_handled_once_or_named_once(live: Live) -> None:
    check_storm(live, 100_000, 200, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(2, 8))
def test_every_message_with_other_moments(live: Live, seed: int) -> None:
    check_storm(live, 100_000, 200, seed)


class EndsFirst(Leaks):
    """Who fences somebody goes on only when the other one's thread has ended."""

    def began(self, name: str, end: threading.Event) -> None:
        assert end.wait(20)
        super().began(name, end)


class FencedAtWork(Takes):
    """Comes to the last act of its message when it has been fenced."""

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, Work):
            assert isinstance(self.context, ChildContext)
            context = self.context
            context.unwell(TimeoutError("to be fenced"))
            eventually(lambda: not context.live, 20, "it is fenced")
        return super().on_receive(message)


@pytest.mark.timeout(60)
def test_what_a_fenced_one_could_not_finish_is_named_however_soon_its_thread_ends(live: Live) -> None:
    live.leaks, got = EndsFirst(), list[str]()
    sink = live.spec("sink", lambda context: Sink(context, got))
    live.start(sink, live.spec("subject", FencedAtWork, backoff=NO_BACKOFF, stop_timeout=0.0))
    live.tell("subject", Work("m0"))
    live.runs("subject", 2)
    assert [(notice.incarnation, notice.message_id) for notice in live.exits] == [(1, "m0")]
    assert got == []


# --- asks while it is down ---


@pytest.mark.timeout(60)
def test_who_asks_while_it_restarts_is_answered_by_the_replacement(live: Live) -> None:
    down = threading.Event()

    def make(context: ActorContext) -> Good:
        if context.incarnation == 2:
            assert down.wait(20)
        return Dies(context)

    live.start(live.spec("subject", make, start_timeout=30.0))
    live.tell("subject", Work("m0", poison=True))
    eventually(lambda: live.status("subject").state != "running", 20, "it is down")
    futures = [Asker(live, 0).ask(number) for number in range(100)]
    down.set()
    assert [future.get(timeout=20) for future in futures] == list(range(100))
    assert live.ask("subject") == 2


class Dies(Good):
    def on_receive(self, message: Any) -> Any:
        if not isinstance(message, Work):
            return super().on_receive(message)
        raise ValueError(message.id)


@pytest.mark.timeout(60)
def test_what_was_in_work_is_named_by_the_fence_in_one_step() -> None:
    """Between a look at the message and the fence it could end, and the next one, abandoned, be named by nobody."""
    for _ in range(300):
        inbox = Inbox("subject")
        me = inbox.own_next()
        for number in range(20):
            inbox.put(Envelope(Work(str(number))))
        done: list[str] = []

        def work(inbox: Inbox = inbox, done: list[str] = done, me: int = me) -> None:
            while (envelope := inbox.take(me)) is not None:
                done.append(envelope.message.id)

        thread = threading.Thread(target=work, name="owner", daemon=True)
        thread.start()
        handling, message_id = inbox.leave(me)
        thread.join(20)
        left = len(inbox)
        assert len(done) + left == 20
        assert (message_id == done[-1]) if handling else (left == 20 or not left)
