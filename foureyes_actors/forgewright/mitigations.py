"""Settings that Forgewright has put in force for a while: ``data_dir/mitigations``, a file a decision, laid over what
foureyes.yaml and the environment say.

What lies there is data from anywhere: a key that is no knob, a value beyond its bounds, a longer time than is allowed
are left out, and that is said; and so is what no decision has in force as it stands here. The user's word wins: a
setting that is no longer what it was is not touched.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from foureyes_actors.forgewright.course import UNTIL
from foureyes_actors.forgewright.decision import ID, Decision
from foureyes_actors.forgewright.knobs import KNOBS, value_of
from foureyes_actors.forgewright.ledger import kept_decision
from foureyes_actors.forgewright.states import IN_FORCE
from foureyes_actors.forgewright.triage import RemedyKind
from foureyes_actors.invocation import PROGRAM
from foureyes_actors.ports.private_folder import Entry, PrivateFolder
from foureyes_actors.settings import Settings
from foureyes_actors.text import one_line

MITIGATIONS = "mitigations"  # the folder's name
DAY = 86_400.0
LASTS = 7 * DAY  # seconds, unless it is confirmed
DECISION = ID
SCHEMA = 1
MAX_SIZE = 2048  # bytes of a file
MAX_FILES = 100
MOST = 1e12  # of any number
AHEAD = 300.0  # seconds that a clock may have been ahead when the file was written


class BadMitigation(ValueError):
    """It is none that may be put in force; the words say why."""


@dataclass(frozen=True, slots=True)
class Mitigation:
    """``was``: the value that the user's configuration has. ``at``, ``until``: seconds since 1970; ``until`` None: it
    was confirmed, for good."""

    decision: str
    key: str
    was: float
    value: float
    at: float
    until: float | None

    def __str__(self) -> str:
        return f"{self.key} is {self.value:g} instead of {self.was:g}: a mitigation of {self.decision} {self.lasting}"

    @property
    def lasting(self) -> str:
        if self.until is None:
            return "until it is taken back"
        return f"until {datetime.fromtimestamp(self.until, UTC):%Y-%m-%d}"


@dataclass(frozen=True, slots=True)
class Found:
    """``mitigations``: those in force, in the order in which they were put. ``broken``: a line for each file that is
    left out. ``expired``: names of files."""

    mitigations: tuple[Mitigation, ...] = ()
    broken: tuple[str, ...] = ()
    expired: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Laid:
    """``settings``: with what is in force laid over them. ``told``: a line for each that is; ``left``: a line for each
    that is not, and why."""

    settings: Settings
    told: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def mitigation(decision: str, key: str, was: float, value: float, now: float) -> Mitigation:
    """One that lasts seven days. Raises BadMitigation."""
    return _checked(Mitigation(decision, key, was, value, now, now + LASTS), now)


def put(folder: PrivateFolder, wanted: Mitigation, now: float) -> None:
    """A second time: nothing more happens. Raises BadMitigation, OSError."""
    document = {"schema": SCHEMA, **asdict(_checked(wanted, now))}
    folder.write(_name(wanted.decision), json.dumps(document, allow_nan=False).encode())


def take_back(folder: PrivateFolder, decision: str) -> bool:
    """False: there was none, or it had been taken back. Raises BadMitigation when that is no decision's id, OSError."""
    name = _name(decision)
    there = folder.exists(name)
    folder.delete(name)
    return there


def confirm(folder: PrivateFolder, decision: Decision, now: float) -> bool:
    """From now on it does not expire. False: there is none that this decision has in force. Raises OSError."""
    found = next((each for each in in_force(folder, now) if each.decision == decision.id), None)
    try:
        held = named(decision, found) if found is not None else None
    except BadMitigation:
        return False
    if held is None:
        return False
    put(folder, replace(held, until=None), now)
    return True


def named(decision: Decision, found: Mitigation) -> Mitigation:
    """What lies in the folder, as its decision has it in force: no other setting, no other value, and no longer. Pure.
    Raises BadMitigation."""
    facts = decision.remedy_facts
    if decision.remedy is not RemedyKind.CONFIGURATION or decision.state not in IN_FORCE:
        raise BadMitigation(f"{decision.id} is {decision.state} and has no setting in force")
    if [facts.get(name) for name in ("key", "was", "value")] != [found.key, found.was, found.value]:
        raise BadMitigation(f"{decision.id} has another setting in force than {found.key} {found.value:g}")
    until = facts.get(UNTIL, False)
    if until is not None and not _is_number(until):
        raise BadMitigation(f"{decision.id} does not say until when")
    ends = [each for each in (until, found.until) if isinstance(each, int | float)]
    return replace(found, until=min(ends, default=None))


def in_force(folder: PrivateFolder, now: float) -> tuple[Mitigation, ...]:
    """``now``: seconds since 1970. Raises OSError."""
    return look(folder, now).mitigations


