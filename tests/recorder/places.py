"""Where stores live in tests: a folder, a database server that speaks MongoDB's protocol, a real mongod."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import uuid
from pathlib import Path

import pymongo
import pytest

from foureyes_actors.ports.store import StorePort
from foureyes_actors.ports.store_mongo import MongoStore
from foureyes_actors.ports.store_sqlite import SqliteStore
from foureyes_actors.settings import RetentionSettings
from t00l5et.free_port import free_port
from tests.support import eventually, need

TIMEOUT = 10.0  # seconds for one call: the machine may be busy
# Days. The tests' documents are of March 2026: with the usual limits a server deletes them, once a minute.
FOR_EVER = RetentionSettings(readings=20_000, events=20_000, errors=20_000, decisions=20_000)
REAL_MONGODB = os.environ.get("MONGODB_URI", "")
MONGO_KINDS = ("secantusdb", *(["mongod"] if REAL_MONGODB else []))
KINDS = ("sqlite", *MONGO_KINDS)


class SqlitePlace:
    """A file. ``arguments``: for a child process that opens it (see writing_child.py)."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "foureyes.sqlite3"
        self.arguments = ("sqlite", str(self.path))

    def open(self) -> StorePort:
        return SqliteStore(self.path)


class MongoPlace:
    """A database with a random name, dropped by ``drop``. Documents of any date stay: the server looks once a minute
    for those whose time is over, in the midst of any test."""

    def __init__(self, uri: str) -> None:
        self.uri, self.database = uri, f"foureyes_test_{uuid.uuid4().hex[:12]}"
        self.arguments = ("mongodb", uri, self.database)

    def open(self) -> MongoStore:
        return MongoStore(self.uri, self.database, timeout=TIMEOUT, retention=FOR_EVER)

    def drop(self) -> None:
        client: pymongo.MongoClient[dict[str, object]] = pymongo.MongoClient(self.uri, serverSelectionTimeoutMS=5000)
        with client:
            client.drop_database(self.database)


Place = SqlitePlace | MongoPlace


def need_secantus() -> None:
    """Skip where it cannot be installed at all, also under CI."""
    if sys.version_info >= (3, 14) or (sys.platform == "darwin" and platform.machine() != "arm64"):
        pytest.skip("secantusdb has no wheel for this Python or platform; set MONGODB_URI to test against a mongod")
    need(modules=("secantus",), install="pip install 'foureyes[test]'")


class Secantus:
    """secantusdb's server as a process of its own, on a data folder that outlives it."""

    def __init__(self, folder: Path) -> None:
        need_secantus()
        self._folder, self._log, self.port = folder, folder / "log", free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}"

    def start(self) -> None:
        """On the same port as before. Returns when it listens."""
        command = [sys.executable, "-m", "secantus", "--port", str(self.port), "--cache-size", "64M"]
        command += ["--storage-path", str(self._folder / "data")]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        eventually(self._listens, 60, "the MongoDB server listens")

    def kill(self) -> None:
        """kill -9, and wait for its end."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
            self._process = None

    def _listens(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            pytest.fail(f"the MongoDB server ended: {self._log.read_text(errors='replace')}")
        return b"listening on" in self._log.read_bytes()
