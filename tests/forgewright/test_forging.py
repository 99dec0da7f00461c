"""The whole way of a failure: each remedy, and what becomes of one that is not proven."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from foureyes_actors.commands import decision_commands
from foureyes_actors.forgewright.course import CAPTURED_DAYS
from foureyes_actors.forgewright.states import State
from foureyes_actors.forgewright.triage import Action, RemedyKind
from foureyes_actors.forgewright.work import Outcome
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.replay.confirmation import Level
from foureyes_actors.settings.forgewright import ForgewrightSettings
from tests.forgewright.bench import WITH_FIXER, Bench, ToldWorkshop, found
from tests.forgewright.make import ID, a_ledger, in_state

CODE, SETTING, CERBERUS = RemedyKind.CODE, RemedyKind.CONFIGURATION, RemedyKind.OPERATIONAL
DAY, HOUR = 86_400.0, 3600.0


def approve(bench: Bench) -> None:
    """As a command does it, in a process of its own."""
    now, shop = bench.clock.utc_now().timestamp(), bench.workshop
    ledger = a_ledger(bench.folder, bench.clock)
    decision_commands.approve(ledger, bench.decision(), now, shop.apply, lambda _: pytest.fail("no"))


def test_a_patch_goes_its_way_and_waits_for_a_person(bench: Bench) -> None:
    bench.fail()
    assert bench.state() is State.CAPTURED
    bench.reproduced(level=Level.PORT)
    assert bench.way == ["new", "captured", "reproduced", "triaged", "proposed", "verified", "awaiting approval"]
    assert bench.workshop.did == ["fix", "branch"] and not bench.workshop.in_force
    bench.pass_time(10 * DAY)
    assert bench.state() is State.AWAITING_APPROVAL and bench.workshop.did == ["fix", "branch"]
    approve(bench)
    bench.pass_time(10 * DAY)
    assert bench.state() is State.APPLIED, "the code that runs is still the old one"
    bench.fail()
    assert bench.state() is State.APPLIED, "so that it happens again says nothing"
    bench = bench.next_run()
    assert bench.state() is State.WATCHED
    bench.pass_time(23.9 * HOUR)
    assert bench.state() is State.WATCHED
    bench.pass_time(HOUR)
    assert bench.state() is State.RESOLVED and bench.workshop.in_force == {ID: 1}
    bench.forging.stop()


def test_a_setting_that_is_proven_comes_into_force_by_itself(bench: Bench) -> None:
    bench.fail(remedy=SETTING, occurrences=3)
    bench.reproduced()
    assert bench.state() is State.APPLIED and bench.workshop.did == ["prove", "put"]
    assert bench.decision().remedy_facts["value"] == 45.0
    assert State.AWAITING_APPROVAL.value not in bench.way
    bench = bench.next_run().pass_time(DAY + HOUR)
    assert bench.state() is State.RESOLVED
    bench.forging.stop()


def test_what_cerberus_mended_is_watched_at_once(bench: Bench) -> None:
    bench.fail(remedy=CERBERUS, record="")
    assert bench.state() is State.TRIAGED, "no head has bitten yet: nothing is believed"
    bench.bitten()
    assert bench.way[1:] == ["triaged", "proposed", "verified", "applied", "watched"]
    assert "a probe passed" in next(step.note for step in bench.decision().history if step.state is State.PROPOSED)
    bench.pass_time(DAY + 1)
    assert bench.state() is State.RESOLVED and bench.workshop.did == []


def test_what_nobody_here_can_mend_says_so(bench: Bench) -> None:
    bench.fail(remedy=RemedyKind.NONE, record="")
    assert bench.state() is State.DEFERRED
    assert bench.decision().reason == "nothing to mend here: the cause is this machine or its configuration"
    bench.pass_time(30 * DAY)
    assert bench.state() is State.DEFERRED and bench.workshop.did == []


def test_without_a_fixer_it_waits_for_one(tmp_path: Path) -> None:
    bench = Bench(tmp_path, settings=ForgewrightSettings())
    bench.fail()
    bench.reproduced()
    assert (bench.state(), bench.workshop.did) == (State.DEFERRED, [])
    assert bench.decision().reason == "nobody writes patches: forgewright.fixer is not set"
    bench = bench.next_run(settings=WITH_FIXER).settle()
    assert bench.state() is State.AWAITING_APPROVAL
    bench.forging.stop()


def test_what_cannot_be_run_again_gets_no_patch_and_a_later_record_opens_it(bench: Bench) -> None:
    bench.fail()
    bench.reproduced(level=Level.UNCONFIRMED)
    assert (bench.state(), bench.workshop.did) == (State.DEFERRED, []) and "unreproducible" in bench.way
    bench.reproduced(level=Level.PORT)
    assert bench.state() is State.AWAITING_APPROVAL


def test_a_record_that_nobody_runs_again_is_not_waited_for_without_end(bench: Bench) -> None:
    bench.fail()
    bench.pass_time((CAPTURED_DAYS - 0.1) * DAY)
    assert bench.state() is State.CAPTURED
    bench.pass_time(0.2 * DAY)
    assert (
        bench.state() is State.DEFERRED
        and f"not run again within {CAPTURED_DAYS} days" in bench.decision().history[2].note
    )


def test_a_setting_needs_a_proof_on_the_wire(bench: Bench) -> None:
    bench.fail(remedy=SETTING, occurrences=3)
    bench.reproduced(level=Level.PORT)
    assert (bench.state(), bench.workshop.did) == (State.DEFERRED, [])
    bench.reproduced(level=Level.WIRE)
    assert bench.state() is State.APPLIED


@pytest.mark.parametrize(
    ("remedy", "answer", "did"),
    [
        (CODE, Outcome(State.REJECTED, "3 attempts, each stopped by the gate"), ["fix"]),
        (CODE, Outcome(State.DEFERRED, "no sandbox"), ["fix"]),
        (SETTING, Outcome(State.REJECTED, "it does not help"), ["prove"]),
    ],
)
def test_what_is_not_proven_is_never_in_force(
    bench: Bench, remedy: RemedyKind, answer: Outcome, did: list[str]
) -> None:
    bench.workshop.answers = [answer]
    bench.fail(remedy=remedy, occurrences=3)
    bench.reproduced()
    bench.pass_time(DAY)
    assert (bench.state(), bench.decision().reason, bench.workshop.did) == (answer.state, answer.note, did)
    assert not bench.workshop.in_force and not bench.decision().was(State.APPLIED)


def test_a_setting_is_a_persons_matter_where_that_is_wanted(tmp_path: Path) -> None:
    bench = Bench(tmp_path, settings=ForgewrightSettings(apply_mitigations=False))
    bench.fail(remedy=SETTING, occurrences=3)
    bench.reproduced()
    assert (bench.state(), bench.workshop.did) == (State.AWAITING_APPROVAL, ["prove"])
    bench.forging.stop()


def test_what_a_person_must_see_now_is_not_applied_by_itself(bench: Bench) -> None:
    bench.fail(remedy=SETTING, triage=found(SETTING, action=Action.ESCALATE), occurrences=3)
    bench.reproduced()
    assert (bench.state(), bench.workshop.did) == (State.AWAITING_APPROVAL, ["prove"])


def test_what_is_rare_and_mild_is_only_watched_until_it_recurs(bench: Bench) -> None:
    bench.fail(triage=found(CODE, action=Action.MONITOR))
    bench.reproduced()
    assert (bench.state(), bench.workshop.did) == (State.TRIAGED, [])
    bench.fail(triage=found(CODE, action=Action.REVIEW))
    bench.settle()
    assert bench.state() is State.AWAITING_APPROVAL


def test_the_workshop_of_these_tests_keeps_its_word() -> None:
    shop = ToldWorkshop()
    shop.answers = [Outcome(State.AWAITING_APPROVAL, "x")]
    assert shop.put(in_state(State.VERIFIED, SETTING), shop.may_end).state is State.AWAITING_APPROVAL
    assert not shop.in_force


@pytest.mark.parametrize("switched", [True, False])
def test_a_patch_is_merged_without_asking_when_that_was_earned_and_switched_on(tmp_path: Path, switched: bool) -> None:
    clock = ManualClock()
    ledger, now = a_ledger(tmp_path, clock), clock.utc_now().timestamp()
    for number in range(2, 12):
        done = in_state(State.RESOLVED, CODE, decision_id=f"FORGE-2026-{number:03d}", group=f"g{number}")
        ago = tuple(
            replace(step, at=now - 31 * DAY, note="by hand: merged" if step.state is State.APPLIED else step.note)
            for step in done.history
        )
        ledger.save(replace(done, history=ago, key=f"k{number}"))
    ledger.save(replace(in_state(State.AWAITING_APPROVAL, CODE), occurrences=10))
    settings = ForgewrightSettings(apply_patches=switched)
    bench = Bench(tmp_path, clock=clock, ledger=ledger, settings=settings).settle()
    assert bench.workshop.in_force == ({"FORGE-2026-001": 1} if switched else {})
    assert bench.state() is (State.APPLIED if switched else State.AWAITING_APPROVAL)
