"""LM Studio's command line ``lms``, for what its HTTP routes lack. Its exit codes are not believed: the list tells."""

from __future__ import annotations

from dataclasses import dataclass

from foureyes_actors.errors import ModelLoadFailed, ProcessError
from foureyes_actors.ports.process import ProcessPort, ProcessResult
from foureyes_actors.replay.point import replay_point

UNLOAD_TIME = 60.0
SHOWN_LINES = 3


@dataclass(frozen=True, slots=True)
class Lms:
    """``path``: of the program."""

    processes: ProcessPort
    path: str

    def load(self, key: str, context: int | None, seconds: float) -> None:
        """-y: never ask. Raises ModelLoadFailed when it did not end in time, ProcessError."""
        options = () if context is None else ("-c", str(context))
        load(self.processes, (self.path, "load", key, "-y", *options), seconds)

    def unload(self, instance: str) -> None:
        """Raises ProcessError."""
        unload(self.processes, (self.path, "unload", instance))


@replay_point(ports={"processes": "process"}, raises=(ModelLoadFailed, ProcessError))
def load(processes: ProcessPort, command: tuple[str, ...], seconds: float) -> None:
    result = processes.run(command, timeout=seconds)
    if result.exit_code != 0:
        raise ModelLoadFailed(f"lms load {command[2]} {_how(result)}")


@replay_point(ports={"processes": "process"}, raises=(ProcessError,))
def unload(processes: ProcessPort, command: tuple[str, ...]) -> None:
    processes.run(command, timeout=UNLOAD_TIME)


def _how(result: ProcessResult) -> str:
    words = " | ".join(line.strip()[:200] for line in result.lines if line.strip())
    tail = " | ".join(words.split(" | ")[-SHOWN_LINES:])
    how = "did not end in time" if result.exit_code is None else f"ended with code {result.exit_code}"
    return how + (f": {tail}" if tail else "")
