"""Secrets out of texts: by the names of keys, by patterns, and by the exact value of every configured secret. Pure.

Patterns find what looks like a secret; only the exact values are sure. So the configured secrets come first.
"""

from __future__ import annotations

import json
import re
import urllib.parse
from base64 import b64encode
from collections.abc import Mapping
from types import MappingProxyType

from foureyes_actors.text import CUT, MIDDLE

MASK = "[redacted]"
_SHORTEST_CORE = 8  # characters of Base64
_SHORTEST = 4  # characters: a shorter secret would be found in every other word

_KEY = (
    r"(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[-_]?key|private[-_]?key"
    r"|authorization|auth|cookie|credentials?)"
)
_SECRET_KEY = re.compile(rf"(?:^|[^a-z]){_KEY}(?:[^a-z]|$)", re.IGNORECASE)
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # user:password@ in any address, to the last @ before a blank: passwords may hold an unescaped @ or /
    (re.compile(r"(?P<keep>\b[a-z][a-z0-9+.-]{0,30}://)[^\s'\"<>]{1,500}@", re.IGNORECASE), rf"\g<keep>{MASK}@"),
    (re.compile(r"\bsk-lm-[A-Za-z0-9:_*-]+"), MASK),  # LM Studio's tokens, also cut ones as its errors repeat them
    (re.compile(r"\bsk-[A-Za-z0-9_*-]{6,}"), MASK),
    (re.compile(r"\bhf_[A-Za-z0-9]{16,}"), MASK),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"), MASK),  # a JSON web token
    (re.compile(r"(?P<keep>\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/:=-]{6,}", re.IGNORECASE), rf"\g<keep>{MASK}"),
    (
        # key=value, key: value, "key": "value"; the value up to its closing quote or the next blank
        re.compile(
            rf"(?P<keep>(?<![a-z]){_KEY}['\"]?\s{{0,3}}[=:]\s{{0,3}}(?:(?:bearer|basic)\s+)?)"
            rf"(?:\"[^\"\n]{{1,500}}\"|'[^'\n]{{1,500}}'|(?!\[redacted\])[^\s,;&'\"}}\])]{{1,500}})",
            re.IGNORECASE,
        ),
        rf"\g<keep>{MASK}",
    ),
)

_TOKENS = 5  # of the patterns tell by the value alone

# In bytes that are taken for characters a letter is one of A to Z: before an address may stand anything.
_ASCII_PATTERNS = tuple(re.compile(pattern.pattern, re.IGNORECASE | re.ASCII) for pattern, _ in _PATTERNS)
_STAND_IN = "redacted-"
_SHORT_TEXT = 8 * 1024  # characters that the patterns are simply tried on
_MOST_SUSPICIOUS = 256 * 1024  # of a longer text
_BEFORE, _AFTER = 40, 4096  # characters around a trigger that a match can have
_LOWER = MappingProxyType({upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)})  # the length stays
# At least one of them is in whatever one of the patterns matches; a test holds them to that.
_TRIGGERS = (
    *("://", "sk-", "hf_", "eyj", "bearer", "basic"),
    *("pass", "pwd", "secret", "token", "api", "private", "auth", "cookie", "credential"),
)


