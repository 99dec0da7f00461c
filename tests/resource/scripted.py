"""A process port that answers as it was told, for what only looks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NoReturn

from foureyes_actors.ports.process import ProcessUsage


class ScriptedProcesses:
    """``usages`` by pid; ``now``: the machine's CPU and memory; ``asked`` keeps who was asked for, and without whom."""

    def __init__(
        self,
        usages: Mapping[int, ProcessUsage] | None = None,
        machine: tuple[float | None, int | None] = (0.0, 1),
        programs: Mapping[str, str] | None = None,
        listeners: Mapping[int, str] | None = None,
    ) -> None:
        self.usages, self.now = dict(usages or {}), machine
        self.programs, self.listeners = programs or {}, listeners or {}
        self.asked: list[tuple[int, tuple[int, ...]]] = []
        self.trouble: Callable[[], Exception] | None = None

    def start(self, command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> NoReturn:
        raise AssertionError("nothing is started here")

    def run(self, command: Sequence[str], *, timeout: float) -> NoReturn:
        raise AssertionError("nothing is run here")

    def usage(self, pid: int, *, without: Collection[int] = ()) -> ProcessUsage | None:
        if self.trouble is not None:
            raise self.trouble()
        self.asked.append((pid, tuple(without)))
        return self.usages.get(pid)

    def listening(self, port: int) -> int | None:
        return None

    def memory(self, pid: int) -> int | None:
        return None

    def machine(self) -> tuple[float | None, int | None]:
        return self.now

    def listener(self, port: int) -> str | None:
        return self.listeners.get(port)

    def find_program(self, name: str) -> str | None:
        return self.programs.get(name)