def look(folder: PrivateFolder, now: float) -> Found:
    """All that lies there. Raises OSError when the folder cannot be listed."""
    good: list[Mitigation] = []
    broken: list[str] = []
    expired: list[str] = []
    entries = folder.entries()
    odd = sorted(set(folder.names()) - {entry.name.partition("/")[0] for entry in entries})
    broken += [f"the mitigation {one_line(name, 60)} is left out: it is no file" for name in odd[:MAX_FILES]]
    for entry in entries[:MAX_FILES]:
        try:
            found = _read(folder, entry, now)
        except (BadMitigation, OSError) as error:
            broken.append(f"the mitigation {entry.name} is left out: {one_line(str(error), 200)}")
            continue
        if found.until is not None and found.until <= now:
            expired.append(entry.name)
        else:
            good.append(found)
    if len(entries) > MAX_FILES:
        broken.append(f"of {len(entries)} mitigations all but {MAX_FILES} are left out")
    return Found(tuple(sorted(good, key=lambda each: (each.at, each.decision))), tuple(broken), tuple(expired))


def lay(settings: Settings, mitigations: Iterable[Mitigation]) -> Laid:
    """In the order in which they were put: one may build upon another. Pure."""
    told: list[str] = []
    left: list[str] = []
    for each in mitigations:
        has = value_of(settings, each.key)
        if has != each.was:
            left.append(
                f"{each.key} is {has:g} and no longer {each.was:g}, so the mitigation of {each.decision} does not hold"
            )
            continue
        value = int(each.value) if KNOBS[each.key].whole else float(each.value)
        settings = _with(settings, each.key.split("."), value)
        told.append(f"{each}; `{PROGRAM} decisions revert {each.decision}` takes it back")
    return Laid(settings, tuple(told), tuple(left))


def mitigated(settings: Settings, folder: PrivateFolder, decisions: PrivateFolder, now: float) -> Laid:
    """What is in force now, laid over the user's settings; what has expired is deleted. ``decisions``: their folder, of
    which those are read that a file here names. Never raises: without what cannot be read the user's settings hold."""
    try:
        found = _decided(look(folder, now), decisions, now)
        for name in found.expired:
            folder.delete(name)
    except OSError as error:
        return Laid(settings, left=(f"mitigations cannot be read: {error.strerror or type(error).__name__}",))
    laid = lay(settings, found.mitigations)
    return Laid(laid.settings, laid.told, (*found.broken, *laid.left))


def _decided(found: Found, decisions: PrivateFolder, now: float) -> Found:
    good: list[Mitigation] = []
    broken: list[str] = []
    expired: list[str] = []
    for each in found.mitigations:
        name = _name(each.decision)
        try:
            held = named(kept_decision(decisions, each.decision), each)
        except FileNotFoundError:
            broken.append(f"the mitigation {name} is left out: there is no decision {each.decision}")
        except (OSError, ValueError) as error:
            broken.append(f"the mitigation {name} is left out: {one_line(str(error), 200)}")
        else:
            over = held.until is not None and held.until <= now
            expired += [name] if over else []
            good += [] if over else [held]
    return Found(tuple(good), (*found.broken, *broken), (*found.expired, *expired))


def _name(decision: str) -> str:
    if not DECISION.fullmatch(decision):
        raise BadMitigation(f"{one_line(decision, 60)!a} is no decision's id, such as FORGE-2026-001")
    return f"{decision}.json"


def _read(folder: PrivateFolder, entry: Entry, now: float) -> Mitigation:
    """Raises BadMitigation, OSError."""
    if entry.size > MAX_SIZE:
        raise BadMitigation(f"it has {entry.size} bytes, more than {MAX_SIZE}")
    try:
        document = json.loads(folder.read(entry.name))
        if document.pop("schema") != SCHEMA:
            raise BadMitigation(f"it is not of schema {SCHEMA}")
        found = Mitigation(**document)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise error if isinstance(error, BadMitigation) else BadMitigation("it is not in the form of one") from None
    checked = _checked(found, now)
    if entry.name != _name(checked.decision):
        raise BadMitigation(f"it says that it is of {checked.decision}")
    return checked


def _checked(found: Mitigation, now: float) -> Mitigation:
    """Raises BadMitigation. Of a value that is none nothing is repeated."""
    if not isinstance(found.decision, str) or not DECISION.fullmatch(found.decision):
        raise BadMitigation("it has no decision's id, such as FORGE-2026-001")
    knob = KNOBS.get(found.key) if isinstance(found.key, str) else None
    if knob is None:
        raise BadMitigation(f"its key is not one of: {', '.join(KNOBS)}")
    if not knob.admits(found.value):
        raise BadMitigation(f"its value for {knob.key} is not within {knob.bounds}")
    if not _is_number(found.was):
        raise BadMitigation("it does not say what the value was")
    if not _is_number(found.at) or not 0 <= found.at <= now + AHEAD:
        raise BadMitigation("it was not put before now")
    if found.until is not None and not (_is_number(found.until) and found.at < found.until <= found.at + LASTS):
        raise BadMitigation(f"it does not end within {LASTS / DAY:g} days")
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -MOST < value < MOST


def _with(section: Any, path: list[str], value: float) -> Any:
    """A copy with another value there, unchecked: the bounds of a knob are within those of its setting."""
    name, *below = path
    return section.model_copy(update={name: _with(getattr(section, name), below, value) if below else value})
