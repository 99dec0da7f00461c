"""ResourceActor: looks every few seconds at what is in use, and says when less is to be asked of the machine."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from foureyes_actors.messages import (
    Collection,
    Event,
    EventKind,
    GetStatus,
    ModelsWanted,
    PressureChanged,
    PressureLevel,
    ResourceSample,
    ServerState,
    StoreDocuments,
    Tick,
)
from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.machine import MachineParts, MachinePort, UnknownMachine
from foureyes_actors.ports.process import ProcessPort
from foureyes_actors.readings.documents import event_document
from foureyes_actors.resource.pressure import ALL_LEVELS, Levels, Pressure, Switch, advance, seen_of
from foureyes_actors.resource.sampling import Peaks, raised, sample
from foureyes_actors.settings import ResourceSettings
from foureyes_actors.telling import Teller
from supervisors.actor import ActorContext, SupervisedActor

SAMPLE = "sample"
SUBJECT = "machine"  # of the events


@dataclass
class Standing:
    """What one incarnation leaves to the next, and what other actors that are built anew begin with."""

    pressure: Pressure = field(default_factory=Pressure)

    @property
    def level(self) -> PressureLevel:
        return self.pressure.level


@dataclass(frozen=True)
class Listeners:
    """Names of actors. ``samples`` get each ResourceSample, ``pressure`` PressureChanged, ``events`` Event,
    ``documents`` the event's document, ``models`` ModelsWanted."""

    samples: tuple[str, ...] = ()
    pressure: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    models: tuple[str, ...] = ()


class ResourceActor(SupervisedActor):
    """Takes ticks, ServerState (whose process the server is) and GetStatus. A sample takes some milliseconds and is
    taken in the actor's own thread. The first sample's CPU covers the time since the start.

    ``levels``: those of pressure that there are here. ``choices``: the models of a level (``inference/routing.py``).
    """

    def __init__(
        self,
        context: ActorContext,
        *,
        processes: ProcessPort,
        clock: Clock,
        settings: ResourceSettings,
        own_pid: int,
        audience: tuple[str, ...] = (),
        listeners: Listeners | None = None,
        machine: MachinePort | None = None,
        run_id: str = "",
        levels: Levels = ALL_LEVELS,
        choices: Callable[[PressureLevel], tuple[tuple[str, ...], ...]] = lambda level: (),
        standing: Standing | None = None,
    ) -> None:
        super().__init__(context)
        self._processes, self._clock, self._settings = processes, clock, settings
        self._machine = machine or UnknownMachine()
        self._own_pid, self._run_id = own_pid, run_id
        self._listeners = listeners or Listeners(samples=audience)
        self._levels, self._choices, self._standing = levels, choices, standing or Standing()
        self._teller = Teller(context, clock)
        self._server_pid: int | None = None
        self._last: ResourceSample | None = None
        self._peaks, self._samples, self._failed, self._switches = Peaks(), 0, 0, 0
        self._parts: MachineParts | None = None

    def on_start(self) -> None:
        self._look()  # CPU is measured between two looks: this one begins
        self.context.every(self._settings.every, SAMPLE, early=self._settings.every / 10)

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
        if self._parts is None:
            self._parts = self._machine.parts()  # not at the start: a driver may take a moment
        seen = self._look()
        if seen is not None:
            self._last, self._peaks, self._samples = seen, raised(self._peaks, seen), self._samples + 1
            self._teller.tell(self._listeners.samples, seen)
        if self._settings.pressure.enabled:
            self._weigh(seen)

    def _look(self) -> ResourceSample | None:
        """None when the system did not tell; that is told once in a row."""
        try:
            gpus = self._machine.gpus()
            seen = sample(self._processes, self._clock, self._own_pid, self._server_pid, gpus)
        except Exception as error:  # psutil's and the system's: watching must not end what is watched
            self._failed += 1
            if self._failed == 1:
                self._teller.fault(error, {"while": "looking at CPU and memory"})
            return None
        self._failed = 0
        return seen

    # --- pressure ---

    def _weigh(self, seen: ResourceSample | None) -> None:
        now, pressure = self._clock.monotonic(), self._standing.pressure
        self._standing.pressure, switch = advance(pressure, seen_of(seen), now, self._settings.pressure, self._levels)
        if switch is not None:
            seconds = None if pressure.changed_at is None else now - pressure.changed_at
            self._tell_switch(switch, seconds)

    def _tell_switch(self, switch: Switch, seconds: float | None) -> None:
        """``seconds``: how long the level before lasted."""
        self._switches += 1
        told = self._listeners
        self._teller.tell(told.pressure, PressureChanged(switch.after, switch.reason, switch.figures))
        make_room = switch.after is not PressureLevel.NORMAL
        self._teller.tell(told.models, ModelsWanted(self._choices(switch.after), make_room))
        event = Event(
            id=uuid.uuid4().hex,
            kind=EventKind.PRESSURE_CHANGED,
            at=self._clock.utc_now(),
            subject=SUBJECT,
            before=switch.before.value,
            after=switch.after.value,
            reason=switch.reason,
            seconds=seconds,
            figures=switch.figures,
        )
        document = event_document(event, self._run_id)
        self._teller.tell(told.documents, StoreDocuments(Collection.EVENTS, (document,)))
        self._teller.tell(told.events, event)

    # --- for people ---

    def _status(self) -> dict[str, Any]:
        last = None if self._last is None else {**asdict(self._last), "at": self._last.at.isoformat()}
        return {
            "samples": self._samples,
            "failed_in_a_row": self._failed,
            "server_pid": self._server_pid,
            "undelivered": sum(self._teller.undelivered.values()),
            "last": last,
            "peaks": asdict(self._peaks),
            "level": self._standing.level.value,
            "switches": self._switches,
            "machine": None if self._parts is None else asdict(self._parts),
        }
