"""A live InferenceActor and a live LMStudioActor under Cerberus, with the double of LM Studio over real HTTP."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from foureyes_actors.inference.actor import InferenceActor
from foureyes_actors.lm_studio.actor import History, LMStudioActor
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
from t00l5et.free_port import free_port
from tests.inference.support import ENTRIES, MODEL
from tests.inference.test_live import Collector
from tests.lm_studio.error_cases import TOKEN
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


class Brisk:
    """The context of the actor with that clock, which looks around each tenth of a second, not each second."""

    def __init__(self, context: ActorContext) -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def every(self, seconds: float, name: str, *, early: float = 0.0) -> None:
        self._context.every(seconds / 10, name, early=early / 10)


class DoubleChild(FakeChild):
    """It has ended when the double has."""

    def __init__(self, double: LmStudioDouble) -> None:
        super().__init__(["last words"])
        self.double = double

    def exit_code(self) -> int | None:
        return 1 if self.double.stopping.is_set() else None

    def stop(self, grace: float) -> None:
        self.double.stop()


class DoubleProcesses(FakeProcesses):
    """``start`` starts a double, in this process. ``rules``: of the first one; those after it have none."""

    def __init__(self, port: int, rules: Sequence[Mapping[str, Any]]) -> None:
        super().__init__()
        self.port, self.rules, self.doubles = port, list(rules), list[LmStudioDouble]()

    def start(self, command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> FakeChild:
        models = [{"key": MODEL, "max_context": 16384}, {"key": "google/gemma-3-4b"}]
        scenario = {"models": models, "token": TOKEN, "rules": [] if self.doubles else self.rules}
        self.doubles.append(LmStudioDouble(scenario, port=self.port).__enter__())
        return DoubleChild(self.doubles[-1])


class House:
    """A live InferenceActor and a live LMStudioActor, which has started the double; all others collect."""

    def __init__(
        self,
        rules: Sequence[Mapping[str, Any]] = (),
        *,
        deadline: float = PATIENCE,
        running: bool = False,
        **settings: Any,
    ) -> None:
        """``deadline``: seconds for one request; short only where the double hangs. ``running``: the double is there
        already, so that it is somebody else's. ``settings``: of the model server."""
        port = free_port()
        self.processes, self.tree = DoubleProcesses(port, rules), Tree()
        if running:
            self.processes.start(["somebody"])
        self.kept: dict[str, list[Any]] = {name: [] for name in COLLECTORS}
        self.exits: list[ExitNotice] = []
        self.server_settings = ModelServerSettings.model_validate(
            {"kind": "lm_studio", "base_url": f"http://127.0.0.1:{port}", "command": ["lms"], "api_token": TOKEN,
             "start_timeout": 60 * PATIENCE, "check_every": 60 * PATIENCE, **settings}
        )  # fmt: skip
        self.history = History()
        self.settings = InferenceSettings(backoff=(0.02, 0.04), jitter=0, deadline=deadline, cache_ttl=0)
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
            Brisk(context), settings=self.server_settings, models=(MODEL,), http=RequestsHttp(),
            processes=self.processes, clock=FastClock(), audience=(NAME, "console"), inference=self.settings,
            history=self.history,
        )  # fmt: skip

    @property
    def double(self) -> LmStudioDouble:
        """The present one."""
        return self.processes.doubles[-1]

    def incarnations(self) -> dict[str, int]:
        return {s.name: s.incarnation for s in self.root.status() if s.name in ("lm_studio", NAME)}

    def told(self, name: str) -> list[Any]:
        """All that a collector has been told by now, what is still in its inbox too."""
        self.ask(name)
        return list(self.kept[name])

    def states(self) -> list[ServerState]:
        return [m for m in self.told("console") if isinstance(m, ServerState)]

    def faults(self) -> list[Fault]:
        return [m for m in self.told("bug") if isinstance(m, Fault)]

    def until_ready(self) -> None:
        eventually(self.is_ready, PATIENCE, "the model is ready")

    def is_ready(self) -> bool:
        states = self.states()
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
            told = [m for m in self.told("readings") if isinstance(m, Analysis | AnalysisFailed)]
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
