"""``python -m t00l5et gate FOLDER PATCH``: may a person look at this patch? Exit code 0: it passed, 1: it was stopped,
2: wrong use."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from foureyes_actors.errors import MissingExtraError
from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.local_process import LocalProcesses
from foureyes_actors.replay.program import ROOT
from foureyes_actors.text import one_line
from t00l5et.gate.gate import Case, Suite, examine
from t00l5et.gate.report import GateReport, Stopped, as_line
from t00l5et.gate.runs import record_in
from t00l5et.gate.trees import COMMIT

WRONG_USE = 2


def gate(
    folder: Annotated[Path, typer.Argument(help="The platform: a folder named repro_ and the record's id.")],
    patch: Annotated[Path, typer.Argument(help="A unified diff.")],
    repository: Annotated[Path, typer.Option(help="A git checkout of FourEyes; it is only read.")] = ROOT,
    base: Annotated[str, typer.Option(help="The commit that the patch is for; else the record's.")] = "",
    sibling: Annotated[list[Path] | None, typer.Option(help="A platform of the same group, withheld.")] = None,
    suite: Annotated[list[str] | None, typer.Option(help="What pytest is given; else all tests.")] = None,
    cache: Annotated[Path | None, typer.Option(help="A folder that keeps what the base gives.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Pass a patch through the gate; nothing is applied to the repository."""
    try:
        case = Case(folder, repository, base or _recorded(folder), tuple(sibling or ()))
        data = patch.read_bytes()
    except (OSError, Stopped) as error:
        _wrong(str(error))
    if not COMMIT.fullmatch(case.base):
        _wrong(f"{case.base[:80]!a} is not the full hash of a commit: say --base SHA")
    wanted = Suite(tuple(suite)) if suite else Suite()
    try:
        report = examine(case, data, wanted, LocalProcesses(), SystemClock(), progress=_progress, cache=cache)
    except MissingExtraError as error:
        _wrong(str(error))
    _tell(report, as_json)
    raise typer.Exit(not report.passed)


def _recorded(folder: Path) -> str:
    code = record_in(folder).document.get("code")
    return str(code.get("revision")) if isinstance(code, dict) else ""


def _progress(step: str) -> None:
    sys.stderr.write(f"{step}\n")


def _tell(report: GateReport, as_json: bool) -> None:
    sys.stdout.write(f"{as_line(report) if as_json else report}\n")


def _wrong(words: str) -> NoReturn:
    sys.stderr.write(f"{one_line(words, 400)}\n")
    raise typer.Exit(WRONG_USE)
