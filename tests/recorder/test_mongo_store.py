"""What only the MongoDB store has: an address with a password, time limits, a server that may be away."""

from __future__ import annotations

import socket
import threading
import traceback
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pymongo
import pytest

from foureyes_actors.errors import ConfigurationError, DocumentRefused, StoreUnavailable
from foureyes_actors.messages import Collection
from foureyes_actors.ports.mongo_address import masked, masked_uri
from foureyes_actors.ports.store_mongo import MongoStore
from foureyes_actors.settings import RetentionSettings
from t00l5et.free_port import free_port
from tests.recorder.places import TIMEOUT, MongoPlace, Secantus, need_secantus
from tests.support import eventually

NOW = datetime.now(UTC)
READINGS = Collection.READINGS
RETENTION = RetentionSettings()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Somebody who takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def limits(place: MongoPlace, name: str) -> dict[str, int]:
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(place.uri)
    with client:
        found = client[place.database][name].list_indexes()
        return {index["name"]: index["expireAfterSeconds"] for index in found if "expireAfterSeconds" in index}


def test_time_limits_follow_the_settings_also_when_they_change(mongo_place: MongoPlace) -> None:
    for days in (7.0, 2.5, 7.0):
        settings = RetentionSettings(readings=days, errors=days * 2)
        with closing(MongoStore(mongo_place.uri, mongo_place.database, timeout=TIMEOUT, retention=settings)) as store:
            store.append(READINGS, [{"_id": f"a{days}", "at": NOW}])
        assert limits(mongo_place, "readings") == {"at_ttl": int(days * 86400)}
        assert limits(mongo_place, "ERR0R") == {"at_ttl": int(days * 2 * 86400)}
        assert limits(mongo_place, "ERR0R_counted") == {"at_ttl": int(days * 2 * 86400)}
        assert limits(mongo_place, "decisions") == {"at_ttl": 3650 * 86400}


def test_a_time_limit_beyond_mongodbs_own_is_cut(mongo_place: MongoPlace) -> None:
    settings = RetentionSettings(events=1e9)
    MongoStore(mongo_place.uri, mongo_place.database, timeout=TIMEOUT, retention=settings).close()
    assert limits(mongo_place, "events") == {"at_ttl": 2**31 - 1}


def test_the_server_deletes_what_is_older(tmp_path: Path) -> None:
    need_secantus()
    from secantus import SecantusDBServer

    with (
        SecantusDBServer(storage_path=str(tmp_path), ttl_sweep_seconds=0.1, cache_size="64M") as server,
        closing(MongoStore(server.uri, "t", timeout=TIMEOUT, retention=RetentionSettings(readings=1))) as store,
    ):
        store.append(READINGS, [{"_id": "old", "at": NOW - timedelta(days=2)}, {"_id": "new", "at": NOW}])
        eventually(lambda: store.get(READINGS, "old") is None, 30, "the old one is deleted")
        assert store.get(READINGS, "new") is not None


def test_writes_wait_for_the_journal(mongo_place: MongoPlace) -> None:
    with closing(mongo_place.open()) as store:
        concern = store._database.write_concern.document
        hello = store._client.admin.command("hello")
    assert concern["j"] is True
    assert concern.get("w") == ("majority" if "setName" in hello else None)


def test_the_order_of_insertion_is_not_seen_outside_but_is_there(mongo_place: MongoPlace) -> None:
    with closing(mongo_place.open()) as store:
        store.append(READINGS, [{"_id": "a", "at": NOW}])
        store.count_occurrence({"_id": "e", "at": NOW, "fingerprint": "f"})
        assert set(store._database["readings"].find_one({"_id": "a"}) or ()) == {"_id", "at", "_order"}
        assert set(store.get(Collection.ERRORS, "e") or ()) == {
            *("_id", "at", "fingerprint", "occurrences", "first_at", "last_at", "resolved")
        }


def test_a_large_purge_goes_in_slices(mongo_place: MongoPlace) -> None:
    with closing(mongo_place.open()) as store:
        store.append(READINGS, [{"_id": f"o{n}", "at": NOW - timedelta(seconds=n)} for n in range(1, 1201)])
        store.append(READINGS, [{"_id": "new", "at": NOW}])
        deleted = []
        while found := store.purge(READINGS, NOW):
            deleted.append(found)
        assert sum(deleted) == 1200
        assert store.count(READINGS) == 1


def test_a_crash_between_counting_and_marking_counts_once(mongo_place: MongoPlace) -> None:
    with closing(mongo_place.open()) as store:
        for number in range(3):
            store.count_occurrence({"_id": f"e{number}", "at": NOW, "fingerprint": "f"})
        store._database["ERR0R_counted"].delete_many({})  # as if each had died before its mark
        for number in range(3):
            assert store.count_occurrence({"_id": f"e{number}", "at": NOW, "fingerprint": "f"}) == 3


def test_an_occurrence_whose_group_was_deleted_is_not_counted_again(mongo_place: MongoPlace) -> None:
    with closing(mongo_place.open()) as store:
        store.count_occurrence({"_id": "e", "at": NOW, "fingerprint": "f"})
        store._database["ERR0R"].delete_many({})
        assert store.count_occurrence({"_id": "e", "at": NOW, "fingerprint": "f"}) == 0


def test_nobody_listens() -> None:
    with pytest.raises(StoreUnavailable, match=r"nobody answers within 0\.3 s"):
        MongoStore(f"mongodb://127.0.0.1:{free_port()}", "t", timeout=0.3, retention=RETENTION)


