"""``python -m t00l5et reproduce FOLDER``: is the failure in this folder confirmed, and at which level?"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.local_process import LocalProcesses
from foureyes_actors.text import one_line
from t00l5et.confirm import VERDICT, Level, confirm, record_id
from t00l5et.reproduction import Reproduction

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
Folder = Annotated[Path, typer.Argument(help="A folder that is named repro_ and the record's id.")]


@app.command()
def reproduce(folder: Folder) -> None:
    """Run it three times; exit code 0 when it failed in the same way each time, else 1."""
    _id_of(folder)
    found = confirm(folder, LocalProcesses(), SystemClock())
    _say(f"{found.level}: {one_line(found.reason, 500)} ({found.same} of {found.runs} runs, {found.seconds:.1f} s)")
    raise typer.Exit(found.level is Level.UNCONFIRMED)


@app.command()
def replay(folder: Folder) -> None:
    """Run it once, in this process, and print the verdict as JSON."""
    verdict = Reproduction(folder, _id_of(folder)).verdict()
    _say(VERDICT + json.dumps({**asdict(verdict), "reason": one_line(verdict.reason, 500)}))


def _id_of(folder: Path) -> str:
    found = record_id(folder.absolute())
    if found is None:
        _say(f"{one_line(str(folder), 300)}: a folder named repro_ and the record's id is right")
        raise typer.Exit(2)
    return found


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    app()
