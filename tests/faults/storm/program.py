"""The whole program in this process, with everything around it that can be made to fail."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import psutil
import pykka

from foureyes_actors import wiring
from foureyes_actors.capture.cabinet import Cabinet, encode_jpeg
from foureyes_actors.headless import INTERRUPTED, Headless, Request
from foureyes_actors.inference.in_process import decode, load_tiny
from foureyes_actors.messages import Collection, GetStatus, Task
from foureyes_actors.model_table import group_by_model, load_models
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.ports.store import StorePort
from foureyes_actors.ports.stores import open_store
from foureyes_actors.settings import PictureLimits, Settings
from supervisors.cerberus import CERBERUS
from supervisors.heads import Heads
from supervisors.inbox import InboxFull
from supervisors.messages import ChildStatus, WhichChildren
from supervisors.policy import Backoff
from supervisors.specs import ChildSpec
from t00l5et.doubles.obs import FakeObs
from tests.faults.storm.door import Door
from tests.faults.storm.relay import Relay
from tests.faults.storm.store import OpensInWeather, Weather
from tests.support import eventually

WITHIN = 90.0  # seconds that a loaded machine may need for one step
ASK = 1.0  # seconds
STUCK_AFTER = 2.0  # seconds
BACKOFF = Backoff(first=0.1, longest=1.0, stable_after=5.0)  # else it grows to half a minute in such a storm
PICTURES = 24  # of the cabinet, which OBS shows again and again
HEADS = Heads(
    restarts=2,
    restart_period=15.0,
    reloads=1,
    reload_period=30.0,
    dwell=2.0,
    longest_dwell=4.0,
    again_within=5.0,
    probes=2,
    probing=Backoff(first=0.5, longest=2.0),
    settled=0.5,
)


def settings_for(folder: Path, obs_port: int, platforms: int, **source: object) -> Settings:
    """The embedded default, but sooner impatient. ``platforms``: so many failures are run again."""
    return Settings.model_validate(
        {
            "data_dir": folder,
            "source": {"health": {"down_after": 3.0}, "obs": {"port": obs_port, "deadline": 1.0}, **source},
            "inference": {
                "cache_ttl": 0.0,
                "deadline": 4.0,
                "attempts": 2,
                "backoff": [0.2],
                "jitter": 0.1,
                "fallback_every": 0.5,
            },
            "model_server": {"check_every": 1.0, "silent_after": 2, "stop_grace": 0.5},
            "readings": {"join_timeout": 5.0},
            "forgewright": {"platforms_per_day": platforms},
            "resource": {"every": 1.0, "pressure": {"enabled": False}},  # its own load is no reason to read less
        }
    )


class Shown(dict[str, bytes]):
    """Scenes for OBS's double: another picture each time it is asked."""

    def __init__(self) -> None:
        cabinet = Cabinet("lucky_gold", 3, (1280, 720))
        cabinet.set_stage(cabinet.make_stage(0.0))
        pictures = [encode_jpeg(cabinet.draw(each / 3), 85) for each in range(PICTURES)]
        super().__init__(cabinet=pictures[0])
        self._next = itertools.cycle(pictures)

    def __getitem__(self, name: str) -> bytes:
        super().__getitem__(name)
        return next(self._next)


def warm() -> None:
    """What the first polling fallback imports, and leaves in the process for ever."""
    engine = load_tiny()
    engine.screen().answer(decode(Shown()["cabinet"], PictureLimits()), 0.0, tuple(Task))


