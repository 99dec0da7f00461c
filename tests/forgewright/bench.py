"""Forging with a workshop that does what it is told, a clock that is moved by hand, and decisions on a real disk."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from foureyes_actors.bite_words import outcome
from foureyes_actors.forgewright.decision import Decision
from foureyes_actors.forgewright.forging import LOOK, Forging, WorkEnded
from foureyes_actors.forgewright.ledger import Ledger
from foureyes_actors.forgewright.states import State
from foureyes_actors.forgewright.triage import Action, BugClass, Cause, RemedyKind, Triage
from foureyes_actors.forgewright.work import Outcome
from foureyes_actors.messages import Event, EventKind, FaultRecorded, Tick
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.replay.confirmation import Confirmation, Level
from foureyes_actors.settings.forgewright import FixerSettings, ForgewrightSettings
from supervisors.heads import Head
from tests.bug.make import a_fault
from tests.forgewright.make import PATCH, RECORD, SETTING, a_ledger
from tests.support import TimedContext, eventually

WITH_FIXER = ForgewrightSettings(fixer=FixerSettings(command="fix"))
OF = {
    RemedyKind.CODE: (BugClass.DATETIME_OVERFLOW, Cause.OURS, Action.REVIEW),
    RemedyKind.CONFIGURATION: (BugClass.LM_STUDIO_CONNECTION, Cause.EXTERNAL, Action.MITIGATE),
    RemedyKind.OPERATIONAL: (BugClass.OBS_FAILURE, Cause.EXTERNAL, Action.MITIGATE),
    RemedyKind.NONE: (BugClass.STORE_LOSS, Cause.ENVIRONMENT, Action.REVIEW),
}


def found(remedy: RemedyKind, **changes: Any) -> Triage:
    bug_class, cause, action = OF[remedy]
    return replace(Triage(bug_class, cause, False, 3, "a rule", remedy=remedy, action=action), **changes)


def confirmed(level: Level = Level.WIRE) -> Confirmation:
    return Confirmation(level, "why", 3, 3, 1.0, "bubblewrap")


class ToldWorkshop:
    """``in_force``: what is, by decision; put there by ``put`` or ``apply`` and taken away by ``undo`` alone.
    ``answers``: instead of the usual ones. While ``may_end`` is not set nothing ends."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.in_force: Counter[str] = Counter()
        self.answers: list[Outcome | Exception] = []
        self.confirmations: dict[str, Confirmation] = {}
        self.may_end = threading.Event()
        self.may_end.set()
        self.cancelled: threading.Event | None = None

    def prove(self, decision: Decision, cancelled: threading.Event) -> Outcome:
        return self._does("prove", decision, cancelled, Outcome(State.VERIFIED, "3 runs", SETTING))

    def fix(self, decision: Decision, cancelled: threading.Event) -> Outcome:
        return self._does("fix", decision, cancelled, Outcome(State.VERIFIED, "passed the gate", PATCH))

    def branch(self, decision: Decision, cancelled: threading.Event) -> Outcome:
        return self._does("branch", decision, cancelled, Outcome(State.AWAITING_APPROVAL, "branch x", {"branch": "x"}))

    def put(self, decision: Decision, cancelled: threading.Event) -> Outcome:
        found = self._does("put", decision, cancelled, Outcome(State.APPLIED, "put", {}))
        if found.state is State.APPLIED:
            self.in_force[decision.id] = 1
        return found

    def apply(self, decision: Decision) -> Outcome:
        self.in_force[decision.id] = 1
        return Outcome(State.APPLIED, "merged", {"commit": "c"})

    def merge(self, decision: Decision, cancelled: threading.Event) -> Outcome:
        found = self._does("merge", decision, cancelled, Outcome(State.APPLIED, "by itself: merged", {"commit": "c"}))
        if found.state is State.APPLIED:
            self.in_force[decision.id] = 1
        return found

    def undo(self, decision: Decision, cancelled: threading.Event) -> Outcome:
        found = self._does("undo", decision, cancelled, Outcome(State.ROLLED_BACK, "taken back"))
        if found.state is State.ROLLED_BACK:
            del self.in_force[decision.id]
        return found

    def confirmation(self, decision: Decision) -> Confirmation | None:
        return self.confirmations.get(decision.group)

    def _does(self, what: str, decision: Decision, cancelled: threading.Event, usual: Outcome) -> Outcome:
        self.asked.append((what, decision.id))
        self.cancelled = cancelled
        while not self.may_end.wait(0.01):
            if cancelled.is_set():
                raise RuntimeError("it was ended")
        answer = self.answers.pop(0) if self.answers else usual
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def did(self) -> list[str]:
        return [what for what, _ in self.asked]


