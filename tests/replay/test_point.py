"""Replay points: what they keep of a failure, and that they change nothing else."""

from __future__ import annotations

import ast
import gc
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest

from foureyes_actors.bug.faults import fault_from_exception
from foureyes_actors.bug.fingerprint import fingerprint
from foureyes_actors.errors import ConnectFailed, RequestTimeout
from foureyes_actors.inference.client import analyse
from foureyes_actors.messages import Fault
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.replay import point as point_module
from foureyes_actors.replay.capture import MAX_CALLS, PortArgument, capture_of, sketch
from foureyes_actors.replay.fingerprint import group_of
from foureyes_actors.replay.point import replay_point, spec_of
from foureyes_actors.replay.registry import MODULES, registry
from tests.inference.support import ENTRIES, MODEL, ScriptedHttp, frame
from tests.replay.make import failure
from tests.replay.scenarios import SETTINGS, asked

ROOT = Path(__file__).parents[2]


@replay_point(ports={"clock": "clock"}, raises=(ValueError,))
def waits(clock: Any, times: int, *, last: str = "x") -> str:
    """Docs."""
    for _ in range(times):
        clock.monotonic()
    if last == "fail":
        raise KeyError(last)
    return last


@replay_point()
def outer(times: int) -> str:
    return waits(ManualClock(), times, last="fail")


def test_nothing_changes_when_nothing_fails() -> None:
    assert waits(ManualClock(), 2) == "x" and waits(clock=ManualClock(), times=1, last="y") == "y"
    assert (waits.__doc__, waits.__name__) == ("Docs.", "waits")
    with pytest.raises(TypeError, match="missing 1 required"):
        waits(ManualClock())  # type: ignore[call-arg]


def test_inputs_and_tape_are_kept_with_the_exception() -> None:
    error = failure(lambda: waits(ManualClock(monotonic=7.0), 2, last="fail"))
    kept = capture_of(error)
    assert kept is not None and kept.entry == "tests.replay.test_point:waits"
    assert dict(kept.arguments) == {"clock": PortArgument("clock"), "times": 2, "last": "fail"}
    assert [(c.port, c.op, c.result, c.raised) for c in kept.tape] == [("clock", "monotonic", 7.0, None)] * 2
    assert kept.chain == ("KeyError",) and kept.texts == ("'fail'",)


def test_the_innermost_point_keeps_it_once() -> None:
    kept = capture_of(failure(lambda: outer(1)))
    assert kept is not None and kept.entry.endswith(":waits")


@replay_point()
def divided(by: float) -> float:
    return 1 / by


@replay_point(ports={"clock": "clock"})
def asks_first(clock: Any) -> float:
    return divided(clock.monotonic())


def test_an_outer_point_that_asked_the_world_keeps_what_led_to_it() -> None:
    """So that the exchange can be played again; the failure is in the inner one all the same."""
    kept = capture_of(failure(lambda: asks_first(ManualClock(monotonic=0.0))))
    assert kept is not None and kept.entry.endswith(":asks_first") and [c.result for c in kept.tape] == [0.0]


class ClockWithin(ManualClock):
    """A port that has a replay point of its own inside."""

    def monotonic(self) -> float:
        return divided(0.0)


def test_what_fails_within_a_port_stays_with_the_point_there() -> None:
    kept = capture_of(failure(lambda: asks_first(ClockWithin())))
    assert kept is not None and kept.entry.endswith(":divided") and kept.arguments["by"] == 0.0


def test_a_long_tape_is_cut_and_says_so() -> None:
    kept = capture_of(failure(lambda: waits(ManualClock(), MAX_CALLS + 5, last="fail")))
    assert kept is not None and (len(kept.tape), kept.calls) == (MAX_CALLS, MAX_CALLS + 5)


def test_what_was_handled_outside_is_no_part_of_the_chain() -> None:
    def inside_a_handler() -> None:
        try:
            raise OSError("outside")
        except OSError:
            waits(ManualClock(), 0, last="fail")

    kept = capture_of(failure(inside_a_handler))
    assert kept is not None and kept.chain == ("KeyError",)


def test_causes_inside_a_port_are_the_worlds() -> None:
    def broken(_request: Any) -> Any:
        try:
            raise OSError("reset by peer")
        except OSError as error:
            raise ConnectFailed("nobody") from error

    kept = capture_of(failure(lambda: _asked_with(broken)))
    assert kept is not None and kept.chain == ("foureyes_actors.errors.ConnectFailed",)


def _asked_with(step: Any) -> object:
    return analyse(
        frame(),
        model=MODEL,
        tasks=ENTRIES,
        http=ScriptedHttp(step),
        clock=ManualClock(),
        random=lambda: 0.0,
        settings=SETTINGS.model_copy(update={"attempts": 1}),
        base_url="http://h",
        cancelled=threading.Event(),
    )


class Stubborn(Exception):
    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("no")

    def __str__(self) -> str:
        raise RuntimeError("no words")


@replay_point()
def stubborn() -> None:
    raise Stubborn


def test_an_exception_that_refuses_attributes_and_words_is_kept_too() -> None:
    kept = capture_of(failure(stubborn))
    assert kept is not None and kept.texts == ("<the text of Stubborn cannot be had>",)


def test_a_defect_in_the_keeping_masks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(point_module, "_captured", None)
    error = failure(lambda: waits(ManualClock(), 0, last="fail"))
    assert isinstance(error, KeyError) and capture_of(error) is None


def test_no_base_exception_is_kept() -> None:
    @replay_point()
    def ends() -> None:
        raise SystemExit

    with pytest.raises(SystemExit) as caught:
        ends()
    assert capture_of(caught.value) is None


def test_a_success_keeps_nothing_alive() -> None:
    class Clock(ManualClock):
        pass

    clock = Clock()
    waits(clock, 3)
    gone = weakref.ref(clock)
    del clock
    gc.collect()
    assert gone() is None


def fault(error: BaseException, source: str) -> Fault:
    return fault_from_exception(error, source=source, clock=ManualClock())


def test_a_failure_is_one_group_whoever_called_it() -> None:
    """Directly, and through retries in an actor's client: what lies above the replay point does not count."""
    direct = failure(asked(RequestTimeout("late")))
    retried = failure(lambda: _asked_with(RequestTimeout("later")))
    kept = capture_of(direct)
    assert kept is not None
    assert fingerprint(fault(direct, "a")) == fingerprint(fault(retried, "b")) == group_of(kept)


def test_every_replay_point_is_registered_with_its_ports_and_can_be_named() -> None:
    """One that is not could never be run again."""
    found = set()
    for path in (ROOT / "foureyes_actors").rglob("*.py"):
        module = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and any("replay_point" in ast.dump(d) for d in node.decorator_list):
                found.add(f"{module}:{node.name}")
    assert found == set(registry().points) and len(found) >= 15
    assert all(spec_of(point) is not None for point in registry().points.values())
    assert sorted(MODULES) == list(MODULES)


def test_a_sketch_runs_no_foreign_code_and_holds_no_half_of_a_text() -> None:
    class Foreign:
        def __repr__(self) -> str:
            raise AssertionError("nobody asks")

    assert sketch(Foreign()).startswith("<tests.replay.test_point.")
    assert sketch({"a": [b"123", Foreign()]}).startswith("dict('a': list(<bytes of 3>, <tests.")
    assert sketch("x" * 101) == "<str of 101>" and sketch(10**30) == "<a large int>"
    assert len(sketch(["y" * 90] * 9)) == 160 and sketch(["y" * 90] * 9).endswith("…")
