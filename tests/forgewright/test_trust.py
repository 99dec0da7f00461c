"""A patch is merged without asking only when that is switched on and was earned, each threshold by itself."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from foureyes_actors.forgewright import course
from foureyes_actors.forgewright.course import Do, Known
from foureyes_actors.forgewright.decision import Decision, Step
from foureyes_actors.forgewright.states import State
from foureyes_actors.forgewright.triage import RemedyKind
from foureyes_actors.forgewright.trust import DAY, Record, lacks, record
from foureyes_actors.forgewright.workshop import LocalWorkshop
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.ports.local_process import LocalProcesses
from foureyes_actors.settings import Settings
from foureyes_actors.settings.forgewright import ForgewrightSettings
from tests.forgewright.make import a_ledger, in_state

NOW = 100 * DAY
EARNED = Record(approved=10, refused=0, regressed=0, since=NOW - 30 * DAY)


def waiting(occurrences: int = 10) -> Decision:
    return replace(in_state(State.AWAITING_APPROVAL, RemedyKind.CODE), occurrences=occurrences)


def test_all_that_is_wanted_is_enough() -> None:
    assert lacks(waiting(), EARNED, NOW) == ""


@pytest.mark.parametrize(
    ("decision", "found", "words"),
    [
        (waiting(9), EARNED, "came 9 times"),
        (waiting(), replace(EARNED, approved=9), "approved 9 patches"),
        (waiting(), replace(EARNED, refused=1), "10 of 11"),
        (waiting(), replace(EARNED, regressed=1), "did not hold"),
        (waiting(), replace(EARNED, since=NOW - 29 * DAY), "29 days ago"),
    ],
)
def test_each_threshold_stands_by_itself(decision: Decision, found: Record, words: str) -> None:
    assert words in lacks(decision, found, NOW)


def test_one_in_twenty_may_have_been_refused() -> None:
    assert lacks(waiting(), replace(EARNED, approved=19, refused=1), NOW) == ""


def test_only_what_a_person_said_about_patches_counts() -> None:
    by_hand = in_state(State.APPLIED, RemedyKind.CODE)
    by_hand = replace(by_hand, history=(*by_hand.history[:-1], Step(5 * DAY, State.APPLIED, "by hand: merged")))
    itself = in_state(State.APPLIED, RemedyKind.CODE)
    setting = replace(by_hand, remedy=RemedyKind.CONFIGURATION)
    no = replace(by_hand, history=(*by_hand.history[:-1], Step(6 * DAY, State.REJECTED, "by hand: no")))
    back = replace(by_hand, history=(*by_hand.history, Step(7 * DAY, State.REGRESSED)))
    assert record([itself, setting]) == Record()
    assert record([by_hand, by_hand, no, back]) == Record(3, 1, 1, 5 * DAY)


@pytest.mark.parametrize("remedy", list(RemedyKind))
@pytest.mark.parametrize(("earned", "within"), [(True, True), (True, False), (False, True)])
def test_nothing_else_is_merged_without_asking(remedy: RemedyKind, earned: bool, within: bool) -> None:
    decision = replace(waiting(), remedy=remedy)
    step = course.following(decision, Known(now=NOW, run_began=0.0, may_merge=earned, may_apply=within))
    merges = remedy is RemedyKind.CODE and earned and within
    assert step.do is (Do.APPLY if merges else Do.WAIT)


def test_it_is_off() -> None:
    assert not ForgewrightSettings().apply_patches


def test_a_patch_that_is_not_named_is_not_merged(tmp_path: Path) -> None:
    ledger, clock = a_ledger(tmp_path / "decisions"), ManualClock()
    shop = LocalWorkshop(Settings(data_dir=tmp_path), ledger, LocalProcesses(), clock, repository=tmp_path)
    found = shop.merge(replace(waiting(), remedy_facts={}), threading.Event())
    assert found.state is State.DEFERRED and "which patch" in found.note
