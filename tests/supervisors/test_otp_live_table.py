"""The 23 questions of ``test_otp_table.py`` once more, with live actors that write down their own starts and stops."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from supervisors.actor import ActorContext
from supervisors.errors import BootFailed, GaveUp
from supervisors.messages import RestartChild, Stage, TerminateChild
from supervisors.policy import NO_BACKOFF, AutoShutdown, Restart, Strategy
from supervisors.specs import ChildSpec, Flags
from supervisors.supervisor import Supervisor
from tests.supervisors import test_otp_table
from tests.supervisors.played import WAIT, Play, fails_at
from tests.supervisors.vices import Crash
from tests.support import eventually

pytestmark = pytest.mark.timeout(60)

ALL = Strategy.ONE_FOR_ALL
REST = Strategy.REST_FOR_ONE


@pytest.fixture
def play() -> Iterator[Play]:
    play = Play()
    yield play
    play.end()


def test_each_question_of_the_table_is_asked_here() -> None:
    here, there = (re.findall(r"^def (test_o\d\w+)", Path(str(path)).read_text("utf-8"), re.M) for path in both())
    assert here == there
    assert len(here) == 22  # two questions in one


def both() -> tuple[object, object]:
    return __file__, test_otp_table.__file__


def test_o01_the_crash_after_three_restarts_ends_it(play: Play) -> None:
    play.begin(play.children("a"), Flags(intensity=3, period=5))
    for restarts in (1, 2, 3):
        play.crash("a")
        assert (play.starts("a"), play.up()) == (1 + restarts, "a")
    play.crash("a")
    assert (play.ended_with(), play.starts("a")) == (GaveUp, 4)
    notice = play.end_of_it()
    assert (notice.child, notice.stage, notice.handling) == ("cerberus", Stage.RECEIVE, "ExitNotice")
    assert [(each.child, each.incarnation) for each in play.exits] == [("a", number) for number in (1, 2, 3, 4)]


def test_o02_a_failed_start_counts_like_a_crash(play: Play) -> None:
    play.at_start["a"] = fails_at(2, 3, 4, 5, 6)
    play.begin(play.children("a"), Flags(intensity=3, period=5))
    assert play.new_trace() == ["start a"]
    play.crash("a")
    assert play.ended_with() is GaveUp
    assert play.new_trace() == ["start a"] * 3
    assert [each.stage for each in play.exits] == [Stage.RECEIVE, Stage.START, Stage.START, Stage.START]


def test_o03_with_intensity_0_the_first_crash_ends_it(play: Play) -> None:
    play.begin(play.children("ab"), Flags(intensity=0))
    assert play.new_trace() == ["start a", "start b"]
    play.crash("a")
    assert play.ended_with() is GaveUp
    assert play.new_trace() == ["stop b"]


def test_o04_one_for_all_stops_backwards_and_starts_forwards(play: Play) -> None:
    play.begin(play.children("abcd"), Flags(ALL))
    assert play.new_trace() == ["start a", "start b", "start c", "start d"]
    play.crash("b")
    assert play.new_trace() == ["stop d", "stop c", "stop a", "start a", "start b", "start c", "start d"]
    play.shut_down()
    assert play.ended_with() is None
    assert play.new_trace() == ["stop d", "stop c", "stop b", "stop a"]


def test_o05_rest_for_one_leaves_the_earlier_ones_alone(play: Play) -> None:
    play.begin(play.children("abcd"), Flags(REST))
    assert play.new_trace() == ["start a", "start b", "start c", "start d"]
    play.crash("b")
    assert play.new_trace() == ["stop d", "stop c", "start b", "start c", "start d"]
    assert play.rows() == {"a": ("running", 1), "b": ("running", 2), "c": ("running", 2), "d": ("running", 2)}


def test_o06_a_child_that_fails_at_the_first_start_ends_it(play: Play) -> None:
    play.at_start["c"] = fails_at(1)
    with pytest.raises(BootFailed, match=r"^c could not be started: Crash: cannot start$") as caught:
        play.begin(play.children("abcd"))
    assert play.trace == ["start a", "start b", "start c", "stop b", "stop a"]
    assert (caught.value.child, type(caught.value.error)) == ("c", Crash)


def test_o07_a_hung_child_is_fenced_at_its_deadline_and_brutal_kill_at_once(play: Play) -> None:
    play.held("b", play.at_stop)
    play.begin([play.child("a"), play.child("b", stop_timeout=0.2), play.child("c", stop_timeout=0)])
    assert play.new_trace() == ["start a", "start b", "start c"]
    play.until_idle("c")  # fenced out of some work, that would be told
    play.shut_down()
    play.until_traced("stop b")
    play.advance(0.19)
    assert play.rows() == {"a": ("running", 1), "b": ("stopping", 1), "c": ("stopped", 1)}
    play.advance(0.02)
    assert play.ended_with() is None
    assert play.trace == ["stop b", "stop a"]  # no "stop c": its on_stop does not run
    assert [(each.child, each.stage, each.why) for each in play.exits] == [
        ("b", Stage.STUCK, "TimeoutError: it did not stop in time")
    ]
    assert play.leaks.names() == ("b",)


@pytest.mark.parametrize(
    ("restart", "crashed", "comes_back", "is_known"),
    [
        (Restart.PERMANENT, False, True, True),
        (Restart.PERMANENT, True, True, True),
        (Restart.TRANSIENT, False, False, True),
        (Restart.TRANSIENT, True, True, True),
        (Restart.TEMPORARY, False, False, False),
        (Restart.TEMPORARY, True, False, False),
    ],
)
def test_o08_who_comes_back(play: Play, restart: Restart, crashed: bool, comes_back: bool, is_known: bool) -> None:
    play.begin(play.children("a", restart))
    (play.crash if crashed else play.finish)("a")
    assert (play.up() == "a", play.known() == "a") == (comes_back, is_known)
    assert not play.ended


def test_o09_the_window_is_exact_where_otp_counts_whole_seconds(play: Play) -> None:
    """2 per 1 s and a crash each 0.6 s: OTP's ends with the 4th, ours lives; one that is a period old still counts."""
    play.begin(play.children("a"), Flags(intensity=2, period=1.0))
    for _ in range(20):
        play.advance(0.6)
        play.crash("a")
    assert play.rows() == {"a": ("running", 21)}
    play.advance(1.25)  # the numbers from here on are exact in binary
    play.time.now = 2000.0
    for pause in (0.0, 0.5, 0.5):
        play.advance(pause)
        play.crash("a")
    assert (play.ended_with(), play.starts("a")) == (GaveUp, 23)


