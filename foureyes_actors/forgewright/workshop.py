"""Does the work on decisions: with t00l5et as a program, in a worker's thread or for a command. Each piece of work that
is done again does nothing more, so that whoever ends in the middle may begin again."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from foureyes_actors.bug.keeper import kept_record
from foureyes_actors.forgewright import mitigations
from foureyes_actors.forgewright.budget import Budget, budget
from foureyes_actors.forgewright.course import UNTIL
from foureyes_actors.forgewright.decision import REVIEW, Decision
from foureyes_actors.forgewright.knobs import KNOBS, Change, candidates
from foureyes_actors.forgewright.landing import Landed, Landing, landing_from
from foureyes_actors.forgewright.latencies import Observed
from foureyes_actors.forgewright.ledger import Ledger
from foureyes_actors.forgewright.programs import last_word
from foureyes_actors.forgewright.proof import Proof, proof_from
from foureyes_actors.forgewright.proposal import PROPOSAL, Proposal, proposal_from
from foureyes_actors.forgewright.proposal import Outcome as Proposed
from foureyes_actors.forgewright.states import State
from foureyes_actors.forgewright.triage import RemedyKind
from foureyes_actors.forgewright.work import Outcome
from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.private_folder import LocalPrivateFolder, PrivateFolder
from foureyes_actors.ports.process import ProcessPort
from foureyes_actors.replay.confirmation import Confirmation
from foureyes_actors.replay.platform import folder_of
from foureyes_actors.replay.platform_folder import platform_of, platforms
from foureyes_actors.replay.program import ROOT
from foureyes_actors.settings import Settings
from foureyes_actors.text import one_line

PROOF_WITHIN = 600.0  # seconds
LANDING_WITHIN = 600.0
GATE_WITHIN = 3 * 3600.0  # of each attempt, the test suite above all
MAX_PATCH = 256 * 1024  # bytes that are shown
SETTING = ("key", "was", "value", "by_itself")  # facts that say what would be put
ASSUMED = "it rests on an assumption, so a person decides"
UNNAMED = "it does not say which patch passed the gate"
T = TypeVar("T")
Remember = Callable[[Mapping[str, Any]], Observed]  # of the model that a record is about


class LocalWorkshop:
    """``work.Workshop``. ``platforms``: the folder. ``observed``: how long that model's answers took."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        processes: ProcessPort,
        clock: Clock,
        *,
        observed: Remember = lambda _document: Observed(),
        repository: Path = ROOT,
    ) -> None:
        self._settings, self._ledger, self._processes, self._clock = settings, ledger, processes, clock
        self._observed, self._repository = observed, repository
        self._place = settings.platforms_dir
        self._platforms: PrivateFolder = LocalPrivateFolder(settings.platforms_dir)
        self._mitigations: PrivateFolder = LocalPrivateFolder(settings.data_dir / mitigations.MITIGATIONS)
        self._proven: tuple[str, Mapping[str, Any]] = ("", {})  # decision, facts: the last proof of this process

    def confirmation(self, decision: Decision) -> Confirmation | None:
        found = platform_of(self._platforms, decision.record, decision.group)
        return found.confirmation if found is not None else None

    def budget(self, decisions: Sequence[Decision]) -> Budget:
        allowed = self._settings.forgewright
        return budget(decisions, self._now(), fixes=allowed.fixer.per_day, applications=allowed.applications_per_day)

    # --- a setting ---

    def prove(self, decision: Decision, cancelled: threading.Event) -> Outcome:
        """The cheapest setting that helps on the wire and may be set by itself; else one that a person may set."""
        document = self._document(decision)
        if document is None:
            return Outcome(State.DEFERRED, "its record is gone")
        wanted = candidates(document, self._settings, self._observed(document))
        tried: list[str] = []
        for change in sorted(wanted, key=lambda each: not each.by_itself):
            if not KNOBS[change.key].replayed:
                tried.append(f"{_words(change)} {change.reason}")
                continue
            proof = self._proof(decision, change, cancelled)
            if proof.proven:
                self._proven = decision.id, (facts := _facts(change, proof))
                return Outcome(State.VERIFIED, f"{_words(change)}: {proof.reason}", facts)
            tried.append(f"{_words(change)} does not help: {proof.reason}")
        if not tried:
            return Outcome(State.REJECTED, "there is no setting within its bounds that could help")
        return Outcome(State.REJECTED, one_line("; ".join(tried), 290))

    def put(self, decision: Decision, cancelled: threading.Event) -> Outcome:
        """For seven days. One that is an assumption, or beyond what may be done unasked, a person decides on. A file
        that says that it was proven is data: what this process has not proven itself is proven anew."""
        facts = decision.remedy_facts
        if not facts.get("by_itself"):
            return Outcome(State.AWAITING_APPROVAL, ASSUMED)
        if not self._has_proven(decision):
            again = self.prove(decision, cancelled)
            if again.state is not State.VERIFIED:
                return Outcome(again.state, f"proven anew: {again.note}")
            facts = again.facts
            if not facts.get("by_itself"):
                return Outcome(State.AWAITING_APPROVAL, ASSUMED, facts)
        found = self._put(decision, facts)
        return replace(found, facts={**facts, **found.facts})

    def _has_proven(self, decision: Decision) -> bool:
        known, facts = self._proven
        shown = (decision.remedy_facts.get(name) for name in SETTING)
        return known == decision.id and [facts.get(name) for name in SETTING] == list(shown)

    def _put(self, decision: Decision, facts: Mapping[str, Any]) -> Outcome:
        now = self._now()
        was, value = facts.get("was"), facts.get("value")
        if not isinstance(was, (int, float)) or not isinstance(value, (int, float)):
            return Outcome(State.DEFERRED, "it does not say which setting")
        wanted = mitigations.mitigation(decision.id, str(facts.get("key")), was, value, now)
        mitigations.put(self._mitigations, wanted, now)
        return Outcome(State.APPLIED, str(wanted), {"lasts": wanted.lasting, UNTIL: wanted.until})

    def _proof(self, decision: Decision, change: Change, cancelled: threading.Event) -> Proof:
        late = () if change.late is None else ("--late", f"{change.late:g}")
        numbers = ("--value", f"{change.value:g}", "--was", f"{change.was:g}", *late)
        command = ("mitigate", str(self._folder(decision)), "--key", change.key, *numbers, "--json", "--background")
        return self._word(command, proof_from, cancelled, PROOF_WITHIN)

    # --- a patch ---

    def fix(self, decision: Decision, cancelled: threading.Event) -> Outcome:
        wanted, work = self._settings.forgewright.fixer, self._work(decision)
        found = self._word(self._fix_command(decision, work), proposal_from, cancelled, self._fix_within())
        attempts = [f"{each.number}: {each.rule or 'passed'}" for each in found.attempts]
        facts = {
            "fixer": wanted.model or one_line(wanted.command, 120),
            "attempts": attempts,
            "base": found.base,
            "digest": found.digest,
            "files": list(found.files),
            "work": str(work),
        }
        state = {Proposed.PASSED: State.VERIFIED, Proposed.STOPPED: State.REJECTED}.get(found.outcome, State.DEFERRED)
        return Outcome(state, found.reason, facts)

    def branch(self, decision: Decision, cancelled: threading.Event) -> Outcome:
        digest = _digest(decision)
        if not digest:
            return Outcome(State.DEFERRED, UNNAMED)
        command = ("branch", "--work", str(self._work(decision)), "--decision", decision.id, "--patch", digest)
        found = self._landing(command, cancelled)
        if found.result is Landed.REFUSED:
            return Outcome(State.DEFERRED, f"no branch could be made: {found.reason}")
        return Outcome(State.AWAITING_APPROVAL, f"branch {found.branch}", {"branch": found.branch})

    def patch(self, decision: Decision) -> str:
        """The diff that passed the gate, as text for people; empty: there is none."""
        digest = _digest(decision)
        if decision.remedy is not RemedyKind.CODE or not digest:
            return ""
        work = self._work(decision)
        found = _read_proposal(work)
        number = found.attempts[-1].number if found and found.digest else 0
        try:
            data = LocalPrivateFolder(work).read(f"attempt_{number}/patch.diff")
        except (OSError, ValueError):
            return ""
        if hashlib.sha256(data).hexdigest() != digest:
            return "(the patch that is kept here is not the one that passed the gate: look at the branch)"
        return "\n".join(one_line(line, 500) for line in data[:MAX_PATCH].decode("utf-8", "replace").splitlines())

    # --- a person's word, and the way back ---

    def apply(self, decision: Decision) -> Outcome:
        """A patch is merged into what is checked out, a setting is put into force."""
        if decision.remedy is RemedyKind.CONFIGURATION:
            return self._put(decision, decision.remedy_facts)
        digest = _digest(decision)
        if not digest:
            return Outcome(decision.state, UNNAMED)
        found = self._landing(("apply", "--decision", decision.id, "--patch", digest), threading.Event())
        if found.result is Landed.REFUSED:
            return Outcome(decision.state, found.reason)
        note = f"{found.branch} is merged{'; ' if found.reason else ''}{found.reason}"
        return Outcome(State.APPLIED, note, {"commit": found.commit})

    def merge(self, decision: Decision, cancelled: threading.Event) -> Outcome:
        """Without a person's word: who looks at it afterwards finds it by this. Only the very patch that passed."""
        if not _digest(decision):
            return Outcome(State.DEFERRED, UNNAMED)
        found = self.apply(decision)
        if found.state is not State.APPLIED:
            return Outcome(State.DEFERRED, f"it could not be merged: {found.note}")
        return Outcome(
            State.APPLIED, f"by itself: {found.note}", {**found.facts, REVIEW: "nobody has looked at it yet"}
        )

    def confirm(self, decision: Decision) -> Outcome:
        """A setting that would expire stays."""
        if not mitigations.confirm(self._mitigations, decision, self._now()):
            return Outcome(State.ROLLED_BACK, "its setting is not in force any more")
        lasts = {"lasts": "until it is taken back", UNTIL: None}
        return Outcome(decision.state, "the setting stays until it is taken back", lasts)

    def undo(self, decision: Decision, cancelled: threading.Event) -> Outcome:
        match decision.remedy:
            case RemedyKind.CONFIGURATION:
                there = mitigations.take_back(self._mitigations, decision.id)
                return Outcome(State.ROLLED_BACK, "the setting is what it was" if there else "it was taken back before")
            case RemedyKind.CODE:
                found = self._landing(("rollback", "--decision", decision.id), cancelled)
                if found.result is Landed.REFUSED:
                    return Outcome(State.DEFERRED, f"it could not be taken back: {found.reason}")
                return Outcome(State.ROLLED_BACK, f"reverted by commit {found.commit[:12]}")
        return Outcome(State.ROLLED_BACK, "there is nothing to take back")

    # --- what it is made of ---

    def _fix_command(self, decision: Decision, work: Path) -> Sequence[str]:
        wanted, settings = self._settings.forgewright.fixer, self._settings
        if wanted.model:
            remote = ("--allow-remote",) if wanted.allow_remote else ()
            who: tuple[str, ...] = ("--model", wanted.model, "--base-url", settings.model_server.base_url, *remote)
        else:
            who = ("--fixer", wanted.command, *(part for name in wanted.pass_env for part in ("--pass-env", name)))
        siblings = tuple(part for folder in self._siblings(decision) for part in ("--sibling", str(folder)))
        suite = tuple(part for path in settings.forgewright.suite for part in ("--suite", path))
        numbers = ("--attempts", str(wanted.attempts), "--seconds", f"{wanted.seconds:g}")
        place = ("--repository", str(self._repository), "--work", str(work))
        folder = str(self._folder(decision))
        return ("fix", folder, *place, *who, *siblings, *suite, *numbers, "--json", "--background")

    def _fix_within(self) -> float:
        wanted = self._settings.forgewright.fixer
        return wanted.attempts * (wanted.seconds + GATE_WITHIN)

    def _siblings(self, decision: Decision) -> list[Path]:
        """Platforms of the same group that nobody has seen who writes patches."""
        found = [each.origin for each in platforms(self._platforms) if each.origin.group == decision.group]
        return [self._place / folder_of(each.record) for each in found if each.record != self._record(decision)]

    def _landing(self, command: Sequence[str], cancelled: threading.Event) -> Landing:
        place = ("--repository", str(self._repository), "--json")
        return self._word((*command, *place), landing_from, cancelled, LANDING_WITHIN)

    def _word(
        self, command: Sequence[str], parse: Callable[[str], T | None], cancelled: threading.Event, within: float
    ) -> T:
        return last_word(self._processes, self._clock, command, parse, cancelled, within)

    def _document(self, decision: Decision) -> Mapping[str, Any] | None:
        try:
            return kept_record(LocalPrivateFolder(self._settings.records_dir), self._record(decision))
        except ValueError:  # no record's name
            return None

    def _record(self, decision: Decision) -> str:
        """Of the group's platform."""
        found = platform_of(self._platforms, decision.record, decision.group)
        return found.origin.record if found is not None else decision.record

    def _folder(self, decision: Decision) -> Path:
        return self._place / folder_of(self._record(decision))

    def _work(self, decision: Decision) -> Path:
        """A folder for each proposal: one that was rolled back is not gone on with."""
        proposals = sum(1 for step in decision.history if step.state is State.PROPOSED)
        return self._ledger.work(decision.id, max(1, proposals))

    def _now(self) -> float:
        return self._clock.utc_now().timestamp()


def _read_proposal(work: Path) -> Proposal | None:
    try:
        return proposal_from(LocalPrivateFolder(work).read(PROPOSAL))
    except (OSError, ValueError):
        return None


def _digest(decision: Decision) -> str:
    """Of the patch that this program saw pass the gate; empty: it does not say."""
    return str(decision.remedy_facts.get("digest") or "")


def _words(change: Change) -> str:
    return f"{change.key} {change.was:g} -> {change.value:g}"


def _facts(change: Change, proof: Proof) -> dict[str, Any]:
    return {
        "key": change.key,
        "was": change.was,
        "value": change.value,
        "evidence": change.reason,
        "reply assumed after": None if change.late is None else f"{change.late:g} s",
        "by_itself": change.by_itself,
        "runs": proof.runs,
    }
