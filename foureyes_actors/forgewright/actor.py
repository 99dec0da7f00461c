"""ForgewrightActor: triages what the BugActor recorded, has it run again, and sees it through to a decision."""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cachetools import LRUCache

from foureyes_actors.forgewright.decision import Decision
from foureyes_actors.forgewright.decision_document import document
from foureyes_actors.forgewright.forging import LOOK, Forging, WorkEnded
from foureyes_actors.forgewright.making import Made
from foureyes_actors.forgewright.queue import Wanted
from foureyes_actors.forgewright.reproducing import Reproducing, WorkDone
from foureyes_actors.forgewright.states import State
from foureyes_actors.forgewright.triage import BugClass, RemedyKind, Rule, Triage, triage
from foureyes_actors.messages import (
    Collection,
    Event,
    EventKind,
    FaultRecorded,
    GetStatus,
    PressureChanged,
    PressureLevel,
    StoreDocuments,
    Tick,
)
from foureyes_actors.ports.clock import Clock, SystemClock
from foureyes_actors.readings.documents import event_document
from foureyes_actors.replay.confirmation import Level
from foureyes_actors.telling import Teller
from supervisors.actor import ActorContext, SupervisedActor

logger = logging.getLogger("foureyes.forgewright")

NEWS = frozenset({State.AWAITING_APPROVAL, State.APPLIED, State.REJECTED, State.REGRESSED, State.ROLLED_BACK})
NEWS |= {State.WATCHED, State.RESOLVED}  # for who looks at the screen
MAX_GROUPS = 1000
SHOWN_GROUPS = 20


@dataclass(frozen=True, slots=True)
class Group:
    """What is known of one fingerprint."""

    triage: Triage
    occurrences: int
    exception_type: str
    source: str


Told = Callable[[Wanted, Made], None]
Changed = Callable[[Decision, Decision | None], None]


