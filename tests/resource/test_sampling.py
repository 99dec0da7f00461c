"""Samples and peaks, with a scripted process port and with real processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.ports.local_process import LocalProcesses
from foureyes_actors.ports.process import ChildProcess, ProcessUsage
from foureyes_actors.resource.sampling import Peaks, raised, sample
from tests.resource.scripted import ScriptedProcesses
from tests.support import eventually

CLOCK = ManualClock()


def test_a_sample_without_a_server() -> None:
    processes = ScriptedProcesses({1: ProcessUsage(12.5, 100)}, machine=(40.0, 7000))
    got = sample(processes, CLOCK, 1, None)
    assert (got.own_cpu, got.own_memory, got.server_cpu, got.server_memory) == (12.5, 100, None, None)
    assert (got.machine_cpu, got.available_memory, got.at) == (40.0, 7000, CLOCK.utc_now())
    assert processes.asked == [(1, ())]


def test_the_server_is_not_counted_as_our_own() -> None:
    processes = ScriptedProcesses({1: ProcessUsage(10, 100), 2: ProcessUsage(90, 900)})
    got = sample(processes, CLOCK, 1, 2)
    assert (got.server_cpu, got.server_memory) == (90, 900)
    assert processes.asked == [(2, ()), (1, (2,))]


def test_a_server_that_is_gone_is_told_as_none() -> None:
    got = sample(ScriptedProcesses({1: ProcessUsage(10, 100)}), CLOCK, 1, 2)
    assert (got.server_cpu, got.server_memory, got.own_cpu) == (None, None, 10)


def test_what_nobody_tells_is_none_and_not_zero() -> None:
    got = sample(ScriptedProcesses({}, machine=(None, None)), CLOCK, 1, None)
    assert (got.own_cpu, got.own_memory, got.machine_cpu, got.available_memory, got.gpus) == (None,) * 5
    assert raised(Peaks(), got) == Peaks()


def test_peaks_are_the_worst_of_each() -> None:
    peaks = Peaks()
    for usage, machine in [
        ({1: ProcessUsage(10, 300), 2: ProcessUsage(80, 1)}, (50.0, 500)),
        ({1: ProcessUsage(20, 100)}, (30.0, 200)),
    ]:
        peaks = raised(peaks, sample(ScriptedProcesses(usage, machine), CLOCK, 1, 2))
    assert peaks == Peaks(50.0, 200, 20, 300, 80, 1)


SPIN = "print('up', flush=True)\nwhile True: pass"


@pytest.fixture
def busy() -> Iterator[ChildProcess]:
    child = LocalProcesses().start([sys.executable, "-c", SPIN])
    try:
        assert child.wait_line(lambda line: line == "up", 30) is not None
        yield child
    finally:
        child.stop(0.2)


def test_real_processes_a_busy_child_is_the_servers_and_not_ours(busy: ChildProcess) -> None:
    processes, clock = LocalProcesses(), ManualClock()
    seen = [sample(processes, clock, os.getpid(), busy.pid)]

    def looks_busy() -> bool:
        seen.append(sample(processes, clock, os.getpid(), busy.pid))
        return (seen[-1].server_cpu or 0) > 5

    eventually(looks_busy, 30, "the server's CPU is seen", every=0.2)
    last = seen[-1]
    assert last.server_memory is not None and last.server_memory > 1_000_000
    assert (last.own_memory or 0) > 1_000_000 and (last.available_memory or 0) > 0


def test_real_processes_what_is_left_out_is_left_out_with_its_children(busy: ChildProcess) -> None:
    processes = LocalProcesses()
    whole = processes.usage(os.getpid())
    without = processes.usage(os.getpid(), without=(busy.pid,))
    child = processes.usage(busy.pid)
    assert whole is not None and without is not None and child is not None
    assert whole.memory - without.memory > child.memory / 2
    assert processes.usage(os.getpid(), without=(busy.pid, 2**22 + 1)) is not None, "one that is gone does no harm"
