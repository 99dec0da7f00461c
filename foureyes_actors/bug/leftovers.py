"""Faults that nobody was there to take, at the very start or the very end of a run: small files for the next start."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from foureyes_actors.bug.redact import Redactor
from foureyes_actors.messages import Fault
from foureyes_actors.ports.private_folder import PrivateFolder
from foureyes_actors.replay.record import ID

MAX_FILES = 32
_TEXTS = ("source", "component", "exception_type", "message", "stack_trace")


class Leftovers:
    """One thread at a time. ``redactor`` knows the configured secrets: what is written is clean."""

    def __init__(self, folder: PrivateFolder, redactor: Redactor) -> None:
        self._folder, self._redactor = folder, redactor

    def keep(self, fault: Fault) -> bool:
        """False when there is no room. A fault's inputs are not kept: it is a document without a record."""
        try:
            if not ID.fullmatch(fault.id) or len(self._folder.entries()) >= MAX_FILES:
                return False
            self._folder.write(f"{fault.id}.json", json.dumps(_document(clean(fault, self._redactor))).encode())
        except OSError:
            return False
        return True

    def take(self) -> list[Fault]:
        """All that were kept, and they are gone. What cannot be read is dropped."""
        found = []
        for name in self._names():
            try:
                fault = _fault(self._folder.read(name))
            except OSError:
                fault = None
            with suppress(OSError):
                self._folder.delete(name)
            found += [] if fault is None else [fault]
        return sorted(found, key=lambda fault: fault.at)

    def _names(self) -> list[str]:
        try:
            return [entry.name for entry in self._folder.entries()]
        except OSError:
            return []


def clean(fault: Fault, redactor: Redactor) -> Fault:
    """Without secrets, and without its inputs."""
    return replace(
        fault,
        message=redactor.text(fault.message),
        stack_trace=redactor.text(fault.stack_trace),
        context=redactor.mapping(fault.context),
        capture=None,
    )


def _document(fault: Fault) -> dict[str, Any]:
    texts = {name: getattr(fault, name) for name in _TEXTS}
    lists = {"exception_chain": fault.exception_chain, "frames": fault.frames}
    return {
        "id": fault.id,
        "at": fault.at.isoformat(),
        "retryable": fault.retryable,
        "context": dict(fault.context),
        **texts,
        **lists,
    }


def _fault(data: bytes) -> Fault | None:
    try:
        found = json.loads(data)
        at = datetime.fromisoformat(found["at"])
        if not ID.fullmatch(found["id"]) or at.tzinfo is None:
            return None
        texts: dict[str, Any] = {name: str(found[name]) for name in _TEXTS}
        return Fault(
            id=found["id"],
            at=at,
            retryable=found["retryable"] is True,
            context={str(key): str(value) for key, value in found["context"].items()},
            exception_chain=tuple(map(str, found["exception_chain"])),
            frames=tuple(map(str, found["frames"])),
            **texts,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
