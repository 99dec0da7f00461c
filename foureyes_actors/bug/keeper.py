"""Records on the disk: one file a record, bytes beside it by their digest, each in the folder of its time limit.

    errors/     records and bytes, 30 days        critical/   the same of critical failures, 90 days
    frames/     pictures, 7 days: they may show anything

All of it is within a size; pictures go first, then the oldest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from foureyes_actors.bug.code_facts import code_facts
from foureyes_actors.bug.redact import Redactor
from foureyes_actors.bug.severity import Severity
from foureyes_actors.messages import Fault
from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.files import FilesPort
from foureyes_actors.ports.private_folder import Entry, PrivateFolder
from foureyes_actors.replay.codec import dumps, loads
from foureyes_actors.replay.platform import BLOB, folder_of
from foureyes_actors.replay.record import Record, make_record

DAY = 86_400.0  # seconds
FRAMES, ERRORS, CRITICAL = "frames", "errors", "critical"
DAYS: Mapping[str, float] = MappingProxyType({FRAMES: 7.0, ERRORS: 30.0, CRITICAL: 90.0})
BUDGET = 512 * 1024 * 1024  # bytes
SWEEP_EVERY = 3600.0  # seconds


class RecordKeeper:
    """One thread at a time. ``redactor`` knows the configured secrets."""

    def __init__(
        self, folder: PrivateFolder, *, files: FilesPort, clock: Clock, redactor: Redactor, budget: int = BUDGET
    ) -> None:
        self._folder, self._files, self._clock, self._redactor, self._budget = folder, files, clock, redactor, budget
        self._code: Mapping[str, Any] | None = None
        self._swept: float | None = None

    def keep(self, fault: Fault, severity: Severity) -> None:
        """Raises OSError, and CodecError for what is too large; ``fault`` has a capture."""
        assert fault.capture is not None
        if self._code is None:
            self._code = code_facts(self._files)
        record = make_record(
            fault,
            fault.capture,
            severity=severity.value,
            redactor=self._redactor,
            code=self._code,
            read_source=self._source,
        )
        self._write(record, CRITICAL if severity is Severity.CRITICAL else ERRORS)
        self._sweep()

    def _write(self, record: Record, limit: str) -> None:
        """The bytes first: a record that is there is whole."""
        text = dumps(record.document)
        for digest, data in record.blobs.items():
            place = FRAMES if record.document["blobs"][digest] == "frame" else limit
            self._folder.write(f"{place}/{digest}", data)
        self._folder.write(f"{limit}/{record.id}.json", text.encode())

    def _sweep(self) -> None:
        now = self._clock.monotonic()
        if self._swept is not None and now - self._swept < SWEEP_EVERY:
            return
        self._swept = now
        for name in expired(self._folder.entries(), self._clock.utc_now().timestamp(), self._budget):
            self._folder.delete(name)
        self._folder.prune()

    def _source(self, file: str) -> bytes:
        try:
            return self._files.read(Path(file))
        except (OSError, ValueError):
            return b""


def expired(entries: Iterable[Entry], now: float, budget: int) -> list[str]:
    """What is too old, and what does not fit into ``budget`` bytes. ``now``: seconds since 1970. Pure."""
    entries = list(entries)
    old = [entry for entry in entries if now - entry.changed > DAY * DAYS.get(_limit(entry), 0.0)]
    left = sorted(set(entries) - set(old), key=lambda entry: (_limit(entry) != FRAMES, entry.changed))
    size = sum(entry.size for entry in left)
    while left and size > budget:
        size -= left[0].size
        old.append(left.pop(0))
    return [entry.name for entry in old]


def _limit(entry: Entry) -> str:
    return entry.name.partition("/")[0]


def kept_record(folder: PrivateFolder, record_id: str) -> Any | None:
    """The document of a record; None when it is not (any longer) there. Raises CodecError, OSError."""
    folder_of(record_id)
    for limit in (ERRORS, CRITICAL):
        if folder.exists(f"{limit}/{record_id}.json"):
            return loads(folder.read(f"{limit}/{record_id}.json").decode("utf-8", "replace"))
    return None


def kept_blob(folder: PrivateFolder, digest: str) -> bytes:
    """Raises KeyError when it is not (any longer) there."""
    if not isinstance(digest, str) or not BLOB.fullmatch(digest):
        raise KeyError(digest)
    for limit in DAYS:
        if folder.exists(f"{limit}/{digest}"):
            return folder.read(f"{limit}/{digest}")
    raise KeyError(digest)
