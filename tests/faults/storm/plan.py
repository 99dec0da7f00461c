"""Which faults in which order: a function of the seed."""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence

from foureyes_actors import wiring
from tests.faults.storm.faults import ERRORS, OBS_VARIANTS, SERVER, STOP_VARIANTS, STORE, Blow
from tests.faults.storm.relay import ServerVice
from tests.faults.storm.store import StoreVice

HANG = 3.0  # seconds until a hang lets go; more than the children's stuck_after
LONG = 100  # faults
IN_A_ROW = 6  # kills of one actor: as many as bring it through all three heads
Section = tuple[str, tuple[Blow, ...]]  # the source, and what happens meanwhile


def plan(seed: int, faults: int, actors: Sequence[str]) -> tuple[Section, ...]:
    """Three sections: the cabinet, OBS, the cabinet again. What there is only with OBS happens there."""
    chance = random.Random(seed)
    blows = _blows(chance, faults, actors)
    obs = [row for row in blows if row[0].kind == "OBS"]
    rest = [row for row in blows if row[0].kind != "OBS"]
    third = len(rest) // 3
    middle = rest[third : 2 * third] + obs
    chance.shuffle(middle)
    parts = (("cabinet", rest[:third]), ("obs", middle), ("cabinet", rest[2 * third :]))
    return tuple((source, tuple(blow for row in rows for blow in row)) for source, rows in parts)


def _blows(chance: random.Random, faults: int, actors: Sequence[str]) -> list[list[Blow]]:
    """Rows of what happens one after the other."""
    rows: list[list[Blow]] = [[make(chance, actors)] for make in _ALWAYS]
    if faults >= LONG:
        rows.append([Blow("kill", wiring.LM_STUDIO, "RuntimeError")] * IN_A_ROW)  # to the system's polling fallback
    kinds, weights = zip(*_WEIGHTS, strict=True)
    while (left := faults - sum(map(len, rows))) > 0:
        make = chance.choices(kinds, weights)[0]
        row = [make(chance, actors)]
        if make is _kill and left > 4 * IN_A_ROW and chance.random() < 0.08:
            row *= IN_A_ROW
        rows.append(row)
    chance.shuffle(rows)
    return rows


def _kill(chance: random.Random, actors: Sequence[str]) -> Blow:
    return Blow("kill", chance.choice(actors), chance.choice(tuple(ERRORS)))


def _hang(chance: random.Random, actors: Sequence[str]) -> Blow:
    return Blow("hang", chance.choice(actors), lasts=HANG)


def _kill_9(chance: random.Random, actors: Sequence[str]) -> Blow:
    return Blow("kill -9", SERVER)


def _sigstop(chance: random.Random, actors: Sequence[str]) -> Blow:
    variant = chance.choice(tuple(STOP_VARIANTS))
    return Blow("SIGSTOP", SERVER, variant, STOP_VARIANTS[variant])


def _answers(chance: random.Random, actors: Sequence[str]) -> Blow:
    return Blow("answers", SERVER, chance.choice(tuple(ServerVice)), chance.uniform(0.3, 4.0))


def _obs(chance: random.Random, actors: Sequence[str]) -> Blow:
    return Blow("OBS", "capture", chance.choice(OBS_VARIANTS))


def _store(chance: random.Random, actors: Sequence[str]) -> Blow:
    variant = chance.choice(tuple(StoreVice))
    return Blow("store", STORE, variant, HANG if variant is StoreVice.HANG else chance.uniform(0.5, 3.0))


_POSIX = sys.platform != "win32"  # Windows cannot halt a process by a signal
_WEIGHTS = [(_kill, 40), (_hang, 16), (_kill_9, 8), (_sigstop, 6 * _POSIX), (_answers, 12), (_obs, 10), (_store, 8)]
_ALWAYS = [make for make, weight in _WEIGHTS if weight]