def test_o10_the_window_is_the_supervisors_not_the_childs(play: Play) -> None:
    play.begin(play.children("ab"), Flags(intensity=2))
    play.crash("a")
    play.crash("b")
    assert play.up() == "ab"
    play.crash("a")
    assert play.ended_with() is GaveUp


def test_o11_a_restart_of_all_counts_once(play: Play) -> None:
    play.begin(play.children("abc"), Flags(ALL, intensity=2))
    play.crash("a")
    play.crash("b")
    assert play.rows() == dict.fromkeys("abc", ("running", 3))
    play.crash("c")
    assert play.ended_with() is GaveUp


def test_o12_a_temporary_sibling_is_stopped_and_not_revived(play: Play) -> None:
    play.begin([play.child("a"), play.child("b", Restart.TEMPORARY), play.child("c")], Flags(ALL))
    assert play.new_trace() == ["start a", "start b", "start c"]
    play.crash("a")
    assert play.new_trace() == ["stop c", "stop b", "start a", "start c"]
    assert (play.up(), play.known()) == ("ac", "ac")


def test_o13_a_transient_sibling_that_has_finished_is_revived_with_all(play: Play) -> None:
    play.begin([play.child("a"), play.child("b", Restart.TRANSIENT)], Flags(ALL))
    play.finish("b")
    assert play.rows() == {"a": ("running", 1), "b": ("stopped", 1)}
    play.crash("a")
    assert play.rows() == {"a": ("running", 2), "b": ("running", 2)}


def test_o14_windows_of_nested_supervisors_multiply(play: Play) -> None:
    made: list[Supervisor] = []

    def inside(context: ActorContext) -> Supervisor:
        made.append(play.supervisor(context, play.children("w"), Flags(intensity=1, period=5)))
        return made[-1]

    outer = ChildSpec("s", inside, supervisor=True, stop_timeout=None, backoff=NO_BACKOFF)
    play.begin([outer], Flags(intensity=2, period=5))
    crashes = 0
    while not play.ended:
        assert play.tell("w", Crash("w was told to"))
        crashes += 1
        eventually(partial(replaced, play, crashes), WAIT, "w is replaced", every=0.002)
    assert (crashes, len(made), play.starts("w"), play.ended_with()) == (6, 3, 6, GaveUp)
    assert [type(each.error) for each in play.exits if each.child == "s"] == [GaveUp] * 3


