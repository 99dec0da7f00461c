"""A setting that is in force by its decision and not in fact: the user's word, and what another decision did to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from foureyes_actors.forgewright.budget import figures
from foureyes_actors.forgewright.decision import Decision
from foureyes_actors.forgewright.mitigations import MITIGATIONS, in_force, mitigation, put
from foureyes_actors.forgewright.overruled import Overruled, key_of, overruled
from foureyes_actors.forgewright.states import IN_FORCE, State
from foureyes_actors.forgewright.triage import RemedyKind
from foureyes_actors.ports.private_folder import LocalPrivateFolder
from tests.forgewright.bench import Bench
from tests.forgewright.make import NOW, in_state

SETTING = RemedyKind.CONFIGURATION
KEY, DAY, HOUR = "inference.deadline", 86_400.0, 3600.0


def setting(number: int, was: float, value: float, state: State = State.WATCHED, **facts: object) -> Decision:
    own = {"key": KEY, "was": was, "value": value, "until": NOW + 7 * DAY, **facts}
    return in_state(state, SETTING, decision_id=f"FORGE-2026-{number:03}", group=f"g{number}", remedy_facts=own)


ONE = setting(1, 30.0, 45.0)
UPON = setting(2, 45.0, 60.0)


@pytest.mark.parametrize(
    ("others", "has"),
    [
        ([], 45.0),
        ([UPON], 60.0),  # another one is built upon it
        ([UPON], 45.0),  # not yet read
        ([replace(UPON, state=State.REJECTED)], 45.0),
        ([setting(3, 30.0, 45.0)], 45.0),  # the same, of two decisions
    ],
)
def test_it_holds(others: list[Decision], has: float) -> None:
    assert overruled(ONE, [ONE, *others], has, NOW) is None


@pytest.mark.parametrize(
    ("decision", "others", "has", "by_user", "words"),
    [
        (ONE, [], 20.0, True, "superseded by the user: inference.deadline is 20 and no longer 30"),
        (ONE, [UPON], 20.0, True, "is 20 and no longer 30"),
        (UPON, [ONE], 20.0, True, "is 20 and no longer 30"),  # that one fell because of the user
        (ONE, [setting(3, 20.0, 40.0)], 40.0, True, "is 20 and no longer 30"),  # anew, upon the user's own
        (ONE, [], 30.0, True, "superseded by the user: inference.deadline is 30, its mitigation was thrown away"),
        (UPON, [replace(ONE, state=State.REJECTED)], 30.0, False, "another decision's setting came between"),
        (ONE, [setting(3, 30.0, 60.0)], 60.0, False, "came between: inference.deadline is 60, not 30"),
    ],
)
def test_it_does_not_hold(decision: Decision, others: list[Decision], has: float, by_user: bool, words: str) -> None:
    found = overruled(decision, [decision, *others], has, NOW)
    assert isinstance(found, Overruled) and found.by_user is by_user and words in found.words


def test_what_came_to_its_end_is_not_overruled() -> None:
    assert overruled(ONE, [], 30.0, NOW + 7 * DAY) is None
    assert overruled(setting(1, 30.0, 45.0, until=None), [], 30.0, NOW + 70 * DAY) is not None


@pytest.mark.parametrize("state", State)
def test_only_what_is_in_force_is_asked_about(state: State) -> None:
    assert (key_of(setting(1, 30.0, 45.0, state)) == KEY) is (state in IN_FORCE)
    assert key_of(in_state(state, RemedyKind.CODE)) == ""
    for facts in ({"key": "data_dir"}, {"key": 3}, {"value": "x"}, {"was": None}):
        assert key_of(replace(ONE, remedy_facts={**ONE.remedy_facts, **facts})) == ""


# --- in a run ---


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """With a setting that was put, and counts from the next start on."""
    made = Bench(tmp_path)
    made.fail(remedy=SETTING, occurrences=3)
    made.reproduced()
    assert made.state() is State.APPLIED
    yield made
    Bench.ended()


def test_the_users_own_value_ends_it_at_the_next_start(bench: Bench) -> None:
    bench = bench.next_run(setting={KEY: 20.0}.get).pass_time(3 * DAY)
    assert bench.way[-3:] == ["applied", "rolled back", "rejected"] and bench.workshop.in_force == {}
    assert bench.decision().reason == "superseded by the user: inference.deadline is 20 and no longer 30"
    found = figures([bench.decision()])
    assert (found.applied, found.resolved, found.regressed) == (1, 0, 0)
    bench.fail(remedy=SETTING, occurrences=9)
    assert bench.pass_time(DAY).next_run(setting={KEY: 20.0}.get).state() is State.REJECTED, "the user's word"


def test_a_reload_in_the_middle_of_the_watch_ends_it_too(bench: Bench) -> None:
    config = {KEY: 45.0}
    bench = bench.next_run(setting=config.get).pass_time(HOUR)
    assert bench.state() is State.WATCHED
    config[KEY] = 25.0
    bench.pass_time(HOUR)
    assert bench.state() is State.REJECTED and "is 25 and no longer 30" in bench.decision().reason


def test_after_it_was_resolved_a_failure_is_no_regression(bench: Bench) -> None:
    config = {KEY: 45.0}
    bench = bench.next_run(setting=config.get).pass_time(DAY + HOUR)
    assert bench.state() is State.RESOLVED
    config[KEY] = 5.0
    bench.fail(remedy=SETTING, occurrences=9)
    assert bench.state() is State.REJECTED and "regressed" not in bench.way


def test_what_stands_is_resolved_as_ever(bench: Bench) -> None:
    bench = bench.next_run(setting={KEY: 45.0}.get).pass_time(DAY + HOUR)
    assert bench.state() is State.RESOLVED and figures([bench.decision()]).resolved == 1


def test_what_another_one_displaced_is_tried_anew(bench: Bench) -> None:
    """It was put upon the same value in the same run, and the other one came first."""
    other = replace(setting(9, 30.0, 60.0), key="other", history=bench.decision().history, state=State.APPLIED)
    bench.ledger.save(other)
    bench = bench.next_run(setting={KEY: 60.0}.get)
    assert bench.state() is State.ROLLED_BACK and "came between" in bench.decision().reason
    bench = bench.next_run(setting={KEY: 60.0}.get).settle()
    assert bench.workshop.did[-2:] == ["prove", "put"] and bench.state() is State.APPLIED


def test_its_file_goes_with_it(tmp_path: Path) -> None:
    """With the real workshop: nothing is left that could count when the user's value is what it was again."""
    from foureyes_actors.forgewright.workshop import LocalWorkshop
    from foureyes_actors.ports.clock import ManualClock
    from foureyes_actors.ports.local_process import LocalProcesses
    from foureyes_actors.settings import Settings
    from tests.forgewright.make import a_ledger

    clock = ManualClock()
    now, place = clock.utc_now().timestamp(), tmp_path / "decisions"
    folder, ledger = LocalPrivateFolder(tmp_path / MITIGATIONS), a_ledger(place, clock)
    put(folder, mitigation(ONE.id, KEY, 30.0, 45.0, now), now)
    ledger.save(replace(ONE, state=State.APPLIED, history=ONE.history[:-1], applied_at=now - 1.0))
    shop = LocalWorkshop(Settings(data_dir=tmp_path), ledger, LocalProcesses(), clock)
    bench = Bench(place, shop, clock, setting={KEY: 20.0}.get)  # type: ignore[arg-type]
    try:
        found = ledger.get(ONE.id)
        assert found is not None and found.state is State.REJECTED and in_force(folder, now) == ()
    finally:
        bench.forging.stop()
        Bench.made.remove(bench)
