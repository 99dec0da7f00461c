"""The account of a storm sees what is missing, doubled or strange; the vices spare supervision; the relay relays."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from foureyes_actors.errors import ConnectionBroken
from foureyes_actors.messages import Collection, CountError, StoreDocuments
from foureyes_actors.ports.http import HttpReply, HttpRequest
from foureyes_actors.ports.http_requests import RequestsHttp
from foureyes_actors.ports.store_sqlite import SqliteStore
from supervisors.directory import Directory
from supervisors.inbox import Inbox
from supervisors.messages import ExitNotice, Stage
from tests.faults.storm.door import RECORDER, Account, Door, account
from tests.faults.storm.relay import Relay, ServerVice
from tests.faults.storm.vices import Hang, Poison

T0 = datetime(2026, 3, 1, tzinfo=UTC)


def event(name: str) -> StoreDocuments:
    return StoreDocuments(Collection.EVENTS, ({"_id": name, "at": T0},))


def error(name: str) -> CountError:
    return CountError({"_id": name, "at": T0, "fingerprint": "f"})


class Books:
    def __init__(self, folder: Path) -> None:
        self.folder, self.directory = folder, Directory()
        self.directory.claim(RECORDER, "cerberus", Inbox)
        self.door = Door(self.directory)
        self.exits: list[ExitNotice] = []
        self.on_exit = self.door.beside(self.exits.append)

    def tell(self, *messages: StoreDocuments | CountError) -> None:
        assert all(self.directory.tell(RECORDER, message) for message in messages)

    def account(self, *stored: StoreDocuments | CountError) -> Account:
        with closing(SqliteStore(self.folder / "store.sqlite3")) as store:
            for message in stored:
                if isinstance(message, CountError):
                    store.count_occurrence(message.document)
                else:
                    store.append(message.collection, message.documents)
            return account(self.door, store, self.folder)


def test_all_that_was_accepted_is_there(tmp_path: Path) -> None:
    books = Books(tmp_path)
    books.tell(event("a"), error("e"), error("f"))
    assert books.account(event("a"), error("f"), error("e")).right


def test_what_is_missing_is_seen(tmp_path: Path) -> None:
    books = Books(tmp_path)
    books.tell(event("a"), event("b"), error("e"), error("f"))
    found = books.account(event("a"), error("e"))
    assert (found.right, found.missing) == (False, ("b", "1 errors of 2"))


def test_what_nobody_accepted_and_what_comes_twice_is_seen(tmp_path: Path) -> None:
    books = Books(tmp_path)
    books.tell(event("a"), event("a"), error("e"))
    found = books.account(event("a"), event("b"), error("e"), error("f"))
    assert (found.twice, found.strange) == (("a", "1 errors of 1"), ("b",))


@pytest.mark.parametrize("lost", [event("b"), error("b")])
def test_what_is_named_in_an_exit_notice_may_be_missing(tmp_path: Path, lost: StoreDocuments | CountError) -> None:
    books = Books(tmp_path)
    books.tell(event("a"), lost)
    notice = ExitNotice(RECORDER, 1, Stage.STUCK, TimeoutError(), "", (), type(lost).__name__, lost.id)
    books.on_exit(notice)
    found = books.account(event("a"))
    assert (found.right, found.named, books.exits) == (True, 1, [notice])


# --- vices ---


def test_poison_and_hang_harm_whoever_looks_at_them() -> None:
    with pytest.raises(SystemExit, match="poisoned"):
        isinstance(Poison(SystemExit), int)
    hang = Hang()
    held = threading.Thread(target=lambda: isinstance(hang, int), name="held", daemon=True)
    held.start()
    assert hang.held.wait(30) and held.is_alive()
    hang.release.set()
    held.join(30)
    assert not held.is_alive()


# --- the relay ---


class _Upstream(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"model": "right", "path": self.path}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def upstream() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Upstream) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="upstream", daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join(30)


def asked(url: str, vice: ServerVice | None) -> HttpReply:
    with Relay() as relay, closing(relay.before(RequestsHttp)()) as http:
        relay.vice = vice
        try:
            return http.exchange(HttpRequest("GET", f"{url}/v1/models"))
        finally:
            assert relay.met == (vice is not None)


@pytest.mark.parametrize(
    ("vice", "status", "body"),
    [
        (None, 200, b'{"model": "right", "path": "/v1/models"}'),
        (ServerVice.SLOW, 200, b'{"model": "right", "path": "/v1/models"}'),
        (ServerVice.EMPTY, 200, b""),
        (ServerVice.NO_JSON, 200, b"<html><body>It works!</body></html>"),
        (ServerVice.NO_ANSWER, 200, b'{"error": "Unexpected endpoint or method. (POST /)"}'),
        (ServerVice.OTHER_MODEL, 200, b'{"model": "somebody/else-7b", "path": "/v1/models"}'),
        (ServerVice.FAULT, 500, b'{"error": {"message": "the engine fell over"}}'),
    ],
)
def test_the_relay_passes_on_or_spoils(upstream: str, vice: ServerVice | None, status: int, body: bytes) -> None:
    reply = asked(upstream, vice)
    assert (reply.status, reply.body) == (status, body)


def test_the_relay_breaks_off_in_the_middle(upstream: str) -> None:
    with pytest.raises(ConnectionBroken):
        asked(upstream, ServerVice.RESET)


def test_a_server_that_is_gone_is_gone_behind_the_relay_too() -> None:
    with pytest.raises(ConnectionBroken):
        asked("http://127.0.0.1:9", None)
