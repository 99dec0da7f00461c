"""The three heads without threads: the ladder on a clock of our own, and the account that is kept of each bite."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisors.decider import Bring, Failure, LeaveDown, Verdict
from supervisors.heads import Head, Heads, Ladder, bite, ladder, passed
from supervisors.heads_decider import Bite, HeadsDecider, Listeners
from supervisors.policy import Backoff
from tests.supervisors.simulation import Sim, spec

pytestmark = pytest.mark.timeout(20)

HEADS = Heads()
DWELL = HEADS.dwell


# --- the ladder ---


def bites(state: Ladder, *moments: float, heads: Heads = HEADS) -> tuple[Ladder, list[Head]]:
    heard = []
    for now in moments:
        state, head = bite(state, heads, now)
        heard.append(head)
    return state, heard


def in_fallback(now: float = 0.0, state: Ladder | None = None) -> Ladder:
    state, heard = bites(state or ladder(HEADS), *[now] * 5)
    assert heard == [Head.RESTART] * 3 + [Head.RELOAD, Head.FALLBACK]
    assert state.in_fallback
    return state


def probe(state: Ladder, *moments: float) -> tuple[Ladder, list[bool]]:
    left = []
    for now in moments:
        state, over = passed(state, HEADS, now)
        left.append(over)
    return state, left


def test_restart_three_times_then_reload_then_fallback() -> None:
    state, heard = bites(ladder(HEADS), 0, 10, 20, 30, 40, 50)
    assert heard == [Head.RESTART] * 3 + [Head.RELOAD, Head.FALLBACK, Head.FALLBACK]
    assert (state.fallback_since, state.failed_probes) == (40, 1)


def test_reloads_have_a_window_of_their_own() -> None:
    """Four failures in a minute, twice: at a distance of more than ten minutes two reloads, else the fallback."""
    once = [0.0, 1.0, 2.0, 3.0]
    for gap, last in ((601.0, Head.RELOAD), (599.0, Head.FALLBACK)):
        state, heard = bites(ladder(HEADS), *once)
        assert heard[-1] is Head.RELOAD
        state, _ = passed(state, HEADS, 10.0)
        _, heard = bites(state, *[gap + each for each in once])
        assert heard[-1] is last


def test_the_fallback_ends_after_three_healthy_probes_in_a_row_and_not_before_its_time() -> None:
    assert probe(in_fallback(), 10, 20, 30)[1] == [False] * 3
    assert probe(in_fallback(), 10, 20, 30, DWELL - 0.1, DWELL)[1] == [False] * 4 + [True]
    assert probe(in_fallback(), DWELL, DWELL + 1, DWELL + 2)[1] == [False, False, True]


def test_a_failed_probe_begins_the_row_anew() -> None:
    state, left = probe(in_fallback(), 10, 70)
    state, head = bite(state, HEADS, 80)
    assert (head, state.healthy, state.failed_probes) == (Head.FALLBACK, 0, 1)
    assert (left, probe(state, 90, 100, 110)[1]) == ([False, False], [False, False, True])


def test_falling_back_soon_again_doubles_the_stay_up_to_a_cap_and_a_quiet_time_undoes_it() -> None:
    state, now, stays = ladder(HEADS), 0.0, []
    for _ in range(7):
        state = in_fallback(now, state)
        stays.append(state.dwell)
        state, left = probe(state, *[now + state.dwell] * 3)
        assert left == [False, False, True]
        now += stays[-1] + HEADS.again_within
    assert stays == [60, 120, 240, 480, 960, 960, 960]
    state = in_fallback(now + 0.1, state)
    assert state.dwell == 60


def test_leaving_the_fallback_clears_the_windows() -> None:
    state, _ = probe(in_fallback(), *[DWELL] * 3)
    assert not state.in_fallback
    assert bites(state, *[DWELL + 1] * 4)[1] == [Head.RESTART] * 3 + [Head.RELOAD]


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 400)), max_size=60))
def test_the_ladder_holds_its_promises_whatever_happens(events: list[tuple[bool, float]]) -> None:
    state, now, entered, healthy = ladder(HEADS), 0.0, None, 0
    restarts: list[float] = []
    for fails, pause in events:
        now += pause
        if fails:
            before, (state, head) = state, bite(state, HEADS, now)
            healthy = 0
            if head is Head.RESTART:
                restarts = [*(each for each in restarts if now - each <= HEADS.restart_period), now]
                assert not before.in_fallback and len(restarts) <= HEADS.restarts
            assert state.in_fallback == (head is Head.FALLBACK)
            entered = now if state.in_fallback and not before.in_fallback else entered
        else:
            was = state.in_fallback
            state, left = passed(state, HEADS, now)
            healthy += 1
            assert left == (was and not state.in_fallback)
            if left:
                assert entered is not None and now - entered >= HEADS.dwell and healthy >= HEADS.probes
                restarts, healthy = [], 0
        assert HEADS.dwell <= state.dwell <= HEADS.longest_dwell


# --- the account ---


@dataclass
class Told:
    bites: list[Bite] = field(default_factory=list)
    fallbacks: list[tuple[str, bool]] = field(default_factory=list)
    reloads: list[tuple[str, ...]] = field(default_factory=list)
    fatal: list[tuple[str, BaseException]] = field(default_factory=list)

    def listeners(self) -> Listeners:
        return Listeners(
            bite=self.bites.append,
            fallback=lambda child, active, reason: self.fallbacks.append((child, active)),
            reload=self.reloads.append,
            fatal=lambda child, error: self.fatal.append((child, error)),
        )


CHILDREN = [
    spec("capture"),
    replace(spec("server"), proves=True),
    spec("model", depends_on=("server",)),
    spec("readings", depends_on=("model",)),
    spec("console"),
]
NAMES = tuple(child.name for child in CHILDREN)


class Subject:
    """A decider, and what it tells."""

    def __init__(self, heads: Heads = HEADS) -> None:
        self.told = Told()
        self.decider = HeadsDecider(CHILDREN, heads, self.told.listeners(), fatal=(PermissionError,))

    def fails(self, name: str, now: float, error: BaseException | None = None) -> Verdict:
        error = error or ValueError("bad")
        return self.decider.failed(Failure(name, error, str(error), now, 0, Backoff(first=0.0), NAMES))


def outcomes(told: Told) -> list[tuple[str, Head, bool, float]]:
    return [(each.child, each.head, each.recovered, each.took) for each in told.bites]


def test_a_bite_is_told_once_when_its_outcome_is_known() -> None:
    subject = Subject()
    assert subject.fails("capture", 100.0) == Bring(("capture",), 0.0)
    assert subject.told.bites == []
    assert subject.decider.shown("capture") == ("restart", {"restart": 1})
    assert subject.decider.up("capture", 101.5) == HEADS.settled
    assert subject.told.bites == []
    assert subject.decider.still_up("capture", 103.5) is None
    assert outcomes(subject.told) == [("capture", Head.RESTART, True, 1.5)]
    assert subject.told.bites[0].reason == "bad"
    assert subject.decider.still_up("capture", 105.5) is None
    subject.decider.well("capture", 106.0)
    subject.decider.close(107.0)
    assert len(subject.told.bites) == 1
    assert subject.decider.shown("capture") == ("", {"restart": 1})


def test_a_bite_that_the_next_failure_ends_has_not_recovered() -> None:
    subject = Subject()
    subject.fails("capture", 0.0)
    subject.decider.up("capture", 0.5)
    subject.fails("capture", 1.0)
    assert outcomes(subject.told) == [("capture", Head.RESTART, False, 1.0)]
    subject.decider.close(3.0)
    assert outcomes(subject.told)[1:] == [("capture", Head.RESTART, False, 2.0)]


def test_windows_are_each_childs_own() -> None:
    subject = Subject()
    for name in ("capture", "console"):
        verdicts = [subject.fails(name, float(number)) for number in range(3)]
        assert verdicts == [Bring((name,), 0.0)] * 3
    assert subject.told.reloads == []
    subject.fails("capture", 3.0)
    assert subject.told.reloads == [("capture",)]


def test_a_reload_takes_along_all_that_depend_on_it_directly_or_not() -> None:
    subject = Subject()
    verdicts = [subject.fails("server", float(number)) for number in range(4)]
    assert verdicts[-1] == Bring(("server", "model", "readings"), 0.0)
    assert subject.told.reloads == [("server", "model", "readings")]
    subject = Subject()
    verdicts = [subject.fails("model", float(number)) for number in range(4)]
    assert verdicts[-1] == Bring(("model", "readings"), 0.0)
    subject.decider.up("model", 5.0)
    subject.decider.still_up("model", 7.0)
    assert subject.told.bites[-1].group == ("model", "readings")
    assert subject.told.bites[-1].recovered


def test_a_fatal_error_restarts_nothing_and_is_told() -> None:
    subject, error = Subject(), PermissionError("wrong password")
    subject.fails("capture", 0.0)
    assert subject.fails("capture", 1.0, error) == LeaveDown()
    assert subject.told.fatal == [("capture", error)]
    assert outcomes(subject.told) == [("capture", Head.RESTART, False, 1.0)]
    assert subject.decider.shown("capture") == ("", {"restart": 1})


def test_one_that_proves_recovers_when_it_says_so_and_by_nothing_else() -> None:
    subject = Subject()
    subject.fails("server", 0.0)
    assert subject.decider.up("server", 1.0) is None
    assert subject.told.bites == []
    subject.decider.well("server", 5.0)
    assert outcomes(subject.told) == [("server", Head.RESTART, True, 5.0)]


def into_fallback(subject: Subject, name: str, now: float = 0.0) -> Verdict:
    return [subject.fails(name, now) for _ in range(5)][-1]


def test_the_fallback_is_told_when_it_begins_and_when_it_ends_and_probes_between() -> None:
    subject = Subject()
    assert into_fallback(subject, "server") == Bring(("server",), HEADS.probing.first)
    assert subject.told.fallbacks == [("server", True)]
    assert subject.decider.shown("server") == ("fallback", {"restart": 3, "reload": 1, "fallback": 1})
    assert subject.fails("server", 10.0) == Bring(("server",), 2 * HEADS.probing.first)
    assert subject.fails("server", 30.0) == Bring(("server",), 4 * HEADS.probing.first)
    assert subject.fails("server", 70.0) == Bring(("server",), HEADS.probing.longest)
    assert [each.head for each in subject.told.bites] == [Head.RESTART] * 3 + [Head.RELOAD]
    for now in (80.0, 90.0):
        subject.decider.well("server", now)
    assert subject.told.fallbacks == [("server", True)]
    subject.decider.well("server", 100.0)
    assert subject.told.fallbacks == [("server", True), ("server", False)]
    assert outcomes(subject.told)[-1] == ("server", Head.FALLBACK, True, 100.0)
    assert len(subject.told.bites) == 5
    assert subject.decider.shown("server")[0] == ""


def test_one_that_proves_nothing_leaves_the_fallback_by_staying_up() -> None:
    subject = Subject()
    into_fallback(subject, "capture")
    wait = subject.decider.up("capture", 10.0)
    now, looks = 10.0, 0
    while wait is not None:
        now, looks = now + wait, looks + 1
        wait = subject.decider.still_up("capture", now)
    assert (now, looks) == (62.0, 6)  # 12, 22, ... and not before the minute is over
    assert subject.told.fallbacks == [("capture", True), ("capture", False)]
    assert outcomes(subject.told)[-1] == ("capture", Head.FALLBACK, True, 62.0)


def test_a_fatal_error_in_the_fallback_does_not_make_it_last_for_ever() -> None:
    """It is left down; somebody mends what is wrong and starts it by hand."""
    subject = Subject()
    into_fallback(subject, "capture")
    assert subject.fails("capture", 10.0, PermissionError("wrong password")) == LeaveDown()
    wait, now = subject.decider.up("capture", 20.0), 20.0
    while wait is not None:
        now += wait
        wait = subject.decider.still_up("capture", now)
    assert subject.told.fallbacks[-1] == ("capture", False)


def test_a_child_that_was_added_later_has_an_account_too() -> None:
    subject = Subject()
    assert subject.decider.shown("late") == ("", {})
    assert subject.decider.up("late", 0.0) is None
    subject.fails("late", 1.0)
    subject.decider.up("late", 2.0)
    subject.decider.still_up("late", 4.0)
    assert outcomes(subject.told) == [("late", Head.RESTART, True, 1.0)]


def test_a_listener_that_raises_is_logged_and_harms_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def raises(*_: object) -> None:
        raise SystemExit("not listening")

    decider = HeadsDecider(CHILDREN, HEADS, Listeners(bite=raises, fallback=raises, reload=raises))
    subject = Subject()
    subject.decider = decider
    into_fallback(subject, "capture")
    decider.close(1.0)
    assert caplog.text.count("a bite could not be told") == 7  # five bites, a reload, a fallback


# --- with the machine: unwell ---


def test_who_is_unwell_is_stopped_and_started_again_and_the_heads_take_turns() -> None:
    told = Told()
    decider = HeadsDecider(CHILDREN, HEADS, told.listeners())
    sim = Sim(CHILDREN, decider=decider)
    assert sim.trace == [f"start {name}" for name in NAMES]
    for _ in range(3):
        sim.unwell("server")
        assert sim.trace == ["stop server", "start server"]
    sim.unwell("server")
    group = ["server", "model", "readings"]
    assert sim.trace == [*(f"stop {name}" for name in reversed(group)), *(f"start {name}" for name in group)]
    sim.unwell("server")
    assert sim.trace == ["stop server"]
    assert told.fallbacks == [("server", True)]
    sim.advance(HEADS.probing.first)
    assert sim.trace == ["start server"]
    assert [each.recovered for each in told.bites] == [False] * 4


def test_failures_without_a_passed_probe_escalate_however_slowly_they_come() -> None:
    """A server that hangs at each start fails every half a minute: no window of a minute would ever see that."""
    state, answers = ladder(HEADS), []
    for number in range(HEADS.restarts + HEADS.reloads + 1):
        state, head = bite(state, HEADS, 10_000.0 * number)
        answers.append(head)
    assert answers == [Head.RESTART] * HEADS.restarts + [Head.RELOAD] * HEADS.reloads + [Head.FALLBACK]


def test_slow_failures_with_a_passed_probe_between_them_are_restarts_for_ever() -> None:
    state = ladder(HEADS)
    for number in range(20):
        state, head = bite(state, HEADS, 10_000.0 * number)
        assert head is Head.RESTART
        state, left = passed(state, HEADS, 10_000.0 * number + 5)
        assert not left
