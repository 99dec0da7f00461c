"""Secrets out of what is to be replayed: stand-ins of equal length, so that sizes and offsets stay as they were."""

from __future__ import annotations

from typing import TypeVar

from foureyes_actors.bug.redact import Redactor, is_secret_key, stand_in
from foureyes_actors.replay.packed_text import without_packed_secrets

T = TypeVar("T", str, bytes)
MAX_PLACES = 100
_SHORTEST = 4


class Collecting:
    """A first pass: what lies under a key that is named like a secret is one, wherever else it turns up."""

    def __init__(self) -> None:
        self.found: dict[str, None] = {}

    def text(self, text: str, key: str, path: str) -> str:
        if len(text) >= _SHORTEST and len(self.found) < MAX_PLACES and key and is_secret_key(key):
            self.found[text] = None
        return text

    def data(self, data: bytes, key: str, path: str) -> bytes:
        return data


class StandIns:
    """The second pass. ``places``: what was changed."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self.places: list[str] = []

    def text(self, text: str, key: str, path: str) -> str:
        secret = bool(key) and is_secret_key(key)
        return self._noted(stand_in(len(text)) if secret else self._redactor.same_length(text), text, path)

    def data(self, data: bytes, key: str, path: str) -> bytes:
        secret = bool(key) and is_secret_key(key)
        clean = stand_in(len(data)).encode() if secret else self._bytes(data)
        return self._noted(clean, data, path)

    def _bytes(self, data: bytes) -> bytes:
        clean = self._redactor.same_length_bytes
        return clean(without_packed_secrets(data, clean, lambda size: stand_in(size).encode()))

    def _noted(self, clean: T, before: T, path: str) -> T:
        if clean != before and len(self.places) < MAX_PLACES:
            self.places.append(path)
        return clean
