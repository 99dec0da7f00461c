"""Whether a model's answers can be used: what is told when they cannot any more, and when they can again. Pure.

The model server may be well meanwhile: another model answers, or the answers are no JSON, or empty. Readings are stale
then, and nothing else would be heard of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from foureyes_actors.messages import EventKind, Task
from foureyes_actors.readings.events import Change

IN_A_ROW = 3  # failures of a task, before it is told: one bad answer is no news
TELL_EVERY = 60.0  # seconds from one such news about a model to the next
USABLE, UNUSABLE = "usable", "unusable"


@dataclass(frozen=True, slots=True)
class Run:
    """Failures of one task in a row. ``since``: of the first one, monotonic seconds."""

    since: float
    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class Answers:
    """Of one model. ``told``: the tasks that were said to have no answer; ``begun``: when the first of them failed;
    ``told_at``: when that was said last."""

    runs: Mapping[Task, Run] = field(default_factory=dict)
    told: frozenset[Task] = frozenset()
    begun: float = 0.0
    told_at: float | None = None


def heard(
    answers: Answers, model: str, answered: Iterable[Task], failures: Mapping[Task, str], now: float
) -> tuple[Answers, Change | None]:
    """After an analysis. ``failures``: the reasons. ``now``: monotonic seconds."""
    back = set(answered)
    runs = {task: run for task, run in answers.runs.items() if task not in back}
    for task, reason in failures.items():
        run = runs.get(task, Run(now, 0, reason))
        runs[task] = replace(run, number=run.number + 1, reason=reason)
    answers = replace(answers, runs=runs)
    if answers.told and not answers.told - back:
        usable = Change(EventKind.ANSWERS_CHANGED, model, UNUSABLE, USABLE, seconds=now - answers.begun)
        return replace(answers, told=frozenset()), usable
    answers = replace(answers, told=answers.told - back)
    lasting = {task: run for task, run in runs.items() if run.number >= IN_A_ROW and task not in answers.told}
    if not lasting or (answers.told_at is not None and now - answers.told_at < TELL_EVERY):
        return answers, None
    return _unusable(answers, model, lasting, whole=not back and set(lasting) == set(failures), now=now)


def _unusable(
    answers: Answers, model: str, lasting: Mapping[Task, Run], *, whole: bool, now: float
) -> tuple[Answers, Change]:
    since = min(run.since for run in lasting.values())
    reasons = "; ".join(dict.fromkeys(run.reason for run in lasting.values()))
    about = "" if whole else f"about {', '.join(sorted(lasting))}: "
    change = Change(EventKind.ANSWERS_CHANGED, model, USABLE, UNUSABLE, f"{about}{reasons}", now - since)
    begun = answers.begun if answers.told else since
    return replace(answers, told=answers.told | set(lasting), begun=begun, told_at=now), change
