"""``python -m t00l5et fix | branch | apply | rollback``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from foureyes_actors.errors import ConfigurationError, FourEyesError
from foureyes_actors.forgewright import landing as landings
from foureyes_actors.forgewright.proposal import MOST_ATTEMPTS, Outcome, as_line
from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.ports.local_process import LocalProcesses, be_background
from foureyes_actors.replay.program import ROOT
from foureyes_actors.text import one_line
from t00l5et.confirm import record_id
from t00l5et.fixing.ending import ended_in_order, undisturbed

# What only these commands need is imported where it is used: a replay in the sandbox is this program too, and it runs
# often.
if TYPE_CHECKING:
    from t00l5et.fixing.git import Git
    from t00l5et.fixing.run import Wanted

WRONG_USE = 2  # exit code
SECONDS = 900.0  # for one answer
GIT_PLACES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_NAMESPACE")
Folder = Annotated[Path, typer.Argument(help="A folder that is named repro_ and the record's id.")]
Repository = Annotated[Path, typer.Option(help="The git checkout of FourEyes.")]
WorkFolder = Annotated[Path, typer.Option("--work", help="The folder for attempts and proposal; gone on with.")]
Decision = Annotated[str, typer.Option(help="The decision's id, such as FORGE-2026-001.")]
Json = Annotated[bool, typer.Option("--json", help="The last line is one JSON document.")]
Command = Annotated[str, typer.Option(help="A command: task.json on its standard input, a diff on its output.")]
Sibling = Annotated[list[Path] | None, typer.Option(help="Another platform of the group; the fixer never sees it.")]
Attempts = Annotated[int, typer.Option(min=1, max=MOST_ATTEMPTS)]
Seconds = Annotated[float, typer.Option(min=0.1, max=7200, help="For one answer of the fixer.")]
Config = Annotated[Path | None, typer.Option(help="The settings whose secrets are masked.")]
Remote = Annotated[bool, typer.Option("--allow-remote", help="The model's server may be on another machine.")]
Background = Annotated[
    bool, typer.Option("--background", help="Leave the machine to others, and end with standard input.")
]


def fix(
    folder: Folder,
    work: WorkFolder,
    fixer: Command = "",
    model: Annotated[str, typer.Option(help="A model of the server at --base-url instead.")] = "",
    base_url: Annotated[str, typer.Option(help="Of an OpenAI-compatible server.")] = "",
    repository: Repository = ROOT,
    base: Annotated[str, typer.Option(help="The commit to mend; else the recorded one.")] = "",
    sibling: Sibling = None,
    suite: Annotated[list[str] | None, typer.Option(help="What the gate gives to pytest.")] = None,
    attempts: Attempts = MOST_ATTEMPTS,
    seconds: Seconds = SECONDS,
    pass_env: Annotated[list[str] | None, typer.Option(help="A variable that the command may see.")] = None,
    config: Config = None,
    allow_remote: Remote = False,
    as_json: Json = False,
    background: Background = False,
) -> None:
    """Ask for a patch, have it examined, at most three times; exit code 0 when one passed the gate, else 1."""
    from t00l5et.fixing.run import Surroundings, Wanted, propose
    from t00l5et.fixing.work import OtherWork

    wanted = Wanted(
        platform=folder.absolute(),
        record=_record(folder),
        work=work,
        repository=repository,
        command=fixer,
        model=model,
        base_url=base_url,
        base=base,
        siblings=tuple(each.absolute() for each in sibling or ()),
        suite=tuple(suite or ()),
        attempts=attempts,
        seconds=seconds,
        passed=tuple(pass_env or ()),
    )
    _check(wanted, allow_remote)
    if background:
        be_background()
    secrets, token = _secrets(config)
    _own_repository()
    with ended_in_order(with_input=background):
        try:
            around = Surroundings(os.environ, secrets, token, LocalProcesses(), SystemClock(), _say)
            found = propose(wanted, around)
        except OtherWork as error:
            _refuse(str(error))
    _say(as_line(found) if as_json else str(found))
    raise typer.Exit(found.outcome is not Outcome.PASSED)


def branch(
    work: WorkFolder,
    decision: Decision,
    patch: Annotated[str, typer.Option(help="SHA-256 of the diff that passed, as fix said it: no other one is taken.")],
    repository: Repository = ROOT,
    as_json: Json = False,
) -> None:
    """Make the branch of the proposal that passed the gate; exit code 0 when it is there."""
    from t00l5et.fixing import repository as steps
    from t00l5et.fixing.work import Work

    _land(lambda git: steps.branch(git, decision, Work(work), patch), "branch", decision, repository, as_json)


def apply(
    decision: Decision,
    repository: Repository = ROOT,
    patch: Annotated[str, typer.Option(help="SHA-256 of the diff: no other one is merged.")] = "",
    as_json: Json = False,
) -> None:
    """Merge a decision's branch into what is checked out; exit code 0 when it is in it."""
    from t00l5et.fixing import repository as steps

    _land(lambda git: steps.apply(git, decision, patch), "apply", decision, repository, as_json)


def rollback(decision: Decision, repository: Repository = ROOT, as_json: Json = False) -> None:
    """Revert what ``apply`` did; exit code 0 when it is undone."""
    from t00l5et.fixing import repository as steps

    _land(lambda git: steps.rollback(git, decision), "rollback", decision, repository, as_json)


def add_to(app: typer.Typer) -> None:
    for command in (fix, branch, apply, rollback):
        app.command()(command)


def _land(act: Callable[[Git], landings.Landing], step: str, decision: str, repository: Path, as_json: bool) -> None:
    from t00l5et.fixing.git import Git

    _own_repository()
    with undisturbed():
        try:
            git = Git(repository, LocalProcesses())
            found = act(git.at(git.top()))
        except FourEyesError as error:
            found = landings.Landing(step, one_line(decision, 60), landings.Landed.REFUSED, one_line(str(error), 400))
    _say(landings.as_line(found) if as_json else str(found))
    raise typer.Exit(found.result is landings.Landed.REFUSED)


def _record(folder: Path) -> str:
    found = record_id(folder.absolute())
    if found is None:
        _refuse(f"{one_line(str(folder), 300)}: a folder named repro_ and the record's id is right")
    return found


def _check(wanted: Wanted, allow_remote: bool) -> None:
    from foureyes_actors.ports.http_requests import is_loopback

    if bool(wanted.command) == bool(wanted.model) or bool(wanted.model) != bool(wanted.base_url):
        _refuse("either --fixer COMMAND, or --model NAME with --base-url URL")
    if wanted.base_url and not is_loopback(wanted.base_url) and not allow_remote:
        _refuse("that server is on another machine, and a record may tell what the screen showed: --allow-remote")


def _secrets(config: Path | None) -> tuple[tuple[str, ...], str]:
    """The configured secrets, and the model server's token. Wrong settings end it: nothing could be masked."""
    from foureyes_actors.settings.file import load_settings, secrets_of

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
