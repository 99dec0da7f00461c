"""ResourceActor: samples on ticks, learns the server's process, survives a system that does not tell."""

from __future__ import annotations

from typing import Any

from foureyes_actors.messages import (
    Collection,
    EventKind,
    Fault,
    GetStatus,
    GpuUsage,
    ModelsWanted,
    PressureLevel,
    ResourceSample,
    ServerPhase,
    ServerState,
    Tick,
)
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.ports.machine import UnknownMachine
from foureyes_actors.ports.process import ProcessUsage
from foureyes_actors.resource.actor import Listeners, ResourceActor, Standing
from foureyes_actors.settings import ResourceSettings
from foureyes_actors.settings.pressure import PressureSettings
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


# --- pressure ---

NORMAL, SMALLER, SLOWER = PressureLevel.NORMAL, PressureLevel.SMALLER, PressureLevel.SLOWER
CHOICES: dict[PressureLevel, tuple[tuple[str, ...], ...]] = {
    NORMAL: (("large",),),
    SMALLER: (("small", "large"),),
    SLOWER: (("small", "large"),),
}
GPU = GpuUsage("card", 8_000_000_000, 1_000_000_000, 40.0)
LISTENERS = Listeners(
    pressure=("inference:a", "readings"), events=("console",), documents=("recorder",), models=("lm",)
)


class OneGpu(UnknownMachine):
    def gpus(self) -> tuple[GpuUsage, ...] | None:
        return (GPU,)


class Pressed:
    """An actor whose machine's figures are set by hand, and a tick each five seconds."""

    def __init__(self, standing: Standing | None = None, **pressure: Any) -> None:
        self.context, self.clock = FakeContext("resource"), ManualClock()
        self.processes = ScriptedProcesses({1: ProcessUsage(10, 100)}, (20.0, 4_000_000_000))
        self.actor = ResourceActor(
            self.context,
            processes=self.processes,
            clock=self.clock,
            settings=ResourceSettings(every=5.0, pressure=PressureSettings(**pressure)),
            own_pid=1,
            listeners=LISTENERS,
            machine=OneGpu(),
            run_id="run-1",
            choices=CHOICES.__getitem__,
            standing=standing,
        )
        self.actor.on_start()

    def ticks(self, count: int, cpu: float | None = 20.0, memory: int | None = 4_000_000_000) -> None:
        self.processes.now = (cpu, memory)
        for _ in range(count):
            self.clock.advance(5.0)
            self.actor.on_receive(Tick("sample", 1))

    def told(self, name: str) -> list[Any]:
        return self.context.sent_to(name)


def test_a_switch_is_told_to_everybody_once_with_reason_and_figures() -> None:
    it = Pressed()
    it.ticks(10)
    assert it.context.sent == []
    it.ticks(2, memory=400_000_000)
    (change,) = it.told("inference:a")
    assert change == it.told("readings")[0]
    assert (change.level, change.reason) == (SMALLER, "400 MB of memory available, less than 500")
    assert dict(change.figures) == {"cpu_percent": 20.0, "free_memory_mb": 400.0}
    assert it.told("lm") == [ModelsWanted((("small", "large"),), make_room=True)]
    (event,) = it.told("console")
    assert (event.kind, event.subject, event.before, event.after) == (
        EventKind.PRESSURE_CHANGED, "machine", "normal", "smaller models",
    )  # fmt: skip
    (stored,) = it.told("recorder")
    (document,) = stored.documents
    assert stored.collection is Collection.EVENTS and document["_id"] == event.id
    assert (document["kind"], document["run"], document["reason"]) == ("pressure_changed", "run-1", event.reason)
    assert document["figures"] == {"cpu_percent": 20.0, "free_memory_mb": 400.0}


def test_down_and_back_each_step_once() -> None:
    it = Pressed()
    it.ticks(10, cpu=99.0)
    it.ticks(60)
    levels = [change.level for change in it.told("readings")]
    assert levels == [SMALLER, SLOWER, SMALLER, NORMAL]
    assert [wanted.make_room for wanted in it.told("lm")] == [True, True, True, False]
    assert it.told("lm")[-1].choices == (("large",),)
    assert [event.seconds for event in it.told("console")] == [None, 30.0, 70.0, 60.0]
    assert (it.actor.on_receive(GetStatus())["level"], it.actor.on_receive(GetStatus())["switches"]) == ("normal", 4)


def test_a_machine_that_tells_nothing_is_left_alone() -> None:
    it = Pressed()
    it.ticks(50, cpu=None, memory=None)
    it.processes.trouble = lambda: PermissionError("no /proc here")
    it.ticks(50, cpu=99.0, memory=1)
    assert it.told("readings") == [] and it.actor.on_receive(GetStatus())["level"] == "normal"


def test_a_look_that_failed_is_no_calm_one() -> None:
    it = Pressed()
    it.ticks(1, memory=1)
    it.ticks(8)
    it.processes.trouble = lambda: PermissionError("no /proc here")
    it.ticks(20)
    it.processes.trouble = None
    it.ticks(12)
    assert [change.level for change in it.told("readings")] == [SMALLER]
    it.ticks(1)
    assert [change.level for change in it.told("readings")] == [SMALLER, NORMAL]


def test_a_replacement_goes_on_where_it_was() -> None:
    standing = Standing()
    first = Pressed(standing)
    first.ticks(1, memory=1)
    second = Pressed(standing)
    second.clock.advance(100.0)
    second.ticks(30)
    assert [change.level for change in second.told("readings")] == [NORMAL]


def test_switched_off_it_only_looks() -> None:
    it = Pressed(enabled=False)
    it.ticks(50, cpu=99.0, memory=1)
    assert it.context.sent == [] and it.actor.on_receive(GetStatus())["samples"] == 50


def test_status_has_the_gpus_and_the_machine() -> None:
    it = Pressed()
    it.ticks(1)
    status = it.actor.on_receive(GetStatus())
    assert status["last"]["gpus"] == (
        {"name": "card", "memory": 8_000_000_000, "free_memory": 1_000_000_000, "load": 40.0},
    )
    assert status["machine"]["gpu_note"] == "not looked for"
