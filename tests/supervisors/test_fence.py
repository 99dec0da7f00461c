"""What a fence rests on, piece by piece: the context, the names, the inbox on any walk."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pykka import ActorDeadError, ThreadingFuture

from supervisors.context import ChildContext, Tree
from supervisors.directory import Directory
from supervisors.inbox import Envelope, Inbox
from supervisors.leaks import LeakLimits, Leaks

pytestmark = pytest.mark.timeout(60)


def context(tree: Tree, name: str, above: Inbox | None = None) -> ChildContext:
    return ChildContext(name, tree.directory.claim(name, "test", Inbox), tree, above)


def test_what_is_below_is_fenced_too_even_a_child_that_comes_during_the_fence() -> None:
    """A supervisor that is fenced in the midst of a start must not leave a child behind that nobody watches."""
    tree = Tree()
    supervisor = context(tree, "supervisor")
    early, deep, late = (context(tree, name, supervisor.inbox) for name in ("early", "deep", "late"))
    supervisor.below(early)
    early.below(deep)
    supervisor.fence()
    supervisor.below(late)
    assert [each.live for each in (supervisor, early, deep, late)] == [False] * 4
    assert {each.name for each in supervisor.unended()} == {"supervisor", "early", "deep", "late"}
    deep.end.set()
    assert "deep" not in {each.name for each in supervisor.unended()}


def test_a_fence_does_not_touch_the_replacement() -> None:
    tree = Tree()
    old = context(tree, "subject")
    new = context(tree, "subject")
    assert (old.incarnation, new.incarnation, old.fence()) == (1, 2, ("", ""))
    assert new.inbox.owner == 2
    assert new.tell_self("still") and not old.tell_self("any more")


def test_who_will_not_come_back_leaves_no_name_and_no_asker_however_deep() -> None:
    directory = Directory()
    for name, owner in (("inner", "root"), ("deep", "inner"), ("a", "deep"), ("other", "root")):
        directory.claim(name, owner, Inbox)
    futures = {name: asked(directory.inbox(name)) for name in ("a", "deep", "other")}
    directory.let_go("inner")
    assert directory.names() == ("inner", "other")
    for name in ("a", "deep"):
        with pytest.raises(ActorDeadError):
            futures[name].get(timeout=1)
    assert directory.owned("other", "root") is not None
    assert directory.owned("other", "inner") is None and directory.owned("a", "deep") is None


def asked(inbox: Inbox | None) -> ThreadingFuture[Any]:
    assert inbox is not None
    future: ThreadingFuture[Any] = ThreadingFuture()
    inbox.put(Envelope("question", future))
    return future


def test_a_limit_whose_answer_raises_does_not_end_the_supervisor_that_found_it_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def leave(reason: str) -> None:
        raise SystemExit(reason)

    leaks = Leaks(LeakLimits(of_one_child=1), leave)
    leaks.began("a", threading.Event())
    assert leaks.total == 1
    assert "1 threads of a hang" in caplog.text


class _Walk:
    """An inbox, and what must be true of it whatever is done in whatever order."""

    def __init__(self) -> None:
        self.inbox = Inbox("subject", bound=1000)
        self.me = 0
        self.asked: dict[int, ThreadingFuture[Any]] = {}
        self.taken: list[int] = []
        self.held: Envelope | None = None
        self.postponed: list[Envelope] = []
        self.answered: set[int] = set()

    def ask(self) -> None:
        future: ThreadingFuture[Any] = ThreadingFuture()
        number = len(self.asked)
        self.asked[number] = future
        try:
            self.inbox.put(Envelope(number, future))
        except ActorDeadError as error:
            future.set_exception((ActorDeadError, error, None))

    def take(self) -> None:
        """What it held is done with; take the next one, if that would not have to wait."""
        self.answer()
        if self.inbox.owner == self.me and not self.inbox.empty():
            envelope = self.inbox.take(self.me)
            if envelope is not None:
                self.held = envelope
                self.taken.append(envelope.message)

    def answer(self) -> None:
        if self.held is not None and self.inbox.owner == self.me:
            assert self.held.reply_to is not None
            self.held.reply_to.set(self.held.message)
            self.answered.add(self.held.message)
        self.held = None

    def postpone(self) -> None:
        if self.held is not None:
            self.inbox.postpone(self.me, self.held)
            self.postponed.append(self.held)
            self.held = None
            self.take()

    def fulfil(self) -> None:
        if self.postponed and self.inbox.owner == self.me:
            envelope = self.postponed.pop()
            assert envelope.reply_to is not None
            envelope.reply_to.set(envelope.message)
            self.inbox.answered(envelope)
            self.answered.add(envelope.message)

    def leave(self) -> None:
        named = self.inbox.leave(self.me)
        if self.held is not None and self.inbox.owner == 0 and named[0]:
            assert named == ("int", "")
        self.held = None
        self.postponed.clear()

    def replace(self) -> None:
        self.held = None
        self.postponed.clear()
        self.me = self.inbox.own_next()

    def close(self) -> None:
        self.inbox.close()

    def check(self) -> None:
        """At the end, with nobody there: no asker waits, each message was taken at most once, in order."""
        self.leave()
        self.close()
        for number, future in self.asked.items():
            if number in self.answered:
                assert future.get(timeout=0.1) == number
            else:
                with pytest.raises(ActorDeadError):
                    future.get(timeout=0.1)
        assert self.taken == sorted(set(self.taken))


STEPS: list[Callable[[_Walk], None]] = [
    _Walk.ask,
    _Walk.ask,
    _Walk.take,
    _Walk.postpone,
    _Walk.fulfil,
    _Walk.leave,
    _Walk.replace,
    _Walk.close,
]


@given(st.lists(st.sampled_from(STEPS), max_size=40))
def test_on_no_walk_is_an_asker_left_waiting_or_a_message_taken_twice(steps: list[Callable[[_Walk], None]]) -> None:
    walk = _Walk()
    walk.replace()
    for step in steps:
        step(walk)
    walk.check()
