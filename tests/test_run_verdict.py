"""What makes the end of a run no success, from statuses as the actors give them."""

from __future__ import annotations

from typing import Any

import pytest

from foureyes_actors.exit_codes import BAD_CONFIGURATION, NOT_KEPT, UNAVAILABLE
from foureyes_actors.run_verdict import trouble_of

LOST: dict[str, Any] = {"stored": 0, "journaled": 0, "dropped": 9}
READ: dict[str, dict[str, Any]] = {"console": {"read": 5}, "capture": {"frames": 6}}
UNREADABLE: dict[str, dict[str, Any]] = {"console": {"read": 0}, "capture": {"frames": 0, "exhausted": True}}


@pytest.mark.parametrize(
    "recorder",
    [{**LOST, "stored": 1}, {**LOST, "journaled": 1}, {**LOST, "dropped": 0}, {}],
    ids=["stored", "journaled", "nothing to keep", "no answer"],
)
def test_a_run_that_kept_something_is_a_success(recorder: dict[str, Any]) -> None:
    assert trouble_of({**READ, "recorder": recorder}, time_is_over=True, exhausted=False) is None


def test_a_run_that_kept_nothing_at_all_is_none() -> None:
    found = trouble_of({**READ, "recorder": LOST, "cerberus": {"replaced": {}}}, time_is_over=False, exhausted=False)
    assert found is not None and (found.code, found.summed_up) == (NOT_KEPT, True)
    assert found.line.startswith("nothing was kept: ")


def test_of_a_replaced_recorder_nobody_can_tell() -> None:
    statuses = {**READ, "recorder": LOST, "cerberus": {"replaced": {"recorder": 1}}}
    assert trouble_of(statuses, time_is_over=False, exhausted=False) is None


def test_a_source_that_ends_without_one_picture_is_no_success() -> None:
    found = trouble_of({**UNREADABLE, "recorder": LOST}, time_is_over=False, exhausted=True)
    assert found is not None and (found.code, found.summed_up) == (UNAVAILABLE, True)
    assert found.line == "nothing was read: the source ended without a picture that can be read"
    assert trouble_of(READ, time_is_over=False, exhausted=True) is None
    assert trouble_of(UNREADABLE, time_is_over=False, exhausted=False) is None, "it was ended before the source did"


@pytest.mark.parametrize(("refused", "code"), [(True, BAD_CONFIGURATION), (False, UNAVAILABLE)])
def test_nothing_read_in_the_time_that_was_given(refused: bool, code: int) -> None:
    found = trouble_of({**UNREADABLE, "lm_studio": {"refused": refused}}, time_is_over=True, exhausted=False)
    assert found is not None and (found.code, found.summed_up) == (code, False)
