"""The capture actor without its thread, on a clock that the test moves."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from foureyes_actors.capture.actor import GRAB, CaptureActor
from foureyes_actors.capture.numbering import FrameNumbers
from foureyes_actors.messages import (
    Fault,
    FrameCaptured,
    FrameRef,
    GetStatus,
    StreamCondition,
    StreamHealthChanged,
    Tick,
)
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.settings import SourceSettings
from tests.capture.scripted import ScriptedSource, Step
from tests.support import FakeContext, eventually

PERIOD = 1 / 3


class Capture:
    """One actor without its thread; the worker's thread is real. ``step`` is one tick and what comes of it."""

    def __init__(
        self,
        steps: Iterable[Step],
        context: FakeContext | None = None,
        wait_for: str = "",
        numbers: FrameNumbers | None = None,
        **settings: Any,
    ) -> None:
        self.context, self.clock = context or FakeContext("capture"), ManualClock()
        self.source = ScriptedSource(steps)
        self.actor = CaptureActor(
            self.context,
            settings=SourceSettings(**settings),
            source=lambda: self.source,
            clock=self.clock,
            targets=("inference:a", "inference:b"),
            audience=("readings", "console"),
            wait_for=wait_for,
            numbers=numbers,
        )
        self.ticks = 0

    def start(self) -> Capture:
        self.actor.on_start()
        return self

    def result(self) -> None:
        """Wait for the worker and hand its result to the actor."""
        self.wait()
        self.actor.on_receive(self.context.to_self.pop(0))

    def wait(self) -> None:
        eventually(lambda: bool(self.context.to_self), 20, "the worker's result", every=0.001)

    def tick(self, seconds: float = PERIOD) -> None:
        self.clock.advance(seconds)
        self.ticks += 1
        self.actor.on_receive(Tick(GRAB, self.ticks))

    def step(self, seconds: float = PERIOD) -> None:
        self.tick(seconds)
        self.result()

    def status(self) -> dict[str, Any]:
        reply = self.actor.on_receive(GetStatus())
        assert type(reply) is dict
        return reply

    def frames(self, target: str = "inference:a") -> list[FrameRef]:
        return [m.frame.ref for m in self.context.sent_to(target) if isinstance(m, FrameCaptured)]

    def faults(self) -> list[Fault]:
        return [m for m in self.context.sent_to("bug") if isinstance(m, Fault)]

    def edges(self, name: str = "readings") -> list[tuple[StreamCondition, StreamCondition]]:
        return [(m.before, m.after) for m in self.context.sent_to(name) if isinstance(m, StreamHealthChanged)]


Make = Callable[..., Capture]
