"""``python -m t00l5et fix | branch | apply | rollback``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from foureyes_actors.bug.redact import Redactor
from foureyes_actors.errors import ConfigurationError, FourEyesError
from foureyes_actors.forgewright import landing as landings
from foureyes_actors.forgewright.proposal import MOST_ATTEMPTS, Outcome, Proposal, as_line
from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.ports.http_requests import RequestsHttp, is_loopback
from foureyes_actors.ports.local_process import LocalProcesses, be_background
from foureyes_actors.ports.process_lock import LockHeld, ProcessLock
from foureyes_actors.replay.codec import CodecError
from foureyes_actors.replay.program import ROOT
from foureyes_actors.settings_file import load_settings, secrets_of
from foureyes_actors.text import one_line
from t00l5et.confirm import record_id
from t00l5et.fixing import repository as steps
from t00l5et.fixing.attempts import Fixing, Gate, Impossible, Plan
from t00l5et.fixing.command import CommandFixer, environment_of
from t00l5et.fixing.ending import ended_in_order
from t00l5et.fixing.fixer import Fixer
from t00l5et.fixing.git import Git
from t00l5et.fixing.model import ModelFixer
from t00l5et.fixing.planning import begun, gate_of, recorded, rules_of
from t00l5et.fixing.work import LOCK, OtherWork, Work
from t00l5et.sandbox import best_sandbox, may_run_foreign_code

WRONG_USE = 2  # exit code
SECONDS = 900.0  # for one answer
GIT_PLACES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_NAMESPACE")
Folder = Annotated[Path, typer.Argument(help="A folder that is named repro_ and the record's id.")]
Repository = Annotated[Path, typer.Option(help="The git checkout of FourEyes.")]
WorkFolder = Annotated[Path, typer.Option("--work", help="The folder for attempts and proposal; gone on with.")]
Decision = Annotated[str, typer.Option(help="The decision's id, such as FORGE-2026-001.")]
Json = Annotated[bool, typer.Option("--json", help="The last line is one JSON document.")]


def fix(
    folder: Folder,
    work: WorkFolder,
    fixer: Annotated[str, typer.Option(help="A command: task.json on standard input, a diff on its output.")] = "",
    model: Annotated[str, typer.Option(help="A model of the server at --base-url instead.")] = "",
    base_url: Annotated[str, typer.Option(help="Of an OpenAI-compatible server.")] = "",
    repository: Repository = ROOT,
    base: Annotated[str, typer.Option(help="The commit to mend; else the recorded one.")] = "",
    sibling: Annotated[
        list[Path] | None, typer.Option(help="Another platform of the group; the fixer never sees it.")
    ] = None,
    suite: Annotated[list[str] | None, typer.Option(help="What the gate gives to pytest.")] = None,
    attempts: Annotated[int, typer.Option(min=1, max=MOST_ATTEMPTS)] = MOST_ATTEMPTS,
    seconds: Annotated[float, typer.Option(min=0.1, max=7200, help="For one answer of the fixer.")] = SECONDS,
    pass_env: Annotated[list[str] | None, typer.Option(help="A variable that the command may see.")] = None,
    config: Annotated[Path | None, typer.Option(help="The settings whose secrets are masked.")] = None,
    allow_remote: Annotated[bool, typer.Option("--allow-remote", help="The model's server may be elsewhere.")] = False,
    as_json: Json = False,
    background: Annotated[
        bool, typer.Option("--background", help="Leave the machine to others, and end with standard input.")
    ] = False,
) -> None:
    """Ask for a patch, have it examined, at most three times; exit code 0 when one passed the gate, else 1."""
    wanted = record_id(folder.absolute())
    if wanted is None:
        _refuse(f"{one_line(str(folder), 300)}: a folder named repro_ and the record's id is right")
    if bool(fixer) == bool(model) or bool(model) != bool(base_url):
        _refuse("either --fixer, or --model with --base-url")
    if base_url and not is_loopback(base_url) and not allow_remote:
        _refuse("the server is on another machine, and a record may show what the screen did: --allow-remote")
    if background:
        be_background()
    _own_repository()
    with ended_in_order(with_input=background):
        secrets, token = _secrets(config)
        names = tuple(pass_env or ())
        redactor = Redactor((*secrets, *(os.environ[name] for name in names if name in os.environ)))
        processes, clock = LocalProcesses(), SystemClock()

        def made() -> Fixer:
            if model:
                return ModelFixer(RequestsHttp(), base_url=base_url, model=model, token=token)
            return CommandFixer(fixer, processes, clock, environment_of(os.environ, names))

        def proposed(place: Work) -> Proposal:
            document, blob = recorded(folder.absolute(), wanted)
            git = Git(repository, processes)
            git = git.at(git.top())
            sandbox = best_sandbox(processes, clock)
            if not may_run_foreign_code(sandbox):
                raise Impossible(f"no sandbox on this machine is strong enough for a patch: {sandbox}")
            commit = begun(place, git, document, base)
            siblings = tuple(each.absolute() for each in sibling or ())
            gate: Gate = gate_of(folder.absolute(), git, commit, siblings, tuple(suite or ()), processes, clock)
            plan = Plan(folder.absolute(), document, blob, git, commit, rules_of(), attempts, seconds, sandbox)
            asked = made()
            try:
                return Fixing(
                    plan, place, asked, gate, processes=processes, clock=clock, redactor=redactor, say=_say
                ).run()
            finally:
                asked.close()

        found = _held(work, proposed)
    _say(as_line(found) if as_json else str(found))
    raise typer.Exit(found.outcome is not Outcome.PASSED)


def branch(work: WorkFolder, decision: Decision, repository: Repository = ROOT, as_json: Json = False) -> None:
    """Make the branch of the proposal that passed the gate; exit code 0 when it is there."""
    _land(lambda git: steps.branch(git, decision, Work(work)), "branch", decision, repository, as_json)


def apply(decision: Decision, repository: Repository = ROOT, as_json: Json = False) -> None:
    """Merge a decision's branch into what is checked out; exit code 0 when it is in it."""
    _land(lambda git: steps.apply(git, decision), "apply", decision, repository, as_json)


