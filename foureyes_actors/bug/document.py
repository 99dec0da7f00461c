"""A fault as a document of the ERR0R collection. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from foureyes_actors.bug.recurrence import History
from foureyes_actors.bug.severity import rule_of, severity_of
from foureyes_actors.messages import Document, Fault


def error_document(
    fault: Fault, fingerprint: str, extra: Mapping[str, str], history: Mapping[str, Any] | None = None
) -> Document:
    """``fault``: redacted already. ``extra`` is added to its context. ``history``: when the failures of this group
    happened that the store does not know of yet; None: this one alone. The store counts ``occurrences`` from here on
    and keeps ``first_at`` of the group's first document."""
    values: dict[str, Any] = {
        "_id": fault.id,
        "at": fault.at,
        "first_at": fault.at,
        "last_at": fault.at,
        "error_type": rule_of(fault).error_type.value,
        "exception_type": fault.exception_type,
        "exception_chain": list(fault.exception_chain),
        "severity": severity_of(fault).value,
        "source": fault.source,
        "component": fault.component,
        "message": fault.message,
        "stack_trace": fault.stack_trace,
        "context": {**fault.context, **extra},
        "retryable": fault.retryable,
        "fingerprint": fingerprint,
        "occurrences": 1,
        "history": history if history is not None else _once(fault),
        "resolved": False,
        "resolved_at": None,
        "resolution": None,
    }
    return MappingProxyType(values)


def _once(fault: Fault) -> Mapping[str, Any]:
    history = History()
    history.add(fault.at)
    return history.form()
