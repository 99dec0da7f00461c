"""What FourEyes has loaded, or asked to be loaded, into model servers: never anybody else's."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from foureyes_actors.lm_studio.dialect import Server

LATE = 600.0  # seconds beyond its timeout in which a load that was given up may still come about


@dataclass
class Ours:
    """The instances that FourEyes has loaded into a server, one for all incarnations: what is not in here was loaded
    by somebody else, and is never unloaded. ``given_up``: loads that were asked for and had no answer, which says
    nothing about the server: it may go on loading. ``lock``: one load at a time in this process."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    instances: dict[tuple[str, str], str] = field(default_factory=dict)  # (url, instance) -> key
    given_up: dict[tuple[str, str], tuple[float, ...]] = field(default_factory=dict)  # (url, key) -> looked for until

    def keep(self, server: Server, instance: str, key: str) -> None:
        self.instances[server.url, instance] = key

    def drop(self, server: Server, instance: str) -> None:
        self.instances.pop((server.url, instance), None)

    def has(self, server: Server, instance: str) -> bool:
        return (server.url, instance) in self.instances

    def give_up(self, server: Server, key: str, until: float) -> None:
        """A load of ``key`` had no answer. ``until``: monotonic seconds."""
        self.given_up[server.url, key] = (*self.given_up.get((server.url, key), ()), until)

    def late(self, server: Server, key: str, instances: tuple[str, ...], now: float) -> tuple[str, ...]:
        """Those of the key's ``instances`` that such loads must have brought; they are kept as ours from now on."""
        waited = [until for until in self.given_up.pop((server.url, key), ()) if now < until]
        unknown = [instance for instance in instances if not self.has(server, instance)]
        found = tuple(unknown[: len(waited)])
        for instance in found:
            self.keep(server, instance, key)
        if waited[len(found) :]:
            self.given_up[server.url, key] = tuple(waited[len(found) :])
        return found

    def forget_all(self) -> None:
        """The server is started anew: nothing is in its memory, and it loads nothing."""
        self.instances.clear()
        self.given_up.clear()
