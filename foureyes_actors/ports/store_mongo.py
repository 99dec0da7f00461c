"""The production store: MongoDB through pymongo.

Every write waits for the journal (for a majority too, on a replica set), every call ends within ``timeout``. Documents
carry ``_order``, the order of insertion, and groups of errors ``_counted``, their last occurrences' ids; neither is
seen outside. One FourEyes writes to a database; others may read it.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pymongo
from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection as Place
from pymongo.database import Database
from pymongo.errors import (
    BulkWriteError,
    DuplicateKeyError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WriteError,
)
from pymongo.errors import ConfigurationError as MongoConfigurationError
from pymongo.write_concern import WriteConcern

from foureyes_actors.errors import ConfigurationError, DocumentRefused, StoreUnavailable
from foureyes_actors.messages import Collection, Document
from foureyes_actors.ports import documents as form
from foureyes_actors.ports import error_groups, mongo_indexes
from foureyes_actors.ports.mongo_address import masked, masked_uri
from foureyes_actors.ports.mongo_faults import LastCommand, wire_fault
from foureyes_actors.ports.wire import WireFault, wired
from foureyes_actors.settings import RetentionSettings

Fields = dict[str, Any]
NEWEST_FIRST = [("at", pymongo.DESCENDING), (form.ORDER, pymongo.DESCENDING)]
RING = 100  # ids of occurrences kept in a group: only those whose mark was not written yet matter
PURGE_SLICE = 500  # documents in one call
PURGE_SECONDS = 0.5  # after which no further slice is begun
_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
_DUPLICATE = 11000
_REFUSING = {121, 10334, 17419, 17420}  # validation by the database's own rules, document too large
_WRONG_LOGIN = {13, 18, 8000}


class MongoStore:
    """StorePort on a MongoDB database. Any thread may call. Connects at once: raises StoreUnavailable when nobody
    answers within ``timeout`` seconds, ConfigurationError when the address is wrong or the login is refused."""

    def __init__(self, uri: str, database: str, *, timeout: float, retention: RetentionSettings) -> None:
        self._uri, self._timeout, self._guard, self._version = uri, timeout, threading.Lock(), ""
        self._order = itertools.count(time.time_ns())  # goes on where an earlier run ended
        self._last = LastCommand()
        self._client = _client(uri, timeout, self._last)
        try:
            with self._calling():
                self._database = self._connected(database)
                mongo_indexes.ensure(self._database, retention)
        except BaseException:
            self._client.close()
            raise

    def append(self, collection: Collection, documents: Sequence[Document]) -> int:
        """A document that only the database's own validation rules refuse is found out after others of the call were
        stored; sending those again does not double them."""
        rows = [self._row(form.encoded(document)) for document in documents]
        if not rows:
            return 0
        with self._calling():
            try:
                self._in(collection).insert_many(rows, ordered=False)
            except BulkWriteError as error:
                return _inserted(error)
        return len(rows)

    def count_occurrence(self, document: Document) -> int:
        fields = error_groups.occurrence(document)
        row = self._row({**error_groups.first(fields), form.COUNTED: [fields["_id"]]})
        with self._calling():
            marks = self._database[mongo_indexes.COUNTED]
            group = self._known_group(fields)
            if group is None:
                group = self._count(fields, row)
            mark = {"_id": fields["_id"], "group": group["_id"], "at": fields["at"]}
            marks.update_one({"_id": mark["_id"]}, {"$setOnInsert": mark}, upsert=True)
            return error_groups.total(group)

    def latest(
        self,
        collection: Collection,
        limit: int = 50,
        *,
        since: datetime | None = None,
        where: Mapping[str, str | bool] | None = None,
    ) -> list[Fields]:
        query = {**form.checked_filter(where), **_since(since)}
        if limit <= 0:
            return []
        with self._calling():
            found = self._in(collection).find(query).sort(NEWEST_FIRST).limit(limit).to_list()
        return [form.decoded(fields) for fields in found]

    def get(self, collection: Collection, document_id: str) -> Fields | None:
        with self._calling():
            found = self._in(collection).find_one({"_id": form.clean_text(document_id)})
        return None if found is None else form.decoded(found)

    def resolve(self, document_id: str, resolution: str, at: datetime) -> bool:
        changes = error_groups.resolution(resolution, at)
        with self._calling():
            errors = self._in(Collection.ERRORS)
            return errors.update_one({"_id": form.clean_text(document_id)}, {"$set": changes}).matched_count > 0

    def count(self, collection: Collection, *, since: datetime | None = None) -> int:
        with self._calling():
            return self._in(collection).count_documents(_since(since))

    def purge(self, collection: Collection, before: datetime) -> int:
        """The time limits of the indexes do the same within a minute or so; this is for who cannot wait."""
        older = {"at": {"$lt": form.instant(before)}}
        with self._calling():
            deleted = _deleted(self._in(collection), older)
            if collection is Collection.ERRORS:
                _deleted(self._database[mongo_indexes.COUNTED], older)
            return deleted

    def describe(self) -> str:
        return f"MongoDB {self._version} at {masked_uri(self._uri)}, database {self._database.name}"

    def close(self) -> None:
        self._client.close()

    def _connected(self, database: str) -> Database[Fields]:
        hello = self._client.admin.command("hello")
        self._version = str(self._client.admin.command("buildInfo").get("version", ""))
        concern = WriteConcern(w="majority", j=True) if "setName" in hello else WriteConcern(j=True)
        return self._client.get_database(database, write_concern=concern)

    def _in(self, collection: Collection) -> Place[Fields]:
        return self._database[Collection(collection).value]

    def _row(self, fields: Fields) -> RawBSONDocument:
        """Encoded once: what was measured is what is sent."""
        return RawBSONDocument(form.body({**fields, form.ORDER: next(self._order)}))

    def _known_group(self, fields: Fields) -> Fields | None:
        """The group in which this occurrence was counted already."""
        errors, identity = self._in(Collection.ERRORS), fields["_id"]
        mark = self._database[mongo_indexes.COUNTED].find_one({"_id": identity})
        if mark is not None:
            gone: Fields = {"_id": mark["group"], "occurrences": 0}  # purged since
            return errors.find_one({"_id": mark["group"]}) or gone
        counted = errors.find_one({"fingerprint": fields["fingerprint"], form.COUNTED: identity})
        return counted or errors.find_one({"_id": identity})

    def _count(self, fields: Fields, row: RawBSONDocument) -> Fields:
        errors, identity = self._in(Collection.ERRORS), fields["_id"]
        unresolved = {"fingerprint": fields["fingerprint"], "resolved": {"$ne": True}}
        group = errors.find_one(unresolved, sort=NEWEST_FIRST)
        if group is None:
            errors.insert_one(row)
            return {"_id": identity, "occurrences": 1}
        base = {} if "occurrences" in group else {"occurrences": error_groups.total(group)}
        if base:  # appended as it is: give it the number that $inc goes on from
            errors.update_one({"_id": group["_id"], "occurrences": {"$exists": False}}, {"$set": base})
        update = {
            "$inc": {"occurrences": 1},
            "$set": error_groups.changes(group, fields),
            "$push": {form.COUNTED: {"$each": [identity], "$slice": -RING}},
        }
        errors.update_one({"_id": group["_id"], form.COUNTED: {"$ne": identity}}, update)
        return {"_id": group["_id"], "occurrences": error_groups.total(group) + 1}

    @contextmanager
    def _calling(self) -> Iterator[None]:
        """One call at a time, within the time limit; the driver's errors as ours, without its chain."""
        with self._guard:
            began, self._last.name = time.monotonic(), ""
            try:
                with pymongo.timeout(self._timeout):
                    yield
            except PyMongoError as error:
                raise wired(_translated(error, self._uri, self._timeout), self._fault(error, began)) from None
            except DocumentRefused as refused:
                if isinstance(refused.__context__, PyMongoError):  # the database did, not our own checks
                    wired(refused, self._fault(refused.__context__, began))
                raise

    def _fault(self, error: PyMongoError, began: float) -> WireFault:
        seconds = time.monotonic() - began
        return wire_fault(error, self._client, self._last.name, seconds=seconds, timeout=self._timeout)


