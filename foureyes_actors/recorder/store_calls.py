"""What the recorder asks of a store: open, write, purge. Replay points, so that what a store does is on a tape."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from foureyes_actors.errors import ConfigurationError, DocumentRefused, StoreInUse, StoreUnavailable
from foureyes_actors.messages import Collection, CountError, StoreDocuments
from foureyes_actors.ports.store import StorePort
from foureyes_actors.replay.point import replay_point

AWAY = (StoreUnavailable, StoreInUse, ConfigurationError)


@replay_point(ports={"opener": "store_opener"}, raises=AWAY)
def open_store(opener: Callable[[], StorePort]) -> StorePort:
    return opener()


@replay_point(ports={"store": "store"}, raises=(*AWAY, DocumentRefused))
def write(store: StorePort, entry: StoreDocuments | CountError) -> int:
    """One entry in one call; the number of new documents."""
    if isinstance(entry, CountError):
        store.count_occurrence(entry.document)
        return 1
    return store.append(entry.collection, entry.documents)


@replay_point(ports={"store": "store"}, raises=AWAY)
def purge(store: StorePort, collection: Collection, before: datetime) -> int:
    return store.purge(collection, before)
