"""The whole way of a failure: each remedy, caps, trouble with work, machine and disk, and what a person says."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from foureyes_actors.commands import decision_commands
from foureyes_actors.forgewright import book as book_module
from foureyes_actors.forgewright.course import CAPTURED_DAYS, REOPENED
from foureyes_actors.forgewright.decision import PLATFORM_PATTERN
from foureyes_actors.forgewright.ledger import LOCK
from foureyes_actors.forgewright.patience import TRIES
from foureyes_actors.forgewright.programs import NotYet, ProgramFailed
from foureyes_actors.forgewright.queue import PAUSE
from foureyes_actors.forgewright.states import State
from foureyes_actors.forgewright.triage import Action, BugClass, RemedyKind
from foureyes_actors.forgewright.work import Outcome
from foureyes_actors.messages import PressureLevel
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.ports.private_folder import LocalPrivateFolder
from foureyes_actors.ports.process_lock import ProcessLock
from foureyes_actors.replay.confirmation import Level
from foureyes_actors.settings.forgewright import FixerSettings, ForgewrightSettings
from tests.forgewright.bench import WITH_FIXER, Bench, ToldWorkshop, confirmed, found
from tests.forgewright.make import ID, a_ledger, in_state
from tests.support import eventually

CODE, SETTING, CERBERUS = RemedyKind.CODE, RemedyKind.CONFIGURATION, RemedyKind.OPERATIONAL
DAY, HOUR = 86_400.0, 3600.0


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.workshop.may_end.set()
    made.forging.stop()


def approve(bench: Bench) -> None:
    """As a command does it, in a process of its own."""
    now, shop = bench.clock.utc_now().timestamp(), bench.workshop
    ledger = a_ledger(bench.folder, bench.clock)
    decision_commands.approve(ledger, bench.decision(), now, shop.apply, lambda _: pytest.fail("no"))


def reject(bench: Bench) -> None:
    now = bench.clock.utc_now().timestamp()
    undo = lambda each: bench.workshop.undo(each, bench.workshop.may_end)  # noqa: E731
    decision_commands.reject(bench.ledger, bench.decision(), now, "not this", undo)


# --- the ways ---


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


# --- after it ---


def applied_and_watched(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.fail(remedy=SETTING, occurrences=3)
    bench.reproduced()
    bench = bench.next_run()
    assert bench.state() is State.WATCHED
    return bench


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


# --- caps ---


def groups(bench: Bench, count: int, remedy: RemedyKind, first: int = 0) -> list[State]:
    for number in range(first, first + count):
        bench.fail(f"g{number}", remedy, occurrences=3)
        bench.reproduced(f"g{number}")
    bench.settle()
    return [each.state for each in bench.ledger.page().decisions]


def test_five_settings_a_day_and_no_more_also_after_a_restart(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    states = groups(bench, 8, SETTING)
    assert states.count(State.APPLIED) == 5 and states.count(State.VERIFIED) == 3
    assert bench.status["budget"]["applied_unasked_in_24_hours"] == "5 of 5"
    bench = bench.next_run().settle().pass_time(23 * HOUR)
    assert sum(bench.workshop.in_force.values()) == 5
    bench = bench.next_run().settle().pass_time(HOUR)
    assert sum(bench.workshop.in_force.values()) == 8 and bench.workshop.did.count("put") == 8
    bench.forging.stop()


def test_so_many_patches_a_day_and_no_more_also_after_a_restart(tmp_path: Path) -> None:
    settings = ForgewrightSettings(fixer=FixerSettings(command="x", per_day=2))
    bench = Bench(tmp_path, settings=settings)
    assert groups(bench, 4, CODE).count(State.TRIAGED) == 2 and bench.workshop.did.count("fix") == 2
    bench = bench.next_run(settings=settings).settle().pass_time(23 * HOUR)
    assert bench.workshop.did.count("fix") == 2
    bench.pass_time(2 * HOUR)
    assert bench.workshop.did.count("fix") == 4
    bench.forging.stop()


def test_none_a_day_is_none(tmp_path: Path) -> None:
    settings = ForgewrightSettings(fixer=FixerSettings(command="x", per_day=0), applications_per_day=0)
    bench = Bench(tmp_path, settings=settings)
    groups(bench, 2, CODE)
    groups(bench, 2, SETTING, first=10)
    bench.pass_time(3 * DAY)
    assert set(bench.workshop.did) == {"prove"} and not bench.workshop.in_force
    bench.forging.stop()


def test_a_flood_makes_few_files_and_loses_no_thread(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, "MAX_OPEN", 40)
    for number in range(10_000):
        bench.fail(f"g{number % 300}", RemedyKind.NONE, record="", occurrences=1 + number // 300)
    assert len(bench.ledger.page().decisions) == 40 == len(list(bench.folder.glob("FORGE-*")))
    turned_away = sum(1 for number in range(10_000) if number % 300 >= 40)
    assert bench.status["turned_away"] == turned_away
    assert len(bench.changed) < 40 * 6
    assert all(len(each.related) <= 20 for each in bench.ledger.page().decisions)
    bench.pass_time(DAY + 10)
    bench.fail("later", RemedyKind.NONE, record="")
    assert len(bench.ledger.page().decisions) == 41, "what waits for nothing keeps no place for ever"


def test_groups_of_one_class_and_port_are_a_pattern(bench: Bench) -> None:
    groups(bench, 3, RemedyKind.NONE)
    bench.fail("other", RemedyKind.NONE, port="store.write", record="")
    by_group = {each.group: each for each in bench.ledger.page().decisions}
    assert [by_group[f"g{n}"].category for n in range(3)] == [PLATFORM_PATTERN] * 3
    assert by_group["g2"].related == (ID, "FORGE-2026-002") and by_group["g0"].related == ("FORGE-2026-002",)
    assert by_group["other"].related == ()


def test_what_is_no_reason_opens_nothing(bench: Bench) -> None:
    bench.fail(triage=found(CODE, bug_class=BugClass.UNKNOWN))
    bench.fail(triage=found(SETTING), occurrences=2)
    assert bench.ledger.page().decisions == ()
    bench.fail(triage=found(CODE, bug_class=BugClass.UNKNOWN), recurrence="3 in 10 min")
    assert bench.decision().trigger == "it recurs: 3 in 10 min"


# --- trouble ---


def test_work_that_fails_has_a_pause_and_others_have_their_turn(bench: Bench) -> None:
    bench.workshop.answers = [ProgramFailed("exit code 1: x")]
    for group in ("g0", "g1"):
        bench.fail(group)
    for group in ("g0", "g1"):
        bench.reproduced(group)
    assert bench.workshop.asked == [("fix", ID)] and bench.status["held_back"] == "work failed several times in a row"
    assert bench.status["last_error"] == "ProgramFailed: exit code 1: x"
    bench.pass_time(PAUSE - 1)
    assert len(bench.workshop.asked) == 1
    bench.pass_time(10)
    assert bench.workshop.asked[1] == ("fix", "FORGE-2026-002"), "the other one first"
    assert {each.state for each in bench.ledger.page().decisions} == {State.AWAITING_APPROVAL}


@pytest.mark.parametrize("error", [ProgramFailed("x"), NotYet("x"), ZeroDivisionError("a secret, perhaps")])
def test_work_that_always_fails_is_given_up(bench: Bench, error: Exception) -> None:
    bench.workshop.answers = [error] * 100
    bench.fail()
    bench.reproduced()
    bench.pass_time(HOUR)
    assert bench.workshop.did == ["fix"] * TRIES and bench.state() is State.DEFERRED
    assert bench.decision().reason.startswith(f"the work on it failed {TRIES} times: {type(error).__name__}")
    assert "secret" not in bench.decision().reason


def test_an_answer_that_there_is_no_way_for_is_a_failure_of_the_work(bench: Bench) -> None:
    bench.workshop.answers = [Outcome(State.APPLIED, "trust me")]
    bench.fail()
    bench.reproduced()
    assert bench.state() is State.PROPOSED and bench.status["last_error"].startswith("IllegalTransition")
    bench.pass_time(HOUR)
    assert bench.state() is State.AWAITING_APPROVAL and not bench.decision().was(State.APPLIED)


def test_under_pressure_work_waits(bench: Bench) -> None:
    bench.forging.under_pressure(PressureLevel.SMALLER)
    bench.fail()
    bench.reproduced()
    assert bench.workshop.did == [] and bench.state() is State.PROPOSED
    assert bench.status["held_back"] == "the machine is short of something"
    bench.forging.under_pressure(PressureLevel.NORMAL)
    bench.settle()
    assert bench.state() is State.AWAITING_APPROVAL


def test_a_disk_that_is_full_for_a_while_loses_nothing_and_does_nothing_twice(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, full = LocalPrivateFolder.write, True

    def sick(self: LocalPrivateFolder, name: str, data: bytes) -> None:
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, name, data)

    monkeypatch.setattr(LocalPrivateFolder, "write", sick)
    bench.fail(remedy=SETTING, occurrences=3)
    bench.pass_time(60)
    assert bench.ledger.page().decisions == () and "No space left" in bench.status["last_error"]
    full = False
    bench.pass_time(10)
    assert bench.state() is State.CAPTURED
    bench.workshop.may_end.clear()
    bench.forging.reproduced("g", bench.workshop.confirmations.setdefault("g", confirmed()))
    eventually(lambda: bench.workshop.did == ["prove"], 20.0, "it is at work")
    full = True
    bench.workshop.may_end.set()
    eventually(lambda: bool(bench.context.to_self), 20.0, "it has ended")
    bench.context.to_self.clear()
    bench.forging.look()
    assert bench.state() is State.PROPOSED and bench.workshop.did == ["prove"]
    full = False
    bench.context.pass_time(10, lambda message: bench.forging.look(timer=True))
    bench.settle()
    assert bench.state() is State.APPLIED and bench.workshop.did == ["prove", "put"]


def test_a_lock_that_somebody_holds_costs_one_short_wait_for_all(bench: Bench) -> None:
    groups(bench, 3, CERBERUS)
    lock, began = ProcessLock(bench.folder / LOCK), bench.clock.monotonic()
    for number in range(100):
        bench.fail(f"new{number}", CERBERUS, record="")
    assert bench.clock.monotonic() - began < 2.0
    assert bench.status["last_error"].startswith("LedgerBusy")
    lock.release()
    bench.pass_time(10)
    assert len(bench.ledger.page().decisions) == 103, "and none of them is lost"


def test_a_folder_that_cannot_be_read_at_the_start_is_read_later(tmp_path: Path) -> None:
    place = tmp_path / "decisions"
    place.write_text("a file where a folder should be", encoding="utf-8")
    bench = Bench(place)
    bench.fail()
    assert bench.status["last_error"]
    place.unlink()
    bench.context.pass_time(10, lambda message: bench.forging.look(timer=True))
    bench.heard()
    bench.pass_time(10)
    assert bench.state() is State.CAPTURED
    bench.forging.stop()


def test_what_comes_before_the_disk_was_read_is_not_lost(tmp_path: Path) -> None:
    first = Bench(tmp_path)
    first.fail("known")
    first.forging.stop()
    bench = Bench.__new__(Bench)
    heard, Bench.heard = Bench.heard, lambda self: None  # type: ignore[method-assign]
    try:
        bench.__init__(tmp_path)  # type: ignore[misc]
    finally:
        Bench.heard = heard  # type: ignore[method-assign]
    for number in range(150):
        bench.fail(f"g{number}")
    bench.heard()
    assert len(bench.ledger.page().decisions) == 151
    bench.forging.stop()


# --- a person's word, meanwhile ---


def at_work(bench: Bench, what: str) -> None:
    eventually(lambda: bench.workshop.did[-1:] == [what], 20.0, f"{what} is at work")


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


def test_the_end_of_foureyes_ends_the_work(bench: Bench) -> None:
    bench.workshop.may_end.clear()
    bench.fail()
    bench.forging.reproduced("g", confirmed())
    at_work(bench, "fix")
    bench.forging.stop()
    assert bench.workshop.cancelled is not None and bench.workshop.cancelled.is_set()
    bench.forging.look()
    assert bench.state() is State.PROPOSED and "failed" not in bench.decision().reason


def test_a_decision_that_says_nonsense_stops_nobody(tmp_path: Path) -> None:
    ledger = a_ledger(tmp_path)
    ledger.save(in_state(State.VERIFIED, SETTING, remedy_facts={"files": 5, "value": "x"}))
    ledger.save(replace(in_state(State.TRIAGED, CODE, decision_id="FORGE-2026-002", group="h"), record="../../x"))
    (tmp_path / "FORGE-2026-003").mkdir()
    (tmp_path / "FORGE-2026-003" / "decision.json").write_bytes(b"{")
    bench = Bench(tmp_path).settle().pass_time(60)
    assert [line[:14] for line in bench.status["broken"]] == ["FORGE-2026-003"]
    assert len(bench.changed) >= 2
    bench.forging.stop()


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