class ForgewrightActor(SupervisedActor):
    """Takes FaultRecorded, PressureChanged, Event (of Cerberus's heads; no reply) and GetStatus. ``reproducing`` and
    ``forging``: made from this actor's context and what is to be told of each platform and each decision; None: none
    are made. Of each one ``audience`` gets an Event, and the recorder its document."""

    def __init__(
        self,
        context: ActorContext,
        *,
        rules: Sequence[Rule] = (),
        clock: Clock | None = None,
        run_id: str = "",
        audience: tuple[str, ...] = (),
        recorder: str = "recorder",
        reproducing: Callable[[ActorContext, Told], Reproducing] | None = None,
        forging: Callable[[ActorContext, Changed], Forging] | None = None,
    ) -> None:
        super().__init__(context)
        self._clock = clock or SystemClock()
        self._rules, self._run_id, self._audience, self._recorder = rules, run_id, audience, recorder
        self._teller = Teller(context, self._clock)
        self._reproducing = reproducing(context, self._tell) if reproducing else None
        self._forging = forging(context, self._decided) if forging else None
        self._groups: LRUCache[str, Group] = LRUCache(MAX_GROUPS)
        self._classes: Counter[str] = Counter()  # bug class -> occurrences
        self._causes: Counter[str] = Counter()
        self._triaged = 0

    def on_start(self) -> None:
        for part in (self._reproducing, self._forging):
            if part is not None:
                part.start()

    def on_receive(self, message: Any) -> Any:
        match message:
            case FaultRecorded():
                self._take(message)
            case PressureChanged():
                self._under_pressure(message.level)
            case Event() if self._forging is not None:
                self._forging.heard(message)
            case WorkDone() if self._reproducing is not None:
                self._reproducing.look()
            case WorkEnded() if self._forging is not None:
                self._forging.look()
            case Tick(name=name) if name == LOOK and self._forging is not None:
                self._forging.look(timer=True)
            case Tick() if self._reproducing is not None:
                self._reproducing.look(timer=True)
            case GetStatus():
                return self._status()
        return None

    def on_stop(self) -> None:
        for part in (self._forging, self._reproducing):
            if part is not None:
                part.stop()

    def on_failure(self, *_: Any) -> None:
        self.on_stop()

    def _under_pressure(self, level: PressureLevel) -> None:
        if self._reproducing is not None:
            self._reproducing.under_pressure(level)
        if self._forging is not None:
            self._forging.under_pressure(level)

    def _tell(self, wanted: Wanted, made: Made) -> None:
        """A recorded failure was run again."""
        found = made.confirmation
        again = found.level is not Level.UNCONFIRMED
        event = Event(
            id=uuid.uuid4().hex,
            kind=EventKind.FAILURE_REPRODUCED,
            at=self._clock.utc_now(),
            subject=wanted.source,
            before=made.kind,
            after=found.level.value,
            reason=str(made.folder) if again else found.reason,
            seconds=max(0.0, self._clock.utc_now().timestamp() - wanted.at),
        )
        self._teller.tell(self._audience, event)
        told = {**event_document(event, self._run_id), "group": wanted.group, "record": wanted.record}
        self._teller.tell((self._recorder,), StoreDocuments(Collection.EVENTS, (told,)))
        if self._forging is not None:
            self._forging.reproduced(wanted.group, found)

    def _decided(self, decision: Decision, before: Decision | None) -> None:
        """Its newest revision, which the store may have already; an event when its state is news."""
        self._teller.tell((self._recorder,), StoreDocuments(Collection.DECISIONS, (document(decision),)))
        if before is None or before.state is decision.state:
            return
        event = Event(
            id=uuid.uuid4().hex,
            kind=EventKind.DECISION_CHANGED,
            at=self._clock.utc_now(),
            subject=decision.id,
            before=before.state.value,
            after=decision.state.value,
            reason=f"{decision.title}: {decision.reason}" if decision.reason else decision.title,
        )
        if decision.state in NEWS and decision.remedy is not RemedyKind.OPERATIONAL:  # Cerberus has told of that
            self._teller.tell(self._audience, event)
        told = {**event_document(event, self._run_id), "group": decision.group}
        self._teller.tell((self._recorder,), StoreDocuments(Collection.EVENTS, (told,)))

    def _take(self, recorded: FaultRecorded) -> None:
        fault, before = recorded.fault, self._groups.get(recorded.fingerprint)
        result = triage(fault, recorded.occurrences, self._rules, port=recorded.port, recurrence=recorded.recurrence)
        more = _increase(before.occurrences if before else 0, recorded.occurrences)
        self._groups[recorded.fingerprint] = Group(result, recorded.occurrences, fault.exception_type, fault.source)
        self._classes[result.bug_class] += more
        self._causes[result.cause] += more
        self._triaged += 1
        if before is None or before.triage != result:
            logger.info("%s is %s", recorded.fingerprint, _words(result))
        if self._reproducing is not None:
            self._reproducing.offer(recorded)
        if self._forging is not None:
            self._forging.offer(recorded, result)

    def _status(self) -> dict[str, Any]:
        urgent = sorted(self._groups.items(), key=lambda item: (item[1].triage.priority, -item[1].occurrences))
        return {
            "triaged": self._triaged,
            "groups": len(self._groups),
            "by_class": dict(self._classes),
            "by_cause": dict(self._causes),
            "unknown": self._classes[BugClass.UNKNOWN],
            "platforms": self._reproducing.status() if self._reproducing else {},
            "decisions": self._forging.status() if self._forging else {},
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
        "action": group.triage.action.value,
        "remedy": group.triage.remedy.value,
        "occurrences": group.occurrences,
        "exception_type": group.exception_type,
        "source": group.source,
    }


def _words(result: Triage) -> str:
    retry = "may pass by itself" if result.retryable else "will not pass by itself"
    return f"{result.bug_class}, cause {result.cause}, {retry}, priority {result.priority} ({result.rule})"
