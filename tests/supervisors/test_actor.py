"""SupervisedActor: one exit notice on every path, and every asker is answered."""

from __future__ import annotations

from typing import Any, cast

import pykka
import pytest
from pykka import ActorDeadError

from supervisors.actor import ActorContext, SupervisedActor
from supervisors.context import ChildContext, Tree
from supervisors.directory import Directory
from supervisors.inbox import Envelope, Inbox
from supervisors.messages import ExitNotice, Stage
from tests.support import eventually

ERRORS = [ValueError("bad"), SystemExit(1), KeyboardInterrupt(), GeneratorExit()]


class Vicious(SupervisedActor):
    """Raises in the hook it is told to."""

    def __init__(self, context: ActorContext, hook: str, error: BaseException) -> None:
        super().__init__(context)
        self.hook, self.error = hook, error
        self.cleaned = cast("Counting", context).cleaned

    def _maybe(self, hook: str) -> None:
        if hook == self.hook:
            raise self.error

    def on_start(self) -> None:
        self._maybe("on_start")

    def on_receive(self, message: Any) -> Any:
        self._maybe("on_receive")

    def on_stop(self) -> None:
        self.cleaned.append("on_stop")
        self._maybe("on_stop")

    def on_failure(self, *_: Any) -> None:
        self.cleaned.append("on_failure")
        raise RuntimeError("and the clean-up fails too")


class Counting(ChildContext):
    def __init__(self, tree: Tree) -> None:
        super().__init__("vicious", tree.directory.claim("vicious", "test", Inbox), tree, None)
        self.notices: list[ExitNotice] = []
        self.cleaned: list[str] = []

    def exited(self, notice: ExitNotice) -> None:
        self.notices.append(notice)
        super().exited(notice)


def started(hook: str, error: BaseException) -> tuple[Counting, Directory]:
    tree = Tree()
    context = Counting(tree)
    Vicious.start(context, hook, error)
    return context, tree.directory


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("hook", ["on_start", "on_receive", "on_stop"])
def test_one_exit_notice_says_where_and_why(hook: str, error: BaseException) -> None:
    context, directory = started(hook, error)
    if hook == "on_receive":
        directory.tell("vicious", "anything")
    if hook == "on_stop":
        context.inbox.put(Envelope(pykka.messages._ActorStop()))
    assert context.end.wait(30)
    assert [(n.stage, n.error) for n in context.notices] == [(Stage(hook), error)]
    assert context.cleaned == ["on_stop" if hook == "on_stop" else "on_failure"]
    assert (
        hook == "on_stop"
        or "on_failure then raised RuntimeError: and the clean-up fails too" in context.notices[0].stack_trace
    )


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
def test_an_asker_gets_whatever_ended_the_actor(error: BaseException) -> None:
    context, directory = started("on_receive", error)
    with pytest.raises(type(error)):
        directory.ask("vicious", "anything", 30)
    assert context.end.wait(30)


def test_who_asks_a_closed_inbox_is_told() -> None:
    context, directory = started("never", ValueError())
    context.inbox.close()
    with pytest.raises(ActorDeadError):
        directory.ask("vicious", "anything", 30)
    eventually(context.end.is_set, 30, "the actor ends when its inbox closes")


def test_nothing_is_sent_after_the_fence() -> None:
    context, _ = started("never", ValueError())
    assert context.tell_self("before")
    context.fence()
    assert not context.tell_self("after")
    assert not context.tell("vicious", "after")
    context.inbox.close()
    assert context.end.wait(30)
