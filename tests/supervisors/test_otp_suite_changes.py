"""Rows 41 to 51 of OTP's own tests (see ``test_otp_suite.py``): live changes, and significant children."""

from __future__ import annotations

import itertools

import pytest

from supervisors.errors import (
    GaveUp,
)
from supervisors.policy import AutoShutdown, Restart, Strategy
from supervisors.specs import Flags, SpecError
from tests.supervisors.simulation import Sim, World, error_of, spec, specs
from tests.supervisors.vices import (
    is_a_supervisor,
)

# --- changing a running supervisor ---


def test_code_change() -> None:
    sim = Sim(specs("ab"), Flags(intensity=1))
    assert (
        sim.answer(sim.change([spec("b", stop_timeout=9), spec("c")], Flags(Strategy.ONE_FOR_ALL, intensity=5))) is None
    )
    assert (sim.up(), sim.known(), sim.trace) == ("ab", "abc", ["start a", "start b"])  # nothing started or stopped
    before = {name: child.spec for name, child in sim.machine.children.items()}
    for bad in (
        sim.change([spec("d", Restart.TRANSIENT, significant=True)]),
        sim.change([spec("d"), spec("d")]),
        sim.change([spec("d", depends_on=("nobody",))]),
        sim.change([spec("d")], Flags(max_children=1)),
    ):
        assert isinstance(sim.answer(bad), SpecError)
    assert {name: child.spec for name, child in sim.machine.children.items()} == before
    assert sim.machine.flags == Flags(Strategy.ONE_FOR_ALL, intensity=5)
    sim.crash("a")
    assert sim.trace == ["stop b", "start a", "start b", "start c"]
    for _ in range(4):
        sim.crash("b")
    assert sim.up() == "abc"
    sim.crash("c")
    assert isinstance(error_of(sim), GaveUp)


def test_code_change_judges_what_has_happened_by_the_new_numbers() -> None:
    sim = Sim(specs("a"), Flags(intensity=5))
    sim.crash("a")
    sim.crash("a")
    sim.change([], Flags(intensity=2))
    sim.crash("a")
    assert isinstance(error_of(sim), GaveUp)


# --- significant children ---

MODES = list(AutoShutdown)


@pytest.mark.parametrize(
    ("mode", "restart", "how"),
    list(itertools.product(MODES, [Restart.TEMPORARY, Restart.TRANSIENT], ["finish", "crash", "stuck", "terminate"])),
)
def test_nonsignificant(mode: AutoShutdown, restart: Restart, how: str) -> None:
    sim = Sim([spec("a", restart), spec("b")], Flags(auto_shutdown=mode))
    getattr(sim, how)("a")
    assert sim.end is None


@pytest.mark.parametrize(
    ("restart", "how", "triggers"),
    [
        (Restart.TEMPORARY, "finish", True),
        (Restart.TEMPORARY, "crash", True),
        (Restart.TEMPORARY, "stuck", True),
        (Restart.TEMPORARY, "terminate", False),
        (Restart.TRANSIENT, "finish", True),
        (Restart.TRANSIENT, "crash", False),  # it comes back
        (Restart.TRANSIENT, "stuck", False),
        (Restart.TRANSIENT, "terminate", False),
    ],
)
def test_significant(restart: Restart, how: str, triggers: bool) -> None:
    children = [spec("a", restart, significant=True), spec("b", restart, significant=True), spec("c")]
    any_one = Sim(children, Flags(auto_shutdown=AutoShutdown.ANY_SIGNIFICANT))
    getattr(any_one, how)("a")
    assert (any_one.end is not None) == triggers
    all_of_them = Sim(children, Flags(auto_shutdown=AutoShutdown.ALL_SIGNIFICANT))
    getattr(all_of_them, how)("a")
    assert all_of_them.end is None
    getattr(all_of_them, how)("b")
    assert (all_of_them.end is not None) == triggers
    if triggers:
        assert (error_of(any_one), error_of(all_of_them)) == (None, None)


def test_significant_bystander() -> None:
    """One that is stopped with its group has not ended by itself."""
    children = [
        spec("a"),
        spec("b", Restart.TEMPORARY, significant=True),
        spec("c", Restart.TRANSIENT, significant=True),
    ]
    for mode in (AutoShutdown.ANY_SIGNIFICANT, AutoShutdown.ALL_SIGNIFICANT):
        for strategy in (Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE):
            sim = Sim(children, Flags(strategy, auto_shutdown=mode))
            sim.crash("a")
            assert (sim.up(), sim.end) == ("ac", None)
            sim.finish("c")
            assert error_of(sim) is None


@pytest.mark.parametrize("significant", [True, False])
def test_significant_escalation(significant: bool) -> None:
    made: list[Sim] = []

    def inside(world: World) -> Sim:
        worker = spec("w", Restart.TRANSIENT, significant=True)
        made.append(Sim([worker], Flags(auto_shutdown=AutoShutdown.ANY_SIGNIFICANT), world=world))
        return made[-1]

    inner = spec("s", Restart.TRANSIENT, significant=significant, supervisor=True, stop_timeout=None)
    flags = Flags(auto_shutdown=AutoShutdown.ANY_SIGNIFICANT)
    sim = Sim([spec("a"), inner], flags, {"s": is_a_supervisor(inside)})
    made[0].finish("w")
    assert made[0].end is not None
    assert (sim.end is not None) == significant
    assert sim.up() == ("" if significant else "a")


def test_significant_upgrade() -> None:
    plain = [spec("a", Restart.TRANSIENT), spec("b", Restart.TRANSIENT), spec("c")]
    marked = [spec(name, Restart.TRANSIENT, significant=True) for name in "ab"]
    for flags, both in (
        (Flags(auto_shutdown=AutoShutdown.ANY_SIGNIFICANT), False),
        (Flags(auto_shutdown=AutoShutdown.ALL_SIGNIFICANT), True),
    ):
        sim = Sim(plain)
        assert isinstance(sim.answer(sim.change(marked)), SpecError)  # never, and significant: neither changes
        assert sim.answer(sim.change(marked, flags)) is None
        sim.finish("a")
        assert (sim.end is None) == both
        if both:
            sim.finish("b")
            assert error_of(sim) is None
    back = Sim([*marked, spec("c")], Flags(auto_shutdown=AutoShutdown.ANY_SIGNIFICANT))
    assert isinstance(back.answer(back.change([], Flags())), SpecError)
    assert back.answer(back.change(plain, Flags())) is None
    back.finish("a")
    back.finish("b")
    assert (back.up(), back.end) == ("c", None)
