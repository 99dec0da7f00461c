"""The capture actor for real: its thread, its worker, Cerberus above it, a receiver below."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from foureyes_actors.capture.actor import CaptureActor
from foureyes_actors.capture.numbering import FrameNumbers
from foureyes_actors.capture.source import FrameSource
from foureyes_actors.capture.sources import open_source
from foureyes_actors.capture.truth_file import read_truths
from foureyes_actors.errors import ConfigurationError, SourceRefused
from foureyes_actors.messages import (
    Fault,
    FrameCaptured,
    GetStatus,
    SourceExhausted,
    StreamCondition,
    StreamHealthChanged,
)
from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.ports.obs_websocket import ObsWebsocketPort
from foureyes_actors.settings import SourceSettings
from supervisors.actor import ActorContext, SupervisedActor
from supervisors.cerberus import Root
from supervisors.context import Tree
from supervisors.messages import ExitNotice
from supervisors.policy import Backoff
from supervisors.specs import ChildSpec
from t00l5et.doubles.obs import FakeObs, Stage, Vice
from tests.capture.made_pictures import jpeg
from tests.capture.scripted import Gate, ScriptedSource, Step
from tests.support import eventually, start_tree

CLOCK = SystemClock()


class Notebook(SupervisedActor):
    """Writes down what it gets; while ``hold`` is not set it hangs in its first message."""

    def __init__(self, context: ActorContext, seen: list[Any], hold: threading.Event) -> None:
        super().__init__(context)
        self._seen, self._hold = seen, hold

    def on_receive(self, message: Any) -> None:
        self._hold.wait(20)
        self._seen.append(message)


class Live:
    def __init__(self) -> None:
        self.tree = Tree()
        self.frames: list[FrameCaptured] = []
        self.told: list[Any] = []
        self.faults: list[Fault] = []
        self.exits: list[ExitNotice] = []
        self.fatal: list[BaseException] = []
        self.go_on = threading.Event()
        self.go_on.set()
        self.reading = threading.Event()
        self.reading.set()
        self._root: Root | None = None

    def start(self, source: Callable[[], FrameSource], settings: SourceSettings) -> None:
        def notebook(name: str, seen: list[Any], hold: threading.Event) -> ChildSpec:
            return ChildSpec(name, lambda context: Notebook(context, seen, hold))

        numbers = FrameNumbers()
        capture = ChildSpec(
            "capture",
            lambda context: CaptureActor(
                context, settings=settings, source=source, clock=CLOCK, targets=("inference:x",), numbers=numbers
            ),
            backoff=Backoff(first=0.01),
        )
        children = [
            notebook("bug", self.faults, self.go_on),
            notebook("readings", self.told, self.go_on),
            notebook("inference:x", self.frames, self.reading),
            capture,
        ]
        self._root = start_tree(
            self.tree,
            children,
            on_exit=self.exits.append,
            fatal=(ConfigurationError,),
            on_fatal=lambda _child, error: self.fatal.append(error),
        )

    def open(self, **settings: Any) -> None:
        chosen = SourceSettings.model_validate(settings)
        self.start(lambda: open_source(chosen, CLOCK, LocalFiles(), ObsWebsocketPort), chosen)

    def status(self) -> dict[str, Any]:
        return dict(self.tree.directory.ask("capture", GetStatus(), 10))

    def conditions(self) -> list[StreamCondition]:
        return [m.after for m in self.told if isinstance(m, StreamHealthChanged)]

    def stop(self) -> None:
        """Idempotent."""
        self.reading.set()
        root, self._root = self._root, None
        if root is not None:
            root.stop(5.0)


def own_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if "#" in t.name]


@pytest.fixture
def live() -> Iterator[Live]:
    live = Live()
    yield live
    live.stop()
    eventually(lambda: own_threads() == [], 30, "all threads ended")


def test_the_cabinet_is_captured_and_its_truth_written(live: Live, tmp_path: Path) -> None:
    truth_file = tmp_path / "truth.jsonl"
    live.open(rate=10, cabinet={"width": 320, "height": 180, "truth_file": truth_file})
    eventually(lambda: len(live.frames) >= 5, 30, "five frames")
    status = live.status()
    assert status["source"] == "cabinet:lucky_gold" and status["condition"] == "healthy" and status["failures"] == {}
    live.stop()
    refs = [message.frame.ref for message in live.frames]
    assert [ref.sequence for ref in refs] == sorted({ref.sequence for ref in refs})
    assert all(hashlib.sha256(m.frame.data).hexdigest() == m.frame.ref.digest for m in live.frames)
    assert {ref.digest for ref in refs} <= read_truths(truth_file.read_bytes()).keys()
    assert {(ref.width, ref.height) for ref in refs} == {(320, 180)}
    assert live.exits == [] and live.faults == []


def test_a_folder_is_captured_to_its_end(live: Live, tmp_path: Path) -> None:
    for number in range(1, 6):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg(shade=number * 40) if number != 3 else b"broken")
    live.open(kind="pictures", rate=10, pictures={"path": tmp_path})
    eventually(lambda: any(isinstance(m, SourceExhausted) for m in live.told), 30, "the end is told")
    assert SourceExhausted(f"pictures:{tmp_path.name}", 4) in live.told
    assert live.status()["exhausted"] is True
    eventually(lambda: len(live.faults) == 1, 30, "the fault is told")
    assert "3.jpg" in live.faults[0].message
    assert live.exits == []


@pytest.fixture
def obs() -> Iterator[FakeObs]:
    with FakeObs({"Main": jpeg(shade=80), "Other": jpeg(shade=160)}, "secret") as fake:
        yield fake


def obs_settings(obs: FakeObs, password: str = "secret") -> dict[str, Any]:
    return {
        "kind": "obs",
        "rate": 10,
        "obs": {"port": obs.port, "password": password},
        "health": {"down_after": 3.0},  # longer than a busy machine holds a frame up
    }


def test_obs_goes_away_and_comes_back(live: Live, obs: FakeObs) -> None:
    live.open(**obs_settings(obs))
    eventually(lambda: len(live.frames) >= 3, 20, "three frames")
    obs.misbehave(Vice.CUT, Stage.UPGRADE, times=10_000)
    obs.drop_sessions()
    healthy, down = StreamCondition.HEALTHY, StreamCondition.DOWN
    eventually(lambda: live.conditions() == [healthy, down], 30, "it is down")
    obs.behave()
    eventually(lambda: live.conditions() == [healthy, down, healthy], 30, "down once and back once")
    assert len(live.faults) == 1
    assert live.faults[0].exception_type.endswith("SourceUnavailable")
    assert live.status()["failures"]["SourceUnavailable"] > 1
    assert live.exits == []


def test_a_wrong_password_ends_the_run_with_a_configuration_error(live: Live, obs: FakeObs) -> None:
    live.open(**obs_settings(obs, password="opensesame"))
    eventually(lambda: bool(live.fatal), 20, "the fatal error is told")
    assert isinstance(live.fatal[0], SourceRefused)
    assert "opensesame" not in str(live.fatal[0])
    eventually(lambda: not [name for name in own_threads() if "grab" in name], 30, "the worker ended")


def test_a_consumer_that_hangs_does_not_hold_capture_up(live: Live, obs: FakeObs) -> None:
    live.reading.clear()
    live.open(**obs_settings(obs))
    eventually(lambda: live.status()["frames"] >= 10, 30, "ten frames")
    assert live.frames == []
    inbox = live.tree.directory.inbox("inference:x")
    assert inbox is not None
    assert len(inbox) == 1 and inbox.replaced["frame"] >= 8
    live.reading.set()
    eventually(lambda: len(live.frames) >= 2, 20, "the frame in work and the newest one")
    assert live.frames[1].frame.ref.sequence >= 10


def test_a_defect_in_the_source_is_mended_by_a_fresh_one(live: Live) -> None:
    made: list[ScriptedSource] = []

    def after(frames: int) -> Step:
        """A picture once so many have arrived: one that nobody has begun with would be replaced by the next."""

        def step() -> bytes:
            eventually(lambda: len(live.frames) == frames, 20, f"{frames} frames")
            return jpeg()

        return step

    def make() -> FrameSource:
        made.append(ScriptedSource([*map(after, range(1, 4))] if made else [jpeg(), ZeroDivisionError("a defect")]))
        return made[-1]

    live.start(make, SourceSettings(rate=10))
    eventually(lambda: len(live.frames) == 4, 60, "the frames of both")
    assert [m.frame.ref.sequence for m in live.frames] == [1, 2, 3, 4]
    assert [type(notice.error) for notice in live.exits] == [ZeroDivisionError]
    assert made[0].closed_in


def test_stopping_does_not_wait_for_a_source_that_hangs(live: Live) -> None:
    gate = Gate(jpeg())
    source = ScriptedSource([gate])
    live.start(lambda: source, SourceSettings(rate=10))
    assert gate.entered.wait(20)
    assert live._root is not None and live._root.stop(5.0) == ()
    gate.open()
    eventually(lambda: source.closed_in == ["capture#1-grab"], 20, "the thread closed the source and ended")
