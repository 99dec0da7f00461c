"""What becomes of a proposal in the repository: a branch, its merge, the way back.

Each step is found again by the trailers of its commit, so a step that is asked for twice is done once. Commits are made
in a worktree aside; what the user has checked out is moved by a fast-forward at the end, by ``apply`` and ``rollback``
alone, and not when that would touch a file that the user has changed.

    Forge-Decision: FORGE-2026-001
    Forge-Patch: <SHA-256 of the diff>
    Forge-Step: proposed | applied | rolled-back
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from foureyes_actors.errors import FourEyesError
from foureyes_actors.forgewright.landing import Landed, Landing
from foureyes_actors.forgewright.proposal import DECISION
from foureyes_actors.ports.process_lock import LockHeld, ProcessLock
from foureyes_actors.text import one_line
from t00l5et.fixing.gating import understood
from t00l5et.fixing.git import Git, GitError, worktree
from t00l5et.fixing.work import Work
from t00l5et.gate.report import Stopped

PROPOSED, APPLIED, ROLLED_BACK = "proposed", "applied", "rolled-back"
_UNDER_WAY = {
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
}
_DIGEST = re.compile(r"[0-9a-f]{64}")
_FORMAT = "%H%x09%P" + "".join(
    f"%x09%(trailers:key={key},valueonly,separator=%x2C)" for key in ("Forge-Decision", "Forge-Patch", "Forge-Step")
)


class Refused(FourEyesError):
    """Nothing was done; the message says what a person would have to change."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A commit that names a decision."""

    commit: str
    parents: tuple[str, ...]
    patch: str
    step: str


def branch_of(decision: str) -> str:
    """Raises Refused for what is no decision's id: it becomes a name in the repository."""
    if not isinstance(decision, str) or not DECISION.fullmatch(decision):
        raise Refused(f"{ascii(decision)[:60]} is not the id of a decision: FORGE-2026-001 is one")
    return f"foureyes/{decision.lower()}"


def branch(git: Git, decision: str, work: Work, patch: str) -> Landing:
    """One commit on the base, with the diff that passed the gate. ``patch``: its digest, from whoever saw it pass: the
    work folder is data from anywhere. Touches nothing that is checked out."""
    return _step("branch", git, decision, lambda: _branch(git, decision, work, patch))


def apply(git: Git, decision: str, patch: str = "") -> Landing:
    """The branch, merged into what is checked out. ``patch``: the digest that was approved, and no other one."""
    return _step("apply", git, decision, lambda: _apply(git, decision, patch))


def rollback(git: Git, decision: str) -> Landing:
    """The merge, reverted; also one that a person made, or the commit alone that a person took over."""
    return _step("rollback", git, decision, lambda: _rollback(git, decision))


# --- the steps ---


def _branch(git: Git, decision: str, work: Work, wanted: str) -> Landing:
    name = branch_of(decision)
    passed = work.passed()
    if passed is None:
        raise Refused(f"{one_line(str(work.folder), 200)} has no proposal that passed the gate")
    proposal, patch = passed
    if proposal.digest != wanted:
        raise Refused(f"the proposal in {one_line(str(work.folder), 200)} is another one than the one that passed")
    there = git.commit(f"refs/heads/{name}")
    if there is not None:
        old = _trace(git, there, decision)
        if old is None:
            raise Refused(f"there is a branch {name} that is not of this decision")
        if old.patch == proposal.digest:
            return Landing("branch", decision, Landed.ALREADY, "", name, there)
        if not any(each.step == ROLLED_BACK and each.patch == old.patch for each in _traces(git, decision)):
            raise Refused(f"the branch {name} holds another proposal, which was not rolled back")
    if git.commit(proposal.base) is None:
        raise Refused(f"the base commit {proposal.base} is not in this repository")
    commit = _patched(git, decision, proposal.base, proposal.digest, patch, proposal.files, work.group())
    git.lines("branch", "--no-track", *(("--force",) if there else ()), name, commit)
    return Landing("branch", decision, Landed.DONE, "", name, commit)


def _patched(git: Git, decision: str, base: str, digest: str, patch: bytes, files: Sequence[str], group: str) -> str:
    subject = f"{decision}: a patch for failure group {group or 'unknown'}"
    with _aside(git, decision, base) as tree:
        inside = git.at(tree)
        diff = tree.with_name(f"{tree.name}.diff")
        diff.write_bytes(_understood(patch))
        try:
            inside.lines("apply", "--index", "--whitespace=nowarn", str(diff))
        finally:
            diff.unlink()
        touched = inside.lines("diff", "--cached", "--name-only")
        if sorted(touched) != sorted(files):
            raise Refused(f"the diff touches {one_line(', '.join(touched), 200)}, which is not what was proposed")
        return _committed(inside, _message(subject, decision, digest, PROPOSED))