class Bench:
    """One run of FourEyes: as many as wanted, one after the other, over the same folder and the same world. ``ended``
    ends them all."""

    made: ClassVar[list[Bench]] = []

    def __init__(
        self,
        folder: Path,
        workshop: ToldWorkshop | None = None,
        clock: ManualClock | None = None,
        settings: ForgewrightSettings = WITH_FIXER,
        ledger: Ledger | None = None,
        run_began: float | None = None,
        setting: Callable[[str], float | None] = lambda _key: None,
    ) -> None:
        self.folder, self.clock = folder, clock or ManualClock()
        self.workshop = workshop or ToldWorkshop()
        self.context = TimedContext("forgewright", self.clock)
        self.ledger = ledger or a_ledger(folder, self.clock)
        self.changed: list[tuple[Decision, Decision | None]] = []
        self.forging = Forging(
            self.context,
            ledger=self.ledger,
            workshop=self.workshop,
            clock=self.clock,
            settings=settings,
            changed=lambda *each: self.changed.append(each),
            run_began=run_began,
            setting=setting,
        )
        Bench.made.append(self)
        self.forging.start()
        self.heard()

    @classmethod
    def ended(cls) -> None:
        while cls.made:
            bench = cls.made.pop()
            bench.workshop.may_end.set()
            bench.forging.stop()

    def next_run(self, **changes: Any) -> Bench:
        """FourEyes ends, in order, and starts again a moment later."""
        self.forging.stop()
        self.clock.advance(1.0)
        return Bench(self.folder, **{"workshop": self.workshop, "clock": self.clock, **changes})

    def heard(self) -> None:
        """Until the worker has answered, and it was heard."""
        eventually(lambda: bool(self.context.to_self), 20.0, "the worker answers")
        while self.context.to_self:
            assert isinstance(self.context.to_self.pop(0), WorkEnded)
            self.forging.look()

    def settle(self) -> Bench:
        """Until there is nothing in work."""
        while self.forging.status()["in_work"] or self.context.to_self:
            self.heard()
        return self

    def receive(self, message: object) -> None:
        assert isinstance(message, Tick) and message.name == LOOK
        self.forging.look(timer=True)
        if self.workshop.may_end.is_set():
            self.settle()

    def pass_time(self, seconds: float) -> Bench:
        """Looks every 5 s, but of a long time only now and then."""
        end = self.clock.monotonic() + seconds
        step = max(400.0, seconds / 200)
        while (left := end - self.clock.monotonic()) > 1e-6:
            if left > 20.0:
                self.clock.advance(min(step, left - 10.0))
            self.context.pass_time(min(10.0, end - self.clock.monotonic()), self.receive)
        return self

    def fail(self, group: str = "g", remedy: RemedyKind = RemedyKind.CODE, **more: Any) -> None:
        """A failure, now."""
        triage = more.pop("triage", found(remedy))
        fault = a_fault(KeyError("x"), at=self.clock.utc_now(), source="readings")
        wanted = {"record": RECORD, "entry": "foureyes_actors.readings.parse:parse", "port": "http.exchange", **more}
        recorded = FaultRecorded(fault, group, wanted.pop("occurrences", 1), **wanted)
        self.forging.offer(recorded, triage)

    def reproduced(self, group: str = "g", level: Level = Level.WIRE) -> None:
        self.workshop.confirmations[group] = confirmed(level)
        self.forging.reproduced(group, confirmed(level))
        self.settle()

    def bitten(self, source: str = "readings") -> None:
        """Cerberus has restarted it, and it stayed up."""
        event = Event(
            id="e",
            kind=EventKind.HEAD_BITTEN,
            at=self.clock.utc_now() + timedelta(seconds=1),
            subject=source,
            before=None,
            after=outcome(next(iter(Head)), recovered=True, took=1.0),
            reason="KeyError: x",
            seconds=1.0,
        )
        self.forging.heard(event)

    def decision(self, decision_id: str = "FORGE-2026-001") -> Decision:
        found = self.ledger.get(decision_id)
        assert found is not None
        return found

    def state(self) -> State:
        """On the disk."""
        return self.decision().state

    @property
    def way(self) -> list[str]:
        return [step.state.value for step in self.decision().history]

    @property
    def status(self) -> dict[str, Any]:
        return self.forging.status()


def applied_and_watched(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.fail(remedy=RemedyKind.CONFIGURATION, occurrences=3)
    bench.reproduced()
    bench = bench.next_run()
    assert bench.state() is State.WATCHED
    return bench


def groups(bench: Bench, count: int, remedy: RemedyKind, first: int = 0) -> list[State]:
    for number in range(first, first + count):
        bench.fail(f"g{number}", remedy, occurrences=3)
        bench.reproduced(f"g{number}")
    bench.settle()
    return [each.state for each in bench.ledger.page().decisions]


def at_work(bench: Bench, what: str) -> None:
    eventually(lambda: bench.workshop.did[-1:] == [what], 20.0, f"{what} is at work")
