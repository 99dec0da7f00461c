"""What the machine has, and what its GPUs are doing, as a port. CPU and memory in use are the process port's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from foureyes_actors.messages import GpuUsage


@dataclass(frozen=True, slots=True)
class MachineParts:
    """None: not known. ``gpus``: their names; None when nobody can tell, and ``gpu_note`` says why."""

    cores: int | None  # logical ones
    memory: int | None  # bytes in all
    gpus: tuple[str, ...] | None
    gpu_note: str = ""


class MachinePort(Protocol):
    def parts(self) -> MachineParts:
        """What there is. Never raises."""

    def gpus(self) -> tuple[GpuUsage, ...] | None:
        """One look at each GPU that NVML knows. None when nobody can tell. Never raises; one thread at a time."""


class UnknownMachine:
    """A machine that tells nothing."""

    def parts(self) -> MachineParts:
        return MachineParts(None, None, None, "not looked for")

    def gpus(self) -> tuple[GpuUsage, ...] | None:
        return None
