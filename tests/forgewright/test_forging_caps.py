"""How much is done a day, and how many decisions a flood of failures makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from foureyes_actors.forgewright import book as book_module
from foureyes_actors.forgewright.decision import PLATFORM_PATTERN
from foureyes_actors.forgewright.states import State
from foureyes_actors.forgewright.triage import BugClass, RemedyKind
from foureyes_actors.settings.forgewright import FixerSettings, ForgewrightSettings
from tests.forgewright.bench import Bench, found, groups
from tests.forgewright.make import ID

CODE, SETTING = RemedyKind.CODE, RemedyKind.CONFIGURATION
DAY, HOUR = 86_400.0, 3600.0


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
