"""The contract of a code fixer: a task in, a unified diff out. What it says is untrusted, whoever it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

MAX_DIFF = 256 * 1024  # bytes of an answer


@dataclass(frozen=True, slots=True)
class Assignment:
    """One attempt. ``task``: task.json; ``prompt``: the same as a text for a language model; ``tree``: a git worktree
    at the base commit, thrown away afterwards; ``scratch``: an empty folder, thrown away too."""

    task: Path
    prompt: Path
    tree: Path
    scratch: Path
    seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """``patch`` None: there is none, and ``reason`` says why. ``said``: what else it had to say, untrusted."""

    patch: bytes | None = field(repr=False)
    reason: str = ""
    said: str = field(default="", repr=False)


class Fixer(Protocol):
    @property
    def name(self) -> str:
        """For people; never a secret."""

    @property
    def budget(self) -> int:
        """Characters of source that a task for it may have."""

    def propose(self, assignment: Assignment) -> Answer:
        """Never raises for what a fixer does. At the end nothing that it started is left. Raises ProcessError when
        something cannot be ended."""

    def close(self) -> None:
        """Nothing is asked any more."""
