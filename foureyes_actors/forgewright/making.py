"""One platform: its folder from the record, and whether it fails in the same way there. Runs in a worker's thread."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from foureyes_actors.bug.keeper import kept_blob, kept_record
from foureyes_actors.errors import FourEyesError
from foureyes_actors.forgewright.queue import Wanted
from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.private_folder import PrivateFolder
from foureyes_actors.ports.process import ChildProcess, ProcessPort
from foureyes_actors.replay.codec import CodecError
from foureyes_actors.replay.confirmation import Confirmation, confirmation_from
from foureyes_actors.replay.platform_folder import Origin, sweep, write_platform
from foureyes_actors.replay.program import t00l5et
from foureyes_actors.text import one_line

WITHIN = 300.0  # seconds for all runs: three times what each may take, and the rest
POLL = 0.1


class NotYet(FourEyesError):
    """To be tried again: the record is not there (it is still being written, or gone), or somebody ended the program
    (whoever ends FourEyes may end all that it started at the same moment)."""


class MakingFailed(FourEyesError):
    """The making itself: no answer whether the failure happens again."""


@dataclass(frozen=True, slots=True)
class Made:
    """``kind``: the exception's type. ``folder``: of the platform."""

    folder: Path
    kind: str
    confirmation: Confirmation


class PlatformMaker:
    """``place``: where ``platforms`` is on the disk."""

    def __init__(
        self, records: PrivateFolder, platforms: PrivateFolder, place: Path, processes: ProcessPort, clock: Clock
    ) -> None:
        self._records, self._platforms, self._place = records, platforms, place
        self._processes, self._clock = processes, clock

    def make(self, wanted: Wanted, cancelled: threading.Event) -> Made:
        """Raises NotYet, MakingFailed, and ProcessError, CodecError, OSError."""
        self._sweep()
        document = kept_record(self._records, wanted.record)
        if document is None:
            raise NotYet(f"there is no record {wanted.record}")
        now = self._clock.utc_now().timestamp()
        origin = Origin(wanted.record, wanted.group, wanted.source, now)
        name = write_platform(self._platforms, document, lambda digest: kept_blob(self._records, digest), origin)
        found = self._confirmed(self._place / name, cancelled)
        return Made(self._place / name, _kind(document), found)

    def _confirmed(self, folder: Path, cancelled: threading.Event) -> Confirmation:
        """By t00l5et as a program, whom a broken record, or a defect of ours, may cost its own life and no other."""
        child = self._processes.start(t00l5et("reproduce", str(folder), "--json", "--background"))
        try:
            code = self._ended(child, cancelled)
        finally:
            child.stop(0.0)
        lines = child.tail()
        found = next((found for line in reversed(lines) if (found := confirmation_from(line)) is not None), None)
        if found is None and code is not None and code < 0:
            raise NotYet(f"it was ended by signal {-code}")
        if found is None:
            last = one_line(lines[-1], 200) if lines else "no output"
            raise MakingFailed(f"{'no end' if code is None else f'exit code {code}'}: {last}")
        return found

    def _ended(self, child: ChildProcess, cancelled: threading.Event) -> int | None:
        until = self._clock.monotonic() + WITHIN
        while (code := child.exit_code()) is None and self._clock.monotonic() < until:
            if self._clock.wait(cancelled, POLL):
                return None
        return code

    def _sweep(self) -> None:
        sweep(self._platforms, self._clock.utc_now().timestamp())


def _kind(document: object) -> str:
    """What a record says is data: it may have another shape."""
    try:
        kind = str(document["exceptions"][0]["type"])  # type: ignore[index]
    except (KeyError, IndexError, TypeError):
        kind = "a failure"
    return one_line(kind.rpartition(".")[2], 80)


EXPECTED = (FourEyesError, CodecError, OSError)
