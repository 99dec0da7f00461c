"""FourEyes ends in the middle of each state and starts again: the work goes on, and nothing is applied twice."""

from __future__ import annotations

import hashlib
import itertools
import tempfile
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foureyes_actors.commands import decision_commands
from foureyes_actors.errors import ProcessError
from foureyes_actors.forgewright.course import expired
from foureyes_actors.forgewright.decision import Decision
from foureyes_actors.forgewright.decision_document import facts as facts_of
from foureyes_actors.forgewright.mitigations import MITIGATIONS, in_force
from foureyes_actors.forgewright.proposal import PROPOSAL, Attempt, Proposal, as_line
from foureyes_actors.forgewright.proposal import Outcome as Proposed
from foureyes_actors.forgewright.states import IN_FORCE, State
from foureyes_actors.forgewright.triage import RemedyKind
from foureyes_actors.forgewright.work import Outcome
from foureyes_actors.forgewright.workshop import LocalWorkshop
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.ports.local_process import LocalProcesses
from foureyes_actors.ports.private_folder import LocalPrivateFolder
from foureyes_actors.replay.confirmation import Level
from foureyes_actors.settings import Settings
from tests.forgewright.bench import Bench, ToldWorkshop, confirmed
from tests.forgewright.make import ID, NOW, a_ledger, in_state
from tests.support import eventually

CODE, SETTING, CERBERUS = RemedyKind.CODE, RemedyKind.CONFIGURATION, RemedyKind.OPERATIONAL
DAY = 86_400.0
# state, remedy -> what is still done, and where it ends (before a person says anything, within an hour)
GOES_ON: dict[tuple[State, RemedyKind], tuple[list[str], State]] = {
    (State.NEW, CODE): (["fix", "branch"], State.AWAITING_APPROVAL),
    (State.CAPTURED, CODE): (["fix", "branch"], State.AWAITING_APPROVAL),
    (State.REPRODUCED, CODE): (["fix", "branch"], State.AWAITING_APPROVAL),
    (State.UNREPRODUCIBLE, CODE): (["fix", "branch"], State.AWAITING_APPROVAL),
    (State.TRIAGED, CODE): (["fix", "branch"], State.AWAITING_APPROVAL),
    (State.PROPOSED, CODE): (["fix", "branch"], State.AWAITING_APPROVAL),
    (State.VERIFIED, CODE): (["branch"], State.AWAITING_APPROVAL),
    (State.AWAITING_APPROVAL, CODE): ([], State.AWAITING_APPROVAL),
    (State.APPLIED, CODE): ([], State.WATCHED),
    (State.WATCHED, CODE): ([], State.WATCHED),
    (State.RESOLVED, CODE): ([], State.RESOLVED),
    (State.REGRESSED, CODE): (["undo", "fix", "branch"], State.AWAITING_APPROVAL),
    (State.ROLLED_BACK, CODE): (["fix", "branch"], State.AWAITING_APPROVAL),
    (State.REJECTED, CODE): ([], State.REJECTED),
    (State.DUPLICATE, CODE): ([], State.DUPLICATE),
    (State.WONT_FIX, CODE): ([], State.WONT_FIX),
    (State.DEFERRED, CODE): ([], State.DEFERRED),
    (State.TRIAGED, SETTING): (["prove", "put"], State.APPLIED),
    (State.PROPOSED, SETTING): (["prove", "put"], State.APPLIED),
    (State.VERIFIED, SETTING): (["put"], State.APPLIED),
    (State.AWAITING_APPROVAL, SETTING): ([], State.AWAITING_APPROVAL),
    (State.APPLIED, SETTING): ([], State.WATCHED),
    (State.WATCHED, SETTING): ([], State.WATCHED),
    (State.RESOLVED, SETTING): ([], State.RESOLVED),
    (State.REGRESSED, SETTING): (["undo"], State.ROLLED_BACK),
    (State.ROLLED_BACK, SETTING): (["prove", "put"], State.APPLIED),
    (State.REJECTED, SETTING): ([], State.REJECTED),
    (State.TRIAGED, CERBERUS): ([], State.TRIAGED),
    (State.PROPOSED, CERBERUS): ([], State.WATCHED),
    (State.VERIFIED, CERBERUS): ([], State.WATCHED),
    (State.APPLIED, CERBERUS): ([], State.WATCHED),
}


def test_the_table_knows_each_state() -> None:
    assert {state for state, _ in GOES_ON} == set(State)


