"""What a person says, also while something else is going on."""

from __future__ import annotations

from pathlib import Path

import pytest

from foureyes_actors.commands import decision_commands
from foureyes_actors.forgewright.states import State
from foureyes_actors.forgewright.triage import RemedyKind
from foureyes_actors.forgewright.work import Outcome
from tests.forgewright.bench import Bench, applied_and_watched, at_work, confirmed
from tests.support import eventually

SETTING = RemedyKind.CONFIGURATION
DAY = 86_400.0


def reject(bench: Bench) -> None:
    now = bench.clock.utc_now().timestamp()
    undo = lambda each: bench.workshop.undo(each, bench.workshop.may_end)  # noqa: E731
    decision_commands.reject(bench.ledger, bench.decision(), now, "not this", undo)


def test_a_no_while_a_patch_is_made_holds(bench: Bench) -> None:
    bench.workshop.may_end.clear()
    bench.fail()
    bench.forging.reproduced("g", confirmed())
    at_work(bench, "fix")
    reject(bench)
    bench.workshop.may_end.set()
    bench.settle()
    bench.pass_time(DAY)
    assert bench.state() is State.REJECTED and bench.workshop.did == ["fix"]
    assert bench.decision().reason == "by hand: not this"


@pytest.mark.parametrize("read_before", [False, True])
def test_a_no_while_a_setting_is_put_takes_it_back(bench: Bench, read_before: bool) -> None:
    bench.fail(remedy=SETTING, occurrences=3)
    put = bench.workshop.put

    def slow_put(decision: object, cancelled: object) -> Outcome:
        now = bench.clock.utc_now().timestamp()
        decision_commands.reject(bench.ledger, bench.decision(), now, "", lambda _: Outcome(State.ROLLED_BACK, ""))
        return put(decision, cancelled)  # type: ignore[arg-type]

    bench.workshop.put = slow_put  # type: ignore[method-assign]
    if read_before:
        bench.forging.reproduced("g", confirmed())
        bench.heard()  # it is proven
        eventually(lambda: bool(bench.workshop.in_force), 20.0, "it is put")
        bench.forging._book.read_again()
        bench.settle()
    else:
        bench.reproduced()
    assert bench.state() is State.REJECTED and not bench.workshop.in_force
    assert bench.workshop.did == ["prove", "put", "undo"]


def test_what_a_person_says_is_read_within_seconds(bench: Bench) -> None:
    bench.fail()
    bench.reproduced()
    reject(bench)
    assert bench.status["by_state"] == {"awaiting approval": 1}
    bench.pass_time(6)
    assert bench.status["by_state"] == {"rejected": 1}
    assert bench.changed[-1][0].reason == "by hand: not this"
    assert bench.changed[-1][1] is not None and bench.changed[-1][1].state is State.AWAITING_APPROVAL


def test_an_approval_holds_although_foureyes_added_to_the_decision_meanwhile(bench: Bench) -> None:
    bench.fail()
    bench.reproduced()
    mine = bench.decision()
    bench.fail("kin")  # related: the first one gets another revision
    assert bench.decision().revision > mine.revision
    now = bench.clock.utc_now().timestamp()
    decision_commands.approve(bench.ledger, mine, now, bench.workshop.apply, lambda _: pytest.fail("no"))
    assert bench.state() is State.APPLIED and bench.decision().related


def test_a_remedy_that_a_person_takes_back_is_not_opened_again(tmp_path: Path) -> None:
    bench = applied_and_watched(tmp_path)
    now = bench.clock.utc_now().timestamp()
    decision_commands.revert(bench.ledger, bench.decision(), now, lambda _: Outcome(State.ROLLED_BACK, "gone"))
    assert bench.way[-2:] == ["rolled back", "rejected"]
    bench.pass_time(DAY)
    bench.fail(remedy=SETTING, occurrences=9)
    assert bench.next_run().settle().state() is State.REJECTED
