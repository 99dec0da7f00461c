"""Child processes, as a port."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ProcessUsage:
    """Of a process and all its descendants. CPU in percent of one core since the last call; memory in bytes (RSS)."""

    cpu: float
    memory: int


@dataclass(frozen=True, slots=True)
class ProcessResult:
    """Of a command that has ended. ``exit_code`` None: it did not end in time and was killed."""

    exit_code: int | None
    lines: tuple[str, ...]  # the last 100 of its output (stdout and stderr); untrusted text


class ChildProcess(Protocol):
    """A process that FourEyes started. Its output is drained by a named thread, the last 100 lines are kept."""

    @property
    def pid(self) -> int: ...

    def exit_code(self) -> int | None:
        """None while it runs. A process that a signal ended has a negative code, as in ``subprocess``."""

    def tail(self) -> tuple[str, ...]:
        """The last lines of its output (stdout and stderr), oldest first; untrusted text."""

    def wait_line(self, accept: Callable[[str], bool], timeout: float) -> str | None:
        """The first line, of those kept and those to come, that ``accept`` takes; no line is missed. None when it
        did not come within ``timeout`` seconds or the output ended. ``accept`` must be quick and not raise."""

    def stop(self, grace: float) -> None:
        """Ask the whole tree to end, wait ``grace`` seconds, kill what is left. Returns when nothing is left."""


class ProcessPort(Protocol):
    def start(self, command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> ChildProcess:
        """Start ``command`` (no shell) with a pipe as its standard input that closes when FourEyes ends, however
        it ends: a child that watches it leaves no orphan. ``environment`` is added to ours. Raises ProcessError."""

    def run(self, command: Sequence[str], *, timeout: float) -> ProcessResult:
        """Run ``command`` to its end, at most ``timeout`` seconds; then it is killed with what it started. What it left
        behind (a daemon, in a session of its own) is not touched and not waited for. Raises ProcessError when it
        cannot be started."""

    def usage(self, pid: int, *, without: Collection[int] = ()) -> ProcessUsage | None:
        """None when there is no such process. ``without``: descendants that are left out, with all below them.
        A process whose CPU is asked for twice within a moment gives noise: leave it out of one of the two."""

    def memory(self, pid: int) -> int | None:
        """Bytes (RSS) of a process and all its descendants; None when there is none. Disturbs no CPU figure."""

    def machine(self) -> tuple[float | None, int | None]:
        """CPU percent of the whole machine since the last call, and available memory in bytes. None: not known, as
        the CPU is at the first call."""

    def listener(self, port: int) -> str | None:
        """Who listens on this loopback TCP port, for people ("python (pid 12)", "somebody"); None when nobody."""

    def listening(self, port: int) -> int | None:
        """The id of the process that listens on this loopback TCP port; None when there is none or nobody tells."""

    def find_program(self, name: str) -> str | None:
        """The absolute path of an executable on PATH or at that path; None when there is none."""
