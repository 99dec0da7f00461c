"""The work folder of one failure's fixing: what a run that ended in the middle is gone on with.

    work.json        which record, which base commit, which repository
    attempt_<n>/     task.json, task.md, patch.diff, gate.json, said.txt; attempt.json: it is finished
    proposal.json    the end
    scratch/         of the attempt in work alone

Written whole or not at all. What is read is checked: a file that says nothing is not there.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from foureyes_actors.errors import FourEyesError
from foureyes_actors.forgewright.proposal import (
    COMMIT,
    MOST_ATTEMPTS,
    PROPOSAL,
    Attempt,
    Proposal,
    as_line,
    attempt_of,
    proposal_from,
)
from foureyes_actors.ports.private_folder import LocalPrivateFolder

SCHEMA = 1
STATE, LOCK, SCRATCH = "work.json", "lock", "scratch"
PATCH, TASK, PROMPT, SAID, GATE, ATTEMPT = "patch.diff", "task.json", "task.md", "said.txt", "gate.json", "attempt.json"

_GROUP = re.compile(r"(?:v\d{1,3}-)?[0-9a-f]{8,64}")


class OtherWork(FourEyesError):
    """The folder is another failure's."""


@dataclass(frozen=True, slots=True)
class Finished:
    """An attempt with the digest of what was proposed; empty: nothing was. ``patch``: as it is kept."""

    attempt: Attempt
    digest: str
    patch: bytes = field(repr=False)


class Work:
    """One process at a time. Every method raises OSError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.scratch = self.folder / SCRATCH
        self._files = LocalPrivateFolder(self.folder)

    def make(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def begun_with(self) -> str:
        """The base commit; empty: none yet."""
        base = (self._read(STATE) or {}).get("base")
        return base if isinstance(base, str) and COMMIT.fullmatch(base) else ""

    def base(self, record: str) -> str:
        """As ``begun_with``, for this record. Raises OtherWork."""
        found = self._read(STATE)
        if found is None:
            return ""
        if found.get("record") != record:
            raise OtherWork(f"{self.folder} is the work folder of another record")
        return self.begun_with()

    def group(self) -> str:
        """The failure group's fingerprint; empty: not known."""
        group = (self._read(STATE) or {}).get("group")
        return group if isinstance(group, str) and _GROUP.fullmatch(group) else ""

    def begin(self, record: str, base: str, group: str) -> None:
        self._write(STATE, {"schema": SCHEMA, "record": record, "base": base, "group": group})

    def finished(self) -> list[Finished]:
        """Up to the first attempt that is not, or that passed the gate."""
        found: list[Finished] = []
        for number in range(1, MOST_ATTEMPTS + 1):
            try:
                document = self._read(f"attempt_{number}/{ATTEMPT}")
                attempt, digest = attempt_of(document or {}), str((document or {})["digest"])
            except (KeyError, ValueError, TypeError):
                break
            if attempt.number != number:
                break
            found.append(Finished(attempt, digest, self._bytes(f"attempt_{number}/{PATCH}")))
            if not attempt.rule:
                break
        return found

    def finish(self, attempt: Attempt, digest: str) -> None:
        document = {**asdict(attempt), "seconds": round(attempt.seconds, 3), "digest": digest, "schema": SCHEMA}
        self._write(f"attempt_{attempt.number}/{ATTEMPT}", document)

    def path(self, number: int, name: str) -> Path:
        return self.folder / f"attempt_{number}" / name

    def keep(self, number: int, name: str, data: bytes) -> None:
        self._files.write(f"attempt_{number}/{name}", data)

    def keep_json(self, number: int, name: str, document: Mapping[str, Any]) -> None:
        self.keep(number, name, json.dumps(document, indent=1).encode())

    def forget(self, number: int) -> None:
        """What an attempt that was not finished has left."""
        for name in (PATCH, TASK, PROMPT, SAID, GATE, ATTEMPT):
            self._files.delete(f"attempt_{number}/{name}")

    def proposal(self) -> Proposal | None:
        data = self._bytes(PROPOSAL)
        return proposal_from(data) if data else None

    def conclude(self, proposal: Proposal) -> None:
        self._files.write(PROPOSAL, f"{as_line(proposal)}\n".encode())

    def passed(self) -> tuple[Proposal, bytes] | None:
        """The proposal and its diff, when one has passed the gate and is still what it was."""
        proposal = self.proposal()
        if proposal is None or not proposal.digest:
            return None
        number = proposal.attempts[-1].number
        patch, gate = self._bytes(f"attempt_{number}/{PATCH}"), self._read(f"attempt_{number}/{GATE}") or {}
        whole = hashlib.sha256(patch).hexdigest() == proposal.digest and gate.get("passed") is True
        return (proposal, patch) if whole else None

    def _bytes(self, name: str) -> bytes:
        return self._files.read(name) if self._files.exists(name) else b""

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            found = json.loads(self._bytes(name) or b"null")
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    def _write(self, name: str, document: Mapping[str, Any]) -> None:
        self._files.write(name, json.dumps(document).encode())
