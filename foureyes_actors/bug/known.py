"""What the bug actor knows of each group of failures: when they happened, in this run and before, and whether they
recur. Used in one thread."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from foureyes_actors.bug.condition import Condition, condition
from foureyes_actors.bug.recurrence import History, milliseconds, recurrence
from foureyes_actors.bug.severity import Severity
from foureyes_actors.ports.error_history import RECENT, Form, recent_of
from foureyes_actors.settings.bug import BugSettings

MAX_GROUPS = 1000


@dataclass(slots=True)
class _Group:
    all: History = field(default_factory=History)
    unsent: History = field(default_factory=History)  # not yet in a document that the recorder took
    why: str = ""  # it recurs, as far as was last looked


class Known:
    def __init__(self, settings: BugSettings) -> None:
        self._settings = settings
        self._groups: OrderedDict[str, _Group] = OrderedDict()
        self._errors: deque[int] = deque(maxlen=RECENT)
        self._critical: deque[int] = deque(maxlen=RECENT)

    def count(self, fingerprint: str, at: datetime, severity: Severity) -> None:
        group = self._group(fingerprint)
        group.all.add(at)
        group.unsent.add(at)
        self._errors.append(milliseconds(at))
        if severity is Severity.CRITICAL:
            self._critical.append(milliseconds(at))

    def unsent(self, fingerprint: str) -> Form:
        """What the group's next document adds to the store's history."""
        return self._group(fingerprint).unsent.form()

    def sent(self, fingerprint: str) -> None:
        self._group(fingerprint).unsent = History()

    def recurrence(self, fingerprint: str, now: datetime) -> str:
        """Why the group recurs; empty when it does not."""
        group = self._group(fingerprint)
        group.why = recurrence(group.all, now, self._settings.recurrence)
        return group.why

    def load(self, stored: Mapping[str, Mapping[str, Any]], now: datetime) -> None:
        """What the store has, once an incarnation. It may have been asked before or after it got what this one sent:
        the moments tell."""
        for fingerprint, history in stored.items():
            group = self._group(fingerprint)
            has_ours = set(recent_of(history)) & set(group.all.recent)
            group.all = (group.unsent if has_ours else group.all).merge(history)
            group.why = recurrence(group.all, now, self._settings.recurrence)

    def condition(self, now: datetime) -> Condition:
        return condition(self._errors, self._critical, now, self._settings.condition)

    @property
    def recurring(self) -> int:
        """Groups that recurred when they were last looked at."""
        return sum(1 for group in self._groups.values() if group.why)

    def _group(self, fingerprint: str) -> _Group:
        group = self._groups.pop(fingerprint, None) or _Group()
        self._groups[fingerprint] = group
        if len(self._groups) > MAX_GROUPS:
            self._groups.popitem(last=False)
        return group
