"""Every actor of the running program dies, several times in a row: it is replaced, readings go on, each death is one
document in ERR0R, and no thread stays behind."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pykka
import pytest

from foureyes_actors import wiring
from foureyes_actors.headless import INTERRUPTED, Headless, Request
from foureyes_actors.messages import Collection, GetStatus
from foureyes_actors.model_table import group_by_model, load_models
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.ports.stores import open_store
from foureyes_actors.settings import Settings
from supervisors.cerberus import CERBERUS
from supervisors.messages import ChildStatus, WhichChildren
from tests.model_server.support import need_embedded
from tests.support import eventually

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

MODEL = "foureyes/screen-reader-tiny"
NAMES = (
    *("recorder", "bug", "forgewright", "console", "readings", "resource"),
    *("lm_studio", wiring.inference_name(MODEL), "capture"),
)
DEATHS = 3
WITHIN = 60.0  # seconds that a loaded machine may need for one step


class Poison:
    """A message that kills whoever looks at it; supervision, which hands it on, may. (A message that is merely unknown
    kills some actors and is left alone by others.)"""

    @property  # type: ignore[misc]  # what isinstance and match ask for
    def __class__(self) -> type:
        if sys._getframe(1).f_globals["__name__"].startswith("supervisors."):
            return Poison
        raise RuntimeError("poisoned")


class Running:
    """The whole program in this process, with the real embedded server; its main loop has a thread of its own."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings.model_validate(
            {
                "data_dir": folder,
                "inference": {"cache_ttl": 0.0},
                "resource": {"pressure": {"enabled": False}},
            }  # the test's own load
        )
        models = group_by_model(load_models(self.settings, LocalFiles(), beside=None))
        self.lines: list[str] = []
        self.codes: list[int] = []
        self.program = Headless(self.settings, models, wiring.real_world(self.settings), Request(), self.lines.append)
        self.names = tuple(
            child.name for child in wiring.children(self.program.config, models, self.program.world, self._run)
        )
        self._thread = threading.Thread(target=lambda: self.codes.append(self.program.run()), name="headless")
        self._thread.start()

    @property
    def _run(self) -> wiring.Run:
        return wiring.Run("unused", self.lines.append, lambda _reason: None, lambda: None)

    def child(self, name: str) -> ChildStatus:
        tree: tuple[ChildStatus, ...] = self.program.tree.directory.ask(CERBERUS, WhichChildren(), WITHIN)
        return next(child for child in tree if child.name == name)

    def counted(self, name: str, counter: str) -> int:
        """-1 while the actor is between two lives."""
        try:
            return int(self.program.tree.directory.ask(name, GetStatus(), WITHIN)[counter])
        except (pykka.ActorDeadError, pykka.Timeout):
            return -1

    def readings_go_on(self) -> None:
        before = max(0, self.counted("readings", "readings"))
        eventually(lambda: self.counted("readings", "readings") > before, WITHIN, f"more readings:\n{self.lines}")

    def kill(self, name: str) -> None:
        before = self.child(name).restarts
        assert self.program.tree.directory.tell(name, Poison())
        eventually(lambda: self.child(name).restarts > before, WITHIN, f"the death of {name} is seen")
        eventually(lambda: self.child(name).state == "running", WITHIN, f"{name} is replaced")

    def stop(self) -> int:
        self.program.ending.set("the test is over", INTERRUPTED)
        self._thread.join(WITHIN)
        assert not self._thread.is_alive()
        return self.codes[-1]

    def kept(self, collection: Collection) -> list[dict[str, Any]]:
        """After ``stop``."""
        store = open_store(self.settings.store, self.settings.data_dir)
        try:
            return store.latest(collection, limit=100_000)[::-1]
        finally:
            store.close()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    need_embedded()
    before = set(threading.enumerate())
    it = Running(tmp_path)
    try:
        eventually(lambda: any("#" in line for line in it.lines), WITHIN, f"the first reading:\n{it.lines}")
        yield it
    finally:
        it.stop()
    eventually(lambda: not set(threading.enumerate()) - before, WITHIN, "every thread has ended")


def thread_count() -> int:
    """Without the bug actor's worker, which begins with the first failure that has a record: a death of the model
    server in the middle of a request is one."""
    return sum(not thread.name.endswith(" records") for thread in threading.enumerate())


@pytest.mark.parametrize("name", NAMES)
def test_it_is_replaced_each_time(running: Running, name: str) -> None:
    assert set(running.names) == set(NAMES)
    running.readings_go_on()
    threads = thread_count()
    for _ in range(DEATHS):
        running.kill(name)
    running.readings_go_on()
    eventually(lambda: thread_count() <= threads, WITHIN, f"{threads} threads again, not {threading.enumerate()}")
    assert running.stop() == INTERRUPTED, running.lines
    deaths = [e for e in running.kept(Collection.ERRORS) if e["source"] == name and e["message"] == "poisoned"]
    assert sum(e["occurrences"] for e in deaths) == DEATHS, running.kept(Collection.ERRORS)
    bites = [e for e in running.kept(Collection.EVENTS) if e["kind"] == "head_bitten"]
    assert [e["subject"] for e in bites] == [name] * DEATHS
    sequences = [d["sequence"] for d in running.kept(Collection.READINGS)]
    assert len(set(sequences)) == len(sequences)
