"""The command line: what each command of ``foureyes``, or ``python run.py``, does. It is above all other parts, the
tools of t00l5et too, and nobody imports it but ``entry``."""

from __future__ import annotations

import json
import logging
import os
import platform
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from foureyes_actors import headless, wiring
from foureyes_actors.bench.measure import Bench
from foureyes_actors.bench.session import PHASE
from foureyes_actors.bench.targets import document, exit_code, judge, table
from foureyes_actors.commands import interruption, model_survey
from foureyes_actors.commands.command_line import print_result, refuse, settings_of
from foureyes_actors.commands.config_option import ConfigOption, accept_config
from foureyes_actors.defence import Defence, interception
from foureyes_actors.doctor.examination import examine
from foureyes_actors.doctor.findings import render, verdict
from foureyes_actors.errors import ConfigurationError, SettingsError
from foureyes_actors.exit_codes import INTERRUPTED
from foureyes_actors.forgewright.mitigations import MITIGATIONS, Laid, mitigated
from foureyes_actors.forgewright.triage_table import load_rules
from foureyes_actors.invocation import FOLDER
from foureyes_actors.model_table import wanted_models
from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.ports.local_process import kill
from foureyes_actors.ports.patient_stream import PatientStream
from foureyes_actors.ports.private_folder import LocalPrivateFolder
from foureyes_actors.redacted_log import log_to
from foureyes_actors.settings import Settings
from foureyes_actors.settings.environment import CONFIG
from foureyes_actors.settings.file import load_settings, origin_of, secrets_of
from t00l5et.decision_cli import decisions_app
from t00l5et.error_cli import errors_app, reproduce

BENCH = "bench"
OUTPUT_WITHIN = 1.0  # seconds for what is still to be printed at the end

app = typer.Typer(add_completion=False, no_args_is_help=False, pretty_exceptions_enable=False, rich_markup_mode=None)


def _tell_version(asked: bool) -> None:
    if asked:
        print_result(f"FourEyes {headless.version()} on Python {platform.python_version()}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def run(
    context: typer.Context,
    config: ConfigOption = None,
    frames: Annotated[int | None, typer.Option(min=1, help="End after so many frames have been read.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="End after so many seconds.")] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell which FourEyes this is.")
    ] = False,
) -> None:
    """Watch a screen, read it with local vision models, keep the readings. Ctrl-C ends it."""
    if context.invoked_subcommand is not None:
        return
    own, path = settings_of(config)
    if path is not None:
        os.environ[CONFIG] = str(path.absolute())  # for programs of ours that this run starts: the same secrets
    laid = _with_mitigations(own)
    settings = laid.settings
    try:
        models = wanted_models(settings, LocalFiles(), path)
        rules = load_rules(LocalFiles(), settings.forgewright.triage_file)  # once: it may be a pipe
    except ConfigurationError as error:
        refuse(error)
    origin = origin_of(path, FOLDER, LocalFiles())
    request = headless.Request(frames, seconds, origin, notes=(*laid.told, *laid.left), rules=rules)
    out, log = PatientStream(sys.stdout, "standard output"), PatientStream(sys.stderr, "standard error")
    log_to(log, settings.log.level, secrets_of(settings))
    world = wiring.real_world(settings)
    hooks = interception(settings, world.clock, lambda text: _last_words(log, text))
    hooks.install()
    program = headless.Headless(
        settings,
        models,
        world,
        request,
        out.line,
        reread=lambda: _reread(path),
        other_models=lambda fresh: _models_again(fresh, path) not in (None, models),
        defence=Defence(settings.data_dir),
        interception=hooks,
    )
    with headless.signals(program.ending):
        code = program.run()
        for stream in (out, log):
            stream.close(OUTPUT_WITHIN)
    hooks.remove()
    _leave(INTERRUPTED if program.ending.interrupted else code)


@app.command(short_help="Tell which parts are found on this machine.")
def doctor(context: typer.Context) -> None:
    """Tell which parts are found: OBS, LM Studio, MongoDB, the embedded ones, the store's folder."""
    settings, path = settings_of(context.find_root().obj)
    log_to(sys.stderr, settings.log.level, secrets_of(settings))
    findings = examine(settings, wiring.real_world(settings), config=path)
    print_result(render(findings))
    raise typer.Exit(verdict(findings))


