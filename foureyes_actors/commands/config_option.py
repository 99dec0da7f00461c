"""``--config``: one option, which holds wherever on the command line it stands, before a command or after it.

The file that was given is the ``obj`` of the outermost context, ``context.find_root().obj``; None: none was.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated, Any

import typer

NAME = "config"


def _hold(context: typer.Context, given: Path | None) -> Path | None:
    """Raises BadParameter when another one was given further to the left: nobody could say which one is meant."""
    root = context.find_root()
    if given is None or context.resilient_parsing:
        return given
    before: Path | None = root.obj
    if before is not None and before.absolute() != given.absolute():
        raise typer.BadParameter(f"{given} here and {before} before the command; give one of them")
    root.obj = given
    return given


ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", callback=_hold, help="The configuration file (default: FOUREYES_CONFIG, foureyes.yaml)."
    ),
]


def accept_config(app: typer.Typer, *, but: Collection[str] = ()) -> None:
    """Every command of ``app`` takes ``--config``, and every group in it with its commands. ``but``: names of groups
    that read no configuration."""
    for command in app.registered_commands:
        if command.callback is not None:
            command.callback = _with_config(command.callback)
    for group in app.registered_groups:
        if group.typer_instance is not None and group.name not in but:
            _accept_between(group.typer_instance)
            accept_config(group.typer_instance)


def _accept_between(group: typer.Typer) -> None:
    """Between the group's name and its command."""
    own = group.registered_callback
    if own is None:
        group.callback()(_with_config(lambda: None))
    elif own.callback is not None:
        own.callback = _with_config(own.callback)


def _with_config(command: Callable[..., Any]) -> Callable[..., Any]:
    """With the option, of which ``command`` need not know: ``_hold`` has it. Typer reads the signature."""
    signature = inspect.signature(command, eval_str=True)
    if NAME in signature.parameters:
        return command

    @functools.wraps(command)
    def run(**given: Any) -> Any:
        given.pop(NAME)
        return command(**given)

    option = inspect.Parameter(NAME, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=ConfigOption)
    # Set by name: to the type checker a function has no signature of its own.
    setattr(run, "__signature__", signature.replace(parameters=[*signature.parameters.values(), option]))  # noqa: B010
    return run
