"""How many requests one server gets at a time, whoever asks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from foureyes_actors.inference.places import HOLD, PlaceFree, Places
from foureyes_actors.lm_studio.dialects import DIALECTS
from foureyes_actors.messages import ServerPhase, ServerState
from foureyes_actors.model_server.limits import Limits
from foureyes_actors.ports.clock import ManualClock
from tests.inference.support import MODEL, Gate, frame, good
from tests.inference.test_actor import Stage
from tests.support import eventually

ONE = ServerState(ServerPhase.READY, "http://127.0.0.1:1", (MODEL,), concurrency=1)


class Called:
    """Who was told that a place is free."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, name: str, there: bool = True) -> Callable[[], bool]:
        def free() -> bool:
            self.names.append(name)
            return there

        return free


def places(limit: int | None) -> tuple[Places, ManualClock, Called]:
    clock = ManualClock()
    made = Places(clock.monotonic)
    made.limit(limit)
    return made, clock, Called()


def test_without_a_limit_everybody_gets_a_place() -> None:
    made, _, called = places(None)
    assert all(made.take(f"m{n}", called(f"m{n}")) for n in range(50))
    assert made.in_use == 50


def test_the_longest_waiting_one_gets_the_place_and_nobody_before_him() -> None:
    made, _, called = places(1)
    first = made.take("a", called("a"))
    assert first is not None
    assert made.take("b", called("b")) is None and made.take("c", called("c")) is None
    first.end()
    first.end()  # twice is once
    assert called.names == ["b"]
    assert made.take("a", called("a")) is None and made.take("c", called("c")) is None  # it is kept
    taken = made.take("b", called("b"))
    assert taken is not None and made.in_use == 1
    taken.end()
    assert called.names == ["b", "c"]


def test_a_place_that_nobody_fetches_is_not_lost() -> None:
    made, clock, called = places(1)
    first = made.take("a", called("a"))
    assert first is not None and made.take("b", called("b")) is None
    first.end()
    clock.advance(HOLD)
    assert made.take("a", called("a")) is not None


def test_a_place_that_is_declined_goes_to_the_next() -> None:
    made, _, called = places(1)
    first = made.take("a", called("a"))
    for name in ("b", "c", "d"):
        assert made.take(name, called(name, there=name != "b")) is None
    made.leave("c")
    assert first is not None
    first.end()  # b is not there any more, c has left
    assert called.names == ["b", "d"]
    made.decline("d")
    assert made.take("a", called("a")) is not None


def test_a_limit_that_rises_lets_those_who_wait_in() -> None:
    made, _, called = places(1)
    assert made.take("a", called("a")) is not None
    for name in ("b", "c", "d"):
        assert made.take(name, called(name)) is None
    made.limit(3)
    assert called.names == ["b", "c"]
    made.limit(None)
    assert called.names == ["b", "c", "d"]


def test_many_threads_never_have_more_places_than_there_are() -> None:
    made, together, most = Places(lambda: 0.0), 0, 0
    made.limit(3)
    lock = threading.Lock()

    def _tell(free: threading.Event) -> bool:
        free.set()
        return True

    def work(name: str) -> None:
        nonlocal together, most
        for _ in range(200):
            free = threading.Event()
            while (lease := made.take(name, partial(_tell, free))) is None:
                assert free.wait(20)
                free.clear()
            with lock:
                together += 1
                most = max(most, together)
            with lock:
                together -= 1
            lease.end()

    threads = [threading.Thread(target=work, args=(f"t{n}",), name=f"taker-{n}") for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert 0 < most <= 3 and made.in_use == 0


@pytest.fixture
def two() -> Iterator[tuple[Stage, Stage, Gate, Places]]:
    """Two models at one server that takes one request at a time."""
    gate, shared = Gate(good()), Places(ManualClock().monotonic)
    stages = Stage(gate, places=shared), Stage(gate, places=shared)
    for name, stage in zip(("a", "b"), stages, strict=True):
        stage.context.name = name
        stage.give(ONE)
    yield *stages, gate, shared
    gate.open.set()
    for stage in stages:
        stage.actor.on_stop()


def test_models_that_share_a_server_share_its_limit_and_the_newest_frame_waits(two: Any) -> None:
    a, b, gate, shared = two
    a.give(frame(1))
    assert gate.entered.wait(10)
    b.give(frame(1), frame(2), frame(3))
    assert (b.status["busy"], b.status["pending"], b.status["replaced"], shared.in_use) == (False, True, 2, 1)
    gate.open.set()
    eventually(lambda: b.context.to_self == [PlaceFree()], 10, "b is told that there is a place")
    a.settle()
    assert a.context.sent_to("readings")[-1].frame.sequence == 1
    b.settle()
    assert [analysis.frame.sequence for analysis in b.analyses] == [3]
    eventually(lambda: shared.in_use == 0, 10, "the places are free")


def test_who_is_not_asked_any_more_gives_his_place_on(two: Any) -> None:
    a, b, gate, _ = two
    a.give(frame(1))
    assert gate.entered.wait(10)
    b.give(frame(1))
    b.give(ServerState(ServerPhase.LOADING, concurrency=1))
    gate.open.set()
    eventually(lambda: b.context.to_self == [PlaceFree()], 10, "b is told that there is a place")
    b.give(b.context.to_self.pop())
    a.settle()
    a.give(frame(2))
    a.settle()
    assert [analysis.frame.sequence for analysis in a.analyses] == [1, 2]


def test_who_ends_keeps_no_place(two: Any) -> None:
    a, b, gate, _ = two
    a.give(frame(1))
    assert gate.entered.wait(10)
    b.give(frame(1))
    a.actor.on_stop()
    eventually(lambda: b.context.to_self == [PlaceFree()], 10, "b is told that there is a place")


def test_an_answer_from_the_cache_needs_no_place(two: Any) -> None:
    a, b, gate, _ = two
    gate.open.set()
    b.give(frame(1))
    b.settle()
    gate.open.clear()
    gate.entered.clear()
    a.give(frame(2))
    assert gate.entered.wait(10)
    b.give(frame(1))
    assert [(analysis.frame.sequence, analysis.cached) for analysis in b.analyses] == [(1, False), (1, True)]


def test_the_embedded_servers_limit_is_its_own() -> None:
    assert DIALECTS["embedded"].concurrency == Limits().requests
