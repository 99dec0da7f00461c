"""``python -m t00l5et reproduce FOLDER``: is the failure in this folder confirmed, and at which level?
``python -m t00l5et sandbox``: in which sandbox is that found out here?
``python -m t00l5et mitigate FOLDER``: would another value of a setting have helped?
``python -m t00l5et fix FOLDER``: a patch for it, at most three attempts; ``branch``, ``apply``, ``rollback`` land it.
``python -m t00l5et gate FOLDER PATCH``: may a person look at this patch?"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from foureyes_actors.forgewright import proof
from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.local_process import LocalProcesses, be_background
from foureyes_actors.replay.codec import CodecError
from foureyes_actors.replay.confirmation import Level, as_line
from foureyes_actors.text import one_line
from t00l5et.confirm import confirm, keep, record_id, verdict_line
from t00l5et.fixing import cli as fixing
from t00l5et.gate.command import gate
from t00l5et.mitigate import Wanted, prove
from t00l5et.mitigate import weigh as weigh_once
from t00l5et.reproduction import Reproduction
from t00l5et.sandbox import advice, best_sandbox, may_run_foreign_code

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
Folder = Annotated[Path, typer.Argument(help="A folder that is named repro_ and the record's id.")]
ORPHANED = 3  # exit code
app.command()(gate)
fixing.add_to(app)


@app.command()
def reproduce(
    folder: Folder,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    background: Annotated[
        bool, typer.Option("--background", help="Leave the machine to others, and end with standard input.")
    ] = False,
) -> None:
    """Run it three times, each in a sandbox; exit code 0 when it failed in the same way each time, else 1."""
    _id_of(folder)
    if background:
        _go_background()
    found = confirm(folder, LocalProcesses(), SystemClock())
    try:
        keep(folder, found)
    except OSError as error:
        sys.stderr.write(f"not kept in the folder: {error.strerror}\n")
    _say(as_line(found) if as_json else str(found))
    raise typer.Exit(found.level is Level.UNCONFIRMED)


@app.command()
def replay(folder: Folder) -> None:
    """Run it once, in this process, and print the verdict as JSON."""
    reproduction = Reproduction(folder, _id_of(folder))
    verdict = reproduction.verdict()
    shown = {"reason": one_line(verdict.reason, 500), "platform": _platform(reproduction)}
    _say(verdict_line({**asdict(verdict), **shown}))


Key = Annotated[str, typer.Option(help="The full name of a setting, e.g. inference.deadline.")]
Value = Annotated[float, typer.Option(help="Another value for it.")]
Was = Annotated[float | None, typer.Option(help="The value in force (else the recorded one).")]
Seconds = Annotated[float | None, typer.Option("--late", help="Assume a reply so many seconds after the request.")]


@app.command()
def mitigate(
    folder: Folder,
    key: Key,
    value: Value,
    was: Was = None,
    late: Seconds = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    background: Annotated[
        bool, typer.Option("--background", help="Leave the machine to others, and end with standard input.")
    ] = False,
) -> None:
    """Would another deadline have helped? Played three times, each in a sandbox, with the value that was and with the
    new one; exit code 0 when that is proven, else 1."""
    _id_of(folder)
    if background:
        _go_background()
    found = prove(folder, Wanted(key, value, was, late), LocalProcesses(), SystemClock())
    _say(proof.as_line(found) if as_json else str(found))
    raise typer.Exit(not found.proven)


@app.command(hidden=True)
def weigh(folder: Folder, key: Key, value: Value, was: Was = None, late: Seconds = None) -> None:
    """Once, in this process: with the value that was, and with the new one."""
    reproduction = Reproduction(folder, _id_of(folder))
    _say(verdict_line(asdict(weigh_once(reproduction, Wanted(key, value, was, late)))))


@app.command(name="sandbox")
def which_sandbox(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False) -> None:
    """Which sandbox failures run again in here, found by trying; and what there is to do for a better one."""
    found = best_sandbox(LocalProcesses(), SystemClock())
    words, strong = advice(found, sys.platform), may_run_foreign_code(found)
    if as_json:
        how = one_line(found.how, 300)
        _say(json.dumps({"kind": found.kind.value, "how": how, "foreign_code": strong, "advice": words}))
    else:
        _say(one_line(f"{found}", 400) + (f"\n-> {words}" if words else ""))


def _platform(reproduction: Reproduction) -> str:
    """The operating system on which it was recorded; empty when the record does not tell."""
    try:
        code = reproduction.document().get("code")
    except (CodecError, OSError):
        return ""
    found = code.get("platform") if isinstance(code, Mapping) else None
    return one_line(found, 40) if isinstance(found, str) else ""


def _go_background() -> None:
    threading.Thread(target=_end_with_input, name="stdin-watch", daemon=True).start()
    be_background()


def _end_with_input() -> None:
    """Who started us holds the other end for as long as it lives; the sandbox ends with us."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os._exit(ORPHANED)


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
