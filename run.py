"""FourEyes: the command line. ``python run.py`` runs headless; ``python run.py --help`` lists the rest."""

from __future__ import annotations

import os
import signal

INTERRUPTED = 130


def _interrupted(_number: int, _frame: object) -> None:
    """Ctrl-C before a run has begun, or in the doctor: nothing is to be put in order."""
    os._exit(INTERRUPTED)


if __name__ == "__main__":  # before the imports, which take a second
    signal.signal(signal.SIGINT, _interrupted)

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn, TextIO

import typer

from foureyes_actors import doctor as doctor_module
from foureyes_actors import error_commands, headless, wiring
from foureyes_actors.bug.keeper import kept_record
from foureyes_actors.defence import Defence
from foureyes_actors.errors import ConfigurationError, FourEyesError, StoreError
from foureyes_actors.model_table import group_by_model, load_models
from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.ports.local_process import LocalProcesses
from foureyes_actors.ports.patient_stream import PatientStream
from foureyes_actors.ports.private_folder import LocalPrivateFolder
from foureyes_actors.ports.store import StorePort
from foureyes_actors.ports.stores import open_store
from foureyes_actors.replay.record import ID
from foureyes_actors.settings import Settings
from foureyes_actors.settings_file import find_settings, load_settings
from foureyes_actors.text import one_line
from t00l5et.confirm import Level, confirm

OUTPUT_WITHIN = 1.0  # seconds for what is still to be printed at the end

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
    out, log = PatientStream(sys.stdout, "standard output"), PatientStream(sys.stderr, "standard error")
    _log_to(log, settings)
    program = headless.Headless(
        settings,
        models,
        wiring.real_world(settings),
        request,
        out.line,
        reread=lambda: load_settings(path, os.environ, LocalFiles()),
        defence=Defence(settings.data_dir),
    )
    with headless.signals(program.ending):
        code = program.run()
        for stream in (out, log):
            stream.close(OUTPUT_WITHIN)
    raise typer.Exit(INTERRUPTED if program.ending.interrupted else code)


@app.command(short_help="Tell which parts are found on this machine.")
def doctor(context: typer.Context, config: ConfigOption = None) -> None:
    """Tell which parts are found: OBS, LM Studio, MongoDB, the embedded ones, the store's folder."""
    settings, _ = _settings(config or context.obj)
    _log_to(sys.stderr, settings)
    findings = doctor_module.examine(settings, wiring.real_world(settings))
    print(doctor_module.render(findings))
    raise typer.Exit(doctor_module.verdict(findings))


errors_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.add_typer(errors_app, name="errors", help="The failures that were recorded: list them, show one, resolve one.")
IdArgument = Annotated[str, typer.Argument(help="The id, or its beginning, as errors list shows it.")]


@errors_app.command("list")
def errors_list(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 30,
    everything: Annotated[bool, typer.Option("--all", help="The resolved ones too.")] = False,
) -> None:
    """A line for each group of failures, the newest first."""
    with _store(context) as (_, store):
        for line in error_commands.list_lines(store, limit, resolved=everything):
            print(line)


@errors_app.command("show")
def errors_show(context: typer.Context, wanted: IdArgument) -> None:
    """All that is known of one group."""
    with _store(context) as (settings, store):
        folder = LocalPrivateFolder(wiring.records_folder(settings))
        for line in error_commands.show_lines(error_commands.find_group(store, wanted), folder):
            print(line)


@errors_app.command("resolve")
def errors_resolve(
    context: typer.Context,
    wanted: IdArgument,
    text: Annotated[str, typer.Option("--as", help="What was done about it.")] = "resolved by hand",
) -> None:
    """Mark one group as resolved; when it happens again, a new group begins."""
    with _store(context) as (_, store):
        print(f"resolved: {error_commands.resolve(store, wanted, text, SystemClock().utc_now())}")


@app.command(short_help="Run a recorded failure again.")
def reproduce(context: typer.Context, wanted: IdArgument) -> None:
    """Write the folder that runs a recorded failure again, run it three times, and say whether it is confirmed."""
    with _store(context, away=ID.fullmatch(wanted) is not None) as (settings, store):
        records, platforms = LocalPrivateFolder(wiring.records_folder(settings)), wiring.platforms_folder(settings)
        folder = error_commands.make_platform(records, platforms, _record_id(store, wanted, records))
    print(folder)
    found = confirm(folder, LocalProcesses(), SystemClock())
    print(f"{found.level}: {one_line(found.reason, 500)} ({found.same} of {found.runs} runs, {found.seconds:.1f} s)")
    raise typer.Exit(found.level is Level.UNCONFIRMED)


def _record_id(store: StorePort | None, wanted: str, records: LocalPrivateFolder) -> str:
    """``wanted`` may be a record's own id, or a group's."""
    if ID.fullmatch(wanted) and kept_record(records, wanted) is not None:
        return wanted
    if store is None:
        raise error_commands.NoSuchError(f"there is no record {wanted}, and the store cannot be asked for its group")
    group = error_commands.find_group(store, wanted)
    found = error_commands.record_id(group)
    if not found:
        raise error_commands.NoSuchError(f"{group['_id']} has no record: it came through no replay point")
    return found


@contextmanager
def _store(context: typer.Context, *, away: bool = False) -> Iterator[tuple[Settings, Any]]:
    """The settings and the store. ``away``: it may be in use or away, then it is None."""
    settings, _ = _settings(context.find_root().obj)
    _log_to(sys.stderr, settings)
    store: StorePort | None = None
    try:
        try:
            store = open_store(settings.store, settings.data_dir)
        except StoreError:
            if not away:
                raise
        yield settings, store
    except ConfigurationError as error:
        _refuse(error)
    except (FourEyesError, OSError) as error:
        print(one_line(str(error), 1000), file=sys.stderr)
        raise typer.Exit(headless.UNAVAILABLE) from None
    finally:
        if store is not None:
            store.close()


def _settings(config: Path | None) -> tuple[Settings, Path | None]:
    try:
        path = find_settings(config, os.environ, LocalFiles())
        settings = load_settings(path, os.environ, LocalFiles())
    except ConfigurationError as error:
        _refuse(error)
    return settings, path


def _log_to(stream: TextIO | PatientStream, settings: Settings) -> None:
    logging.basicConfig(
        level=settings.log.level, stream=stream, format="[%(asctime)s] %(name)-28s %(levelname)-8s: %(message)s"
    )


def _refuse(error: ConfigurationError) -> NoReturn:
    print(f"the configuration must be changed:\n{error}", file=sys.stderr)
    raise typer.Exit(headless.BAD_CONFIGURATION) from None


def _main() -> None:
    try:
        app()
    finally:  # all is done and said: a signal now would only change the exit code
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.SIG_IGN)


if __name__ == "__main__":
    _main()
