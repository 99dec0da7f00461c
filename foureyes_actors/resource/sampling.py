"""One look at CPU and memory, and the peaks of a run. Pure but for the ports it is given."""

from __future__ import annotations

from dataclasses import dataclass, fields

from foureyes_actors.messages import GpuUsage, ResourceSample
from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.process import ProcessPort


@dataclass(frozen=True, slots=True)
class Peaks:
    """The worst seen so far: highest CPU and memory, lowest available memory. None: not seen yet."""

    machine_cpu: float | None = None
    available_memory: int | None = None  # the lowest
    own_cpu: float | None = None
    own_memory: int | None = None
    server_cpu: float | None = None
    server_memory: int | None = None


def sample(
    processes: ProcessPort,
    clock: Clock,
    own_pid: int,
    server_pid: int | None,
    gpus: tuple[GpuUsage, ...] | None = None,
) -> ResourceSample:
    """The server is a child of ours when we started it, and is not counted as our own."""
    server = None if server_pid is None else processes.usage(server_pid)
    own = processes.usage(own_pid, without=() if server_pid is None else (server_pid,))
    machine_cpu, available = processes.machine()
    return ResourceSample(
        at=clock.utc_now(),
        machine_cpu=machine_cpu,
        available_memory=available,
        own_cpu=None if own is None else own.cpu,
        own_memory=None if own is None else own.memory,
        server_cpu=None if server is None else server.cpu,
        server_memory=None if server is None else server.memory,
        gpus=gpus,
    )


def raised(peaks: Peaks, seen: ResourceSample) -> Peaks:
    """The peaks with one more sample."""
    worst = {}
    for name in (field.name for field in fields(Peaks)):
        values = [v for v in (getattr(peaks, name), getattr(seen, name)) if v is not None]
        pick = min if name == "available_memory" else max
        worst[name] = pick(values) if values else None
    return Peaks(**worst)
