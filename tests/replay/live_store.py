"""MongoDB that fails on a wire: pymongo against a stand-in, inside the recorder's own functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from foureyes_actors.messages import Collection, CountError, StoreDocuments
from foureyes_actors.ports.store_mongo import MongoStore
from foureyes_actors.recorder.store_calls import open_store, purge, write
from foureyes_actors.settings import RetentionSettings
from t00l5et.doubles.mongo import NOT_PRIMARY, FakeMongo, Vice
from t00l5et.doubles.tcp_server import nobody
from tests.replay.scenario import WIRE, Scenario

SHORT, LONG = 0.6, 20.0  # seconds: a time limit that is meant to pass, and any other
AT = datetime(2026, 1, 1, tzinfo=UTC)
READINGS = StoreDocuments(Collection.READINGS, ({"_id": "a", "at": AT, "grand": "1.00"},))
ERROR = CountError({"_id": "e", "at": AT, "fingerprint": "f", "message": "m"})
DENIED = {"ok": 0, "errmsg": "Authentication failed.", "code": 18, "codeName": "AuthenticationFailed"}
FULL = {"ok": 0, "errmsg": "the disk is full", "code": 14031, "codeName": "OutOfDiskSpace"}
INVALID = {"ok": 1, "n": 0, "writeErrors": [{"index": 0, "code": 121, "errmsg": "Document failed validation"}]}
MAJORITY = {"ok": 1, "n": 1, "writeConcernError": {"code": 64, "codeName": "WriteConcernFailed", "errmsg": "waited"}}
PASSWORD = "c4n4ry-of-the-database"
Act = Callable[[MongoStore], object]


def store(uri: str, timeout: float) -> MongoStore:
    return MongoStore(uri, "live", timeout=timeout, retention=RetentionSettings())


def opened(command: str, vice: Vice, answer: Mapping[str, Any] = NOT_PRIMARY, limit: float = LONG) -> Any:
    def act() -> object:
        with FakeMongo() as fake:
            fake.misbehave(command, vice, answer)
            return open_store(lambda: store(fake.uri, limit))

    return act


def stranger() -> object:
    """pymongo logs in when it has connected."""
    with FakeMongo() as fake:
        fake.misbehave("saslStart", Vice.ANSWER, DENIED)
        return open_store(lambda: store(fake.uri.replace("//", f"//watcher:{PASSWORD}@"), LONG))


def nobody_there() -> object:
    with nobody() as port:
        return open_store(lambda: store(f"mongodb://127.0.0.1:{port}/", SHORT))


def no_primary() -> object:
    with FakeMongo("rs0", primary=False) as fake:
        return open_store(lambda: store(f"{fake.uri}?replicaSet=rs0", SHORT))


def used(begin: Callable[[FakeMongo], None], act: Act, limit: float = LONG) -> Callable[[], object]:
    """A store that is open when it begins."""

    def acted() -> object:
        with FakeMongo("rs0") as fake, closing(store(fake.uri, LONG)) as opened:
            begin(fake)
            opened._timeout = limit  # so that only this one call is short of time
            return act(opened)

    return acted


def on(command: str, vice: Vice, answer: Mapping[str, Any] = NOT_PRIMARY) -> Callable[[FakeMongo], None]:
    return lambda fake: fake.misbehave(command, vice, answer)


def written(opened: MongoStore) -> object:
    return write(opened, READINGS)


def counted(opened: MongoStore) -> object:
    return write(opened, ERROR)


def purged(opened: MongoStore) -> object:
    return purge(opened, Collection.READINGS, AT)


def openings() -> list[tuple[str, Callable[[], object]]]:
    return [
        ("opening: refused", nobody_there),
        ("opening: reset", opened("hello", Vice.RESET, limit=SHORT)),
        ("opening: no answer until the deadline", opened("hello", Vice.SILENT, limit=SHORT)),
        ("opening: buildInfo hangs", opened("buildInfo", Vice.SILENT, limit=SHORT)),
        ("opening: a replica set without a primary", no_primary),
        ("opening: the login is refused", opened("createIndexes", Vice.ANSWER, DENIED)),
    ]


def calls() -> list[tuple[str, Callable[[], object]]]:
    return [
        ("write: no answer until the deadline", used(on("insert", Vice.SILENT), written, SHORT)),
        ("write: reset, again and again", used(on("insert", Vice.RESET), written, SHORT)),
        ("write: closed, again and again", used(on("insert", Vice.CLOSE), written, SHORT)),
        ("write: not primary any more", used(FakeMongo.step_down, written, SHORT)),
        ("write: the server is gone", used(FakeMongo.go_away, written, SHORT)),
        ("write: its disk is full", used(on("insert", Vice.ANSWER, FULL), written)),
        ("write: it refuses the document", used(on("insert", Vice.ANSWER, INVALID), written)),
        ("write: no majority", used(on("insert", Vice.ANSWER, MAJORITY), written)),
        ("count: the search hangs", used(on("find", Vice.SILENT), counted, SHORT)),
        ("count: not primary any more", used(FakeMongo.step_down, counted, SHORT)),
        ("purge: no answer until the deadline", used(on("find", Vice.SILENT), purged, SHORT)),
        ("purge: the server is gone", used(FakeMongo.go_away, purged, SHORT)),
    ]


def failures() -> list[Scenario]:
    named = [Scenario("MongoDB, live", name, act, level=WIRE) for name, act in (*openings(), *calls())]
    return [*named, Scenario("MongoDB, live", "opening: a wrong password", stranger, (PASSWORD,), WIRE)]