def _understood(patch: bytes) -> bytes:
    try:
        return understood(patch)
    except Stopped as stopped:  # by rules that are newer than the proposal
        raise Refused(f"the gate does not take it any more: {stopped.reason}") from None


def _apply(git: Git, decision: str, patch: str) -> Landing:
    name = branch_of(decision)
    there = git.commit(f"refs/heads/{name}")
    wanted = _trace(git, there, decision) if there else None
    traces = _traces(git, decision)
    if wanted is None or there is None:
        if standing := _standing(traces):
            return Landing("apply", decision, Landed.ALREADY, "already applied", name, standing.commit)
        raise Refused(f"there is no branch {name} of this decision")
    if patch and wanted.patch != patch:
        raise Refused(f"the branch {name} holds another patch than the decision")
    if any(each.step == ROLLED_BACK and each.patch == wanted.patch for each in traces):
        raise Refused("this patch was applied and rolled back; it takes a new proposal")
    if standing := _standing(traces):
        return Landing("apply", decision, Landed.ALREADY, "already applied", name, standing.commit)
    head = _ready(git)
    if git.tried("merge-base", "--is-ancestor", f"{there}^", head)[0] != 0:
        raise Refused(f"{name} is made on commits that are not in what is checked out, and would bring them with it")
    message = _message(f"{decision}: applied", decision, wanted.patch, APPLIED)
    options = ("--no-ff", "--no-edit", "--no-verify", "--no-autostash", "--no-verify-signatures")
    with _aside(git, decision, head) as tree:
        inside = git.at(tree)
        code, lines = inside.tried("-c", "rerere.enabled=false", "merge", *options, "-m", message, there)
        if code != 0:
            raise Refused(f"{name} cannot be merged into what is checked out: {_last(lines)}")
        merged = inside.commit("HEAD") or ""
    _forward(git, head, merged)
    return Landing("apply", decision, Landed.DONE, _since(git, there, head), name, merged)


def _rollback(git: Git, decision: str) -> Landing:
    name = branch_of(decision)
    traces = _traces(git, decision)
    standing = _standing(traces)
    if standing is None:
        back = next((each for each in traces if each.step == ROLLED_BACK), None)
        if back is None:
            raise Refused("it is not applied to what is checked out")
        return Landing("rollback", decision, Landed.ALREADY, "already rolled back", name, back.commit)
    head = _ready(git)
    mainline = ("-m", "1") if len(standing.parents) > 1 else ()
    with _aside(git, decision, head) as tree:
        inside = git.at(tree)
        code, lines = inside.tried("-c", "rerere.enabled=false", "revert", "--no-commit", *mainline, standing.commit)
        if code != 0:
            raise Refused(f"later changes touch the same lines, so it takes a person: {_last(lines)}")
        if inside.tried("diff", "--cached", "--quiet")[0] == 0:
            reason = "nothing of it is left in the files"
            return Landing("rollback", decision, Landed.ALREADY, reason, name, standing.commit)
        message = _message(f"{decision}: rolled back", decision, standing.patch, ROLLED_BACK)
        reverted = _committed(inside, message)
    _forward(git, head, reverted)
    return Landing("rollback", decision, Landed.DONE, "", name, reverted)


# --- what the steps are made of ---


def _step(step: str, git: Git, decision: str, act: Callable[[], Landing]) -> Landing:
    try:
        name = branch_of(decision)
        lock = ProcessLock(_place(git) / "lock")
    except (Refused, GitError, LockHeld, OSError) as error:
        return Landing(step, decision, Landed.REFUSED, _words(error))
    try:
        return act()
    except (Refused, GitError, OSError) as error:
        return Landing(step, decision, Landed.REFUSED, _words(error), name)
    finally:
        lock.release()


def _words(error: BaseException) -> str:
    return one_line(f"another process works on it ({error})" if isinstance(error, LockHeld) else str(error), 400)


def _place(git: Git) -> Path:
    """Ours, in the repository's own folder: nobody else writes there, and what a killed run left is found again."""
    git.top()
    return git.folder / git.line("rev-parse", "--git-common-dir") / "foureyes"


@contextmanager
def _aside(git: Git, decision: str, commit: str) -> Iterator[Path]:
    with worktree(git, (_place(git) / decision.lower()).absolute(), commit) as tree:
        yield tree