def replaced(play: Play, crashes: int) -> bool:
    return play.starts("w") > crashes or play.ended


def test_o15_the_rest_waits_for_a_restart_that_fails_twice(play: Play) -> None:
    play.at_start["b"] = fails_at(2, 3)
    play.begin(play.children("abc"), Flags(REST))
    assert play.new_trace() == ["start a", "start b", "start c"]
    play.crash("b")
    assert play.new_trace() == ["stop c", "start b", "start b", "start b", "start c"]
    assert play.rows() == {"a": ("running", 1), "b": ("running", 4), "c": ("running", 2)}


def test_o16_who_was_restarted_is_stopped_again_when_the_last_fails(play: Play) -> None:
    play.at_start["c"] = fails_at(2)
    play.begin(play.children("abc"), Flags(ALL))
    assert play.new_trace() == ["start a", "start b", "start c"]
    play.crash("c")
    first = ["stop b", "stop a", "start a", "start b", "start c"]
    assert play.new_trace() == [*first, "stop b", "stop a", "start a", "start b", "start c"]
    assert play.up() == "abc"


def test_o17_a_crash_during_the_shutdown_is_not_answered(play: Play) -> None:
    let_go = play.held("b", play.at_stop)
    play.begin(play.children("ab"))
    assert play.new_trace() == ["start a", "start b"]
    play.shut_down()
    play.until_traced("stop b")
    play.tell("a", Crash("a was told to"))
    play.until(lambda rows: rows["a"][0] == "stopped", "a is down")
    assert not play.ended
    let_go.set()
    assert play.ended_with() is None
    assert play.trace == ["stop b"]
    assert [type(each.error) for each in play.exits] == [Crash]


@pytest.mark.parametrize(
    ("strategy", "after"), [(ALL, "abc"), (REST, "abc"), (Strategy.ONE_FOR_ONE, "ac")], ids=lambda value: str(value)
)
def test_o18_o19_a_terminated_child_is_revived_with_its_group(play: Play, strategy: Strategy, after: str) -> None:
    play.begin(play.children("abc"), Flags(strategy))
    assert play.ask("cerberus", TerminateChild("b")) is None
    assert play.up() == "ac"
    play.crash("a")
    assert play.up() == after


def test_o20_stopping_and_starting_by_hand_does_not_count(play: Play) -> None:
    play.begin(play.children("a"), Flags(intensity=0))
    for incarnation in (1, 2, 3):
        assert play.ask("cerberus", TerminateChild("a")) is None
        assert play.rows() == {"a": ("stopped", incarnation)}
        assert play.ask("cerberus", RestartChild("a")) is None
        assert play.rows() == {"a": ("running", incarnation + 1)}
    assert not play.ended


def test_o21_the_end_of_any_significant_child_ends_it_in_order(play: Play) -> None:
    significant = play.child("b", Restart.TRANSIENT, significant=True)
    flags = Flags(auto_shutdown=AutoShutdown.ANY_SIGNIFICANT)
    play.begin([play.child("a"), significant, *play.children("cd")], flags)
    assert play.new_trace() == ["start a", "start b", "start c", "start d"]
    play.finish("b")
    assert play.ended_with() is None
    assert play.trace == ["stop b", "stop d", "stop c", "stop a"]
    assert play.exits == []


def test_o22_the_crash_of_a_temporary_child_does_not_count(play: Play) -> None:
    play.begin([play.child("a", Restart.TEMPORARY), play.child("b")], Flags(intensity=0))
    play.crash("a")
    assert (play.up(), play.known(), play.ended) == ("b", "b", False)
    assert [each.child for each in play.exits] == ["a"]


def test_o23_a_slow_restart_holds_up_its_group_but_no_request(play: Play) -> None:
    """OTP's ``which_children`` waits 450 ms here; ours answers. Both start c only when b is up."""
    let_go = play.held("b", play.at_start, 2)
    play.begin(play.children("abc"), Flags(REST))
    assert play.new_trace() == ["start a", "start b", "start c"]
    play.tell("b", Crash("b was told to"))
    play.until_traced("start b")
    assert play.states() == ["running", "starting", "restarting"]
    assert play.ask("cerberus", TerminateChild("a")) is None
    assert play.new_trace() == ["stop c", "start b", "stop a"]
    let_go.set()
    play.until(lambda rows: rows["c"][0] == "running", "c is up")
    assert play.new_trace() == ["start c"]
    assert play.up() == "bc"
