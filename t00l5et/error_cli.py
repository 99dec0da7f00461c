"""``run.py errors`` and ``run.py reproduce``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from foureyes_actors.bug.keeper import kept_blob, kept_record
from foureyes_actors.commands import error_commands, error_export
from foureyes_actors.commands.command_line import complain, print_result, refuse, settings_of
from foureyes_actors.errors import ConfigurationError, FourEyesError, StoreError
from foureyes_actors.exit_codes import UNAVAILABLE
from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.ports.local_process import LocalProcesses
from foureyes_actors.ports.private_folder import LocalPrivateFolder
from foureyes_actors.ports.store import StoreReader
from foureyes_actors.ports.stores import open_there, open_to_read
from foureyes_actors.redacted_log import log_to
from foureyes_actors.replay.codec import CodecError
from foureyes_actors.replay.confirmation import Level, kept_confirmation
from foureyes_actors.replay.platform import folder_of
from foureyes_actors.replay.program import ROOT
from foureyes_actors.replay.record import ID
from foureyes_actors.settings import Settings
from foureyes_actors.settings.file import secrets_of
from foureyes_actors.text import one_line
from t00l5et.confirm import confirm, keep

errors_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
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
            found = error_commands.list_document(store, wanted, now, settings.bug)
            print_result(json.dumps(found, indent=2, default=str))
        else:
            print_result("\n".join(error_commands.list_lines(store, wanted, now, settings.bug)))


@errors_app.command("show")
def errors_show(context: typer.Context, wanted: IdArgument) -> None:
    """All that is known of one group."""
    with _store(context) as (settings, store):
        folder = LocalPrivateFolder(settings.records_dir)
        group, platforms = error_commands.find_group(store, wanted), settings.platforms_dir
        print_result("\n".join(error_commands.show_lines(group, folder, platforms)))


@errors_app.command("resolve")
def errors_resolve(
    context: typer.Context,
    wanted: IdArgument,
    text: Annotated[str, typer.Option("--as", help="What was done about it.")] = "resolved by hand",
) -> None:
    """Mark one group as resolved; when it happens again, a new group begins."""
    with _store(context, write=True) as (_, store):
        print_result(f"resolved: {error_commands.resolve(store, wanted, text, SystemClock().utc_now())}")


@errors_app.command("export")
def errors_export(
    context: typer.Context,
    wanted: IdArgument,
    to: Annotated[Path | None, typer.Option(help="The file to make; one that is there already stays.")] = None,
    pictures: Annotated[
        bool, typer.Option("--pictures/--without-pictures", help="Pictures of the screen that the failure is about.")
    ] = True,
) -> None:
    """Make one file of a recorded failure that can be attached to an issue, and say what is in it."""
    with _store(context, away=ID.fullmatch(wanted) is not None) as (settings, store):
        records, folder = LocalPrivateFolder(settings.records_dir), settings.platforms_dir
        record, _ = _record_id(store, wanted, records)
        document = error_commands.record_document(records, record)
        confirmation = kept_confirmation(LocalPrivateFolder(folder), f"{folder_of(record)}/")
        places = (Path.home(), Path.cwd(), ROOT, settings.data_dir.absolute(), Path(sys.prefix))
        made = error_export.export(
            document,
            lambda digest: kept_blob(records, digest),
            confirmation=confirmation,
            pictures=pictures,
            places=places,
        )
        path = to or Path(f"foureyes_error_{record[:12]}.zip")
        with _writing(path):
            error_export.save(made, path, LocalFiles())
        print_result("\n".join(error_export.export_lines(made, path)))


def reproduce(context: typer.Context, wanted: IdArgument) -> None:
    """Write the folder that runs a recorded failure again, run it three times, and say whether it is confirmed."""
    with _store(context, away=ID.fullmatch(wanted) is not None) as (settings, store):
        records, platforms = LocalPrivateFolder(settings.records_dir), settings.platforms_dir
        record, group = _record_id(store, wanted, records)
        now = SystemClock().utc_now().timestamp()
        with _writing(platforms):
            folder = error_commands.make_platform(records, platforms, record, group, now)
    print_result(str(folder))
    found = confirm(folder, LocalProcesses(), SystemClock())
    try:
        keep(folder, found)
    except OSError as error:
        complain(f"not kept in the folder: {error.strerror}")
    print_result(str(found))
    raise typer.Exit(found.level is Level.UNCONFIRMED)


class _NotWritten(FourEyesError):
    """In words, with the place: an error of the disk often has none."""


@contextmanager
def _writing(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _NotWritten(f"{place} cannot be written: {error.strerror or type(error).__name__}") from None


def _record_id(store: StoreReader | None, wanted: str, records: LocalPrivateFolder) -> tuple[str, str]:
    """And the group's fingerprint, where it is known. ``wanted`` may be a record's own id, or a group's."""
    if ID.fullmatch(wanted) and kept_record(records, wanted) is not None:
        return wanted, ""
    if store is None:
        raise error_commands.NoSuchError(f"there is no record {wanted}, and the store cannot be asked for its group")
    group = error_commands.find_group(store, wanted)
    found = error_commands.record_id(group)
    if not found:
        raise error_commands.NoSuchError(f"{group['_id']} has no record: it came through no replay point")
    return found, str(group.get("fingerprint", ""))


@contextmanager
def _store(context: typer.Context, *, away: bool = False, write: bool = False) -> Iterator[tuple[Settings, Any]]:
    """The settings and the store. ``away``: it may be away, then it is None. ``write``: no run may have it then."""
    settings, _ = settings_of(context.find_root().obj)
    log_to(sys.stderr, settings.log.level, secrets_of(settings))
    store: StoreReader | None = None
    try:
        try:
            store = (open_there if write else open_to_read)(settings.store, settings.data_dir)
        except StoreError:
            if not away:
                raise
        yield settings, store
    except ConfigurationError as error:
        refuse(error)
    except (FourEyesError, CodecError, OSError) as error:
        complain(one_line(str(error), 1000))
        raise typer.Exit(UNAVAILABLE) from None
    finally:
        if store is not None:
            store.close()
