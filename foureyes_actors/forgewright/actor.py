"""ForgewrightActor: triages what the BugActor recorded. It changes nothing yet, and says so."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from typing import Any

from cachetools import LRUCache

from foureyes_actors.forgewright.triage import BugClass, Triage, triage
from foureyes_actors.messages import FaultRecorded, GetStatus
from supervisors.actor import ActorContext, SupervisedActor

logger = logging.getLogger("foureyes.forgewright")

CANNOT_YET = "reproduction, remedies and decisions are not there yet: nothing was changed"
MAX_GROUPS = 1000
SHOWN_GROUPS = 20


@dataclass(frozen=True, slots=True)
class Group:
    """What is known of one fingerprint."""

    triage: Triage
    occurrences: int
    exception_type: str
    source: str


class ForgewrightActor(SupervisedActor):
    """Takes FaultRecorded (no reply) and GetStatus."""

    def __init__(self, context: ActorContext) -> None:
        super().__init__(context)
        self._groups: LRUCache[str, Group] = LRUCache(MAX_GROUPS)
        self._classes: Counter[str] = Counter()  # bug class -> occurrences
        self._causes: Counter[str] = Counter()
        self._triaged = 0

    def on_receive(self, message: Any) -> Any:
        match message:
            case FaultRecorded():
                self._take(message)
            case GetStatus():
                return self._status()
        return None

    def _take(self, recorded: FaultRecorded) -> None:
        fault, before = recorded.fault, self._groups.get(recorded.fingerprint)
        result = triage(fault, recorded.occurrences)
        more = _increase(before.occurrences if before else 0, recorded.occurrences)
        self._groups[recorded.fingerprint] = Group(result, recorded.occurrences, fault.exception_type, fault.source)
        self._classes[result.bug_class] += more
        self._causes[result.cause] += more
        self._triaged += 1
        if self._triaged == 1:
            logger.info("triage only: %s", CANNOT_YET)
        if before is None or before.triage != result:
            logger.info("%s is %s", recorded.fingerprint, _words(result))

    def _status(self) -> dict[str, Any]:
        urgent = sorted(self._groups.items(), key=lambda item: (item[1].triage.priority, -item[1].occurrences))
        return {
            "triaged": self._triaged,
            "groups": len(self._groups),
            "by_class": dict(self._classes),
            "by_cause": dict(self._causes),
            "unknown": self._classes[BugClass.UNKNOWN],
            "changed": 0,
            "cannot_yet": CANNOT_YET,
            "most_urgent": [_row(name, group) for name, group in urgent[:SHOWN_GROUPS]],
        }


def _increase(before: int, now: int) -> int:
    """The BugActor counts anew after its own replacement."""
    return now - before if now > before else 1


def _row(fingerprint: str, group: Group) -> dict[str, Any]:
    return {
        "fingerprint": fingerprint,
        "class": group.triage.bug_class.value,
        "cause": group.triage.cause.value,
        "priority": group.triage.priority,
        "retryable": group.triage.retryable,
        "occurrences": group.occurrences,
        "exception_type": group.exception_type,
        "source": group.source,
    }


def _words(result: Triage) -> str:
    retry = "may pass by itself" if result.retryable else "will not pass by itself"
    return f"{result.bug_class}, cause {result.cause}, {retry}, priority {result.priority} ({result.rule})"