def rollback(decision: Decision, repository: Repository = ROOT, as_json: Json = False) -> None:
    """Revert what ``apply`` did; exit code 0 when it is undone."""
    _land(lambda git: steps.rollback(git, decision), "rollback", decision, repository, as_json)


def add_to(app: typer.Typer) -> None:
    for command in (fix, branch, apply, rollback):
        app.command()(command)


def _land(act: Callable[[Git], landings.Landing], step: str, decision: str, repository: Path, as_json: bool) -> None:
    _own_repository()
    with ended_in_order(with_input=False):
        try:
            git = Git(repository, LocalProcesses())
            found = act(git.at(git.top()))
        except FourEyesError as error:
            found = landings.Landing(step, one_line(decision, 60), landings.Landed.REFUSED, one_line(str(error), 400))
    _say(landings.as_line(found) if as_json else str(found))
    raise typer.Exit(found.result is landings.Landed.REFUSED)


def _held(folder: Path, act: Callable[[Work], Proposal]) -> Proposal:
    """One process at a time; a reason why it cannot be is kept as well."""
    work = Work(folder)
    try:
        work.make()
        lock = ProcessLock(work.folder / LOCK)
    except LockHeld as held:
        return Proposal(Outcome.IMPOSSIBLE, f"{held.holder} is at work in {one_line(str(folder), 200)}")
    except OSError as error:
        return Proposal(Outcome.IMPOSSIBLE, f"{one_line(str(folder), 200)} cannot be used: {error.strerror}")
    try:
        return act(work)
    except OtherWork as error:
        _refuse(str(error))
    except (FourEyesError, CodecError, OSError) as error:
        found = Proposal(Outcome.IMPOSSIBLE, one_line(str(error), 300), work.begun_with())
        work.conclude(found)
        return found
    finally:
        lock.release()


def _secrets(config: Path | None) -> tuple[tuple[str, ...], str]:
    """The configured secrets, and the model server's token. Wrong settings end it: without them nothing is masked."""
    try:
        settings = load_settings(config, os.environ, LocalFiles())
    except ConfigurationError as error:
        _refuse(f"the configuration must be changed:\n{error}")
    return secrets_of(settings), settings.model_server.api_token.get_secret_value()


def _own_repository() -> None:
    """A git hook, for one, sets these for its own repository."""
    for name in GIT_PLACES:
        os.environ.pop(name, None)


def _refuse(words: str) -> NoReturn:
    sys.stderr.write(f"{words}\n")
    raise typer.Exit(WRONG_USE)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
