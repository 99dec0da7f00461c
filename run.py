"""FourEyes: the command line. ``python run.py`` runs headless; ``python run.py --help`` lists the rest."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from foureyes_actors import doctor as doctor_module
from foureyes_actors import headless, wiring
from foureyes_actors.errors import ConfigurationError
from foureyes_actors.model_table import group_by_model, load_models
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.settings import Settings
from foureyes_actors.settings_file import find_settings, load_settings

app = typer.Typer(add_completion=False, no_args_is_help=False, pretty_exceptions_enable=False, rich_markup_mode=None)

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="The configuration file (default: FOUREYES_CONFIG, foureyes.yaml)."),
]


@app.callback(invoke_without_command=True)
def run(
    context: typer.Context,
    config: ConfigOption = None,
    frames: Annotated[int | None, typer.Option(min=1, help="End after so many frames have been read.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="End after so many seconds.")] = None,
) -> None:
    """Watch a screen, read it with local vision models, keep the readings. Ctrl-C ends it."""
    context.obj = config
    if context.invoked_subcommand is not None:
        return
    settings, path = _settings(config)
    beside = path.parent if path else None
    try:
        models = group_by_model(load_models(settings, LocalFiles(), beside=beside))
    except ConfigurationError as error:
        _refuse(error)
    request = headless.Request(frames, seconds, str(path) if path else "built-in defaults")
    program = headless.Headless(settings, models, wiring.real_world(settings), request, _write)
    with headless.signals(program.ending):
        code = program.run()
    raise typer.Exit(code)


@app.command()
def doctor(context: typer.Context, config: ConfigOption = None) -> None:
    """Tell which parts are found: OBS, LM Studio, MongoDB, the embedded ones, the store's folder."""
    settings, _ = _settings(config or context.obj)
    findings = doctor_module.examine(settings, wiring.real_world(settings))
    print(doctor_module.render(findings))
    raise typer.Exit(doctor_module.verdict(findings))


def _settings(config: Path | None) -> tuple[Settings, Path | None]:
    try:
        path = find_settings(config, os.environ, LocalFiles())
        settings = load_settings(path, os.environ, LocalFiles())
    except ConfigurationError as error:
        _refuse(error)
    logging.basicConfig(
        level=settings.log.level, stream=sys.stderr, format="[%(asctime)s] %(name)-28s %(levelname)-8s: %(message)s"
    )
    return settings, path


def _refuse(error: ConfigurationError) -> NoReturn:
    print(f"the configuration must be changed:\n{error}", file=sys.stderr)
    raise typer.Exit(headless.BAD_CONFIGURATION) from None


def _write(line: str) -> None:
    """One line to standard output at once; a closed pipe (``| head``) is no failure."""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123  # nobody listens any more


if __name__ == "__main__":
    app()
