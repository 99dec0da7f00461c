"""A recorded failure, a fixer and a gate: at most so many attempts, each in a worktree of its own; a proposal."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from foureyes_actors.bug.redact import Redactor, has_token
from foureyes_actors.errors import FourEyesError, MissingExtraError
from foureyes_actors.forgewright.proposal import Attempt, Outcome, Proposal
from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.process import ProcessPort
from foureyes_actors.text import one_line
from t00l5et.fixing.contract import Contract, run_contract
from t00l5et.fixing.diffs import files_of
from t00l5et.fixing.fixer import Answer, Assignment, Fixer
from t00l5et.fixing.git import Git, discard, fresh_folder, worktree
from t00l5et.fixing.prompt import prompt_of
from t00l5et.fixing.sources import places, sources
from t00l5et.fixing.task import Earlier, Facts, task_of
from t00l5et.fixing.work import GATE, PATCH, PROMPT, SAID, TASK, Finished, Work
from t00l5et.sandbox import Sandbox

FIXER, SECRET, REPEATED, BROKEN = "fixer", "secret", "repeated", "gate"  # rules that are not the gate's
Say = Callable[[str], None]


class Report(Protocol):
    """What the gate says; see ``t00l5et.gate``."""

    @property
    def passed(self) -> bool: ...
    @property
    def rule(self) -> str: ...
    @property
    def reason(self) -> str: ...
    def document(self) -> dict[str, Any]: ...


Gate = Callable[[bytes, Say], Report]


class Impossible(FourEyesError):
    """No attempt can be made or judged here; the message says what would have to change."""


@dataclass(frozen=True, slots=True)
class Plan:
    """``platform``: absolute. ``record``: its record, of which nothing is believed. ``siblings`` stay with the gate."""

    platform: Path
    record: Mapping[str, Any] = field(repr=False)
    blob: Callable[[str], bytes]
    git: Git
    base: str
    rules: tuple[str, ...]
    attempts: int
    seconds: float
    sandbox: Sandbox

    @property
    def id(self) -> str:
        return str(self.record.get("id", ""))


class Fixing:
    def __init__(
        self,
        plan: Plan,
        work: Work,
        fixer: Fixer,
        gate: Gate,
        *,
        processes: ProcessPort,
        clock: Clock,
        redactor: Redactor,
        say: Say,
    ) -> None:
        """``redactor`` knows the configured secrets, and those of the fixer's environment."""
        self._plan, self._work, self._fixer, self._gate = plan, work, fixer, gate
        self._processes, self._clock, self._redactor, self._say = processes, clock, redactor, say

    def run(self) -> Proposal:
        """Goes on where an earlier run was ended. What that one found to have passed the gate is examined anew: the
        file that says so is data from anywhere. Raises Impossible, GitError, ProcessError, OSError."""
        self._sweep()
        finished = self._work.finished()
        if finished and not finished[-1].attempt.rule:
            finished.append(self._once_more(finished.pop(), finished))
        done = self._concluded(finished)
        if done is not None:
            self._say("it was done before")
            return done
        try:
            facts = self._facts()
            for number in range(len(finished) + 1, self._plan.attempts + 1):
                finished.append(self._attempt(number, facts, finished))
                if not finished[-1].attempt.rule:
                    break
            proposal = self._proposal(finished)
            self._work.conclude(proposal)
            return proposal
        finally:
            self._sweep()

    def _concluded(self, finished: Sequence[Finished]) -> Proposal | None:
        """An end that stands: it passed, or there are no more attempts."""
        over = bool(finished) and (not finished[-1].attempt.rule or len(finished) >= self._plan.attempts)
        if not over:
            return None
        proposal = self._proposal(finished)
        self._work.conclude(proposal)  # again: it may have been ended between the two
        return proposal

    def _proposal(self, finished: Sequence[Finished]) -> Proposal:
        attempts = tuple(each.attempt for each in finished)
        last = finished[-1]
        if last.attempt.rule:
            reason = f"{len(attempts)} attempts, the last one: {last.attempt.rule}: {last.attempt.reason}"
            return Proposal(Outcome.STOPPED, reason, self._plan.base, "", attempts)
        reason = f"attempt {last.attempt.number} passed the gate: {last.attempt.reason}".rstrip(": ")
        files = files_of(last.patch)
        return Proposal(Outcome.PASSED, reason, self._plan.base, last.digest, attempts, files)

    # --- what is the same for all attempts ---

    def _facts(self) -> Facts:
        plan = self._plan
        self._say(f"the contract test at {plan.base[:12]}")
        box = fresh_folder(self._work.scratch / "box")
        with worktree(plan.git, self._work.scratch / "base", plan.base) as tree:
            found = run_contract(plan.platform, plan.id, tree, box, self._processes, self._clock, plan.sandbox)
            if found.contract is not Contract.FAILS:
                raise Impossible(_why_not(found.contract, found.output, plan.base))
            return Facts(
                record=plan.record,
                base=plan.base,
                places=places(plan.record, tree),
                sources=sources(plan.record, tree, self._fixer.budget),
                test=f"{plan.platform.name}/test_{plan.platform.name}.py",
                output=found.output,
                rules=plan.rules,
                budget=self._fixer.budget,
            )

    def _sweep(self) -> None:
        """What this run, or one that was killed, has left."""
        scratch = self._work.scratch
        for folder in sorted(scratch.iterdir()) if scratch.is_dir() else ():
            discard(self._plan.git, folder)

    # --- one attempt ---

    def _attempt(self, number: int, facts: Facts, finished: Sequence[Finished]) -> Finished:
        began = self._clock.monotonic()
        self._work.forget(number)
        self._say(f"attempt {number} of {self._plan.attempts}: {one_line(self._fixer.name, 80)} is asked")
        answer = self._asked(number, facts, finished)
        digest = hashlib.sha256(answer.patch).hexdigest() if answer.patch is not None else ""
        rule, reason = self._judged(number, answer, digest, finished)
        reason = one_line(self._redactor.text(reason), 300)
        self._say(f"attempt {number}: {f'stopped: {rule}: {reason}' if rule else 'passed the gate'}")
        attempt = Attempt(number, rule, reason, round(self._clock.monotonic() - began, 3))
        self._work.finish(attempt, digest)
        return Finished(attempt, digest, (answer.patch or b"") if rule != SECRET else b"")

    def _asked(self, number: int, facts: Facts, finished: Sequence[Finished]) -> Answer:
        earlier = [_earlier(each) for each in finished]
        task = task_of(facts, number, earlier, self._redactor, self._plan.blob)
        self._work.keep_json(number, TASK, task)
        self._work.keep(number, PROMPT, prompt_of(task).encode("utf-8", "backslashreplace"))
        scratch = fresh_folder(self._work.scratch / f"answer_{number}")
        try:
            with worktree(self._plan.git, self._work.scratch / f"tree_{number}", self._plan.base) as tree:
                task_file, prompt = (self._work.path(number, name) for name in (TASK, PROMPT))
                answer = self._fixer.propose(Assignment(task_file, prompt, tree, scratch, self._plan.seconds))
        finally:
            discard(self._plan.git, scratch)  # what it printed may hold a secret
        if answer.said:
            self._work.keep(number, SAID, self._redactor.text(answer.said).encode("utf-8", "backslashreplace"))
        return answer

    def _once_more(self, kept: Finished, earlier: Sequence[Finished]) -> Finished:
        """Nobody is asked for it again."""
        number, digest = kept.attempt.number, hashlib.sha256(kept.patch).hexdigest()
        self._say(f"attempt {number}: what is kept is examined again")
        rule, reason = self._judged(number, Answer(kept.patch), digest, earlier)
        attempt = replace(kept.attempt, rule=rule, reason=one_line(self._redactor.text(reason), 300))
        self._work.finish(attempt, digest)
        return Finished(attempt, digest, kept.patch if rule != SECRET else b"")

    def _judged(self, number: int, answer: Answer, digest: str, finished: Sequence[Finished]) -> tuple[str, str]:
        """The rule that stopped it, or none, and why."""
        if answer.patch is None:
            return FIXER, answer.reason
        if _has_secret(answer.patch, self._redactor):
            masked = self._redactor.text(answer.patch.decode("utf-8", "replace"))
            self._work.keep(number, PATCH, masked.encode("utf-8", "backslashreplace"))
            return SECRET, "there is a secret in the diff: it is masked in what is kept, and the diff is not used"
        self._work.keep(number, PATCH, answer.patch)
        same = next((each for each in finished if each.digest == digest), None)
        if same is not None:
            first = same.attempt
            return REPEATED, f"the same diff as attempt {first.number}, which was stopped: {first.rule}: {first.reason}"
        return self._examined(number, answer.patch)

    def _examined(self, number: int, patch: bytes) -> tuple[str, str]:
        try:
            report = self._gate(patch, lambda words: self._say(f"attempt {number}: {one_line(words, 300)}"))
        except MissingExtraError as error:
            raise Impossible(str(error)) from error
        except (FourEyesError, OSError) as error:
            return BROKEN, f"the gate could not examine it: {type(error).__name__}: {error}"
        self._work.keep_json(number, GATE, report.document())
        if report.passed:
            return "", report.reason
        return report.rule or BROKEN, report.reason


def _earlier(found: Finished) -> Earlier:
    attempt = found.attempt
    diff = found.patch.decode("utf-8", "replace") if attempt.rule != SECRET else ""
    return Earlier(attempt.number, attempt.rule, attempt.reason, diff)


def _has_secret(patch: bytes, redactor: Redactor) -> bool:
    """A configured one anywhere, or what has a token's form in a line that is added. What merely has a telling name
    (``token=token``) is ordinary in a program."""
    text = patch.decode("utf-8", "replace")
    added = "\n".join(line[1:] for line in text.splitlines() if line.startswith("+"))
    return redactor.configured(text) != text or has_token(added)


def _why_not(contract: Contract, output: str, base: str) -> str:
    last = one_line(output.splitlines()[-1] if output else "", 200)
    if contract is Contract.HOLDS:
        return f"the contract test passes at {base[:12]}: there is nothing that a patch could be measured by"
    return f"the contract test cannot be run at {base[:12]}: {last}"
