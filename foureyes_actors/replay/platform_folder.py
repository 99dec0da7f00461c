"""The folder of platforms, ``data_dir/platforms``: written, found again, and kept within a time and a size.

    repro_<id>/      a platform; origin.json: which group of ERR0R it is of, and when it was made
    waiting/         what is still to be made, a file each: a run that ends in the middle is gone on with

What lies there is data: names are checked, a link is never followed, and a file that says nothing is left out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from foureyes_actors.ports.private_folder import Entry, PrivateFolder
from foureyes_actors.replay.confirmation import Confirmation, kept_confirmation
from foureyes_actors.replay.platform import FOLDER, folder_of, platform_files
from foureyes_actors.replay.record import ID

ORIGIN = "origin.json"
WAITING = "waiting"
KEPT = 30 * 86_400.0  # seconds
BUDGET = 256 * 1024 * 1024  # bytes
MAX_TEXT = 200  # characters of a group or a source


@dataclass(frozen=True, slots=True)
class Origin:
    """``group``: its fingerprint in ERR0R; empty: not known. ``at``: seconds since 1970: when the platform was made,
    or for one that waits, when it failed. ``unasked``: it was made without anybody asking."""

    record: str
    group: str
    source: str
    at: float
    unasked: bool = True


@dataclass(frozen=True, slots=True)
class Platform:
    origin: Origin
    confirmation: Confirmation | None


def write_platform(
    folder: PrivateFolder, document: Mapping[str, Any], blob: Callable[[str], bytes], origin: Origin
) -> str:
    """Its name. One that is there is written anew. Raises CodecError, OSError."""
    files = platform_files(document, blob)
    name = folder_of(origin.record)
    folder.delete(f"{name}/confirmation.json")  # of what is no longer there
    folder.write(f"{name}/{ORIGIN}", _bytes_of(origin))
    for file, data in files.items():
        folder.write(f"{name}/{file}", data)
    return name


def origin_of(folder: PrivateFolder, record: str) -> Origin | None:
    """None: there is no such platform, or it does not say."""
    found = _read(folder, f"{folder_of(record)}/{ORIGIN}")
    return found if found is not None and found.record == record else None


def platforms(folder: PrivateFolder) -> list[Platform]:
    """The oldest first. Raises OSError."""
    found = []
    for name in sorted({entry.name.partition("/")[0] for entry in folder.entries()}):
        record = FOLDER.fullmatch(name)
        if record is not None and (origin := origin_of(folder, record[1])) is not None:
            found.append(Platform(origin, kept_confirmation(folder, f"{name}/")))
    return sorted(found, key=lambda platform: platform.origin.at)


def platform_of(folder: PrivateFolder, record: str, group: str) -> Platform | None:
    """That of this very record, else the newest of its group. Raises OSError."""
    if ID.fullmatch(record) and (confirmation := kept_confirmation(folder, f"{folder_of(record)}/")) is not None:
        return Platform(origin_of(folder, record) or Origin(record, group, "", 0.0), confirmation)
    of_group = [found for found in platforms(folder) if group and found.origin.group == group]
    return of_group[-1] if of_group else None


def wait(folder: PrivateFolder, wanted: Origin) -> None:
    """Raises OSError."""
    folder.write(_waiting_name(wanted.record), _bytes_of(wanted))


def wait_no_more(folder: PrivateFolder, record: str) -> None:
    """Raises OSError."""
    folder.delete(_waiting_name(record))


def waiting(folder: PrivateFolder) -> list[Origin]:
    """The oldest first. Raises OSError."""
    names = [entry.name for entry in folder.entries() if entry.name.startswith(f"{WAITING}/")]
    found = [origin for name in names if (origin := _read(folder, name)) is not None]
    return sorted(found, key=lambda origin: origin.at)


def sweep(folder: PrivateFolder, now: float) -> None:
    """Raises OSError."""
    for name in swept(folder.entries(), now):
        folder.delete(name)
    folder.prune()


def swept(entries: Iterable[Entry], now: float, budget: int = BUDGET) -> list[str]:
    """The files of platforms that are too old, and of the oldest ones that do not fit into ``budget``: a platform goes
    as a whole. ``now``: seconds since 1970. Pure."""
    whole: dict[str, list[Entry]] = {}
    for entry in entries:
        if FOLDER.fullmatch(entry.name.partition("/")[0]) or entry.name.startswith(f"{WAITING}/"):
            whole.setdefault(_unit(entry.name), []).append(entry)
    ages = sorted(whole.values(), key=lambda files: max(entry.changed for entry in files))
    size = sum(entry.size for files in ages for entry in files)
    gone: list[str] = []
    for files in ages:
        if size <= budget and now - max(entry.changed for entry in files) <= KEPT:
            break
        size -= sum(entry.size for entry in files)
        gone += [entry.name for entry in files]
    return gone


def _unit(name: str) -> str:
    return name if name.startswith(f"{WAITING}/") else name.partition("/")[0]


def _waiting_name(record: str) -> str:
    folder_of(record)
    return f"{WAITING}/{record}.json"


def _bytes_of(origin: Origin) -> bytes:
    document = {"record": origin.record, "group": origin.group, "source": origin.source, "at": origin.at}
    return json.dumps({**document, "unasked": origin.unasked}).encode()


def _read(folder: PrivateFolder, name: str) -> Origin | None:
    try:
        found = json.loads(folder.read(name))
        record, group, source = texts = (found["record"], found["group"], found["source"])
        at, unasked = found["at"], found["unasked"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    fine = all(isinstance(text, str) and len(text) <= MAX_TEXT for text in texts) and ID.fullmatch(record)
    if not fine or not isinstance(unasked, bool) or not isinstance(at, float) or not math.isfinite(at):
        return None
    return Origin(record, group, source, at, unasked)
