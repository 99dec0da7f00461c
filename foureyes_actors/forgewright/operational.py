"""What Cerberus has mended, as evidence for a decision. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from foureyes_actors.messages import Event, EventKind


def mended(events: Sequence[Event], source: str, failed_at: float) -> str:
    """A head that answered a failure of ``source`` (an actor) at ``failed_at`` (seconds since 1970), with a probe that
    passed; empty: none did."""
    server = source.startswith(("inference:", "lm_studio"))
    for event in reversed(events):
        its_own = event.subject == source or (server and event.subject == "lm_studio")
        passed = event.kind is EventKind.HEAD_BITTEN and ": recovered" in (event.after or "")
        if its_own and passed and event.at.timestamp() >= failed_at:
            return f"Cerberus: {event.subject}, {event.after}"
    return ""
