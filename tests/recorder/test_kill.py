"""``kill -9`` in the middle of writing: no acknowledged document is lost, none is doubled. A few times each; the twenty
times are marked slow."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from foureyes_actors.errors import StoreUnavailable
from foureyes_actors.messages import Collection
from foureyes_actors.ports.store import StorePort
from tests.recorder.journal_child import replay, store_at
from tests.recorder.places import MongoPlace, Place, Secantus
from tests.recorder.writing_child import step, write

KILLS = pytest.mark.parametrize("kills", [6, pytest.param(20, marks=pytest.mark.slow)])
REPLAYS = 10
Acked = dict[str, int]  # run -> the steps that were acknowledged


def killed_after(steps: int, module: str, *arguments: str) -> tuple[int, bool]:
    """How many lines a child had written when it was killed, ``steps`` or a few more; False: it ended before."""
    command = [sys.executable, "-m", f"tests.recorder.{module}", *arguments]
    child = subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    assert child.stdout is not None
    with child, child.stdout:
        lines = 0
        for _ in child.stdout:
            lines += 1
            if lines == steps:
                child.kill()  # it is writing its next step now; what it had said before is still in the pipe
        code = child.wait(30)
    assert code == 0 or lines >= steps, "the child failed"
    return lines, code != 0


def check(store: StorePort, acked: Acked) -> None:
    """Every acknowledged step is there; sending all again, the unacknowledged last ones too, doubles nothing."""
    for run, steps in acked.items():
        for number in range(steps):
            for document in step(run, number):
                if "fingerprint" not in document:
                    assert store.get(Collection.READINGS, document["_id"]) is not None, document["_id"]
    counted = occurrences(acked)
    found = sum(group["occurrences"] for group in store.latest(Collection.ERRORS))
    assert counted <= found <= counted + len(acked)  # at most the step that was cut short, once a run
    again = {run: steps + 1 for run, steps in acked.items()}
    for run, steps in again.items():
        for number in range(steps):
            write(store, run, number)
    assert sum(group["occurrences"] for group in store.latest(Collection.ERRORS)) == occurrences(again)
    assert store.count(Collection.READINGS) == sum(
        len(step(run, number)) for run, steps in again.items() for number in range(steps) if number % 3 != 2
    )


def occurrences(acked: Acked) -> int:
    return sum(number % 3 == 2 for steps in acked.values() for number in range(steps))


@KILLS
@pytest.mark.timeout(300)
def test_the_writer_is_killed(place: Place, kills: int) -> None:
    moments = random.Random(1)
    acked: Acked = {}
    for run in range(kills):
        name = f"r{run}"
        acked[name], killed = killed_after(moments.randint(1, 25), "writing_child", *place.arguments, name)
        assert killed
    with closing(place.open()) as store:
        check(store, acked)


def steps_until_away(store: StorePort, run: str, enough: threading.Event, after: int) -> int:
    """Write until the store goes away; set ``enough`` after so many steps. How many were acknowledged."""
    number = 0
    try:
        while number < 100_000:
            write(store, run, number)
            number += 1
            if number == after:
                enough.set()
    except StoreUnavailable:
        return number
    pytest.fail("the server was not killed")


def kill_when(enough: threading.Event, server: Secantus, store: StorePort) -> None:
    enough.wait(60)
    server.kill()
    store.close()  # the writer need not wait for a server that will not come


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Secantus]:
    server = Secantus(tmp_path)
    server.start()
    yield server
    server.kill()


@KILLS
@pytest.mark.timeout(300)
def test_the_database_server_is_killed(own_server: Secantus, kills: int) -> None:
    place, moments, acked = MongoPlace(own_server.uri), random.Random(2), Acked()
    for run in range(kills):
        enough = threading.Event()
        with closing(place.open()) as store:
            killer = threading.Thread(target=kill_when, args=(enough, own_server, store), name=f"killer-{run}")
            killer.start()
            acked[f"r{run}"] = steps_until_away(store, f"r{run}", enough, moments.randint(1, 25))
            enough.set()
            killer.join(60)
        own_server.start()
    with closing(place.open()) as store:
        check(store, acked)


@pytest.mark.timeout(300)
def test_the_recorder_is_killed_while_it_fills_the_journal_and_while_it_replays_it(tmp_path: Path) -> None:
    moments, acked = random.Random(3), Acked()
    for run in range(REPLAYS):
        name = f"r{run}"
        acked[name], killed = killed_after(moments.randint(1, 40), "journal_child", "append", str(tmp_path), name)
        assert killed
    kills = 0
    while kills < REPLAYS:
        _, killed = killed_after(moments.randint(1, 15), "journal_child", "replay", str(tmp_path))
        if not killed:
            break
        kills += 1
    assert kills > 2
    replay(tmp_path)  # what is left
    with closing(store_at(tmp_path)) as store:
        check(store, acked)