@pytest.mark.parametrize(("state", "remedy"), GOES_ON, ids=lambda each: each.value)
def test_a_start_in_each_state(tmp_path: Path, state: State, remedy: RemedyKind) -> None:
    did, end = GOES_ON[state, remedy]
    clock, shop = ManualClock(), ToldWorkshop()
    shop.confirmations["g"] = confirmed()
    left = a_ledger(tmp_path).save(in_state(state, remedy, at=NOW))
    if state in IN_FORCE | {State.REGRESSED} and remedy is not CERBERUS:
        shop.in_force[ID] = 1
    clock.advance(60.0)
    bench = Bench(tmp_path, shop, clock).settle().pass_time(1800.0)
    assert (shop.did, bench.state()) == (did, end)
    assert bench.decision().history[: len(left.history)] == left.history, "what was is kept"
    assert sum(shop.in_force.values()) == (end in IN_FORCE and remedy is not CERBERUS)
    bench = bench.next_run().settle().pass_time(600.0)
    assert shop.did == did + (["prove", "put"] if end is State.ROLLED_BACK else []), "and nothing a second time"
    bench.forging.stop()


@pytest.mark.parametrize(
    ("remedy", "what"), [(CODE, "fix"), (CODE, "branch"), (SETTING, "prove"), (SETTING, "put"), (SETTING, "undo")]
)
def test_an_end_while_it_is_at_work(tmp_path: Path, remedy: RemedyKind, what: str) -> None:
    """The work is told to end, its answer is not believed, and the next run does it anew."""
    states = {"fix": State.PROPOSED, "branch": State.VERIFIED, "prove": State.PROPOSED, "put": State.VERIFIED}
    a_ledger(tmp_path).save(in_state(states.get(what, State.REGRESSED), remedy, at=NOW))
    shop, clock = ToldWorkshop(), ManualClock()
    shop.confirmations["g"] = confirmed()
    shop.may_end.clear()
    clock.advance(60.0)
    first = Bench(tmp_path, shop, clock)
    eventually(lambda: shop.did == [what], 20.0, "it is at work")
    before = first.decision()
    first.forging.stop()
    assert first.decision() == before
    shop.may_end.set()
    clock.advance(1.0)
    second = Bench(tmp_path, shop, clock).settle()
    assert shop.did[:2] == [what, what] and second.state() in {
        State.AWAITING_APPROVAL,
        State.APPLIED,
        State.ROLLED_BACK,
    }
    assert sum(shop.in_force.values()) == (second.state() is State.APPLIED)
    second.forging.stop()


def test_an_end_between_the_doing_and_the_writing(tmp_path: Path) -> None:
    """The setting was put, and the power went: it is put again, onto itself."""
    a_ledger(tmp_path).save(in_state(State.VERIFIED, SETTING, at=NOW))
    shop, clock = ToldWorkshop(), ManualClock()
    shop.in_force[ID] = 1
    clock.advance(60.0)
    bench = Bench(tmp_path, shop, clock).settle()
    assert bench.state() is State.APPLIED and shop.in_force == {ID: 1}
    assert bench.way.count("applied") == 1
    bench.forging.stop()


def a_real_workshop(tmp_path: Path, clock: ManualClock) -> LocalWorkshop:
    return LocalWorkshop(Settings(data_dir=tmp_path), a_ledger(tmp_path / "decisions"), LocalProcesses(), clock)


def test_a_real_setting_put_twice_is_one_file_and_taken_back_twice_is_none(tmp_path: Path) -> None:
    clock, never = ManualClock(), threading.Event()
    decision, folder = in_state(State.VERIFIED, SETTING), LocalPrivateFolder(tmp_path / MITIGATIONS)
    shop = a_real_workshop(tmp_path, clock)
    for _ in range(2):
        clock.advance(5.0)
        assert shop.apply(decision).state is State.APPLIED
        (file,) = folder.entries()
        (there,) = in_force(folder, clock.utc_now().timestamp())
        assert file.name == f"{ID}.json" and (there.key, there.was, there.value) == ("inference.deadline", 30.0, 45.0)
    for _ in range(2):
        assert shop.undo(decision, never).state is State.ROLLED_BACK and folder.entries() == []


@pytest.mark.parametrize("facts", [{}, {"key": "inference.deadline"}, {"key": 5, "was": "x", "value": None}])
def test_a_decision_that_does_not_say_which_setting_puts_none(tmp_path: Path, facts: dict[str, object]) -> None:
    decision = in_state(State.VERIFIED, SETTING, remedy_facts={**facts, "by_itself": True})
    found = a_real_workshop(tmp_path, ManualClock()).put(decision, threading.Event())
    assert found.state is State.DEFERRED and not (tmp_path / MITIGATIONS).exists()


