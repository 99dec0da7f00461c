"""How many requests one server works on at a time: shared by all who ask it. A frame that finds no place waits with
its actor, where a newer one may still replace it, and not with the server, where its deadline would run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from supervisors.actor import ActorContext

HOLD = 5.0  # seconds that a free place is kept for who has waited longest


@dataclass(frozen=True, slots=True)
class PlaceFree:
    """To self: a place is kept for this actor."""

    conflation_key: ClassVar[str] = "place_free"


class Places:
    """Any thread may call. Without a limit there is a place for everybody."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._limit: int | None = None
        self._taken: set[Lease] = set()
        self._waiting: dict[str, Callable[[], bool]] = {}  # in the order of their coming
        self._kept: dict[str, float] = {}  # for whom, until when

    def limit(self, places: int | None) -> None:
        """``places``: at least 1; None: as many as are asked for."""
        with self._lock:
            self._limit = places
            free = self._hand_on()
        self._call(free)

    def take(self, who: str, free: Callable[[], bool]) -> Lease | None:
        """None: all are taken. ``free`` is called once when one is kept for ``who``, by whoever makes it free; it must
        be quick, and False means that nobody is there any more."""
        with self._lock:
            self._forget_old()
            mine = self._kept.pop(who, None) is not None
            if not mine and not self._room():
                self._waiting[who] = free  # in its old place when it waits already
                return None
            self._waiting.pop(who, None)
            lease = Lease(self)
            self._taken.add(lease)
            return lease

    def decline(self, who: str) -> None:
        """``who`` does not need the place that is kept for him."""
        with self._lock:
            free = self._hand_on() if self._kept.pop(who, None) is not None else []
        self._call(free)

    def leave(self, who: str) -> None:
        """``who`` does not wait any more."""
        with self._lock:
            self._waiting.pop(who, None)
        self.decline(who)

    def give_back(self, lease: Lease) -> None:
        with self._lock:
            self._taken.discard(lease)
            free = self._hand_on()
        self._call(free)

    @property
    def in_use(self) -> int:
        return len(self._taken)

    def _room(self) -> bool:
        return self._limit is None or len(self._taken) + len(self._kept) < self._limit

    def _forget_old(self) -> None:
        now = self._monotonic()
        self._kept = {who: until for who, until in self._kept.items() if until > now}

    def _hand_on(self) -> list[tuple[str, Callable[[], bool]]]:
        """Who is to be told, outside of the lock."""
        self._forget_old()
        told = []
        while self._waiting and self._room():
            who = next(iter(self._waiting))
            told.append((who, self._waiting.pop(who)))
            self._kept[who] = self._monotonic() + HOLD
        return told

    def _call(self, told: list[tuple[str, Callable[[], bool]]]) -> None:
        for who, free in told:
            if not free():
                self.decline(who)


class Lease:
    """A place that was taken. ``end`` gives it back, once; any thread."""

    def __init__(self, places: Places) -> None:
        self._places = places

    def end(self) -> None:
        self._places.give_back(self)


class Seat:
    """One actor's way to a place; used in its thread alone."""

    def __init__(self, context: ActorContext, places: Places) -> None:
        self._context, self._places = context, places
        self._lease: Lease | None = None

    def limit(self, places: int | None) -> None:
        self._places.limit(places)

    def take(self) -> Lease | None:
        """For one request, which ends it. None: not now; a PlaceFree comes when there is one."""
        self._lease = self._places.take(self._context.name, lambda: self._context.tell_self(PlaceFree()))
        return self._lease

    def decline(self) -> None:
        """What is kept and not needed after all goes to the next one."""
        self._places.decline(self._context.name)

    def end(self) -> None:
        """Also what a request that never began would have given back."""
        if self._lease is not None:
            self._lease.end()
        self._places.leave(self._context.name)
