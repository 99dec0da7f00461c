"""The store, as a port: narrow, so that SQLite and MongoDB cannot drift apart (one contract suite holds both).

A document is a mapping with a text ``_id`` and an aware UTC datetime ``at``; values are None, bool, int (64 bit),
float, str, bytes, Decimal, datetime, and lists and string-keyed mappings of these. Datetimes keep milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from foureyes_actors.messages import Collection, Document


class StoreReader(Protocol):
    """What tools for people need. All raise StoreUnavailable when the store is away."""

    def latest(
        self,
        collection: Collection,
        limit: int = 50,
        *,
        since: datetime | None = None,
        where: Mapping[str, str | bool] | None = None,
    ) -> list[dict[str, Any]]:
        """Newest first by ``at`` (ties: last inserted first); ``where``: equality on indexed top-level keys
        (source, fingerprint, kind, subject, resolved)."""

    def get(self, collection: Collection, document_id: str) -> dict[str, Any] | None: ...

    def count(self, collection: Collection, *, since: datetime | None = None) -> int: ...

    def describe(self) -> str:
        """What it is, for people: kind, place, version. Never a password."""

    def close(self) -> None: ...


class StorePort(StoreReader, Protocol):
    """Every method may be called from one thread at a time. What a method returned without error survives a
    ``kill -9`` of this process. All raise StoreUnavailable when the store is away."""

    def append(self, collection: Collection, documents: Sequence[Document]) -> int:
        """Insert all, in order; a known ``_id`` is left as it is (a replay never doubles). The number of new ones.
        Raises DocumentRefused, naming the document's ``_id`` and why, with nothing of the call stored."""

    def count_occurrence(self, document: Document) -> int:
        """ERR0R: insert under ``document["fingerprint"]``, or, when an unresolved one has it, add one to its
        ``occurrences``, keep ``first_at``, set ``last_at`` and the newest message and context. ``at`` follows
        ``last_at``: a group that still happens is among the latest and is not purged. The document's ``_id`` counts
        once however often it is sent. Returns the occurrences so far. Raises DocumentRefused as ``append``."""

    def resolve(self, document_id: str, resolution: str, at: datetime) -> bool:
        """ERR0R: mark resolved; False when there is no such document."""

    def purge(self, collection: Collection, before: datetime) -> int:
        """Delete what is older, the oldest first, for at most about half a second; the number deleted: 0 when nothing
        is left. Resolved or not."""
