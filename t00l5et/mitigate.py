"""Whether another deadline is proven to help with a recorded failure: the exchange is played on a wire with the value
that was and with the new one, three times, each in a process and a sandbox of its own. Only where the first fails as it
was recorded and the second does not is anything proven.

No record of silence holds the reply that would have come. With ``late`` one is assumed: the least that FourEyes takes
for an answer, so many seconds after the request.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foureyes_actors.errors import ProcessError
from foureyes_actors.forgewright.knobs import KNOBS
from foureyes_actors.forgewright.proof import Proof
from foureyes_actors.inference.tasks import task_schema
from foureyes_actors.messages import Task
from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.http import HttpReply
from foureyes_actors.ports.process import ProcessPort
from foureyes_actors.replay.codec import CodecError
from foureyes_actors.replay.program import t00l5et
from foureyes_actors.replay.replaying import Outcome, Replay, Verdict
from foureyes_actors.text import bounded, one_line
from t00l5et.confirm import RUNS, VERDICT
from t00l5et.reproduction import Reproduction, source
from t00l5et.sandbox import Limits, Sandbox, best_sandbox, run_inside
from t00l5et.wire.replay import Late, WireReplay
from t00l5et.wire.script import NotPlayable

NOT_PLAYED = "not played"
MOST_LATE = 86_400.0  # seconds
MAX_WORDS = 200  # characters of one verdict


@dataclass(frozen=True, slots=True)
class Wanted:
    """``was``: the value in force; None: the recorded one. ``late``: seconds after which a reply is assumed."""

    key: str
    value: float
    was: float | None = None
    late: float | None = None

    @property
    def arguments(self) -> list[str]:
        given = {"--was": self.was, "--late": self.late}
        optional = [text for name, each in given.items() if each is not None for text in (name, repr(each))]
        return ["--key", self.key, "--value", repr(self.value), *optional]


@dataclass(frozen=True, slots=True)
class Weighed:
    """One run. ``before``, ``after``: the outcomes with the value that was, and with the new one. ``reason``: of the
    one that is not as it should be."""

    before: str
    after: str
    reason: str = ""

    @property
    def proves(self) -> bool:
        return (self.before, self.after) == (Outcome.SAME, Outcome.NONE)


# --- in the sandbox ---


def weigh(reproduction: Reproduction, wanted: Wanted) -> Weighed:
    """Once, in this process. Never raises for what a record holds."""
    try:
        document = reproduction.document()
        late = None if wanted.late is None else Late(wanted.late, least_answer(document, reproduction))
        wire = WireReplay(document, reproduction.blob)
        before = wire.verdict(source, {} if wanted.was is None else {wanted.key: wanted.was}, late)
        after = wire.verdict(source, {wanted.key: wanted.value}, late)
    except (NotPlayable, CodecError, ValueError, OSError) as error:
        words = str(error) or "nothing was exchanged on a wire"
        return Weighed(NOT_PLAYED, NOT_PLAYED, one_line(words, MAX_WORDS))
    other = before if before.outcome is not Outcome.SAME else after
    return Weighed(before.outcome, after.outcome, one_line(_words(other), MAX_WORDS))


def least_answer(document: Any, reproduction: Reproduction) -> HttpReply:
    """What the model would have said that sees nothing: ``unknown`` and null. Raises ValueError when the record is not
    about a question to a model."""
    given = Replay(document, reproduction.blob).arguments
    model, tasks = given.get("model"), given.get("tasks")
    if not isinstance(model, str) or not isinstance(tasks, Sequence) or not all(isinstance(t, Task) for t in tasks):
        raise ValueError("a late reply is assumed of a model that was asked about a frame, and of nothing else")
    content = json.dumps({task.value: _least(task_schema(task)) for task in tasks})
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    body = json.dumps({"object": "chat.completion", "model": model, "choices": [choice]}).encode()
    return HttpReply(200, {"Content-Type": "application/json"}, body)


def _least(schema: Mapping[str, Any]) -> Any:
    if "enum" in schema:
        return "unknown" if "unknown" in schema["enum"] else schema["enum"][0]
    if "properties" in schema:
        return {name: _least(each) for name, each in schema["properties"].items()}
    return None


def _words(verdict: Verdict) -> str:
    return f"{verdict.outcome}: {verdict.reason}" if verdict.reason else str(verdict.outcome)


# --- outside ---


def prove(
    folder: Path, wanted: Wanted, processes: ProcessPort, clock: Clock, runs: int = RUNS, limits: Limits | None = None
) -> Proof:
    """A weak sandbox will do: a record runs nothing but FourEyes's own code."""
    refusal = _refusal(wanted)
    if refusal:
        return Proof(wanted.key, wanted.value, False, refusal, 0, wanted.was, wanted.late)
    sandbox = best_sandbox(processes, clock)
    found = [_run(folder.absolute(), wanted, processes, clock, sandbox, limits or Limits()) for _ in range(runs)]
    return judged(wanted, found, str(sandbox))