@app.command(short_help="Tell which models the server has, and which are wanted and in memory.")
def models(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON document.")] = False,
) -> None:
    """Tell what the model server has, what is wanted, what is in its memory, and what takes pictures."""
    settings, path = settings_of(context.find_root().obj)
    log_to(sys.stderr, settings.log.level, secrets_of(settings))
    try:
        found = model_survey.survey(settings, wiring.real_world(settings), path)
    except ConfigurationError as error:
        refuse(error)
    print_result(json.dumps(model_survey.as_document(found), indent=2) if as_json else model_survey.render(found))
    raise typer.Exit(found.code)


app.add_typer(
    errors_app, name="errors", help="The failures that were recorded: list them, show one, resolve one, export one."
)
app.command(short_help="Run a recorded failure again.")(reproduce)
app.add_typer(
    decisions_app,
    name="decisions",
    help="What is done about failures: list, look, approve, reject, take back, export, count.",
)

bench_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.add_typer(bench_app, name=BENCH, help="Measure this installation on this machine.")


@bench_app.callback()
def bench(context: typer.Context) -> None:
    """Measure this installation on this machine."""
    if context.find_root().obj is not None:
        raise typer.BadParameter("--config: bench measures the built-in configuration, and reads no file")


def long_enough(seconds: float) -> float:
    """A session begins with play, in which no two pictures are the same: what is shorter has nothing for the cache."""
    if seconds < 2 * PHASE:
        raise typer.BadParameter(
            f"{seconds:g} is too short: a session is {PHASE:g} s of play and then {PHASE:g} s of a screen that stands "
            f"still, without which the cache cannot be measured; right would be {2 * PHASE:g} or more"
        )
    return seconds


@bench_app.command(short_help="Six targets, measured with the embedded model server.")
def targets(
    frames: Annotated[int, typer.Option(min=1, help="Frames of the demo cabinet to ask about.")] = 300,
    seconds: Annotated[
        float, typer.Option(callback=long_enough, help="Of the session that is recorded and read, 20 or more.")
    ] = 60.0,
    session: Annotated[
        Path | None, typer.Option(help="A folder of pictures of your own screen, 3 a second, to read instead.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Measure start, load, inference, cache hits, exception to platform and restart, with the embedded model server
    and the built-in configuration; about two minutes. Exit code 0 when every target is met, else 1."""
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    settings = Settings()
    try:
        models = wanted_models(settings, LocalFiles(), None)
        with interruption.scratch("foureyes-bench-") as folder:
            world = wiring.real_world(settings)
            rows = judge(Bench(world, models, folder, _say, kill, frames, seconds, session).run())
    except ConfigurationError as error:
        refuse(error)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print_result(json.dumps(document(rows, machine), indent=2) if as_json else table(rows, machine))
    raise typer.Exit(exit_code(rows))


accept_config(app, but=(BENCH,))  # after the last command


def _leave(code: int) -> NoReturn:
    """All is stopped, stored and said. A thread that is in native code even so (a model that loads) would be ended
    inside of it by the interpreter's end, and the whole process with it, by SIGABRT."""
    if threading.active_count() > 1:
        os._exit(code)
    raise typer.Exit(code)


def _last_words(log: PatientStream, text: str) -> None:
    log.write(text)
    log.close(OUTPUT_WITHIN)


def _say(line: str) -> None:
    sys.stderr.write(f"{line} ...\n")
    sys.stderr.flush()


def _reread(path: Path | None) -> Settings:
    """While a run goes on. Raises SettingsError: a pipe was read once, and would be waited for now."""
    if path is not None and path.exists() and not path.is_file():
        raise SettingsError([f"{path}: is no regular file, so it is not read again"])
    laid = _with_mitigations(load_settings(path, os.environ, LocalFiles()))
    for line in laid.left:
        logging.getLogger("foureyes").warning("%s", line)
    return laid.settings


def _with_mitigations(settings: Settings) -> Laid:
    """What a run goes by: the user's settings, and what is in force over them for a while."""
    folder = LocalPrivateFolder(settings.data_dir / MITIGATIONS)
    decisions = LocalPrivateFolder(settings.decisions_dir)
    return mitigated(settings, folder, decisions, SystemClock().utc_now().timestamp())


def _models_again(settings: Settings, config: Path | None) -> wiring.ModelTasks | None:
    """While a run goes on. None: a pipe was read once. Raises SettingsError."""
    path = settings.model_server.models_file
    if path is not None and path.exists() and not path.is_file():
        return None
    return wanted_models(settings, LocalFiles(), config)


def main() -> None:
    try:
        app()
    finally:  # all is done and said: a signal now would only change the exit code
        interruption.on_end(signal.SIG_IGN)
