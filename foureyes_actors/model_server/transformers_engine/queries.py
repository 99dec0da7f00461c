"""What a zero-shot detector is asked to find: texts, each searched as a kind. Pure functions.

A prompt may name its own, in the model table: ``error = "a red warning sign", "an error message"; info = "a dialog"``.
Kinds that it names replace the standard texts of that kind; a prompt without any leaves all of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from foureyes_actors.model_server.api_error import invalid

MOST_QUERIES = 16
LONGEST_QUERY = 80  # characters
LONGEST_PROMPT = 20_000  # characters; what comes after is not looked at

_TEXT = r"(?:\"[^\"\n]*\"|'[^'\n]*')"
_ENTRY = re.compile(rf"\b([a-z]+)\s*=\s*({_TEXT}(?:\s*,\s*{_TEXT})*)")
_EACH = re.compile(_TEXT)

Standard = Mapping[str, tuple[str, ...]]

POPUP_QUERIES: Standard = {
    "error": ("an error message", "a warning sign"),
    "disconnected": ("a connection lost message", "a no signal sign"),
    "info": ("a popup window", "a message box"),
}
REEL_QUERIES: Standard = {"reels": ("slot machine reels", "a grid of symbols")}


@dataclass(frozen=True, slots=True)
class Query:
    text: str
    kind: str


def queries_of(prompt: str, standard: Standard) -> tuple[Query, ...]:
    """The queries of the kinds in ``standard``; other kinds in ``prompt`` belong to another task.

    Raises ApiError 400 for an empty or too long text, or for too many of them."""
    chosen = dict(standard)
    for kind, listed in _ENTRY.findall(prompt[:LONGEST_PROMPT]):
        if kind in standard:
            chosen[kind] = tuple(_cleaned(text, kind) for text in _EACH.findall(listed))
    queries = tuple(Query(text, kind) for kind, texts in chosen.items() for text in texts)
    if len(queries) > MOST_QUERIES:
        raise invalid(f"The prompt names {len(queries)} texts to look for; at most {MOST_QUERIES}", param="messages")
    return queries


def _cleaned(quoted: str, kind: str) -> str:
    text = " ".join(quoted[1:-1].split())
    if not text or len(text) > LONGEST_QUERY or not text.isprintable():
        raise invalid(
            f"{kind} = {quoted[:100]!a}: a text to look for has 1 to {LONGEST_QUERY} characters", param="messages"
        )
    return text
