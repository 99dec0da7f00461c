"""Which store the settings ask for, and how a recorder's replacement gets it."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from foureyes_actors.errors import StoreInUse, StoreUnavailable
from foureyes_actors.messages import Collection
from foureyes_actors.ports.stores import StoreOpener, open_store
from foureyes_actors.settings import StoreSettings
from tests.recorder.places import TIMEOUT, MongoPlace, Secantus

DOC = {"_id": "a", "at": datetime(2026, 3, 1, tzinfo=UTC)}


def test_the_default_is_a_file_below_data_dir(tmp_path: Path) -> None:
    with closing(open_store(StoreSettings(), tmp_path / "data")) as store:
        assert store.append(Collection.EVENTS, [DOC]) == 1
    assert (tmp_path / "data" / "foureyes.sqlite3").exists()


def test_an_absolute_path_is_taken_as_it_is(tmp_path: Path) -> None:
    open_store(StoreSettings(path=tmp_path / "my.db"), tmp_path / "data").close()
    assert (tmp_path / "my.db").exists()
    assert not (tmp_path / "data").exists()


def test_mongodb(secantus: Secantus) -> None:
    place = MongoPlace(secantus.uri)
    settings = StoreSettings(kind="mongodb", uri=SecretStr(place.uri), database=place.database, timeout=TIMEOUT)
    with closing(open_store(settings, Path("unused"))) as store:
        assert store.append(Collection.EVENTS, [DOC]) == 1
        assert place.database in store.describe()
    place.drop()


def test_the_opener_closes_what_an_earlier_incarnation_left_open(tmp_path: Path) -> None:
    opener = StoreOpener(StoreSettings(), tmp_path)
    first = opener()
    first.append(Collection.EVENTS, [DOC])
    second = opener()
    assert second.count(Collection.EVENTS) == 1
    with pytest.raises(StoreUnavailable, match="closed"):
        first.append(Collection.EVENTS, [DOC])
    second.close()


def test_the_opener_does_not_help_against_somebody_else(tmp_path: Path) -> None:
    opener = StoreOpener(StoreSettings(), tmp_path)
    with closing(open_store(StoreSettings(), tmp_path)), pytest.raises(StoreInUse):
        opener()
    opener().close()