def stand_in(length: int) -> str:
    """In place of a secret where the text is used again, by a replay: as long as it was, and easy to see."""
    return (_STAND_IN * (length // len(_STAND_IN) + 1))[:length]


def _same_length(found: re.Match[str]) -> str:
    """A pattern's match with its secret replaced: what is kept before it, quotes and a closing @ stay."""
    keep = found.groupdict().get("keep") or ""
    secret = found[0][len(keep) :]
    head = secret[0] if secret[0] in "\"'" else ""
    tail = secret[-1] if head or (secret[-1] == "@" and keep.endswith("://")) else ""
    return keep + head + stand_in(len(secret) - len(head) - len(tail)) + tail


def _stand_ins(text: str, forms: tuple[str, ...]) -> str:
    for form in forms:
        if form in text:
            text = text.replace(form, stand_in(len(form)))
    spans = _suspicious(text)
    if sum(end - start for start, end in spans) > _MOST_SUSPICIOUS:
        return stand_in(len(text))  # rather nothing of it than minutes of looking
    for start, end in reversed(spans):
        part = text[start:end]
        for pattern in _ASCII_PATTERNS:
            part = pattern.sub(_same_length, part)
        text = text[:start] + part + text[end:]
    return text


def _suspicious(text: str) -> list[tuple[int, int]]:
    """Where a pattern could match. A pattern takes half a second for a megabyte and lets no other thread run; a word is
    found in a millisecond."""
    if len(text) <= _SHORT_TEXT:
        return [(0, len(text))]
    lower = _lowered(text)
    starts: list[int] = []
    for word in _TRIGGERS:
        at = lower.find(word)
        while at >= 0 and len(starts) <= _MOST_SUSPICIOUS // len(word):
            starts.append(at)
            at = lower.find(word, at + 1)
    spans: list[tuple[int, int]] = []
    for at in sorted(starts):
        start, end = max(0, at - _BEFORE), min(len(text), at + _AFTER)
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans


def _lowered(text: str) -> str:
    """A to Z alone: the length must stay."""
    try:
        return text.encode("latin-1").lower().decode("latin-1")
    except UnicodeEncodeError:
        return text.translate(_LOWER)


def mask_patterns(text: str) -> str:
    """Everything that looks like a secret, masked."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def has_token(text: str) -> bool:
    """Whether something in it has the form of a token, or is an address with credentials, whatever stands around."""
    return any(pattern.search(text) for pattern, _ in _PATTERNS[:_TOKENS])


class Redactor:
    """Immutable; any thread. ``secrets``: the configured ones, as they are. Shorter than 4 characters they are not
    looked for: they would be found everywhere."""

    def __init__(self, secrets: tuple[str, ...] = ()) -> None:
        self._secrets = secrets
        forms = {form for secret in secrets if len(secret) >= _SHORTEST for form in _forms(secret)}
        self._forms = tuple(sorted(forms, key=len, reverse=True))
        self._exact = re.compile("|".join(map(re.escape, self._forms))) if forms else None
        self._byte_forms = tuple(form.encode("utf-8", "surrogatepass").decode("latin-1") for form in self._forms)

    def __repr__(self) -> str:
        return "Redactor()"  # never its secrets

    def text(self, text: str) -> str:
        if self._exact is not None:
            text = self._exact.sub(MASK, text)
            text = self._edges(text)
        return mask_patterns(text)

    def configured(self, text: str) -> str:
        """The configured secrets alone, masked. For program text, in which much looks like a secret that is none."""
        return text if self._exact is None else self._exact.sub(MASK, text)

    def with_also(self, secrets: tuple[str, ...]) -> Redactor:
        return Redactor((*self._secrets, *secrets)) if secrets else self

    def same_length(self, text: str) -> str:
        """As ``text``, with stand-ins of equal length for what is to be replayed. Doing it twice changes nothing."""
        return _stand_ins(text, self._forms)

    def same_length_bytes(self, data: bytes) -> bytes:
        """Each byte is taken for a character, so that the length in bytes stays as well."""
        return _stand_ins(data.decode("latin-1"), self._byte_forms).encode("latin-1")

    def _edges(self, text: str) -> str:
        """Where a text was cut, half a secret may be left."""
        if text.endswith(CUT):
            return self._end(text.removesuffix(CUT)) + CUT
        head, middle, tail = text.partition(MIDDLE)
        return self._end(head) + MIDDLE + self._start(tail) if middle else text

    def _end(self, text: str) -> str:
        for form in self._forms:
            for size in range(len(form) - 1, _SHORTEST - 1, -1):
                if text.endswith(form[:size]):
                    return text[:-size] + MASK
        return text

    def _start(self, text: str) -> str:
        for form in self._forms:
            for size in range(len(form) - 1, _SHORTEST - 1, -1):
                if text.startswith(form[-size:]):
                    return MASK + text[size:]
        return text

    def mapping(self, values: Mapping[str, str]) -> dict[str, str]:
        """Keys and values; the value of a key that is named like a secret goes as a whole."""
        return {self.text(k): MASK if is_secret_key(k) else self.text(v) for k, v in values.items()}


def is_secret_key(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None


def _forms(secret: str) -> set[str]:
    """A secret as it turns up in logs: plain, in an address, in a repr, in JSON, in a Basic or Bearer header."""
    return {
        secret,
        urllib.parse.quote(secret, safe=""),
        re.sub("%..", lambda found: found[0].lower(), urllib.parse.quote(secret, safe="")),
        urllib.parse.quote_plus(secret),
        repr(secret)[1:-1],
        ascii(secret)[1:-1],
        json.dumps(secret)[1:-1],
        b64encode(secret.encode("utf-8", "surrogatepass")).decode().rstrip("="),
        *_within_base64(secret.encode("utf-8", "surrogatepass")),
    }


def _within_base64(secret: bytes) -> set[str]:
    """Of a longer text in Base64 the part that depends on the secret alone, at each of its three alignments. A short
    one would be found by chance."""
    cores = set()
    for before, spoiled in enumerate((0, 2, 3)):
        whole = (before + len(secret)) // 3 * 4  # characters that do not depend on what comes behind
        cores.add(b64encode(bytes(before) + secret).decode()[spoiled:whole])
    usual = {core for core in cores if len(core) >= _SHORTEST_CORE}
    return usual | {core.replace("+", "-").replace("/", "_") for core in usual}