def ping(uri: str, *, timeout: float) -> str:
    """The server's version. Writes nothing. Raises as ``MongoStore`` does."""
    client = _client(uri, timeout)
    try:
        with pymongo.timeout(timeout):
            client.admin.command("ping")
            return str(client.admin.command("buildInfo").get("version", ""))
    except PyMongoError as error:
        raise _translated(error, uri, timeout) from None
    finally:
        client.close()


def _client(uri: str, timeout: float, *listeners: LastCommand) -> pymongo.MongoClient[Fields]:
    limit = int(timeout * 1000)
    try:
        return pymongo.MongoClient(
            uri,
            appname="foureyes",
            tz_aware=True,
            tzinfo=UTC,
            serverSelectionTimeoutMS=limit,
            connectTimeoutMS=limit,
            socketTimeoutMS=limit,
            event_listeners=listeners,
        )
    except (PyMongoError, ValueError, TypeError) as error:
        if uri.startswith("mongodb+srv://") and type(error) is MongoConfigurationError:  # the name was not resolved
            raise StoreUnavailable(f"the store {masked_uri(uri)}: {masked(str(error), uri)}") from None
        # The driver's text may quote a piece of a password with unescaped characters: it is not passed on.
        raise ConfigurationError(
            f"store.uri is not a MongoDB address ({type(error).__name__}): "
            f"mongodb://user:password@host:27017/?options, special characters in name and password as %XX"
        ) from None


