"""What a storm of faults has left in ERR0R, run again: which groups came through a replay point, at which level their
records are confirmed, and why the rest cannot be."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foureyes_actors.commands.error_commands import NoSuchError, make_platform, record_id
from foureyes_actors.messages import Collection
from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.local_process import LocalProcesses
from foureyes_actors.ports.private_folder import LocalPrivateFolder
from foureyes_actors.ports.stores import open_to_read
from foureyes_actors.replay.record import ID
from foureyes_actors.settings import Settings
from t00l5et.confirm import Confirmation, confirm
from tests.bench.reproduction_row import Row, by
from tests.bench.tables import table

OF_THE_STORM = ("Poison", "Hang")  # its own messages, which harm whoever looks at them


@dataclass(frozen=True)
class Left:
    """``groups``: all of ERR0R. ``rows``: one for each record. ``lost``: groups whose record is gone -> why."""

    groups: tuple[Mapping[str, Any], ...]
    rows: tuple[Row, ...]
    lost: Mapping[str, str]

    @property
    def with_record(self) -> list[Mapping[str, Any]]:
        return [group for group in self.groups if record_id(group)]

    @property
    def without(self) -> list[Mapping[str, Any]]:
        return [group for group in self.groups if not record_id(group)]

    def confirmed(self) -> int:
        """Groups whose newest record is."""
        fine = {row.record for row in self.rows if row.confirmed}
        return sum(record_id(group) in fine for group in self.with_record)


def left(folder: Path) -> Left:
    """``folder``: the data_dir of a run that has ended. Some seconds a record."""
    settings = Settings.model_validate({"data_dir": folder})
    store = open_to_read(settings.store, settings.data_dir)
    try:
        groups = tuple(store.latest(Collection.ERRORS, 10_000))
    finally:
        store.close()
    kept = {Path(entry.name).stem for entry in LocalPrivateFolder(settings.records_dir).entries()}
    newest = {record_id(group): group for group in groups if record_id(group)}
    rows, lost = [], {}
    for record in sorted({each for each in kept if ID.fullmatch(each) and len(each) < 64} | {*newest}):
        try:
            rows.append(_row(settings, record, newest.get(record, {}), folder / "again"))
        except NoSuchError as error:
            lost[record] = str(error)
    return Left(groups, tuple(rows), lost)


def _row(settings: Settings, record: str, group: Mapping[str, Any], platforms: Path) -> Row:
    began = time.perf_counter()
    made = make_platform(LocalPrivateFolder(settings.records_dir), platforms, record, str(group.get("fingerprint", "")))
    found: Confirmation = confirm(made, LocalProcesses(), SystemClock())
    return Row.of_record(made, found, time.perf_counter() - began)


def why_without(group: Mapping[str, Any]) -> str:
    """In a few words, the same for the same reason."""
    context = group.get("context") or {}
    handling = str(context.get("handling", ""))
    if context.get("stage") == "stuck":
        return "a hang: nothing was raised"
    if handling in OF_THE_STORM:
        return "the storm's own exception, raised in an actor's shell"
    if handling:
        return "raised in an actor's shell"
    return "concluded from what was seen: nothing was raised in a replay point"


def told(found: Left) -> Iterator[str]:
    """For people."""
    heads = ("class", "exception", "replay point", "level", "same", "what", "s")
    yield table("what the storm left, each record", heads, [row.cells() for row in found.rows])
    yield ""
    yield by(found.rows, lambda row: row.group, "class") if found.rows else "no records"
    yield ""
    of, inside = len(found.groups), len(found.with_record)
    yield f"groups in ERR0R: {of}; through a replay point: {inside} of {of}; confirmed: {found.confirmed()} of {inside}"
    yield from (f"  lost: {record}: {why}" for record, why in found.lost.items())
    reasons: Counter[str] = Counter()
    for group in found.without:
        reasons[why_without(group)] += 1
    yield from (f"  without a record: {times} of {of}: {why}" for why, times in reasons.most_common())
    yield from (f"    {_name(group)}" for group in found.without)


def _name(group: Mapping[str, Any]) -> str:
    kind = str(group["exception_type"]).rpartition(".")[2]
    return f"{group['source']}: {kind}, {group['occurrences']} times: {why_without(group)}"
