"""How an event says what came of a head's bite, and how that is read again."""

from __future__ import annotations

from supervisors.heads import Head

RECOVERED, NOT = "recovered after", "no recovery within"


def outcome(head: Head, *, recovered: bool, took: float) -> str:
    """``Event.after`` of a HEAD_BITTEN. ``took``: seconds."""
    return f"{head}: {RECOVERED if recovered else NOT} {took:.1f} s"


def read_outcome(after: str | None) -> tuple[Head, bool] | None:
    """Which head, and whether what it did was a success; None: no head's words."""
    head, _, words = (after or "").partition(": ")
    if head not in list(Head) or not words.startswith((RECOVERED, NOT)):
        return None
    return Head(head), words.startswith(RECOVERED)
