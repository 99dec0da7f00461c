"""One platform: its folder from the record, and whether it fails in the same way there. Runs in a worker's thread."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from foureyes_actors.bug.keeper import kept_blob, kept_record
from foureyes_actors.errors import FourEyesError
from foureyes_actors.forgewright.programs import NotYet, last_word
from foureyes_actors.forgewright.queue import Wanted
from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.private_folder import PrivateFolder
from foureyes_actors.ports.process import ProcessPort
from foureyes_actors.replay.codec import CodecError
from foureyes_actors.replay.confirmation import Confirmation, confirmation_from
from foureyes_actors.replay.platform_folder import Origin, sweep, write_platform
from foureyes_actors.text import one_line

WITHIN = 300.0  # seconds for all runs: three times what each may take, and the rest


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
        """Raises NotYet, ProgramFailed, and ProcessError, CodecError, OSError."""
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
        command = ("reproduce", str(folder), "--json", "--background")
        return last_word(self._processes, self._clock, command, confirmation_from, cancelled, WITHIN)

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
