"""Untrusted text made safe to keep: no control characters, no lone surrogates, no more than so many bytes."""

from __future__ import annotations

import re

CUT = "…"  # at the end of a text that was cut
MIDDLE = "\n... (the middle is left out) ...\n"  # where a text was cut in its middle

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """Control characters (terminal escapes, NUL, direction overrides) and lone surrogates become visible escapes;
    tab and line feed stay."""
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return _CONTROLS.sub(_escaped, text.replace("\r\n", "\n"))


def bounded(text: str, limit: int) -> str:
    """Cleaned, and cut to ``limit`` bytes of UTF-8; a cut ends with an ellipsis."""
    cleaned = clean(text[:limit])
    if len(text) <= limit and len(cleaned.encode()) <= limit:
        return cleaned
    return cleaned.encode()[: limit - 3].decode("utf-8", "ignore") + CUT


def bounded_middle(text: str, limit: int) -> str:
    """As ``bounded``, but the middle is left out: a trace begins with the way and ends with what was raised."""
    if len(text) <= limit and len(whole := clean(text).encode()) <= limit:
        return whole.decode()
    half = (limit - len(MIDDLE)) // 2
    head = clean(text[:half]).encode()[:half].decode("utf-8", "ignore")
    tail = clean(text[-half:]).encode()[-half:].decode("utf-8", "ignore")
    return head + MIDDLE + tail


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
