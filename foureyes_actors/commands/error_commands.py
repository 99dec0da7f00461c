"""``run.py errors`` and ``run.py reproduce``: ERR0R for people, and a recorded failure as a folder that runs again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from foureyes_actors.bug.condition import Condition, condition_of
from foureyes_actors.bug.keeper import kept_blob, kept_record
from foureyes_actors.bug.recurrence import History, recurrence
from foureyes_actors.errors import FourEyesError
from foureyes_actors.invocation import PROGRAM
from foureyes_actors.messages import Collection
from foureyes_actors.ports.private_folder import LocalPrivateFolder, PrivateFolder
from foureyes_actors.ports.store import StorePort, StoreReader
from foureyes_actors.recorder.outages import OVER
from foureyes_actors.replay.codec import CodecError
from foureyes_actors.replay.platform import folder_of
from foureyes_actors.replay.platform_folder import Origin, origin_of, platform_of, write_platform
from foureyes_actors.replay.record import ID
from foureyes_actors.settings.bug import BugSettings
from foureyes_actors.text import clean, one_line

SEARCHED = 1000  # groups among which the beginning of an id is looked for
SHORT = 12  # characters of an id that a list shows


class NoSuchError(FourEyesError):
    """No failure has this id, or several begin with it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which groups: the newest ``limit``; ``resolved``: those too. Empty: any."""

    limit: int
    resolved: bool = False
    source: str = ""
    fingerprint: str = ""

    def of(self, store: StoreReader) -> list[dict[str, Any]]:
        named = {"source": self.source, "fingerprint": self.fingerprint}
        where: dict[str, str | bool] = {key: value for key, value in named.items() if value}
        return store.latest(
            Collection.ERRORS, self.limit, where=where if self.resolved else {**where, "resolved": False}
        )


def list_lines(store: StoreReader, wanted: Wanted, now: datetime, settings: BugSettings) -> Iterator[str]:
    """How well the whole is, then a group a line, the newest first."""
    yield str(present_condition(store, now, settings))
    found = wanted.of(store)
    if not found:
        yield "no failures" if wanted.resolved else "no unresolved failures"
        return
    yield f"{'id':<{SHORT}}  {'last seen (UTC)':<19}  {'severity':<8}  {'times':>6}  {'again?':<6}  source: what"
    for group in found:
        yield _line(group, recurrence(History(group.get("history")), now, settings.recurrence))


def list_document(store: StorePort, wanted: Wanted, now: datetime, settings: BugSettings) -> dict[str, Any]:
    """The same for programs. Dates and numbers that JSON does not have become text with ``str``."""
    present = present_condition(store, now, settings)
    rules = settings.recurrence
    return {
        "condition": {"level": present.level.value, "errors": present.errors, "critical": present.critical},
        "groups": [
            {**group, "recurrence": recurrence(History(group.get("history")), now, rules)} for group in wanted.of(store)
        ],
    }


def present_condition(store: StoreReader, now: datetime, settings: BugSettings) -> Condition:
    """By all groups of the last minutes, the resolved ones too."""
    rules = settings.condition
    lately = store.latest(Collection.ERRORS, SEARCHED, since=now - timedelta(seconds=rules.window))
    return condition_of(lately, now, rules)


def _line(group: Mapping[str, Any], recurs: str) -> str:
    what = f"{_field(group, 'source')}: {_kind(group)}: {_field(group, 'message')}"
    mark = "yes" if record_id(group) else "no"
    context = group.get("context")
    over = "  (over)" if isinstance(context, Mapping) and OVER in context else ""
    done = f"{f'  [recurs: {recurs}]' if recurs else ''}{over}{'  (resolved)' if group.get('resolved') else ''}"
    return (
        f"{_field(group, '_id')[:SHORT]:<{SHORT}}  {_time(group.get('last_at')):<19}  {_field(group, 'severity'):<8}  "
        f"{_field(group, 'occurrences'):>6}  {mark:<6}  {one_line(what, 100)}{done}"
    )


def show_lines(group: Mapping[str, Any], folder: PrivateFolder, platforms: Path | None = None) -> Iterator[str]:
    """All that is known of one group. What came from outside is cleaned, so that it cannot steer a terminal.
    ``platforms``: where it may have been run again."""
    names = ("_id", "fingerprint", "severity", "error_type", "source", "component", "occurrences", "resolved")
    yield from (f"{name.lstrip('_'):<12} {_field(group, name)}" for name in names)
    if group.get("resolved"):
        yield f"{'resolution':<12} {_field(group, 'resolution')} ({_time(group.get('resolved_at'))})"
    yield f"{'seen':<12} {_time(group.get('first_at'))} to {_time(group.get('last_at'))} UTC"
    chain = group.get("exception_chain")
    kinds = [one_line(str(kind), 200) for kind in chain] if isinstance(chain, list) else []
    yield f"{'type':<12} {' < '.join(kinds or [_kind(group)])}"
    context = group.get("context")
    for key, value in context.items() if isinstance(context, Mapping) else ():
        yield f"  {one_line(str(key), 40):<20} {one_line(str(value), 300)}"
    yield f"{'again':<12} {_again(group, folder)}"
    if platforms is not None:
        yield from _reproduced(group, platforms)
    yield ""
    yield clean(str(group.get("message", "")))
    yield clean(str(group.get("stack_trace", ""))).rstrip()


def _again(group: Mapping[str, Any], folder: PrivateFolder) -> str:
    found = record_id(group)
    if not found:
        return "no record: it came through no replay point"
    if not _there(folder, found):
        return f"record {found} is not there (any longer)"
    return f"{PROGRAM} reproduce {found}"


def _reproduced(group: Mapping[str, Any], platforms: Path) -> Iterator[str]:
    """Whether it happened again, at which level, in how many seconds, and where to do it once more."""
    found = platform_of(LocalPrivateFolder(platforms), record_id(group), str(group.get("fingerprint", "")))
    if found is None:
        yield f"{'reproduced':<12} not tried yet"
        return
    yield f"{'reproduced':<12} {found.confirmation or 'not yet'}"
    yield f"{'platform':<12} {platforms / folder_of(found.origin.record)}"


def find_group(store: StoreReader, wanted: str) -> dict[str, Any]:
    """By its id, or by the beginning of the id or of the fingerprint. Raises NoSuchError."""
    exact = store.get(Collection.ERRORS, wanted)
    if exact is not None:
        return exact
    groups = store.latest(Collection.ERRORS, SEARCHED)
    found = [g for g in groups if wanted and _begins(g, wanted)]
    if len(found) != 1:
        how = "no failure has" if not found else f"{len(found)} failures have"
        raise NoSuchError(f"{how} an id that begins with {ascii(wanted)[:80]}; {PROGRAM} errors list shows them")
    return found[0]


def _begins(group: Mapping[str, Any], wanted: str) -> bool:
    return any(str(group.get(key, "")).startswith(wanted) for key in ("_id", "fingerprint"))


def resolve(store: StorePort, wanted: str, resolution: str, at: datetime) -> str:
    """Its id. Raises NoSuchError."""
    identity = str(find_group(store, wanted)["_id"])
    store.resolve(identity, resolution, at)
    return identity


def record_id(group: Mapping[str, Any]) -> str:
    """Of the newest record of a group; empty when it has none."""
    context = group.get("context")
    found = context.get("record", "") if isinstance(context, Mapping) else ""
    return found if isinstance(found, str) and ID.fullmatch(found) else ""


def make_platform(records: PrivateFolder, platforms: Path, wanted: str, group: str = "", now: float = 0.0) -> Path:
    """The folder, written anew. ``group``: its fingerprint in ERR0R, where it is known; ``now``: seconds since 1970.
    Raises NoSuchError when there is no such record, OSError."""
    document = record_document(records, wanted)
    folder = LocalPrivateFolder(platforms)
    before = origin_of(folder, wanted)
    origin = before or Origin(wanted, group, one_line(str(document.get("actor", "")), 100), now, unasked=False)
    try:
        name = write_platform(folder, document, lambda digest: kept_blob(records, digest), origin)
    except CodecError as error:
        raise NoSuchError(f"the record {ascii(wanted)[:80]} cannot be used: {error}") from None
    return platforms / name


def record_document(records: PrivateFolder, wanted: str) -> Mapping[str, Any]:
    """Raises NoSuchError when there is no such record, OSError."""
    try:
        document = kept_record(records, wanted)
    except CodecError as error:
        raise NoSuchError(f"the record {ascii(wanted)[:80]} cannot be used: {error}") from None
    if not isinstance(document, Mapping):
        raise NoSuchError(f"there is no record {ascii(wanted)[:80]}: it is too old, or was never made")
    return document


def _there(folder: PrivateFolder, identity: str) -> bool:
    try:
        return kept_record(folder, identity) is not None
    except (CodecError, OSError):
        return False


def _field(group: Mapping[str, Any], name: str) -> str:
    value = group.get(name)
    return "-" if value is None else one_line(str(value), 200)


def _kind(group: Mapping[str, Any]) -> str:
    return _field(group, "exception_type").rpartition(".")[2]


def _time(value: object) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else "-"
