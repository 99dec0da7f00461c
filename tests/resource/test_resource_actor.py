"""ResourceActor: samples on ticks, learns the server's process, survives a system that does not tell."""

from __future__ import annotations

from typing import Any

from foureyes_actors.messages import Fault, GetStatus, ResourceSample, ServerPhase, ServerState, Tick
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.ports.process import ProcessUsage
from foureyes_actors.resource.actor import ResourceActor
from foureyes_actors.settings import ResourceSettings
from tests.resource.scripted import ScriptedProcesses
from tests.support import FakeContext


class Bench:
    def __init__(self, audience: tuple[str, ...] = ("console", "readings")) -> None:
        self.context = FakeContext("resource")
        self.processes = ScriptedProcesses({1: ProcessUsage(10, 100), 2: ProcessUsage(90, 900)}, (50.0, 4000))
        self.actor = ResourceActor(
            self.context,
            processes=self.processes,
            clock=ManualClock(),
            settings=ResourceSettings(every=2.5),
            own_pid=1,
            audience=audience,
        )
        self.actor.on_start()

    def tick(self) -> None:
        assert self.actor.on_receive(Tick("sample", 1)) is None

    @property
    def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.actor.on_receive(GetStatus())
        return answer

    def samples(self, name: str = "console") -> list[ResourceSample]:
        return [m for m in self.context.sent_to(name) if isinstance(m, ResourceSample)]


def server(pid: int | None) -> ServerState:
    return ServerState(ServerPhase.READY, pid=pid)


def test_a_tick_is_a_sample_for_the_audience() -> None:
    bench = Bench()
    assert bench.context.ticks == [(2.5, "sample")] and bench.samples() == []
    bench.tick()
    (seen,) = bench.samples()
    assert bench.samples("readings") == [seen]
    assert (seen.own_cpu, seen.own_memory, seen.server_cpu) == (10, 100, None)


def test_the_servers_process_is_learned_and_forgotten() -> None:
    bench = Bench()
    bench.actor.on_receive(server(2))
    bench.tick()
    bench.actor.on_receive(server(None))
    bench.tick()
    assert [seen.server_cpu for seen in bench.samples()] == [90, None]


def test_a_new_server_is_looked_at_at_once_so_that_its_cpu_has_a_beginning() -> None:
    bench = Bench()
    bench.processes.asked.clear()
    bench.actor.on_receive(server(2))
    bench.actor.on_receive(server(2))
    assert bench.processes.asked == [(2, ()), (1, (2,))]


def test_status_has_the_last_sample_and_the_peaks() -> None:
    bench = Bench()
    assert bench.status["last"] is None and bench.status["samples"] == 0
    bench.tick()
    bench.processes.usages[1] = ProcessUsage(5, 700)
    bench.tick()
    status = bench.status
    assert status["samples"] == 2 and status["server_pid"] is None
    assert status["last"]["own_cpu"] == 5 and status["last"]["at"] == "2026-01-01T00:00:00+00:00"
    assert (status["peaks"]["own_cpu"], status["peaks"]["own_memory"]) == (10, 700)


def test_a_system_that_does_not_tell_is_told_once_and_ends_nothing() -> None:
    bench = Bench()
    bench.processes.trouble = lambda: PermissionError("no /proc here")
    bench.tick()
    bench.tick()
    faults = [m for m in bench.context.sent_to("bug") if isinstance(m, Fault)]
    assert [fault.message for fault in faults] == ["no /proc here"] and faults[0].source == "resource"
    assert bench.samples() == [] and bench.status["failed_in_a_row"] == 2
    bench.processes.trouble = None
    bench.tick()
    assert len(bench.samples()) == 1 and bench.status["failed_in_a_row"] == 0


def test_nobody_listens() -> None:
    bench = Bench(audience=())
    bench.tick()
    assert bench.context.sent == [] and bench.status["samples"] == 1


def test_other_messages_are_left_alone() -> None:
    assert Bench().actor.on_receive("something else") is None
