"""Figures with what they are of, on decisions whose past is known, and what may still be done today."""

from __future__ import annotations

from dataclasses import replace

from foureyes_actors.forgewright.budget import BY_HAND, budget, figure_lines, figures
from foureyes_actors.forgewright.decision import Decision
from foureyes_actors.forgewright.states import State
from foureyes_actors.forgewright.triage import RemedyKind
from tests.forgewright.make import NOW, a_decision, in_state

S, DAY = State, 86_400.0


def gone(level: str, *steps: tuple[State, float, str], remedy: RemedyKind = RemedyKind.CODE) -> Decision:
    made = replace(a_decision(), remedy=remedy, level=level)
    for state, after, note in steps:
        made = made.to(state, NOW + after, note)
    return made


REPRODUCED = ((S.CAPTURED, 1, ""), (S.REPRODUCED, 10, ""), (S.TRIAGED, 11, ""))
PROPOSED = (*REPRODUCED, (S.PROPOSED, 20, ""))
VERIFIED = (*PROPOSED, (S.VERIFIED, 100, ""))
SET = [
    gone("", (S.TRIAGED, 1, "no record")),  # not captured
    gone("", (S.CAPTURED, 1, "")),  # waits
    gone("", (S.CAPTURED, 1, ""), (S.UNREPRODUCIBLE, 30, "another failure: KeyError"), (S.TRIAGED, 31, "")),
    gone("", (S.CAPTURED, 1, ""), (S.UNREPRODUCIBLE, 50, "another failure: ValueError"), (S.TRIAGED, 51, "")),
    gone("port", *REPRODUCED),
    gone("wire", *PROPOSED, (S.REJECTED, 60, "the gate")),
    gone("wire", *VERIFIED, (S.AWAITING_APPROVAL, 101, ""), (S.APPLIED, 500, f"{BY_HAND}: merged"),
         (S.WATCHED, 600, ""), (S.RESOLVED, 700, "")),
    gone("wire", *VERIFIED, (S.APPLIED, 300, "put"), (S.WATCHED, 600, ""), (S.REGRESSED, 700, ""),
         (S.ROLLED_BACK, 800, ""), (S.TRIAGED, 801, ""), remedy=RemedyKind.CONFIGURATION),
]  # fmt: skip


def test_figures_have_their_denominators() -> None:
    found = figures(SET)
    assert (found.failures, found.captured, found.waiting) == (8, 7, 1)
    assert found.confirmed == {"port": 1, "wire": 3} and found.unconfirmed == {"another failure": 2}
    assert found.captured == sum(found.confirmed.values()) + sum(found.unconfirmed.values()) + found.waiting
    assert (found.proposed, found.verified, found.applied, found.approved) == (3, 2, 2, 1)
    assert (found.regressed, found.resolved) == (1, 1)
    assert (found.to_platform, found.to_proposal, found.to_verified, found.to_applied) == (10, 20, 100, 400)


def test_they_are_told_in_lines() -> None:
    lines = list(figure_lines(figures(SET)))
    for line in (
        "captured                 7 of 8",
        "confirmed                4 of 7 (port 1, wire 3)",
        "unconfirmed              2 of 7 (another failure 2)",
        "not yet run again        1 of 7",
        "a remedy was proposed    3 of 8",
        "verified                 2 of 3",
        "applied                  2 of 2",
        "of these by a person     1 of 2",
        "regressed                1 of 2",
        "resolved                 1 of 8",
        "from failure to platform 10 s (the middle one)",
        "from failure to applied  400 s (the middle one)",
    ):
        assert any(each.split() == line.split() for each in lines), (line, lines)
    assert sum("none yet" in line for line in figure_lines(figures([]))) == 4


def test_that_a_setting_may_stay_is_no_approval_of_its_application() -> None:
    made = in_state(S.APPLIED, RemedyKind.CONFIGURATION).noted(NOW + 5, f"{BY_HAND}: it stays", {})
    assert (figures([made]).approved, figures([made]).applied) == (0, 1)


def test_a_budget_is_of_the_last_day() -> None:
    used = budget(SET, NOW + 1000, fixes=2, applications=5)
    assert (used.fixes, used.applied, used.may_fix, used.may_apply) == (2, 1, False, True)
    used = budget(SET, NOW + DAY + 301, fixes=2, applications=1)
    assert (used.fixes, used.applied, used.may_fix, used.may_apply) == (0, 0, True, True)
    assert not budget([], NOW, fixes=0, applications=0).may_fix


def test_what_a_person_applied_costs_nothing_of_it() -> None:
    by_hand = gone("wire", *VERIFIED, (S.AWAITING_APPROVAL, 101, ""), (S.APPLIED, 500, f"{BY_HAND}: put"),
                   remedy=RemedyKind.CONFIGURATION)  # fmt: skip
    assert budget([by_hand], NOW + 600, fixes=1, applications=1).applied == 0
    assert budget([in_state(S.WATCHED, RemedyKind.OPERATIONAL)], NOW, fixes=1, applications=1).applied == 0
