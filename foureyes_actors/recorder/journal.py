"""The journal: what was accepted while the store is away, on the disk, in order.

Files of some megabytes, each deleted when the store has acknowledged all of it. A crash between the store's
acknowledgement and the deletion sends documents again, which their ids make harmless. Opening cuts off what a dying
process left unfinished (nobody was told that it was kept); a file with damage in its middle is kept as ``.damaged``.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from foureyes_actors.errors import JournalFull
from foureyes_actors.messages import Document
from foureyes_actors.ports.log_folder import LocalLogFolder, LogFolder
from foureyes_actors.recorder.journal_records import Entry, entry_bytes, entry_from, framed, scan

BUDGET = 256 * 1024 * 1024  # bytes of all files together: hours of readings
SEGMENT = 4 * 1024 * 1024  # bytes after which a new file is begun
SUFFIX, DAMAGED, REFUSED = ".journal", ".damaged", "refused.jsonl"
REFUSED_BUDGET = 16 * 1024 * 1024  # bytes of the file of documents that no store takes
REFUSED_EXCERPT = 64 * 1024  # characters of one such document


@dataclass(frozen=True, slots=True)
class Recovery:
    """What opening found: entries to replay, bytes of torn tails that were cut off, bytes that are damaged."""

    entries: int
    torn: int
    damaged: int


@dataclass(slots=True)
class _Segment:
    name: str
    size: int
    entries: int
    damaged: bool


class Journal:
    """Any thread may call; ``__init__`` touches nothing. Until ``open`` and after ``close``: RuntimeError."""

    def __init__(
        self,
        folder: Path,
        *,
        budget: int = BUDGET,
        segment: int = SEGMENT,
        open_folder: Callable[[Path], LogFolder] = LocalLogFolder,
    ) -> None:
        self._path, self._budget, self._segment, self._open_folder = folder, budget, segment, open_folder
        self._guard = threading.RLock()
        self._folder: LogFolder | None = None
        self._segments: deque[_Segment] = deque()
        self._head: deque[Entry] | None = None  # of the first segment, once it is being replayed
        self._writing: _Segment | None = None  # the last segment, while it may grow
        self._number = 0
        self._user: object = None

    def open(self, user: object = None) -> Recovery:
        """Again: read everything anew, and it is this ``user``'s. Raises StoreInUse when another process has the
        folder, and OSError."""
        with self._guard:
            self._user = user
            self._folder = self._folder or self._open_folder(self._path)
            self._head = self._writing = None
            names = self._folder.names(SUFFIX)
            self._number = max((_number(name) for name in names + self._folder.names(DAMAGED)), default=0)
            found = [self._recovered(name) for name in names]
            self._segments = deque(segment for segment, _, _ in found if segment.entries)
            for segment in (segment for segment, _, _ in found if not segment.entries):
                self._discard(segment)
            return Recovery(self.pending, sum(torn for _, torn, _ in found), sum(bad for _, _, bad in found))

    @property
    def pending(self) -> int:
        """Entries that the store has not acknowledged."""
        with self._guard:
            rest = list(self._segments)[1:] if self._head is not None else self._segments
            return len(self._head or ()) + sum(segment.entries for segment in rest)

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        with self._guard:
            return sum(segment.size for segment in self._segments)

    def append(self, entry: Entry) -> None:
        """On the disk when it returns. Raises DocumentRefused, and JournalFull when neither the budget nor the disk
        has room; then nothing of the entry is kept."""
        record = framed(entry_bytes(entry))
        with self._guard:
            if self.size + len(record) > self._budget:
                raise JournalFull(f"the journal {self._path} has used {self.size} of its {self._budget} bytes")
            segment = self._growing()
            try:
                self._opened().append(segment.name, record)
            except OSError as error:
                self._writing = None  # after a failed write or sync nothing is put behind it
                if not segment.entries:
                    self._segments.pop()
                raise JournalFull(f"the journal {self._path} cannot be written: {error}") from error
            segment.size += len(record)
            segment.entries += 1

    def oldest(self, limit: int) -> list[Entry]:
        """At most ``limit`` entries, oldest first, until they are acknowledged; empty when there are none."""
        with self._guard:
            while not self._head and self._segments:
                if self._head is not None:
                    self._finish_segment()
                else:
                    self._begin_segment()
            return list(self._head or ())[:limit]

    def acknowledge(self, count: int, user: object = None) -> None:
        """The store has the ``count`` oldest entries. Does nothing when another user has opened it since: whose
        oldest entries are others."""
        with self._guard:
            if user is not self._user:
                return
            head = self._head if self._head is not None else deque()
            for _ in range(count):
                head.popleft()
            if self._head is not None and not self._head:
                self._finish_segment()

    def set_aside(self, document: Document, where: str, reason: str, at: datetime) -> bool:
        """Keep a document that no store takes in ``refused.jsonl``, for people. False when that file is full."""
        line = _refused_line(document, where, reason, at)
        with self._guard:
            if self._opened().size(REFUSED) + len(line) > REFUSED_BUDGET:
                return False
            try:
                self._opened().append(REFUSED, line)
            except OSError:
                return False
            return True

    def close(self, user: object = None) -> None:
        """May be called twice. Does nothing when it is another user's by now: one that was fenced must not close what
        its replacement has opened."""
        with self._guard:
            if user is not self._user:
                return
            if self._folder is not None:
                self._folder.close()
            self._folder, self._head, self._writing = None, None, None
            self._segments.clear()

    def _opened(self) -> LogFolder:
        if self._folder is None:
            raise RuntimeError(f"the journal {self._path} is not open")
        return self._folder

    def _recovered(self, name: str) -> tuple[_Segment, int, int]:
        folder = self._opened()
        found, size = scan(folder.read(name)), folder.size(name)
        if found.end < size:
            folder.truncate(name, found.end)
        segment = _Segment(name, found.end, len(found.payloads), found.damaged > 0)
        return segment, size - found.end, found.damaged

    def _growing(self) -> _Segment:
        if self._writing is None or self._writing.size >= self._segment:
            self._number += 1
            self._writing = _Segment(f"{self._number:08d}{SUFFIX}", 0, 0, False)
            self._segments.append(self._writing)
        return self._writing

    def _begin_segment(self) -> None:
        segment = self._segments[0]
        if segment is self._writing:
            self._writing = None  # what is being replayed does not grow
        found = scan(self._opened().read(segment.name)) if segment.entries else scan(b"")
        self._head = deque()
        for payload in found.payloads:
            try:
                self._head.append(entry_from(payload))
            except ValueError:  # whole, but not ours: a newer FourEyes's, say
                segment.damaged = True

    def _finish_segment(self) -> None:
        self._head = None
        self._discard(self._segments.popleft())

    def _discard(self, segment: _Segment) -> None:
        with contextlib.suppress(OSError):  # it is replayed again at the next start, and doubles nothing
            if segment.damaged:
                self._opened().rename(segment.name, segment.name.removesuffix(SUFFIX) + DAMAGED)
            else:
                self._opened().delete(segment.name)


def _number(name: str) -> int:
    digits = name.partition(".")[0]
    return int(digits) if digits.isdecimal() else 0


def _refused_line(document: Document, where: str, reason: str, at: datetime) -> bytes:
    try:
        text = repr(dict(document))
    except Exception as error:
        text = f"<{type(error).__name__} while printing it>"
    fields = {"at": at.isoformat(), "for": where, "reason": reason, "document": text[:REFUSED_EXCERPT]}
    if len(text) > REFUSED_EXCERPT:
        fields["cut_after"] = str(REFUSED_EXCERPT)
    return json.dumps(fields).encode() + b"\n"
