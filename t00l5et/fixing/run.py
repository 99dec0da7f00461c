"""One call of ``fix``, from what was asked for to the proposal."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from foureyes_actors.bug.redact import Redactor
from foureyes_actors.errors import FourEyesError
from foureyes_actors.forgewright.proposal import MOST_ATTEMPTS, Outcome, Proposal
from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.http_requests import RequestsHttp
from foureyes_actors.ports.process import ProcessPort
from foureyes_actors.ports.process_lock import LockHeld, ProcessLock
from foureyes_actors.replay.codec import CodecError
from foureyes_actors.text import one_line
from t00l5et.fixing.attempts import Fixing, Impossible, Plan, Say
from t00l5et.fixing.command import CommandFixer, environment_of
from t00l5et.fixing.fixer import Fixer
from t00l5et.fixing.gating import gate_of, rules
from t00l5et.fixing.git import Git
from t00l5et.fixing.model import ModelFixer
from t00l5et.fixing.planning import begun, recorded
from t00l5et.fixing.work import LOCK, OtherWork, Work
from t00l5et.gate.gate import Case
from t00l5et.sandbox import Sandbox, best_sandbox, may_run_foreign_code


@dataclass(frozen=True, slots=True)
class Wanted:
    """``platform``: absolute, named after ``record``. Either ``command``, or ``model`` and ``base_url``. Empty: the
    recorded commit as ``base``, the gate's own ``suite``. ``passed``: variables that a command may see."""

    platform: Path
    record: str
    work: Path
    repository: Path
    command: str = ""
    model: str = ""
    base_url: str = ""
    base: str = ""
    siblings: tuple[Path, ...] = ()
    suite: tuple[str, ...] = ()
    attempts: int = MOST_ATTEMPTS
    seconds: float = 900.0
    passed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """``secrets``: the configured ones; ``token``: of the model server."""

    environ: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    token: str = field(repr=False)
    processes: ProcessPort
    clock: Clock
    say: Say


def propose(wanted: Wanted, around: Surroundings) -> Proposal:
    """One process at a time in a work folder; why nothing could be tried is kept there as well. Raises OtherWork."""
    work = Work(wanted.work)
    try:
        work.make()
        lock = ProcessLock(work.folder / LOCK)
    except LockHeld as held:
        return Proposal(Outcome.IMPOSSIBLE, f"{held.holder} is at work in {one_line(str(work.folder), 200)}")
    except OSError as error:
        return Proposal(Outcome.IMPOSSIBLE, f"{one_line(str(work.folder), 200)} cannot be used: {error.strerror}")
    try:
        return _tried(wanted, around, work)
    except OtherWork:
        raise
    except (FourEyesError, CodecError, OSError) as error:
        words = Redactor(_secrets(wanted, around)).text(one_line(str(error), 300))
        return _impossible(work, words)
    finally:
        lock.release()


def _impossible(work: Work, words: str) -> Proposal:
    """A full disk, for one, is no reason to say nothing."""
    found = Proposal(Outcome.IMPOSSIBLE, words, work.begun_with())
    try:
        work.conclude(found)
    except OSError as error:
        return Proposal(Outcome.IMPOSSIBLE, f"{words} (not kept: {error.strerror})")
    return found


def _tried(wanted: Wanted, around: Surroundings, work: Work) -> Proposal:
    document, blob = recorded(wanted.platform, wanted.record)
    git = Git(wanted.repository, around.processes)
    git = git.at(git.top())
    sandbox = _strong_sandbox(around)
    with closing(_fixer(wanted, around)) as fixer:
        base = begun(work, git, document, wanted.base)
        case = Case(wanted.platform, git.folder, base, wanted.siblings)
        cache = work.scratch / "gate"
        gate = gate_of(case, wanted.suite, cache, sandbox, around.processes, around.clock)
        plan = Plan(wanted.platform, document, blob, git, base, rules(), wanted.attempts, wanted.seconds, sandbox)
        return Fixing(
            plan,
            work,
            fixer,
            gate,
            processes=around.processes,
            clock=around.clock,
            redactor=Redactor(_secrets(wanted, around)),
            say=around.say,
        ).run()


def _strong_sandbox(around: Surroundings) -> Sandbox:
    found = best_sandbox(around.processes, around.clock)
    if not may_run_foreign_code(found):
        raise Impossible(f"no sandbox on this machine is strong enough for a patch: {found}")
    return found


def _fixer(wanted: Wanted, around: Surroundings) -> Fixer:
    if wanted.model:
        return ModelFixer(RequestsHttp(), base_url=wanted.base_url, model=wanted.model, token=around.token)
    seen = environment_of(around.environ, wanted.passed)
    return CommandFixer(wanted.command, around.processes, around.clock, seen)


def _secrets(wanted: Wanted, around: Surroundings) -> tuple[str, ...]:
    """What the command was given may come out of it again."""
    return (*around.secrets, *(around.environ[name] for name in wanted.passed if name in around.environ))
