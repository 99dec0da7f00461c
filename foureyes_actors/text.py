"""Untrusted text made safe to keep and to show: no control characters, no lone surrogates, no more than so much."""

from __future__ import annotations

import re
import unicodedata

CUT = "…"  # at the end of a text that was cut
MIDDLE = "\n... (the middle is left out) ...\n"  # where a text was cut in its middle

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """Control characters (terminal escapes, NUL, direction overrides) and lone surrogates become visible escapes;
    tab and line feed stay."""
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return _CONTROLS.sub(_escaped, text.replace("\r\n", "\n"))


def one_line(text: str, limit: int) -> str:
    """What cannot be shown (control characters, direction overrides, half characters) becomes a space, runs of blanks
    become one, and at most ``limit`` characters stay. So a screen cannot steer a terminal."""
    if not text.isprintable():
        text = "".join(" " if unicodedata.category(c)[0] == "C" or c in "\u2028\u2029" else c for c in text)
    line = " ".join(filter(None, text.split(" ")))
    return line if len(line) <= limit else line[: limit - 1] + CUT


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
