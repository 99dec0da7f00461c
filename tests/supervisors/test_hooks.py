"""Every hook x every way to fail: one exit notice, the right head, bystanders untouched, askers answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pykka import ActorDeadError

from supervisors.actor import ActorContext, SupervisedActor
from supervisors.errors import BootFailed
from supervisors.heads import Head
from supervisors.messages import ExitNotice, Stage, TerminateChild
from supervisors.specs import ChildSpec
from tests.supervisors.live import Good, Hangs, Live, Raises
from tests.support import eventually

pytestmark = pytest.mark.timeout(60)

HANG = "hang"
ERRORS: list[type[BaseException]] = [ValueError, SystemExit, KeyboardInterrupt]
FAILURES = pytest.mark.parametrize(
    "failure", [*ERRORS, HANG], ids=["Exception", "SystemExit", "KeyboardInterrupt", HANG]
)
SHORT = {"start_timeout": 1.0, "stuck_after": 1.0, "stop_timeout": 1.0}  # seconds; those without a vice keep to them


class Trigger:
    """A message with an id."""

    id = "trigger-1"


@pytest.fixture
def live() -> Iterator[Live]:
    live = Live()
    yield live
    live.end()


def vicious(live: Live, where: str, failure: Any, context: ActorContext) -> SupervisedActor:
    if failure == HANG:
        return Hangs(context, where, live.release)
    return Raises(context, where, failure("the vice"))


def subject(live: Live, where: str, failure: Any, which: Callable[[int], bool] = lambda number: True) -> ChildSpec:
    """``which`` incarnations have the vice."""

    def make(context: ActorContext) -> SupervisedActor:
        return vicious(live, where, failure, context) if which(context.incarnation) else Good(context)

    return live.spec("subject", make, **SHORT) if failure == HANG else live.spec("subject", make)


def told(live: Live, count: int = 1) -> list[ExitNotice]:
    """All notices, when so many incarnations have ended; each is of another one."""
    eventually(lambda: len(live.exits) >= count, 20, "the end is told")
    assert len({(notice.child, notice.incarnation) for notice in live.exits}) == len(live.exits) == count
    return live.exits


def check_aftermath(live: Live, incarnation: int = 2) -> None:
    """The subject runs again, head 1 has bitten and says so; nothing has happened to the bystander."""
    live.runs("subject", incarnation)
    eventually(lambda: len(live.bites) == incarnation - 1, 20, "the bites are told")
    assert {bite.head for bite in live.bites} == {Head.RESTART}
    assert live.bites[-1].recovered and live.bites[-1].took > 0
    assert [bite.group for bite in live.bites] == [("subject",)] * (incarnation - 1)
    assert (live.status("bystander").incarnation, live.ask("bystander", 7)) == (1, 7)
    assert live.ask("subject") == incarnation


def start_with_bystander(live: Live, spec: ChildSpec) -> None:
    live.start(live.spec("bystander"), spec)


# --- __init__ and on_start ---


@FAILURES
@pytest.mark.parametrize("where", ["__init__", "on_start"])
def test_a_first_start_that_fails_is_a_failed_boot_with_its_cause(live: Live, where: str, failure: Any) -> None:
    with pytest.raises(BootFailed, match="subject could not be started: ") as caught:
        start_with_bystander(live, subject(live, where, failure))
    [notice] = told(live)
    assert repr(caught.value.error) == repr(notice.error)
    assert isinstance(notice.error, TimeoutError if failure == HANG else failure)
    assert (notice.stage, notice.handling) == ((Stage.STUCK, where) if failure == HANG else (Stage(where), ""))
    assert live.bites == []
    with pytest.raises(ActorDeadError):  # it was stopped again
        live.ask("bystander")


@FAILURES
@pytest.mark.parametrize("where", ["__init__", "on_start"])
def test_a_later_start_that_fails_is_a_failure_like_others(live: Live, where: str, failure: Any) -> None:
    """The first incarnation dies of a message; the second does not come up; the third does."""

    def make(context: ActorContext) -> SupervisedActor:
        match context.incarnation:
            case 1:
                return Raises(context, "on_receive", LookupError("the first"))
            case 2:
                return vicious(live, where, failure, context)
            case _:
                return Good(context)

    start_with_bystander(live, live.spec("subject", make, **(SHORT if failure == HANG else {})))
    live.tell("subject", Trigger())
    check_aftermath(live, 3)
    first, second = told(live, 2)
    assert (first.stage, first.incarnation, first.handling, first.message_id) == (
        Stage.RECEIVE,
        1,
        "Trigger",
        "trigger-1",
    )
    assert (second.incarnation, second.message_id) == (2, "")
    assert (second.stage, second.handling) == ((Stage.STUCK, where) if failure == HANG else (Stage(where), ""))
    assert [bite.recovered for bite in live.bites] == [False, True]


# --- on_receive and on_failure ---


@FAILURES
@pytest.mark.parametrize("way", ["tell", "ask"])
@pytest.mark.parametrize("where", ["on_receive", "on_failure"])
def test_a_message_that_fails_ends_one_incarnation_alone(live: Live, where: str, way: str, failure: Any) -> None:
    start_with_bystander(live, subject(live, where, failure, lambda number: number == 1))
    if way == "tell":
        live.tell("subject", Trigger())
    else:
        asker_gets = LookupError if where == "on_failure" else ActorDeadError if failure == HANG else failure
        with pytest.raises(asker_gets):
            live.ask("subject", Trigger())
    check_aftermath(live)
    [notice] = told(live)
    assert (notice.child, notice.incarnation, notice.handling, notice.message_id) == (
        "subject",
        1,
        "Trigger",
        "trigger-1",
    )
    if failure == HANG:
        assert (notice.stage, type(notice.error)) == (Stage.STUCK, TimeoutError)
    elif where == "on_failure":
        assert (notice.stage, type(notice.error)) == (Stage.RECEIVE, LookupError)
        assert f"on_failure then raised {failure.__name__}: the vice" in notice.stack_trace
    else:
        assert (notice.stage, type(notice.error)) == (Stage.RECEIVE, failure)
        assert "in on_receive" in notice.stack_trace


# --- on_stop ---


@FAILURES
def test_a_stop_that_fails_is_told_and_bites_nobody(live: Live, failure: Any) -> None:
    start_with_bystander(live, subject(live, "on_stop", failure))
    assert live.ask("cerberus", TerminateChild("subject")) is None
    [notice] = told(live)
    assert (notice.child, notice.incarnation) == ("subject", 1)
    if failure == HANG:
        assert (notice.stage, notice.handling, type(notice.error)) == (Stage.STUCK, "on_stop", TimeoutError)
        assert live.status("subject").leaked == 1
    else:
        assert (notice.stage, type(notice.error)) == (Stage.STOP, failure)
    row = live.status("subject")
    assert (row.state, row.busy_for, row.handling) == ("stopped", 0.0, "")
    assert (live.status("bystander").incarnation, live.ask("bystander", 7)) == (1, 7)
    assert live.bites == []


@pytest.mark.parametrize("failure", ERRORS)
def test_one_that_ends_itself_and_fails_at_it_is_replaced(live: Live, failure: type[BaseException]) -> None:
    class EndsItself(Raises):
        def on_receive(self, message: Any) -> Any:
            self.stop()

    def make(context: ActorContext) -> SupervisedActor:
        return EndsItself(context, "on_stop", failure("the vice")) if context.incarnation == 1 else Good(context)

    start_with_bystander(live, live.spec("subject", make))
    live.tell("subject", Trigger())
    check_aftermath(live)
    [notice] = told(live)
    assert (notice.stage, type(notice.error)) == (Stage.STOP, failure)


@pytest.mark.parametrize("made", [7, object])
def test_something_that_is_no_actor_is_a_failed_start_that_says_so(live: Live, made: Any) -> None:
    with pytest.raises(BootFailed, match=f"make of subject gave a {type(made).__name__}, not a SupervisedActor"):
        start_with_bystander(live, live.spec("subject", lambda context: made))
    [notice] = told(live)
    assert notice.stage is Stage.INIT


def test_a_listener_that_ends_its_thread_ends_nothing(live: Live) -> None:
    """A SystemExit out of ``on_exit`` would be the end of Cerberus."""
    live.exits = Deaf()
    start_with_bystander(live, subject(live, "on_receive", ValueError, lambda number: number == 1))
    live.tell("subject", Trigger())
    check_aftermath(live)


class Deaf(list[ExitNotice]):
    def append(self, notice: ExitNotice) -> None:
        raise SystemExit("not listening")


def test_a_request_to_stop_dies_with_the_incarnation_that_it_was_for(live: Live) -> None:
    class StopsAndRaises(Good):
        def on_receive(self, message: Any) -> Any:
            self.stop()
            raise ValueError("and it fails, too")

    def make(context: ActorContext) -> SupervisedActor:
        return StopsAndRaises(context) if context.incarnation == 1 else Good(context)

    start_with_bystander(live, live.spec("subject", make))
    live.tell("subject", Trigger())
    check_aftermath(live)
    assert len(told(live)) == 1
