"""What the gate says: which rule stopped a patch, and why. Pure.

Words go back to whoever wrote the patch, and to a terminal: one line each, cleaned, bounded.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from foureyes_actors.bug.redact import Redactor
from foureyes_actors.ports.clock import Clock
from foureyes_actors.text import one_line

SCHEMA = 1
MAX_REASON = 400  # characters
MAX_WORDS = 200
MAX_LINE = 900  # characters of JSON: a child's longer line would be cut


class Stopped(Exception):
    """A rule says no. ``rule`` empty: that of the step at work."""

    def __init__(self, reason: str, rule: str = "") -> None:
        super().__init__(reason)
        self.reason, self.rule = reason, rule


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    passed: bool
    seconds: float
    words: str = ""


@dataclass(frozen=True, slots=True)
class GateReport:
    """``rule``: the one that stopped it; empty when it passed. ``sandbox``: in which it ran; empty when nothing did."""

    passed: bool
    rule: str
    reason: str
    steps: tuple[Step, ...]
    sandbox: str = ""

    def __str__(self) -> str:
        last = f"stopped by {self.rule}: {self.reason}" if not self.passed else "passed"
        return "\n".join([*(_shown(step) for step in self.steps), last])

    def document(self) -> dict[str, Any]:
        steps = [
            {"name": step.name, "passed": step.passed, "seconds": round(step.seconds, 3), "words": step.words}
            for step in self.steps
        ]
        told = {"passed": self.passed, "rule": self.rule, "reason": self.reason, "sandbox": self.sandbox}
        return {"schema": SCHEMA, **told, "steps": steps}


def as_line(report: GateReport) -> str:
    """One line of JSON that a parent reads whole; the steps are only counted."""
    document = {**report.document(), "steps": len(report.steps)}
    for limit in (MAX_REASON, 200, 80, 20):
        texts = {name: one_line(document[name], limit) for name in ("reason", "sandbox")}
        line = json.dumps({**document, **texts})
        if len(line) <= MAX_LINE:
            break
    return line


@dataclass
class Steps:
    """Keeps what was done. ``progress``: is told each step's name as it begins."""

    clock: Clock
    progress: Callable[[str], None]
    done: list[Step] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """What is put into the list are the step's words. A ``Stopped`` without a rule gets the step's name."""
        self.progress(name)
        began, words = self.clock.monotonic(), list[str]()
        try:
            yield words
        except Stopped as stopped:
            stopped.rule = stopped.rule or name
            self._end(name, False, began, stopped.reason)
            raise
        except Exception as error:
            self._end(name, False, began, type(error).__name__)
            raise
        self._end(name, True, began, "; ".join(words))

    def _end(self, name: str, passed: bool, began: float, words: str) -> None:
        words = one_line(Redactor(()).text(words), MAX_WORDS)
        self.done.append(Step(name, passed, self.clock.monotonic() - began, words))


def _shown(step: Step) -> str:
    mark = "passed " if step.passed else "STOPPED"
    return f"{mark}  {step.name:<9} {step.seconds:6.1f} s  {step.words}".rstrip()