def judged(wanted: Wanted, found: Sequence[Weighed], sandbox: str = "") -> Proof:
    """Proven is what each run has proven."""
    proven = bool(found) and all(run.proves for run in found)
    reason = _success(wanted) if proven else _failure(wanted, found)
    return Proof(wanted.key, wanted.value, proven, reason, len(found), wanted.was, wanted.late, sandbox)


def _refusal(wanted: Wanted) -> str:
    """What need not be tried; empty: it is to be tried."""
    knob = KNOBS.get(wanted.key)
    if knob is None:
        return f"it is not one of the settings that may be changed for a while: {', '.join(KNOBS)}"
    if not knob.replayed:
        return "no record says what would have come of another value"
    if not knob.admits(wanted.value):
        return f"the value is not within {knob.bounds}"
    if wanted.late is not None and not 0 < wanted.late < MOST_LATE:
        return "a reply cannot be assumed at that time"
    return ""


def _run(
    folder: Path, wanted: Wanted, processes: ProcessPort, clock: Clock, sandbox: Sandbox, limits: Limits
) -> Weighed:
    try:
        command = wanted.arguments
        result = run_inside(sandbox, lambda at: t00l5et("weigh", at, *command), folder, processes, clock, limits)
    except ProcessError as error:
        return Weighed("not started", "", str(error))
    if result.exit_code is None:
        return Weighed("no end", "", f"not within {limits.seconds:g} s")
    for line in reversed(result.lines):
        if line.startswith(VERDICT) and (found := _read(line.removeprefix(VERDICT))) is not None:
            return found
    last = result.lines[-1] if result.lines else ""
    return Weighed("broken off", "", bounded(f"exit code {result.exit_code}: {last}", 300))


def _read(line: str) -> Weighed | None:
    try:
        found = json.loads(line)
        return Weighed(str(found["before"]), str(found["after"]), str(found["reason"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _success(wanted: Wanted) -> str:
    reply = "the recorded reply" if wanted.late is None else f"a reply after {wanted.late:g} s"
    return f"{reply} is too late {_with(wanted)} and in time with {wanted.value:g}"


def _failure(wanted: Wanted, found: Sequence[Weighed]) -> str:
    worst = next(run for run in found if not run.proves)
    proving = sum(run.proves for run in found)
    some = f"only {proving} of {len(found)} runs: " if proving else ""
    if not worst.after or worst.before == NOT_PLAYED:
        return f"{some}{worst.before}: {worst.reason}"
    if worst.before != Outcome.SAME:
        return f"{some}{_with(wanted)} it does not fail as it did: {worst.reason or worst.before}"
    again = Counter(run.after for run in found)[Outcome.SAME] == len(found)
    why = "; no reply was recorded, and none is assumed" if again and wanted.late is None else ""
    return f"{some}with {wanted.value:g} it fails too: {worst.reason}{why}"


def _with(wanted: Wanted) -> str:
    return "with the recorded value" if wanted.was is None else f"with {wanted.was:g}"
