"""Each of LM Studio's error texts and body shapes, through the double, over real HTTP, with live actors.

For each: the right class, the right number of requests, the right action, nothing lost (the next frame is answered),
no new start of the server or of an actor, and no text of the token in anything that was told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

import foureyes_actors.errors
from foureyes_actors.messages import Analysis, AnalysisFailed
from tests.lm_studio.double_house import CHAT, NAME, PATIENCE, House
from tests.lm_studio.error_cases import CASES, DEADLINE, TOKEN, Case
from tests.support import eventually


@pytest.fixture
def houses() -> Iterator[Callable[[float], House]]:
    made: list[House] = []

    def make(deadline: float) -> House:
        made.append(House(deadline=deadline))
        return made[-1]

    yield make
    for house in made:
        house.stop()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_error_table(case: Case, houses: Callable[[float], House]) -> None:
    house = houses(DEADLINE if case.hangs else PATIENCE)
    house.until_ready()
    assert house.counts() == {"frames": 0, "canaries": 1, "unloads": 0, "loads": 1}
    if case.canary:
        house.double.add_rule({"when": {"route": CHAT, "nth": case.times + 1}, "then": case.canary})
    nth = list(range(1, case.times + 1))
    house.double.add_rule({"when": {"route": CHAT, "nth": nth}, "then": case.then})

    house.give(1)
    first = house.outcome(1)
    expected = {
        "frames": case.requests,
        "canaries": 1 + case.canaries,
        "unloads": case.reloads,
        "loads": 1 + case.loads,
    }
    eventually(lambda: house.counts() == expected, PATIENCE, f"{expected}, not {house.counts()}")
    house.until_ready()
    house.give(2)
    assert isinstance(house.outcome(2), Analysis), "the next frame is answered"
    house.until_ready()

    _check_class(case, first, house)
    assert house.counts() == {**expected, "frames": case.requests + 1}
    assert house.exits == []
    assert house.incarnations() == {"lm_studio": 1, NAME: 1}, "no actor was started anew"
    assert len(house.processes.doubles) == 1, "nor the server"
    told = repr(house.kept) + repr([house.ask(name) for name in ("lm_studio", NAME)])
    assert TOKEN not in told and TOKEN[:10] not in told


def _check_class(case: Case, first: Analysis | AnalysisFailed, house: House) -> None:
    faults = house.faults()
    if case.kind is None:
        assert isinstance(first, Analysis) and faults == []
        return
    assert isinstance(first, AnalysisFailed)
    assert first.error_type == case.kind.__name__
    assert getattr(foureyes_actors.errors, first.error_type).error_class is case.error_class
    assert [fault.exception_type for fault in faults] == [f"foureyes_actors.errors.{first.error_type}"]
    assert case.help in faults[0].message and case.help in first.reason


def test_every_text_of_the_table_is_there_once() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 60
