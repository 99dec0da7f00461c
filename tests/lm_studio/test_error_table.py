"""Each of LM Studio's error texts and body shapes, through the double, over real HTTP, with live actors.

For each: the right class, the right number of requests, the right action, nothing lost (the next frame is answered),
no new start of the server or of an actor, and no text of the token in anything that was told.
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

import foureyes_actors.errors
from foureyes_actors.inference.actor import InferenceActor
from foureyes_actors.lm_studio.actor import LMStudioActor
from foureyes_actors.messages import (
    Analysis,
    AnalysisFailed,
    Fault,
    Frame,
    FrameCaptured,
    FrameRef,
    GetStatus,
    ServerPhase,
    ServerState,
)
from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.http_requests import RequestsHttp
from foureyes_actors.settings import InferenceSettings, ModelServerSettings
from supervisors.actor import ActorContext
from supervisors.context import Tree
from supervisors.messages import ExitNotice
from supervisors.specs import ChildSpec
from t00l5et.doubles.lm_studio import LmStudioDouble
from tests.inference.support import ENTRIES, MODEL
from tests.inference.test_live import Collector
from tests.lm_studio.error_cases import CASES, DEADLINE, TOKEN, Case
from tests.lm_studio.support import FakeChild, FakeProcesses
from tests.support import eventually, start_tree

PATIENCE = 30.0
NAME = f"inference:{MODEL}"
CHAT = "POST /v1/chat/completions"
COLLECTORS = ("readings", "bug", "console")
CLOCK = SystemClock()


class FastClock(SystemClock):
    """A minute passes in a second: for the LMStudioActor, which tries slowly what only people can change."""

    def monotonic(self) -> float:
        return super().monotonic() * 60


class DoubleProcesses(FakeProcesses):
    """``start`` starts the double, in this process."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port, self.doubles = port, list[LmStudioDouble]()

    def start(self, command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> FakeChild:
        scenario = {"models": [{"key": MODEL}, {"key": "google/gemma-3-4b"}], "token": TOKEN}
        self.doubles.append(LmStudioDouble(scenario, port=self.port).__enter__())
        return super().start(command, environment=environment)


class House:
    """A live InferenceActor and a live LMStudioActor, which has started the double; all others collect."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.processes, self.tree = DoubleProcesses(port), Tree()
        self.kept: dict[str, list[Any]] = {name: [] for name in COLLECTORS}
        self.exits: list[ExitNotice] = []
        self.server_settings = ModelServerSettings.model_validate(
            {"kind": "lm_studio", "base_url": f"http://127.0.0.1:{port}", "command": ["lms"], "api_token": TOKEN,
             "start_timeout": 60 * PATIENCE, "check_every": 60 * PATIENCE}
        )  # fmt: skip
        self.settings = InferenceSettings(backoff=(0.02, 0.04), jitter=0, deadline=DEADLINE, cache_ttl=0)
        children = [self._collector(name) for name in COLLECTORS]
        children += [ChildSpec(NAME, self._inference), ChildSpec("lm_studio", self._lm_studio)]
        self.root = start_tree(self.tree, children, on_exit=self.exits.append)

    def _collector(self, name: str) -> ChildSpec:
        return ChildSpec(name, lambda context: Collector(context, self.kept[name]))

    def _inference(self, context: ActorContext) -> InferenceActor:
        return InferenceActor(
            context, model=MODEL, tasks=ENTRIES, settings=self.settings, http=RequestsHttp(), clock=CLOCK,
            random=lambda: 0.0, token=TOKEN,
        )  # fmt: skip

    def _lm_studio(self, context: ActorContext) -> LMStudioActor:
        return LMStudioActor(
            context, settings=self.server_settings, models=(MODEL,), http=RequestsHttp(), processes=self.processes,
            clock=FastClock(), audience=(NAME, "console"), inference=self.settings,
        )  # fmt: skip

    @property
    def double(self) -> LmStudioDouble:
        return self.processes.doubles[0]

    def until_ready(self) -> None:
        eventually(self._is_ready, PATIENCE, "the model is ready")

    def _is_ready(self) -> bool:
        states = [m for m in list(self.kept["console"]) if isinstance(m, ServerState)]
        return bool(states) and states[-1].phase is ServerPhase.READY and self.ask("lm_studio")["busy"] is False

    def ask(self, name: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.tree.directory.ask(name, GetStatus(), PATIENCE)
        return answer

    def give(self, number: int) -> None:
        data = b"\xff\xd8\xff" + number.to_bytes(4) * 100
        digest = hashlib.sha256(data).hexdigest()
        ref = FrameRef("test", number, datetime.now(UTC), CLOCK.monotonic(), digest, "image/jpeg", 1280, 720)
        assert self.tree.directory.tell(NAME, FrameCaptured(Frame(ref, data)))

    def outcome(self, number: int) -> Analysis | AnalysisFailed:
        def found() -> list[Any]:
            told = [m for m in list(self.kept["readings"]) if isinstance(m, Analysis | AnalysisFailed)]
            return [m for m in told if m.frame.sequence == number]

        eventually(lambda: bool(found()), PATIENCE, f"the outcome of frame {number}")
        (only,) = found()
        assert isinstance(only, Analysis | AnalysisFailed)
        return only

    def counts(self) -> dict[str, int]:
        """What the double was asked so far."""
        chats = self.double.asked(CHAT)
        frames = sum(request.pictures[0].startswith("data:image/jpeg") for request in chats)
        unloads = self.double.asked("POST /api/v1/models/unload")
        loads = self.double.asked("POST /api/v1/models/load")
        return {"frames": frames, "canaries": len(chats) - frames, "unloads": len(unloads), "loads": len(loads)}

    def stop(self) -> None:
        self.root.stop(5.0)
        for double in self.processes.doubles:
            double.stop()


@pytest.fixture
def houses() -> Iterator[Callable[[], House]]:
    made: list[House] = []

    def make() -> House:
        made.append(House())
        return made[-1]

    yield make
    for house in made:
        house.stop()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_error_table(case: Case, houses: Callable[[], House]) -> None:
    house = houses()
    house.until_ready()
    assert house.counts() == {"frames": 0, "canaries": 1, "unloads": 0, "loads": 1}
    if case.canary:
        house.double.add_rule({"when": {"route": CHAT, "nth": case.times + 1}, "then": case.canary})
    nth = list(range(1, case.times + 1))
    house.double.add_rule({"when": {"route": CHAT, "nth": nth}, "then": case.then})

    house.give(1)
    first = house.outcome(1)
    expected = {
        "frames": case.requests,
        "canaries": 1 + case.canaries,
        "unloads": case.reloads,
        "loads": 1 + case.loads,
    }
    eventually(lambda: house.counts() == expected, PATIENCE, f"{expected}, not {house.counts()}")
    house.until_ready()
    house.give(2)
    assert isinstance(house.outcome(2), Analysis), "the next frame is answered"
    house.until_ready()

    _check_class(case, first, house)
    assert house.counts() == {**expected, "frames": case.requests + 1}
    assert (house.exits, len(house.processes.doubles)) == ([], 1), "nothing was started anew"
    told = repr(house.kept) + repr([house.ask(name) for name in ("lm_studio", NAME)])
    assert TOKEN not in told and TOKEN[:10] not in told


def _check_class(case: Case, first: Analysis | AnalysisFailed, house: House) -> None:
    faults = [m for m in house.kept["bug"] if isinstance(m, Fault)]
    if case.kind is None:
        assert isinstance(first, Analysis) and faults == []
        return
    assert isinstance(first, AnalysisFailed)
    assert first.error_type == case.kind.__name__
    assert getattr(foureyes_actors.errors, first.error_type).error_class is case.error_class
    assert [fault.exception_type for fault in faults] == [f"foureyes_actors.errors.{first.error_type}"]
    assert case.help in faults[0].message and case.help in first.reason


def test_every_text_of_the_table_is_there_once() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 60
