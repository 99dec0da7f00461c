"""``run.py decisions``."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from foureyes_actors.commands import decision_commands
from foureyes_actors.commands.command_line import complain, print_result, settings_of
from foureyes_actors.errors import FourEyesError
from foureyes_actors.exit_codes import UNAVAILABLE
from foureyes_actors.forgewright.budget import budget_lines, figure_lines, figures
from foureyes_actors.forgewright.decision import Decision
from foureyes_actors.forgewright.decision_document import document, markdown
from foureyes_actors.forgewright.ledger import Ledger
from foureyes_actors.forgewright.workshop import LocalWorkshop
from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.ports.local_process import LocalProcesses
from foureyes_actors.ports.private_folder import LocalPrivateFolder
from foureyes_actors.redacted_log import log_to
from foureyes_actors.settings.file import secrets_of
from foureyes_actors.text import one_line

decisions_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
IdArgument = Annotated[str, typer.Argument(help="The id, FORGE-2026-001, or the number at its end.")]


@decisions_app.command("list")
def decisions_list(
    context: typer.Context,
    closed: Annotated[bool, typer.Option("--all/--open", help="Those that are closed too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON document, with all that is known.")] = False,
) -> None:
    """A line for each decision: what waits for you first."""
    with _at_work(context) as (ledger, _):
        page = ledger.page()
        if as_json:
            print_result(_json([dict(document(each)) for each in page.decisions]))
        else:
            print_result("\n".join(decision_commands.list_lines(page.decisions, closed=closed)))
        for line in page.broken:
            complain(f"a decision that cannot be read is left out: {line}")


@decisions_app.command("show")
def decisions_show(
    context: typer.Context,
    wanted: IdArgument,
    as_json: Annotated[bool, typer.Option("--json", help="As a JSON document.")] = False,
) -> None:
    """All that is known of one decision, with the patch when there is one."""
    with _at_work(context) as (ledger, workshop):
        decision = decision_commands.find(ledger, wanted)
        if as_json:
            print_result(_json(dict(document(decision))))
            return
        print_result("\n".join(decision_commands.show_lines(decision)))
        if patch := workshop.patch(decision):
            print_result(f"\n{patch}")


@decisions_app.command("approve")
def decisions_approve(context: typer.Context, wanted: IdArgument) -> None:
    """Bring a remedy that was verified into force; let a setting that would expire stay."""
    with _at_work(context) as (ledger, workshop), ledger.by_hand():
        decision = decision_commands.find(ledger, wanted)
        _told(decision_commands.approve(ledger, decision, _now(), workshop.apply, workshop.confirm))


@decisions_app.command("reject")
def decisions_reject(
    context: typer.Context,
    wanted: IdArgument,
    why: Annotated[str, typer.Option("--because", help="The reason, for the history.")] = "",
) -> None:
    """Say no to a proposal."""
    with _at_work(context) as (ledger, workshop), ledger.by_hand():
        decision = decision_commands.find(ledger, wanted)
        _told(decision_commands.reject(ledger, decision, _now(), why, _undo(workshop)))


@decisions_app.command("revert")
def decisions_revert(context: typer.Context, wanted: IdArgument) -> None:
    """Take back a remedy that is in force: a setting, or a patch (with a commit that undoes it)."""
    with _at_work(context) as (ledger, workshop), ledger.by_hand():
        decision = decision_commands.find(ledger, wanted)
        _told(decision_commands.revert(ledger, decision, _now(), _undo(workshop)))


@decisions_app.command("export")
def decisions_export(
    context: typer.Context,
    wanted: IdArgument,
    to: Annotated[Path | None, typer.Option(help="The file to make; else it is printed.")] = None,
) -> None:
    """One decision as Markdown."""
    with _at_work(context) as (ledger, _):
        decision = decision_commands.find(ledger, wanted)
        if to is None:
            print_result(markdown(decision))
            return
        if LocalFiles().exists(to):
            complain(f"{to} is there already and stays as it is")
            raise typer.Exit(UNAVAILABLE)
        LocalFiles().write(to, markdown(decision).encode("utf-8", "backslashreplace"))
        print_result(str(to))


@decisions_app.command("figures")
def decisions_figures(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="As a JSON document.")] = False,
) -> None:
    """How many failures got how far, and how long it took."""
    with _at_work(context) as (ledger, workshop):
        decisions = ledger.page().decisions
        found, today = figures(decisions), workshop.budget(decisions)
        if as_json:
            print_result(_json({**asdict(found), "last_24_hours": asdict(today)}))
        else:
            print_result("\n".join((*figure_lines(found), *budget_lines(today))))


@contextmanager
def _at_work(context: typer.Context) -> Iterator[tuple[Ledger, LocalWorkshop]]:
    settings, _ = settings_of(context.find_root().obj)
    log_to(sys.stderr, settings.log.level, secrets_of(settings))
    if not settings.data_dir.is_dir():
        complain(f"there is no data folder at {settings.data_dir.absolute()}: data_dir (FOUREYES_DATA_DIR) names it")
        raise typer.Exit(UNAVAILABLE)
    place, clock = settings.decisions_dir, SystemClock()
    ledger = Ledger(LocalPrivateFolder(place), place, clock)
    try:
        yield ledger, LocalWorkshop(settings, ledger, LocalProcesses(), clock)
    except (FourEyesError, OSError, ValueError) as error:
        complain(one_line(str(error), 1000))
        raise typer.Exit(UNAVAILABLE) from None


def _undo(workshop: LocalWorkshop) -> decision_commands.Work:
    return lambda decision: workshop.undo(decision, threading.Event())


def _told(decision: Decision) -> None:
    print_result(f"{decision.id} is {decision.state}: {one_line(decision.reason, 300)}")
    if decision.state.value == "applied":
        print_result("it counts from the next start of FourEyes on")


def _json(value: object) -> str:
    return json.dumps(value, indent=2, default=str, allow_nan=False)


def _now() -> float:
    return SystemClock().utc_now().timestamp()
