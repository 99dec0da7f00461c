"""The ports: everything outside of FourEyes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from foureyes_actors.ports.clock import Clock, SystemClock
from foureyes_actors.ports.files import FilesPort, LocalFiles
from foureyes_actors.ports.http import HttpPort
from foureyes_actors.ports.http_requests import RequestsHttp
from foureyes_actors.ports.local_machine import LocalMachine
from foureyes_actors.ports.local_process import LocalProcesses
from foureyes_actors.ports.machine import MachinePort, UnknownMachine
from foureyes_actors.ports.obs import ObsFactory
from foureyes_actors.ports.obs_websocket import ObsWebsocketPort
from foureyes_actors.ports.process import ProcessPort
from foureyes_actors.ports.store import StorePort, StoreReader
from foureyes_actors.ports.stores import StoreOpener, open_beside
from foureyes_actors.settings import Settings


@dataclass(frozen=True)
class World:
    """The ports: everything outside of FourEyes. Tests hand in their own."""

    clock: Clock
    files: FilesPort
    processes: ProcessPort
    http: Callable[[], HttpPort]
    obs: ObsFactory
    store: Callable[[], StorePort]
    machine: MachinePort = field(default_factory=UnknownMachine)
    reader: Callable[[], StoreReader] | None = None  # to look into the store beside the one writer


def real_world(settings: Settings) -> World:
    return World(
        clock=SystemClock(),
        files=LocalFiles(),
        processes=LocalProcesses(),
        http=RequestsHttp,
        obs=ObsWebsocketPort,
        store=StoreOpener(settings.store, settings.data_dir),
        machine=LocalMachine(),
        reader=lambda: open_beside(settings.store, settings.data_dir),
    )