class Program:
    """A context manager: from the first reading to the end. ``lines``: what it printed."""

    def __init__(self, folder: Path, platforms: int) -> None:
        self.relay, self.weather = Relay(), Weather()
        self.obs = FakeObs({})
        self.obs.scenes, self.obs.program = Shown(), "cabinet"
        self.cabinet = settings_for(folder, self.obs.port, platforms)
        self.through_obs = settings_for(folder, self.obs.port, platforms, kind="obs")
        self.lines: list[str] = []
        self.code: int | None = None
        world = wiring.real_world(self.cabinet)
        world = replace(world, http=self.relay.before(world.http), store=OpensInWeather(world.store, self.weather))
        models = group_by_model(load_models(self.cabinet, LocalFiles(), beside=None))
        self.headless = Headless(self.cabinet, models, world, Request(), self.lines.append, heads=HEADS)
        self.directory = self.headless.tree.directory
        self.door = Door(self.directory)
        self.headless.upkeep.on_exit = self.door.beside(  # type: ignore[method-assign,assignment]
            self.headless.upkeep.on_exit
        )
        self._thread = threading.Thread(target=self._run, name="headless", daemon=True)
        self._around = contextlib.ExitStack()

    def show(self, source: str) -> None:
        """What the configuration says from now on: "obs" or "cabinet". A capture that is built anew follows it."""
        self.headless.config.settings = self.through_obs if source == "obs" else self.cabinet

    def shows(self, source: str) -> bool:
        return (self.headless.config.settings is self.through_obs) == (source == "obs")

    def _run(self) -> None:
        try:
            self.code = self.headless.run()
        except BaseException as error:
            self.lines.append(f"headless raised {error!r}")
            raise

    def __enter__(self) -> Program:
        self._around.enter_context(self.relay)
        self._around.enter_context(self.obs)
        self._around.enter_context(mock.patch.object(wiring, "children", _impatient(wiring.children)))
        self._thread.start()
        try:
            eventually(lambda: self.door.newest_frame is not None, WITHIN, f"the first reading: {self.lines}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            self._around.close()

    def stop(self) -> int | None:
        self.weather.turn(None)
        self.relay.vice = None
        self.headless.ending.set("the storm is over", INTERRUPTED)
        self._thread.join(WITHIN)
        assert not self._thread.is_alive(), "it does not end"
        return self.code

    @property
    def journal(self) -> Path:
        return self.cabinet.data_dir / "journal"

    @contextlib.contextmanager
    def store(self) -> Iterator[StorePort]:
        """After ``stop``."""
        store = open_store(self.cabinet.store, self.cabinet.data_dir)
        try:
            yield store
        finally:
            store.close()

    def kept(self, collection: Collection) -> list[dict[str, Any]]:
        """After ``stop``."""
        with self.store() as store:
            return store.latest(collection, limit=1_000_000)[::-1]

    # --- how it is ---

    def children(self) -> dict[str, ChildStatus]:
        rows: tuple[ChildStatus, ...] = self.directory.ask(CERBERUS, WhichChildren(), WITHIN)
        return {child.name: child for child in rows}

    def asked(self, name: str) -> Mapping[str, Any]:
        """Empty while the actor cannot answer."""
        try:
            answer: Mapping[str, Any] = self.directory.ask(name, GetStatus(), ASK)
        except (pykka.ActorDeadError, pykka.Timeout, InboxFull):
            return {}
        except BaseException as error:  # a poisoned one answers everybody with it
            if "poisoned" not in str(error):
                raise
            return {}
        return answer

    def server_ready(self) -> bool:
        return self.asked(wiring.LM_STUDIO).get("phase") == "ready"

    def stream_healthy(self) -> bool:
        return self.asked("capture").get("condition") == "healthy"

    def newer_frame(self, since: float) -> bool:
        """``since``: monotonic seconds. The stream is healthy, with a frame after that."""
        capture = self.asked("capture")
        age = capture.get("last_frame_age")
        return capture.get("condition") == "healthy" and age is not None and age < time.monotonic() - since

    def stored(self) -> bool:
        return self.asked("recorder").get("condition") == "stored"

    def reproducing(self) -> bool:
        platforms = self.asked("forgewright").get("platforms") or {}
        return bool(platforms.get("in_work") or (platforms.get("waiting") and not platforms.get("held_back")))

    def trouble(self) -> tuple[str, ...]:
        """Everything that is not green; empty when all is."""
        found = [
            f"{child.name}: {child.state}, head {child.head!r}, {child.leaked} leaked"
            for child in self.children().values()
            if child.state != "running" or child.head or child.leaked
        ]
        if self.headless.config.degraded:
            found.append("in the fallback")
        checks = {"the stream": self.stream_healthy, "the server": self.server_ready, "the store": self.stored}
        return (*found, *(f"{name}: not well" for name, well in checks.items() if not found and not well()))

    def servers(self) -> list[psutil.Process]:
        """The model server's processes, the newest last. A failure that is run again has a process too."""
        return sorted(filter(_is_server, psutil.Process().children()), key=lambda process: process.create_time())


def _is_server(process: psutil.Process) -> bool:
    try:
        return "foureyes_actors.model_server" in process.cmdline()
    except psutil.Error:  # it has just ended
        return False


def _impatient(children: Any) -> Any:
    def made(*arguments: Any) -> list[ChildSpec]:
        return [replace(spec, stuck_after=STUCK_AFTER, backoff=BACKOFF) for spec in children(*arguments)]

    return made