class Proving(LocalWorkshop):
    """``prove`` answers what it is told to; all else is real."""

    answer = Outcome(State.REJECTED, "it does not help")

    def prove(self, decision: Decision, cancelled: threading.Event) -> Outcome:
        return self.answer


def a_proving_workshop(tmp_path: Path, answer: Outcome) -> Proving:
    shop = Proving(Settings(data_dir=tmp_path), a_ledger(tmp_path / "decisions"), LocalProcesses(), ManualClock())
    shop.answer = answer
    return shop


@pytest.mark.parametrize("key", ["inference.deadline", "source.obs.deadline", "inference.max_tokens"])
def test_a_file_that_says_it_was_proven_puts_nothing(tmp_path: Path, key: str) -> None:
    """The real proof: there is no such record."""
    facts = {"key": key, "was": 2.0, "value": 5.0, "by_itself": True}
    found = a_real_workshop(tmp_path, ManualClock()).put(
        in_state(State.VERIFIED, SETTING, remedy_facts=facts), threading.Event()
    )
    assert (found.state, found.note) == (State.DEFERRED, "proven anew: its record is gone")
    assert not (tmp_path / MITIGATIONS).exists()


def test_what_an_earlier_run_has_proven_is_proven_anew_and_only_that_is_put(tmp_path: Path) -> None:
    told = in_state(State.VERIFIED, SETTING)
    real = {"key": "inference.deadline", "was": 30.0, "value": 60.0, "by_itself": True}
    shop = a_proving_workshop(tmp_path, Outcome(State.VERIFIED, "3 runs", real))
    found = shop.put(told, threading.Event())
    (there,) = in_force(LocalPrivateFolder(tmp_path / MITIGATIONS), shop._now())
    assert found.state is State.APPLIED and there.value == found.facts["value"] == 60.0
    shop.answer = Outcome(State.VERIFIED, "3 runs", {**real, "by_itself": False})
    assert shop.put(told, threading.Event()).state is State.AWAITING_APPROVAL
    shop.answer = Outcome(State.REJECTED, "it does not help")
    assert shop.put(told, threading.Event()).note == "proven anew: it does not help"


def test_a_real_setting_says_when_it_ends_until_it_is_confirmed(tmp_path: Path) -> None:
    clock = ManualClock()
    shop, now = a_real_workshop(tmp_path, clock), clock.utc_now().timestamp()
    decision = in_state(State.AWAITING_APPROVAL, SETTING)
    facts = {**decision.remedy_facts, **shop.apply(decision).facts}
    applied = decision.to(State.APPLIED, now, remedy_facts=facts)
    assert not expired(applied, now + 7 * DAY - 1) and expired(applied, now + 7 * DAY)
    confirmed = replace(applied, remedy_facts={**applied.remedy_facts, **shop.confirm(applied).facts})
    assert not expired(confirmed, now + 70 * DAY)
    assert not any("until" in name for name, _ in facts_of(applied))


def test_a_patch_that_is_not_the_one_of_the_decision_is_not_shown(tmp_path: Path) -> None:
    shop, diff = a_real_workshop(tmp_path, ManualClock()), b"--- a/x\n+++ b/x\n"
    decision = in_state(State.AWAITING_APPROVAL, CODE)
    digest = hashlib.sha256(diff).hexdigest()
    decision = replace(decision, remedy_facts={"digest": digest})
    work = LocalPrivateFolder(tmp_path / "decisions" / ID / "work_1")
    passed = Proposal(Proposed.PASSED, "", "cd" * 20, digest, (Attempt(1, "", "", 1.0),), ("x",))
    work.write(PROPOSAL, as_line(passed).encode())
    work.write("attempt_1/patch.diff", diff)
    assert shop.patch(decision) == "--- a/x\n+++ b/x"
    work.write("attempt_1/patch.diff", b"--- a/y\n+++ b/y\n")
    assert "is not the one that passed the gate" in shop.patch(decision)


class Starting(LocalProcesses):
    """Which programs are wanted; none is started."""

    def __init__(self) -> None:
        super().__init__()
        self.wanted: list[tuple[str, ...]] = []

    def start(self, command: Any, *, environment: Any = None) -> Any:
        self.wanted.append(tuple(command))
        raise ProcessError("nothing is started here")


