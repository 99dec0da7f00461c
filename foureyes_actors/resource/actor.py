"""ResourceActor: tells its audience every few seconds what FourEyes and the model server use."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from foureyes_actors.messages import GetStatus, ResourceSample, ServerState, Tick
from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.process import ProcessPort
from foureyes_actors.resource.sampling import Peaks, raised, sample
from foureyes_actors.settings import ResourceSettings
from foureyes_actors.telling import Teller
from supervisors.actor import ActorContext, SupervisedActor

SAMPLE = "sample"


class ResourceActor(SupervisedActor):
    """Takes ticks, ServerState (whose process the server is) and GetStatus. A sample takes some milliseconds and is
    taken in the actor's own thread. The first sample's CPU covers the time since the start."""

    def __init__(
        self,
        context: ActorContext,
        *,
        processes: ProcessPort,
        clock: Clock,
        settings: ResourceSettings,
        own_pid: int,
        audience: tuple[str, ...],
    ) -> None:
        super().__init__(context)
        self._processes, self._clock, self._settings = processes, clock, settings
        self._own_pid, self._audience = own_pid, audience
        self._teller = Teller(context, clock)
        self._server_pid: int | None = None
        self._last: ResourceSample | None = None
        self._peaks, self._samples, self._failed = Peaks(), 0, 0

    def on_start(self) -> None:
        self._look()  # CPU is measured between two looks: this one begins
        self.context.every(self._settings.every, SAMPLE)

    def on_receive(self, message: Any) -> Any:
        match message:
            case Tick():
                self._tick()
            case ServerState():
                self._server_changed(message.pid)
            case GetStatus():
                return self._status()
        return None

    def _server_changed(self, pid: int | None) -> None:
        if pid != self._server_pid:
            self._server_pid = pid
            self._look()

    def _tick(self) -> None:
        seen = self._look()
        if seen is None:
            return
        self._last, self._peaks, self._samples = seen, raised(self._peaks, seen), self._samples + 1
        self._teller.tell(self._audience, seen)

    def _look(self) -> ResourceSample | None:
        """None when the system did not tell; that is told once in a row."""
        try:
            seen = sample(self._processes, self._clock, self._own_pid, self._server_pid)
        except Exception as error:  # psutil's and the system's: watching must not end what is watched
            self._failed += 1
            if self._failed == 1:
                self._teller.fault(error, {"while": "looking at CPU and memory"})
            return None
        self._failed = 0
        return seen

    def _status(self) -> dict[str, Any]:
        last = None if self._last is None else {**asdict(self._last), "at": self._last.at.isoformat()}
        return {
            "samples": self._samples,
            "failed_in_a_row": self._failed,
            "server_pid": self._server_pid,
            "undelivered": sum(self._teller.undelivered.values()),
            "last": last,
            "peaks": asdict(self._peaks),
        }
