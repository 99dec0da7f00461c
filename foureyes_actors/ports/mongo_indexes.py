"""The indexes of the MongoDB store, and its time limits: what is older, MongoDB deletes by itself (TTL)."""

from __future__ import annotations

from typing import Any

from pymongo.collection import Collection as Place
from pymongo.database import Database

from foureyes_actors.messages import Collection
from foureyes_actors.ports import documents as form
from foureyes_actors.settings import RetentionSettings

COUNTED = "ERR0R_counted"  # one mark an occurrence, so that it counts once; lives as long as the errors
TTL_INDEX = "at_ttl"
_LONGEST = 2**31 - 1  # seconds; MongoDB's limit
_NEWEST = [("at", -1), (form.ORDER, -1)]


def days(retention: RetentionSettings, collection: Collection) -> float:
    return {
        Collection.READINGS: retention.readings,
        Collection.EVENTS: retention.events,
        Collection.ERRORS: retention.errors,
        Collection.DECISIONS: retention.decisions,
    }[collection]


def ensure(database: Database[dict[str, Any]], retention: RetentionSettings) -> None:
    """Make what is not there, and change a time limit that is not the wanted one. Raises pymongo's errors."""
    for collection in Collection:
        place = database[collection.value]
        _limit(database, place, days(retention, collection))
        place.create_index(_NEWEST, name="newest")
        for key in form.INDEXED[collection]:
            place.create_index([(key, 1), *_NEWEST], name=f"{key}_newest")
    _limit(database, database[COUNTED], retention.errors)


def _limit(database: Database[dict[str, Any]], place: Place[dict[str, Any]], wanted_days: float) -> None:
    seconds = min(_LONGEST, int(wanted_days * 86400))
    present = next((found for found in place.list_indexes() if dict(found["key"]) == {"at": 1}), None)
    if present is None:
        place.create_index([("at", 1)], name=TTL_INDEX, expireAfterSeconds=seconds)
    elif present.get("expireAfterSeconds") != seconds:
        change = {"name": present["name"], "expireAfterSeconds": seconds}
        database.command("collMod", place.name, index=change)
