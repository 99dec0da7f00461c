"""How occurrences of one fingerprint become one ERR0R document: the same in every store. Pure, on encoded documents."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from foureyes_actors.errors import DocumentRefused
from foureyes_actors.messages import Document
from foureyes_actors.ports.documents import clean_text, encoded, instant
from foureyes_actors.ports.error_history import merged

NEWEST = ("message", "context")  # a group shows those of its last occurrence


def occurrence(document: Document) -> dict[str, Any]:
    """Checked and encoded. Raises DocumentRefused, also for a missing fingerprint."""
    fields = encoded(document)
    if not isinstance(fields.get("fingerprint"), str):
        raise DocumentRefused(f"document {fields['_id']!r} fingerprint: text must be there")
    return fields


def first(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The group that its first occurrence opens, under that occurrence's ``_id``."""
    return {**fields, "occurrences": 1, "first_at": fields["at"], "last_at": fields["at"], "resolved": False}


def changes(group: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of ``group`` that one more occurrence sets, its number excepted. ``at`` follows ``last_at``, so that
    a group that still happens is among the latest and is not purged. An older occurrence sets nothing."""
    set_once = {"first_at": group.get("first_at", group["at"])}
    if "history" in fields:  # whenever it happened, it did
        set_once["history"] = merged(group.get("history"), fields["history"])
    if fields["at"] < group.get("last_at", group["at"]):
        return set_once
    newest = {key: fields[key] for key in NEWEST if key in fields}
    return {**set_once, **newest, "at": fields["at"], "last_at": fields["at"]}


def total(group: Mapping[str, Any]) -> int:
    """Occurrences so far; a document that was appended as it is counts as one."""
    number = group.get("occurrences", 1)
    return number if isinstance(number, int) else 1


def resolution(text: str, at: datetime) -> dict[str, Any]:
    """The keys that resolving a group sets."""
    return {"resolved": True, "resolution": clean_text(text), "resolved_at": instant(at)}
