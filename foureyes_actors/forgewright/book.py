"""The decisions as the actor has them in memory: never ahead of the disk. Used in the actor's thread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from foureyes_actors.forgewright import course
from foureyes_actors.forgewright.budget import DAY, Budget, budget
from foureyes_actors.forgewright.decision import MOST, PLATFORM_PATTERN, Decision, new, pattern_key, triaged
from foureyes_actors.forgewright.ledger import Ledger, Page
from foureyes_actors.forgewright.states import CLOSED
from foureyes_actors.forgewright.triage import Triage
from foureyes_actors.messages import FaultRecorded
from foureyes_actors.settings.forgewright import ForgewrightSettings
from foureyes_actors.text import one_line

MAX_OPEN = 200  # decisions that are busy, or of the last day; more failures are only counted
MAX_TOLD = 200  # at the start
BUDGET_KEPT = 1.0  # seconds


class Book:
    """``changed`` is told of each decision that has become another one, with the one before. What writes raises
    OSError, LedgerBusy, Outdated."""

    def __init__(self, ledger: Ledger, changed: Callable[[Decision, Decision | None], None]) -> None:
        self._ledger, self._changed = ledger, changed
        self._decisions: dict[str, Decision] = {}
        self._groups: dict[str, str] = {}  # -> the id of a decision
        self._open: dict[str, None] = {}  # ids of those that are not closed, in order
        self._budget: tuple[float, Budget] | None = None
        self._stamp: object = None
        self.broken: tuple[str, ...] = ()
        self.turned_away = 0

    def begin(self, page: Page) -> None:
        """Those that changed last are told: the store may have missed some."""
        self.broken = page.broken
        for decision in page.decisions:
            self._keep(decision)
        for decision in sorted(page.decisions, key=lambda each: each.history[-1].at)[-MAX_TOLD:]:
            self._changed(decision, None)

    def read_again(self) -> None:
        """What a person has said by a command."""
        stamp = self._ledger.stamp()
        if stamp == self._stamp:
            return
        page = self._ledger.page()
        self._stamp, self.broken = stamp, page.broken
        for decision in page.decisions:
            before = self._decisions.get(decision.id)
            if before is None or decision.revision > before.revision:
                self._keep(decision)
                self._changed(decision, before)

    def forget_stamp(self) -> None:
        """Whatever is there is read again."""
        self._stamp = None

    def save(self, decision: Decision) -> None:
        before = self._decisions.get(decision.id)
        saved = self._ledger.save(decision)
        self._keep(saved)
        self._changed(saved, before)

    def note(self, decision: Decision) -> None:
        """On the disk with its next step."""
        self._keep(decision)

    def full(self, now: float) -> bool:
        """A storm of failures makes no storm of files."""
        kept = self._decisions.values()
        return sum(course.busy(each) or now - each.opened < DAY for each in kept) >= MAX_OPEN

    def open(self, recorded: FaultRecorded, found: Triage, why: str, now: float) -> None:
        """A decision for a failure that has none, unless there are too many."""
        if self.full(now):
            self.turned_away += 1
            return
        fault, entry = recorded.fault, recorded.entry or recorded.fault.component
        key = pattern_key(found.bug_class, entry, recorded.fingerprint)
        kin: list[Decision] = []

        def make(decision_id: str) -> Decision:
            made = new(
                decision_id,
                key,
                group=recorded.fingerprint,
                source=fault.source,
                entry=entry,
                exception_type=fault.exception_type,
                now=fault.at.timestamp(),
            )
            made = replace(
                triaged(made, found),
                trigger=one_line(why, 200),
                record=one_line(recorded.record, 100),
                port=one_line(recorded.port, 100),
                occurrences=min(recorded.occurrences, MOST),
            )
            kin[:] = course.kin(made, self.all, now)
            return course.related(made, kin)

        made = self._ledger.open(key, fault.at.year, make)
        self._keep(made)
        self._changed(made, None)
        for other in kin:
            if other.category != PLATFORM_PATTERN:  # the others are of one already
                self.save(course.related(other, [made]))

    # --- looking ---

    @property
    def all(self) -> list[Decision]:
        return list(self._decisions.values())

    @property
    def open_ids(self) -> list[str]:
        """Of those that may have something before them; who failed comes last."""
        return list(self._open)

    def last(self, decision_id: str) -> None:
        """Its turn comes after that of all others."""
        if decision_id in self._open:
            del self._open[decision_id]
            self._open[decision_id] = None

    def get(self, decision_id: str) -> Decision | None:
        return self._decisions.get(decision_id)

    def of_group(self, group: str) -> Decision | None:
        return self._decisions.get(self._groups.get(one_line(group, 200), ""))

    def budget(self, allowed: ForgewrightSettings, now: float) -> Budget:
        if self._budget is None or not 0 <= now - self._budget[0] < BUDGET_KEPT:
            fixes, applications = allowed.fixer.per_day, allowed.applications_per_day
            self._budget = now, budget(self.all, now, fixes=fixes, applications=applications)
        return self._budget[1]

    def by_state(self) -> dict[str, int]:
        return dict(Counter(each.state.value for each in self._decisions.values()))

    def _keep(self, decision: Decision) -> None:
        before = self._decisions.get(decision.id)
        self._decisions[decision.id] = decision
        self._groups.setdefault(decision.group, decision.id)
        if decision.state in CLOSED:
            self._open.pop(decision.id, None)
        else:
            self._open.setdefault(decision.id)
        if before is None or before.history != decision.history:
            self._budget = None