def test_nobody_answers(silent_port: int) -> None:
    with pytest.raises(StoreUnavailable, match=r"within 0\.3 s"):
        MongoStore(f"mongodb://127.0.0.1:{silent_port}", "t", timeout=0.3, retention=RETENTION)


def test_a_server_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    server = Secantus(tmp_path)
    server.start()
    place = MongoPlace(server.uri)
    try:
        with closing(MongoStore(place.uri, place.database, timeout=5.0, retention=RETENTION)) as store:
            store.append(READINGS, [{"_id": "a", "at": NOW}])
            server.kill()
            for call in (lambda: store.append(READINGS, [{"_id": "b", "at": NOW}]), lambda: store.latest(READINGS)):
                with pytest.raises(StoreUnavailable, match="mongodb://127"):
                    call()
            assert store.describe().startswith("MongoDB ")
            server.start()
            eventually(lambda: came_back(store), 60, "the same store works again")
            assert store.count(READINGS) == 2
    finally:
        server.kill()


def came_back(store: MongoStore) -> bool:
    try:
        return store.append(READINGS, [{"_id": "b", "at": NOW}]) >= 0
    except StoreUnavailable:
        return False


def test_a_document_that_the_databases_own_rules_refuse(mongo_place: MongoPlace) -> None:
    rule = {"$jsonSchema": {"properties": {"text": {"bsonType": "string"}}}}
    with closing(mongo_place.open()) as store:
        store._database.command("collMod", "readings", validator=rule)
        with pytest.raises(DocumentRefused, match="'b'"):
            store.append(READINGS, [{"_id": "a", "at": NOW, "text": "x"}, {"_id": "b", "at": NOW, "text": 7}])
        assert store.append(READINGS, [{"_id": "a", "at": NOW}]) == 0  # stored before, and not doubled


# --- the address


PASSWORD = "s3cr%2Ft%21"
PLAIN = "s3cr/t!"


def everything(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error) + repr(error.__dict__)


@pytest.mark.parametrize(
    "uri",
    [
        f"mongodb://watcher:{PASSWORD}@127.0.0.1:PORT/",
        f"mongodb://watcher:{PASSWORD}@127.0.0.1:PORT/admin?authSource=admin&appName=x",
        f"mongodb://watcher:{PLAIN}@127.0.0.1:PORT/",
        f"mongodb://watcher:{PLAIN}x@y@127.0.0.1:PORT/",
        f"mongodb://watcher:{PASSWORD}@127.0.0.1:noport/",
        f"mongodb://watcher:{PASSWORD}@127.0.0.1:PORT/?w=nonsense&wtimeoutMS=x",
        f"mongodb+srv://watcher:{PASSWORD}@nowhere.invalid/",
        f"nonsense://watcher:{PASSWORD}@nowhere.invalid/",
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # the driver's word on the options
def test_a_password_is_never_in_an_error(uri: str) -> None:
    with pytest.raises((StoreUnavailable, ConfigurationError)) as caught:
        MongoStore(uri.replace("PORT", str(free_port())), "t", timeout=0.3, retention=RETENTION)
    for secret in (PASSWORD, PLAIN, "s3cr", "watcher:"):
        assert secret not in everything(caught.value)


@pytest.mark.parametrize("uri", ["", "localhost:27017x", "http://127.0.0.1", "mongodb://", "mongodb://u:c4n/4ry@h"])
def test_an_address_that_is_none(uri: str) -> None:
    with pytest.raises((ConfigurationError, StoreUnavailable)) as caught:
        MongoStore(uri, "t", timeout=0.3, retention=RETENTION)
    assert "c4n/4ry" not in everything(caught.value)


def test_a_login(tmp_path: Path) -> None:
    need_secantus()
    from secantus import SecantusDBServer

    with SecantusDBServer(storage_path=str(tmp_path), cache_size="64M") as server:
        client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(server.uri)
        with client:
            client.admin.command("createUser", "watcher", pwd=PLAIN, roles=["root"])
    with SecantusDBServer(storage_path=str(tmp_path), require_auth=True, cache_size="64M") as server:
        for login in ("", f"watcher:wrong{PASSWORD}@", f"nobody:{PASSWORD}@"):
            with pytest.raises(ConfigurationError, match="refuses the login") as caught:
                MongoStore(server.uri.replace("//", f"//{login}"), "t", timeout=TIMEOUT, retention=RETENTION)
            assert not any(secret in everything(caught.value) for secret in (PASSWORD, PLAIN))
        uri = server.uri.replace("//", f"//watcher:{PASSWORD}@")
        with closing(MongoStore(uri, "t", timeout=TIMEOUT, retention=RETENTION)) as store:
            assert store.append(READINGS, [{"_id": "a", "at": NOW}]) == 1
            assert store.describe().endswith(f"mongodb://***@127.0.0.1:{server.port}/, database t")


def test_masking() -> None:
    uri = "mongodb://me:pa%40ss%2Fword@h1,h2:2/db?replicaSet=r&password=x%20y"
    assert masked_uri(uri) == "mongodb://***@h1,h2:2/db?replicaSet=r&password=***"
    assert masked_uri("mongodb://h:1/db") == "mongodb://h:1/db"
    assert masked("login me:pa@ss/word to h1 failed: pa%40ss%2Fword", uri) == "login *** to h1 failed: ***"
    assert masked(f"cannot use {uri}", uri) == "cannot use ***"


def test_no_driver_thread_is_left(mongo_place: MongoPlace) -> None:
    before = set(threading.enumerate())
    mongo_place.open().close()
    eventually(lambda: not set(threading.enumerate()) - before, 30, "the driver's threads end")
