"""Stores to test against."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from foureyes_actors.ports.store import StorePort
from tests.recorder.places import KINDS, MONGO_KINDS, REAL_MONGODB, MongoPlace, Place, Secantus, SqlitePlace


@pytest.fixture(scope="session")
def secantus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secantus]:
    server = Secantus(tmp_path_factory.mktemp("secantus"))
    server.start()
    yield server
    server.kill()


def _mongo_place(kind: str, request: pytest.FixtureRequest) -> MongoPlace:
    return MongoPlace(REAL_MONGODB if kind == "mongod" else request.getfixturevalue("secantus").uri)


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Somewhere to open a store, again and again; nobody else uses it."""
    if request.param == "sqlite":
        yield SqlitePlace(tmp_path)
        return
    found = _mongo_place(request.param, request)
    yield found
    found.drop()


@pytest.fixture(params=MONGO_KINDS)
def mongo_place(request: pytest.FixtureRequest) -> Iterator[MongoPlace]:
    found = _mongo_place(request.param, request)
    yield found
    found.drop()


@pytest.fixture
def store(place: Place) -> Iterator[StorePort]:
    opened = place.open()
    yield opened
    opened.close()