def test_a_branch_and_a_merge_name_the_patch_that_the_decision_saw_pass(tmp_path: Path) -> None:
    """Whatever lies in the work folder by then; a decision that names none gets neither."""
    started, never = Starting(), threading.Event()
    shop = LocalWorkshop(Settings(data_dir=tmp_path), a_ledger(tmp_path / "decisions"), started, ManualClock())
    decision = replace(in_state(State.VERIFIED, CODE), remedy_facts={"digest": "ab" * 32})
    acts: list[Callable[[], Outcome]] = [lambda: shop.branch(decision, never), lambda: shop.apply(decision)]
    for act in acts:
        with pytest.raises(ProcessError):
            act()
        assert started.wanted[-1][-5:-3] == ("--patch", "ab" * 32), started.wanted
    nameless, count = replace(decision, remedy_facts={}), len(started.wanted)
    assert shop.branch(nameless, never).state is State.DEFERRED
    assert shop.apply(nameless).state is nameless.state and shop.merge(nameless, never).state is State.DEFERRED
    assert len(started.wanted) == count


# --- no way to be in force without a proof ---

ANSWERS = st.sampled_from(
    [
        Outcome(State.VERIFIED, "proven", {"by_itself": True, "key": "inference.deadline"}),
        Outcome(State.REJECTED, "it does not help"),
        Outcome(State.DEFERRED, "no sandbox"),
        Outcome(State.AWAITING_APPROVAL, "a person decides"),
        Outcome(State.APPLIED, "done"),
        Outcome(State.ROLLED_BACK, "taken back"),
        RuntimeError("a defect"),
    ]
)
EVENT = st.one_of(
    st.tuples(st.just("fail"), st.sampled_from(["a", "b"]), st.sampled_from(RemedyKind)),
    st.tuples(st.just("reproduced"), st.sampled_from(["a", "b"]), st.sampled_from(Level)),
    st.tuples(st.sampled_from(["bitten", "restart", "hour", "days", "approve", "reject", "revert"])),
    st.tuples(st.just("answer"), ANSWERS),
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(EVENT, min_size=5, max_size=40))
def test_whatever_happens_nothing_is_in_force_that_was_not_verified(events: list[tuple[str, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        for event in events:
            bench = happens(bench, event)
            check_all(bench)
        bench.forging.stop()


def happens(bench: Bench, event: tuple[str, ...]) -> Bench:
    match event:
        case ("fail", group, remedy):
            bench.fail(group, RemedyKind(remedy), occurrences=3)
        case ("reproduced", group, level):
            bench.reproduced(group, Level(level))
        case ("answer", answer):
            bench.workshop.answers.append(answer)  # type: ignore[arg-type]
        case ("bitten",):
            bench.bitten()
        case ("restart",):
            bench = bench.next_run()
        case ("hour",):
            bench.pass_time(3600.0)
        case ("days",):
            bench.pass_time(2 * DAY)
        case (word,):
            for decision in bench.ledger.page().decisions:
                says(bench, word, decision.id)
            bench.pass_time(6.0)
    return bench.settle()


def says(bench: Bench, word: str, decision_id: str) -> None:
    decision, now, shop = bench.decision(decision_id), bench.clock.utc_now().timestamp(), bench.workshop

    def undo(each: object) -> Outcome:
        shop.in_force.pop(decision_id, None)
        return Outcome(State.ROLLED_BACK, "taken back")

    try:
        if word == "approve":
            decision_commands.approve(
                bench.ledger, decision, now, shop.apply, lambda each: Outcome(each.state, "stays")
            )
        elif word == "reject":
            decision_commands.reject(bench.ledger, decision, now, "", undo)
        else:
            decision_commands.revert(bench.ledger, decision, now, undo)
    except decision_commands.NotNow:
        pass


def check_all(bench: Bench) -> None:
    page = bench.ledger.page()
    assert page.broken == ()
    groups = [decision.group for decision in page.decisions]
    assert len(groups) == len(set(groups))
    for decision in page.decisions:
        states = [step.state for step in decision.history]
        for before, after in itertools.pairwise(states):
            if after is State.APPLIED and before is not after:
                assert before in (State.VERIFIED, State.AWAITING_APPROVAL), states
            if after is State.VERIFIED:
                assert before is State.PROPOSED, states
        if bench.workshop.in_force.get(decision.id):
            assert decision.state in IN_FORCE | {State.REGRESSED, State.DEFERRED}, states
        by_hand = [step for step in decision.history if step.state is State.APPLIED and "by hand" in step.note]
        if decision.remedy is RemedyKind.CODE and decision.was(State.APPLIED):
            assert by_hand, "a patch is never applied without a person"
