"""A remedy that is in force: watched, taken back when the failure is there again, opened again."""

from __future__ import annotations

from pathlib import Path

from foureyes_actors.forgewright.course import REOPENED
from foureyes_actors.forgewright.states import State
from foureyes_actors.forgewright.triage import RemedyKind
from foureyes_actors.forgewright.work import Outcome
from tests.forgewright.bench import Bench, applied_and_watched

SETTING, CERBERUS = RemedyKind.CONFIGURATION, RemedyKind.OPERATIONAL
DAY, HOUR = 86_400.0, 3600.0


def test_the_same_failure_again_takes_the_remedy_back_and_opens_it_again(tmp_path: Path) -> None:
    bench = applied_and_watched(tmp_path).pass_time(HOUR)
    bench.fail(remedy=SETTING, occurrences=4)
    bench.settle()
    assert bench.way[-2:] == ["regressed", "rolled back"] and not bench.workshop.in_force
    assert bench.workshop.did == ["prove", "put", "undo"]
    bench.pass_time(DAY)
    assert bench.state() is State.ROLLED_BACK, "this run goes by the old settings still"
    bench = bench.next_run().settle()
    assert bench.workshop.did == ["prove", "put", "undo", "prove", "put"] and bench.state() is State.APPLIED
    bench.forging.stop()


def test_it_is_opened_again_three_times_at_most(tmp_path: Path) -> None:
    bench = applied_and_watched(tmp_path)
    for _ in range(REOPENED):
        assert bench.pass_time(HOUR).state() is State.WATCHED
        bench.fail(remedy=SETTING, occurrences=4)
        bench.settle()
        bench = bench.next_run().settle().next_run()
    assert bench.state() is State.DEFERRED and bench.decision().reason == "rolled back 3 times: a person has to look"
    assert bench.workshop.did == ["prove", "put", "undo"] * REOPENED and not bench.workshop.in_force
    bench.forging.stop()


def test_a_failure_of_before_says_nothing_about_the_remedy(tmp_path: Path) -> None:
    bench = applied_and_watched(tmp_path)
    before = bench.decision().applied_at - 1.0
    bench.clock.advance(before - bench.clock.utc_now().timestamp())
    bench.fail(remedy=SETTING, occurrences=4)
    assert bench.state() is State.WATCHED
    bench.forging.stop()


def test_an_actor_that_was_replaced_is_no_restart(bench: Bench) -> None:
    """The code and the settings that run are the old ones: what is in force counts from the next start on."""
    bench.fail(remedy=SETTING, occurrences=3)
    bench.reproduced()
    again = bench.next_run(run_began=bench.clock.utc_now().timestamp() - HOUR)
    again.fail(remedy=SETTING, occurrences=4)
    assert again.state() is State.APPLIED and "undo" not in again.workshop.did
    again.forging.stop()


def test_who_was_switched_off_has_watched_nothing(tmp_path: Path) -> None:
    bench = applied_and_watched(tmp_path)
    bench.forging.stop()
    bench.clock.advance(3 * DAY)
    bench = Bench(tmp_path, bench.workshop, bench.clock)
    assert bench.pass_time(HOUR - 10).state() is State.WATCHED
    assert bench.pass_time(20).state() is State.RESOLVED
    bench.forging.stop()


def test_a_setting_that_came_to_its_end_did_not_regress(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    until = bench.clock.utc_now().timestamp() + 7 * DAY
    bench.workshop.answers = [
        Outcome(State.VERIFIED, "3 runs", {"by_itself": True}),
        Outcome(State.APPLIED, "put", {"until": until}),
    ]
    bench.fail(remedy=SETTING, occurrences=3)
    bench.reproduced()
    bench = bench.next_run().pass_time(8 * DAY)
    assert bench.state() is State.RESOLVED
    bench = bench.next_run()
    bench.fail(remedy=SETTING, occurrences=4)
    bench.settle()
    assert bench.way[-1] == "rolled back" and "regressed" not in bench.way and "undo" not in bench.workshop.did
    bench.forging.stop()


def test_cerberus_may_mend_it_again(bench: Bench) -> None:
    bench.fail(remedy=CERBERUS, record="")
    bench.bitten()
    bench.pass_time(HOUR)
    bench.fail(remedy=CERBERUS, record="")
    bench.settle()
    assert bench.way[-3:] == ["regressed", "rolled back", "triaged"]
    bench.bitten()
    assert bench.state() is State.WATCHED