def _traces(git: Git, decision: str) -> list[Trace]:
    """In the history of what is checked out, the newest first."""
    if git.commit("HEAD") is None:
        return []
    grep = ("--extended-regexp", f"--grep=^Forge-Decision: {decision}$")
    lines = git.lines("log", "--topo-order", f"--format={_FORMAT}", *grep, "HEAD", "--")
    return [trace for line in lines if (trace := _read(line, decision)) is not None]


def _trace(git: Git, commit: str, decision: str) -> Trace | None:
    lines = git.lines("log", "-1", f"--format={_FORMAT}", commit, "--")
    return _read(lines[-1], decision) if lines else None


def _read(line: str, decision: str) -> Trace | None:
    commit, parents, named, patch, step, *_ = [*line.split("\t"), "", "", "", ""]
    if named.strip() != decision or not _DIGEST.fullmatch(patch.strip()):
        return None
    return Trace(commit, tuple(parents.split()), patch.strip(), step.strip())


def _standing(traces: Sequence[Trace]) -> Trace | None:
    """What is applied and was not rolled back: our merge, else the commit itself that a person took over."""
    gone = {each.patch for each in traces if each.step == ROLLED_BACK}
    here = [each for each in traces if each.patch not in gone]
    merges = [each for each in here if each.step == APPLIED]
    return next(iter(merges or here), None)


def _ready(git: Git) -> str:
    """The commit that is checked out, when it may be moved on. Raises Refused."""
    arguments = [part for name in _UNDER_WAY for part in ("--git-path", name)]
    for place, what in zip(git.lines("rev-parse", *arguments), _UNDER_WAY.values(), strict=True):
        if (git.folder / place.strip()).exists():
            raise Refused(f"{what} is under way in this checkout: end or abort it first")
    if git.tried("symbolic-ref", "--quiet", "HEAD")[0] != 0:
        raise Refused("no branch is checked out (detached HEAD): a commit made here would belong to none")
    if git.tried("diff", "--cached", "--quiet")[0] != 0:
        raise Refused("changes are staged in this checkout: commit or unstage them first")
    head = git.commit("HEAD")
    if head is None:
        raise Refused("there is no commit yet")
    return head


def _forward(git: Git, head: str, to: str) -> None:
    """What is checked out moves on to a descendant, when that touches no changed file. Raises Refused."""
    files = git.lines("diff", "--name-only", "--no-renames", head, to)
    places = [f":(top,literal){file}" for file in files]
    changed = git.lines("status", "--porcelain", "--untracked-files=no", "--", *places)
    if changed:
        _half_done(git, head, to, places, changed)
    code, lines = git.tried("merge", "--ff-only", "--no-overwrite-ignore", "--no-autostash", to)
    if code != 0:
        raise Refused(f"the checkout cannot be moved on: {_last(lines)}")


def _half_done(git: Git, head: str, to: str, places: Sequence[str], changed: Sequence[str]) -> None:
    """What an earlier fast-forward wrote before it was killed is no change of the user's: it is written again. Raises
    Refused when there is anything else."""
    for place in places:
        if all(git.tried("diff", "--quiet", commit, "--", place)[0] != 0 for commit in (head, to)):
            raise Refused(f"files that it touches are changed in this checkout: {one_line(', '.join(changed), 200)}")
    git.lines("checkout", "--quiet", head, "--", *places)


def _since(git: Git, branched: str, head: str) -> str:
    """The gate saw the base, not what came after it."""
    base = git.commit(f"{branched}^")
    count = git.line("rev-list", "--count", f"{base}..{head}") if base else "0"
    return "" if count == "0" else f"commits that the gate has not seen with it: {count}; run the tests"


def _committed(git: Git, message: str) -> str:
    git.lines("commit", "--no-verify", "--no-gpg-sign", "--quiet", "-m", message)
    commit = git.commit("HEAD")
    if commit is None:
        raise GitError("the commit that was made is not there")
    return commit


def _message(subject: str, decision: str, digest: str, step: str) -> str:
    """Nothing in it is from a record but a digest."""
    return f"{subject}\n\nForge-Decision: {decision}\nForge-Patch: {digest}\nForge-Step: {step}\n"


def _last(lines: Sequence[str]) -> str:
    told = [line for line in lines if line.startswith(("CONFLICT", "error:", "fatal:"))] or [*lines, "no word"][-1:]
    return one_line("; ".join(told[:3]), 300)
