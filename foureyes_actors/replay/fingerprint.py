"""Which failures are the same one. Version 2; a new version is a new grouping, never a rewrite of old records.

``group``: the exception's type and those of its causes, up to the first that came through a port; and our own frames
as ``module:qualname``, from the replay point (or else the actor) down to where it was raised. Not: line numbers,
messages, threads, ports, what lies above, how often something recursed. So a shifted line or another message is the
same group. ``strict``: the group and the raising statement, blanks aside; it confirms a replay.

Version 1 also took the frames above a replay point, and the causes inside a port, which no replay has.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Sequence

from foureyes_actors.replay.capture import Capture, CapturedFrame
from foureyes_actors.syntax import tree_of

VERSION = "v2"


def basis_of(chain: Iterable[str], frames: Iterable[str]) -> tuple[str, ...]:
    """What is hashed, for people who ask why two failures are (not) the same."""
    return (VERSION, " < ".join(chain), " > ".join(frames))


def digest_of(basis: Iterable[str]) -> str:
    """``v2-`` and 64 bits of SHA-256 in hex."""
    digest = hashlib.sha256("|".join(basis).encode("utf-8", "backslashreplace")).hexdigest()
    return f"{VERSION}-{digest[:16]}"


def group_of(capture: Capture) -> str:
    return digest_of(basis_of(capture.chain, group_frames(capture)))


def group_frames(capture: Capture) -> tuple[str, ...]:
    """Without a frame of ours everything would be one group: then the entry and what the port was asked stand in."""
    if capture.names:
        return capture.names
    last = capture.tape[-1] if capture.tape else None
    return (capture.entry, f"{last.port}.{last.op}" if last else "")


def strict_of(capture: Capture, lines: Sequence[str]) -> str:
    """``lines``: of the innermost frame's file; empty when they cannot be had."""
    statement = statement_of(capture.frames[-1], lines) if capture.frames else ""
    return digest_of((*basis_of(capture.chain, group_frames(capture)), statement))


def statement_of(frame: CapturedFrame, lines: Sequence[str]) -> str:
    """The source that was at work, in one spelling: written over one line or several, it is the same."""
    first, last, begin, end = frame.place
    if not 0 < first <= last <= len(lines):
        return " ".join(lines[first - 1].split()) if 0 < first <= len(lines) else ""
    part = [line.encode("utf-8", "replace") for line in lines[first - 1 : last]]
    part[-1] = part[-1].rstrip(b"\n")[:end]
    part[0] = part[0][begin:]
    text = b"".join(part).decode("utf-8", "replace")
    return _one_spelling(text)


def _one_spelling(text: str) -> str:
    for form in (text, f"({text})"):  # an expression over several lines needs its brackets
        try:
            return ast.unparse(tree_of(form))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    return " ".join(text.split())
