"""FourEyes: the command line. ``python run.py`` runs headless; ``python run.py --help`` lists the rest."""

from __future__ import annotations

import os
import signal

INTERRUPTED = 130


def _interrupted(_number: int, _frame: object) -> None:
    """Ctrl-C before a run has begun, or in the doctor: nothing is to be put in order."""
    os._exit(INTERRUPTED)


def _ended(_number: int, _frame: object) -> None:
    """Asked to end before a run has begun."""
    os._exit(0)


if __name__ == "__main__":  # before the imports, which take a second
    signal.signal(signal.SIGINT, _interrupted)
    signal.signal(signal.SIGTERM, _ended)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup's wish stands
        signal.signal(signal.SIGHUP, _ended)

import json
import logging
import platform
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from foureyes_actors import doctor as doctor_module
from foureyes_actors import error_commands, headless, model_survey, wiring
from foureyes_actors.bench.measure import Bench
from foureyes_actors.bench.targets import document, exit_code, judge, table
from foureyes_actors.bug.keeper import kept_record
from foureyes_actors.defence import Defence, interception
from foureyes_actors.errors import ConfigurationError, FourEyesError, SettingsError, StoreError
from foureyes_actors.model_table import group_by_model, load_models
from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.ports.local_process import LocalProcesses, kill
from foureyes_actors.ports.patient_stream import PatientStream
from foureyes_actors.ports.private_folder import LocalPrivateFolder
from foureyes_actors.ports.store import StorePort
from foureyes_actors.ports.stores import open_store
from foureyes_actors.redacted_log import log_to
from foureyes_actors.replay.record import ID
from foureyes_actors.settings import Settings
from foureyes_actors.settings_file import find_settings, load_settings, secrets_of
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
def doctor(context: typer.Context, config: ConfigOption = None) -> None:
    """Tell which parts are found: OBS, LM Studio, MongoDB, the embedded ones, the store's folder."""
    settings, _ = _settings(config or context.obj)
    log_to(sys.stderr, settings.log.level, secrets_of(settings))
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
    everything: Annotated[
        bool, typer.Option("--all/--unresolved", help="The resolved ones too, or the unresolved alone (as usual).")
    ] = False,
    source: Annotated[str, typer.Option(help="Those of one part alone, e.g. capture.")] = "",
    fingerprint: Annotated[str, typer.Option(help="Those of one fingerprint alone, as errors show has it.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON document, with all that is known.")] = False,
) -> None:
    """How well the whole is by its failures, and a line for each group of them, the newest first."""
    wanted, now = error_commands.Wanted(limit, everything, source, fingerprint), SystemClock().utc_now()
    with _store(context) as (settings, store):
        if as_json:
            print(json.dumps(error_commands.list_document(store, wanted, now, settings.bug), indent=2, default=str))
            return
        for line in error_commands.list_lines(store, wanted, now, settings.bug):
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
    log_to(sys.stderr, settings.log.level, secrets_of(settings))
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


@app.command(short_help="Tell which models the server has, and which are wanted and in memory.")
def models(
    context: typer.Context,
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON document.")] = False,
) -> None:
    """Tell what the model server has, what is wanted, what is in its memory, and what takes pictures."""
    settings, path = _settings(config or context.obj)
    log_to(sys.stderr, settings.log.level, secrets_of(settings))
    try:
        found = model_survey.survey(settings, wiring.real_world(settings), beside=path.parent if path else None)
    except ConfigurationError as error:
        _refuse(error)
    print(json.dumps(model_survey.as_document(found), indent=2) if as_json else model_survey.render(found))
    raise typer.Exit(found.code)


bench_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.add_typer(bench_app, name="bench", help="Measure this installation on this machine.")


@bench_app.callback()
def bench() -> None:
    """Measure this installation on this machine."""


@bench_app.command(short_help="Six targets, measured with the embedded model server.")
def targets(
    frames: Annotated[int, typer.Option(min=1, help="Frames of the demo cabinet to ask about.")] = 300,
    seconds: Annotated[float, typer.Option(min=2, help="Of the session that is recorded and read.")] = 60.0,
    session: Annotated[
        Path | None, typer.Option(help="A folder of pictures of your own screen, 3 a second, to read instead.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Measure start, load, inference, cache hits, exception to platform and restart, with the embedded model server
    and the built-in configuration; about two minutes. Exit code 0 when every target is met, else 1."""
    for number in (signal.SIGINT, signal.SIGTERM):  # what was started must be stopped again
        signal.signal(number, signal.default_int_handler)
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    settings = Settings()
    try:
        models = group_by_model(load_models(settings, LocalFiles()))
        with tempfile.TemporaryDirectory(prefix="foureyes-bench-") as scratch:
            world = wiring.real_world(settings)
            rows = judge(Bench(world, models, Path(scratch), _say, kill, frames, seconds, session).run())
    except ConfigurationError as error:
        _refuse(error)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(json.dumps(document(rows, machine), indent=2) if as_json else table(rows, machine))
    raise typer.Exit(exit_code(rows))


def _settings(config: Path | None) -> tuple[Settings, Path | None]:
    try:
        path = find_settings(config, os.environ, LocalFiles())
        settings = load_settings(path, os.environ, LocalFiles())
    except ConfigurationError as error:
        _refuse(error)
    return settings, path


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
    print(f"{line} ...", file=sys.stderr, flush=True)


def _reread(path: Path | None) -> Settings:
    """While a run goes on. Raises SettingsError: a pipe was read once, and would be waited for now."""
    if path is not None and path.exists() and not path.is_file():
        raise SettingsError([f"{path}: is no regular file, so it is not read again"])
    return load_settings(path, os.environ, LocalFiles())


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