def _since(since: datetime | None) -> Fields:
    return {"at": {"$gte": _BEGINNING if since is None else form.instant(since)}}


def _deleted(place: Place[Fields], older: Fields) -> int:
    """In slices, so that no call comes near the time limit."""
    deleted, deadline = 0, time.monotonic() + PURGE_SECONDS
    while True:
        ids = [found["_id"] for found in place.find(older, {"_id": 1}).sort("at", 1).limit(PURGE_SLICE)]
        if ids:
            deleted += place.delete_many({"_id": {"$in": ids}}).deleted_count
        if len(ids) < PURGE_SLICE or time.monotonic() >= deadline:
            return deleted


def _inserted(error: BulkWriteError) -> int:
    """Known ids are no trouble; anything else is raised."""
    for failure in error.details["writeErrors"]:
        if failure["code"] in _REFUSING:
            identity = failure.get("op", {}).get("_id")
            raise DocumentRefused(f"document {identity!r}: the database refuses it: {failure.get('errmsg')}") from None
        if failure["code"] != _DUPLICATE:
            raise error
    if error.details["writeConcernErrors"]:
        raise error
    return int(error.details["nInserted"])


def _translated(error: PyMongoError, uri: str, timeout: float) -> Exception:
    text = masked(str(error), uri).partition(", Topology Description")[0].partition(" (configured timeouts")[0]
    if isinstance(error, WriteError) and error.code in _REFUSING and not isinstance(error, DuplicateKeyError):
        return DocumentRefused(f"the database refuses a document: {text}")
    if isinstance(error, OperationFailure) and error.code in _WRONG_LOGIN:
        return ConfigurationError(f"store.uri: {masked_uri(uri)} refuses the login: {text}")
    if isinstance(error, ServerSelectionTimeoutError):
        return StoreUnavailable(f"the store {masked_uri(uri)}: nobody answers within {timeout:g} s: {text}")
    return StoreUnavailable(f"the store {masked_uri(uri)}: {type(error).__name__}: {text}")
