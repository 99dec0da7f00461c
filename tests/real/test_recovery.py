"""The embedded server under each kind of trouble: how long until it is fully operational again, its models loaded and
the canary passed. The figures are printed (``-s``); ``python -m tests.bench.recovery`` has them as a table."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from foureyes_actors.messages import ModelAtRest, ServerPhase
from t00l5et.free_port import free_port
from tests.model_server.support import need_embedded
from tests.real.test_embedded_server import BACK, READY, TINY, House, Make, house, pid_of, servers
from tests.support import eventually

__all__ = ["house"]  # a fixture

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(400),
    pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX"),
]


@pytest.fixture(autouse=True)
def _packages() -> None:
    need_embedded()


def unruly(*vice: str) -> list[str]:
    return [sys.executable, "-m", "tests.real.unruly_server", *vice]


@dataclass(frozen=True)
class Recovery:
    """Seconds after the harm: when it was seen, and when all was ready again."""

    seen: float
    ready: float


def hurt(it: House, harm: Callable[[int], object]) -> Recovery:
    """With another process than before."""
    pid = pid_of(it.until(ServerPhase.READY, READY))
    began = time.monotonic()
    harm(pid)
    it.until(ServerPhase.READY, BACK, but=pid)
    seen = next(at for at, state in list(it.heard) if at > began and state.phase is not ServerPhase.READY)
    ready = next(at for at, state in list(it.heard) if at > seen and state.phase is ServerPhase.READY)
    return Recovery(seen - began, ready - began)


def killed(make: Make) -> Recovery:
    return hurt(make(), lambda pid: os.kill(pid, signal.SIGKILL))


def frozen(make: Make) -> Recovery:
    """Found by the checks alone: one each second here, the second that fails counts."""
    return hurt(make(check_every=1.0, silent_after=2), lambda pid: os.kill(pid, signal.SIGSTOP))


def deaf(make: Make) -> Recovery:
    """It hangs, and does not end when it is asked to."""
    it = make(check_every=1.0, silent_after=2, stop_grace=0.5, command=unruly("deaf"))
    pid = pid_of(it.until(ServerPhase.READY, READY))
    took = hurt(it, lambda pid: os.kill(pid, signal.SIGSTOP))
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return took


def slow(make: Make) -> Recovery:
    """Three seconds more before it listens, each time."""
    return hurt(make(command=unruly("slow", "3")), lambda pid: os.kill(pid, signal.SIGKILL))


def in_the_way(make: Make) -> Recovery:
    """Killed, and a stranger takes its port: seen when that is said; ready counts from the stranger's end on."""
    port = free_port()
    it = make(kind="embedded", base_url=f"http://127.0.0.1:{port}")
    pid = pid_of(it.until(ServerPhase.READY, READY))
    os.kill(pid, signal.SIGKILL)
    began = time.monotonic()
    with _take(port):
        eventually(lambda: "is held by" in it.now.detail, READY, "the stranger is told")
        seen = time.monotonic() - began
    began = time.monotonic()
    it.until(ServerPhase.READY, 150.0, but=pid)
    return Recovery(seen, time.monotonic() - began)


def _take(port: int) -> socket.socket:
    taken: list[socket.socket] = []

    def take() -> bool:
        found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind(("127.0.0.1", port))
            found.listen()
        except OSError:
            found.close()
            return False
        taken.append(found)
        return True

    eventually(take, 30, "the port is free for a moment", every=0.005)
    return taken[0]


def grown(make: Make, mark: Path) -> Recovery:
    """Above its mark from the start: a planned reload does not help, a planned start does. From ready to ready."""
    it = make(check_every=1.0, reload_above=550, command=unruly("grow", str(mark)))
    pid, began = pid_of(it.until(ServerPhase.READY, READY)), time.monotonic()

    def started_anew() -> bool:
        if it.now.resting:  # there is no inference actor in this house to say so
            it.tree.directory.tell("lm_studio", ModelAtRest(TINY))
        return it.now.phase is ServerPhase.READY and it.now.pid not in (None, pid)

    eventually(started_anew, BACK, "a new process is ready")
    ready = time.monotonic() - began
    seen = next(at for at, state in list(it.heard) if at > began and state.resting) - began
    details = [state.detail for state in it.states]
    assert any(f"{TINY} anew" in detail for detail in details), details  # the gentler way came first
    assert not it.faults, [fault.message for fault in it.faults]  # planned: no failure
    return Recovery(seen, ready)


@pytest.mark.parametrize("trouble", [killed, frozen, deaf, slow], ids=lambda each: each.__name__)
def test_it_is_operational_again(house: Make, trouble: Callable[[Make], Recovery]) -> None:
    took = trouble(house)
    print(f"\n{trouble.__name__}: seen after {took.seen:.1f} s, operational again after {took.ready:.1f} s")
    assert took.seen < took.ready < BACK
    assert len(servers()) <= 1


def test_memory_growth_is_answered_by_a_planned_reload_and_then_by_a_new_process(house: Make, tmp_path: Path) -> None:
    took = grown(house, tmp_path / "grown")
    print(f"\nmemory growth: seen after {took.seen:.1f} s, a new process operational after {took.ready:.1f} s")


@pytest.mark.slow
def test_a_stranger_takes_the_port_meanwhile(house: Make) -> None:
    """A person has to see to that, so it is tried again once a minute."""
    took = in_the_way(house)
    print(f"\na stranger on its port: told after {took.seen:.1f} s, operational {took.ready:.1f} s after he has gone")


def test_the_tree_of_a_killed_house_is_gone(house: Make) -> None:
    """``stop`` in the middle of a recovery leaves nothing."""
    it = house()
    os.kill(pid_of(it.until(ServerPhase.READY, READY)), signal.SIGKILL)
    eventually(lambda: it.now.phase is not ServerPhase.READY, 30, "it is seen")
    assert it.stop() == ()
    assert servers() == []
