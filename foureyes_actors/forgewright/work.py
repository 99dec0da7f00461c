"""The work on a decision, as the course asks for it: who does it, and how it can end."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from foureyes_actors.forgewright.decision import Decision
from foureyes_actors.forgewright.states import State
from foureyes_actors.replay.confirmation import Confirmation


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of a piece of work: where the decision goes, and why. ``facts`` are added to its own."""

    state: State
    note: str
    facts: Mapping[str, Any] = field(default_factory=dict)


class Workshop(Protocol):
    """Does the work, in a worker's thread; each piece again does nothing more. Raises NotYet and whatever it meets."""

    def prove(self, decision: Decision, cancelled: threading.Event) -> Outcome: ...

    def fix(self, decision: Decision, cancelled: threading.Event) -> Outcome: ...

    def branch(self, decision: Decision, cancelled: threading.Event) -> Outcome: ...

    def put(self, decision: Decision, cancelled: threading.Event) -> Outcome: ...

    def undo(self, decision: Decision, cancelled: threading.Event) -> Outcome: ...

    def merge(self, decision: Decision, cancelled: threading.Event) -> Outcome: ...

    def confirmation(self, decision: Decision) -> Confirmation | None:
        """Of the newest platform of its group."""
