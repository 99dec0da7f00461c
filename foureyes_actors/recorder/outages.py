"""The end of an outage of the store, which is no failure of its own. Pure.

The outage is a document of ERR0R, which waited in the journal like all others: when the store takes it, the
store is there. So its end is written with it, whoever wrote it into the journal, and needs no later change.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from foureyes_actors.bug.severity import known_type
from foureyes_actors.messages import CountError, Document
from foureyes_actors.recorder.journal_records import Entry
from foureyes_actors.recorder.store_calls import AWAY

OVER = "over"  # in a document's context: when, and after how many seconds


def ended(entry: Entry, source: str, now: datetime) -> Entry:
    """What the store takes ``now``: an outage of the store, as the recorder told it, with its end in its context; any
    other entry as it is. ``source``: the recorder's name."""
    if not isinstance(entry, CountError) or not _is_outage(entry.document, source):
        return entry
    document = entry.document
    lasted = (now - document["at"]).total_seconds()
    words = f"since {now:%Y-%m-%d %H:%M:%S} UTC, after {max(0.0, lasted):.1f} s"
    return CountError({**document, "context": {**document["context"], OVER: words}})


def _is_outage(document: Document, source: str) -> bool:
    known = isinstance(document.get("at"), datetime) and isinstance(document.get("context"), Mapping)
    kind = known_type(str(document.get("exception_type")))
    return known and document.get("source") == source and issubclass(kind, AWAY)
