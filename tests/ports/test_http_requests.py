"""RequestsHttp against real loopback servers, one vice each."""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import subprocess
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from foureyes_actors.errors import (
    ConnectFailed,
    ConnectionBroken,
    ReplyTooLarge,
    RequestTimeout,
    TransportError,
)
from foureyes_actors.ports import http_connection
from foureyes_actors.ports.http import HttpReply, HttpRequest
from foureyes_actors.ports.http_requests import RequestsHttp, is_loopback
from t00l5et.free_port import free_port
from tests.support import eventually, need

PATIENCE = 15.0  # far beyond every deadline here, far below what a dripping server would take
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
TOKEN = "sk-lm-verysecret:0123456789"

Serve = Callable[[socket.socket, int], None]  # a connection and its number; returns to close it


class Server:
    """Accepts on a loopback port; each connection is served by ``serve`` in a thread of its own."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self.connections, self.closed, self.requests = 0, 0, list[bytes]()
        self.over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept, name="test-server", daemon=True)]
        self._threads[0].start()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def _accept(self) -> None:
        while not self.over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if self.over.is_set():
                connection.close()
                return
            self.connections += 1
            thread = threading.Thread(target=self._one, args=(connection, self.connections), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _one(self, connection: socket.socket, number: int) -> None:
        with connection:
            connection.settimeout(PATIENCE)
            with contextlib.suppress(OSError):
                self._serve(connection, number)
        self.closed += 1

    def read(self, connection: socket.socket) -> bytes:
        """One request, headers and body; empty when the client has closed."""
        data = b""
        while b"\r\n\r\n" not in data:
            part = connection.recv(65536)
            if not part:
                return b""
            data += part
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(
            (int(h.split(b":")[1]) for h in head.lower().split(b"\r\n") if h.startswith(b"content-length")), 0
        )
        while len(body) < length:
            body += connection.recv(65536)
        self.requests.append(head + b"\r\n\r\n" + body)
        return self.requests[-1]

    def close(self) -> None:
        self.over.set()
        socket.create_connection(self._listener.getsockname(), PATIENCE).close()  # wakes the one that accepts
        for thread in self._threads:
            thread.join(PATIENCE)
        self._listener.close()


@pytest.fixture
def start() -> Iterator[Callable[[Callable[[Server], Serve]], Server]]:
    servers: list[Server] = []

    def begin(make: Callable[[Server], Serve]) -> Server:
        box: list[Server] = []
        server = Server(lambda connection, number: make(box[0])(connection, number))
        box.append(server)
        servers.append(server)
        return server

    yield begin
    for server in servers:
        server.close()


@pytest.fixture
def http() -> Iterator[RequestsHttp]:
    port = RequestsHttp()
    yield port
    port.close()


Start = Callable[[Callable[[Server], Serve]], Server]


def answering(*replies: bytes, keep: bool = True) -> Callable[[Server], Serve]:
    """Each connection answers each request with the next reply, the last one for ever."""

    def make(server: Server) -> Serve:
        def serve(connection: socket.socket, number: int) -> None:
            for index in range(1000):
                if not server.read(connection):
                    return
                connection.sendall(replies[min(index, len(replies) - 1)])
                if not keep:
                    return

        return serve

    return make


def timed(http: RequestsHttp, request: HttpRequest) -> tuple[HttpReply | TransportError, float]:
    started = time.monotonic()
    try:
        return http.exchange(request), time.monotonic() - started
    except TransportError as error:
        return error, time.monotonic() - started


# --- what goes right ---


def test_one_connection_serves_many_exchanges(start: Start, http: RequestsHttp) -> None:
    server = start(answering(OK))
    for _ in range(5):
        assert http.exchange(HttpRequest("POST", f"{server.url}/x", {"X-A": "1"}, b"body")).body == b"ok"
    assert server.connections == 1
    assert all(r.startswith(b"POST /x HTTP/1.1") and r.endswith(b"\r\n\r\nbody") for r in server.requests)


def test_each_exchange_has_its_own_headers_and_body(start: Start, http: RequestsHttp) -> None:
    """What is kept from one exchange to the next must not be sent with another."""
    server = start(answering(OK))
    asked = [("POST", {"X-A": "1"}, b"one"), ("POST", {"X-A": "2"}, b"other"), ("POST", {}, None), ("GET", {}, None)]
    for method, headers, body in 2 * asked:
        http.exchange(HttpRequest(method, f"{server.url}/x?y=%20#z", headers, body))
    assert server.connections == 1
    for sent, (method, headers, body) in zip(server.requests, 2 * asked, strict=True):
        head, _, rest = sent.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        assert first == f"{method} /x?y=%20 HTTP/1.1".encode()
        assert rest == (body or b"")
        assert [line for line in lines if line.startswith(b"X-A")] == [f"X-A: {v}".encode() for v in headers.values()]
        lengths = [line for line in lines if line.startswith(b"Content-Length")]
        assert lengths == ([f"Content-Length: {len(body or b'')}".encode()] if method == "POST" else [])


def test_more_servers_than_pools_and_then_the_first_again(start: Start, http: RequestsHttp) -> None:
    servers = [start(answering(OK)) for _ in range(6)]
    for server in 2 * servers:
        assert http.exchange(HttpRequest("POST", server.url, body=b"x")).body == b"ok"
    assert [len(server.requests) for server in servers] == [2] * 6


@pytest.mark.parametrize("status", [204, 301, 302, 400, 404, 500, 503])
def test_every_status_is_a_reply(start: Start, http: RequestsHttp, status: int) -> None:
    server = start(
        answering(b"HTTP/1.1 %d X\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n" % status, keep=True)
    )
    reply = http.exchange(HttpRequest("GET", server.url))
    assert reply.status == status
    assert server.connections == 1


def test_chunked_and_compressed_replies_are_decoded(start: Start, http: RequestsHttp) -> None:
    packed = gzip.compress(b"hello" * 100)
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (packed[:7], packed[7:])) + b"0\r\n\r\n"
    server = start(
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n" + chunks)
    )
    assert http.exchange(HttpRequest("GET", server.url)).body == b"hello" * 100
    assert http.exchange(HttpRequest("GET", server.url)).body == b"hello" * 100
    assert server.connections == 1


def test_cookies_are_not_kept_and_proxies_do_not_count_for_this_machine(
    start: Start, http: RequestsHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = start(answering(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"))
    http.exchange(HttpRequest("GET", server.url))
    http.exchange(HttpRequest("GET", server.url))
    assert len(server.requests) == 2
    assert all(b"cookie" not in r.lower() for r in server.requests)


def test_a_proxy_of_the_environment_counts_for_other_hosts(
    start: Start, http: RequestsHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start(answering(OK))
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, server.url)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for number in (1, 2):
        assert http.exchange(HttpRequest("GET", f"http://models.example/v1/models/{number}")).body == b"ok"
        assert server.requests[-1].startswith(f"GET http://models.example/v1/models/{number} HTTP/1.1".encode())
    other = start(answering(OK))
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, other.url)
    http.exchange(HttpRequest("GET", "http://models.example/v1/models/1"))
    assert len(other.requests) == 1


def test_a_proxy_gets_its_own_credentials_and_may_refuse_a_tunnel(
    start: Start, http: RequestsHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    forwarding = start(answering(OK))
    refusing = start(answering(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", keep=False))
    for scheme, server in (("http", forwarding), ("https", refusing)):
        for name in (f"{scheme}_proxy", f"{scheme}_proxy".upper()):
            monkeypatch.setenv(name, server.url.replace("http://", "http://me:secret@"))
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert http.exchange(HttpRequest("GET", "http://models.example/")).body == b"ok"
    assert b"Proxy-Authorization: Basic bWU6c2VjcmV0" in forwarding.requests[0]
    result, _ = timed(http, HttpRequest("GET", "https://models.example/", {"Authorization": TOKEN}))
    assert isinstance(result, ConnectFailed), result
    assert refusing.requests[0].startswith(b"CONNECT models.example:443 HTTP/1.")
    assert TOKEN.encode() not in refusing.requests[0]


def test_a_header_that_comes_twice_is_one_with_both_values(start: Start, http: RequestsHttp) -> None:
    server = start(answering(b"HTTP/1.1 200 OK\r\nX-A: 1\r\nX-A: 2\r\nX-B: 3\r\nContent-Length: 0\r\n\r\n"))
    reply = http.exchange(HttpRequest("GET", server.url))
    assert reply.headers == {"X-A": "1, 2", "X-B": "3", "Content-Length": "0"}


def test_a_head_request_has_no_body_to_wait_for(start: Start, http: RequestsHttp) -> None:
    server = start(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n"))
    for _ in range(2):
        assert http.exchange(HttpRequest("HEAD", server.url)).body == b""
    assert server.connections == 1


def test_netrc_does_not_replace_the_authorization(
    start: Start, http: RequestsHttp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server = start(answering(OK))
    http.exchange(HttpRequest("GET", server.url, {"Authorization": f"Bearer {TOKEN}"}))
    assert f"Authorization: Bearer {TOKEN}".encode() in server.requests[0]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:1234/x", True),
        ("http://127.8.9.1", True),
        ("http://localhost:1234", True),
        ("http://[::1]:1234", True),
        ("http://192.168.1.5:1234", False),
        ("http://localhost.example:1234", False),
        ("http://[::1", False),
        ("", False),
    ],
)
def test_which_hosts_are_this_machine(url: str, expected: bool) -> None:
    assert is_loopback(url) is expected


# --- time ---


def drip(first: bytes, piece: bytes) -> Callable[[Server], Serve]:
    def make(server: Server) -> Serve:
        def serve(connection: socket.socket, number: int) -> None:
            server.read(connection)
            connection.sendall(first)
            while not server.over.wait(0.05):
                connection.sendall(piece)

        return serve

    return make


@pytest.mark.parametrize(
    ("first", "piece"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\nX-A: ", b"a"),
        (b"HTTP/1.1 200 OK\r\n", b"X-Ab: c\r\n"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
    ],
)
def test_a_dripping_server_does_not_exceed_the_deadline(
    start: Start, http: RequestsHttp, first: bytes, piece: bytes
) -> None:
    server = start(drip(first, piece))
    result, took = timed(http, HttpRequest("GET", server.url, deadline=0.5))
    assert isinstance(result, RequestTimeout), result
    assert 0.4 < took < PATIENCE / 2
    assert str(result) == f"GET {server.url}: no complete reply within 0.5 s"


def test_a_silent_server_and_one_that_does_not_read(start: Start, http: RequestsHttp) -> None:
    def make(server: Server) -> Serve:
        return lambda connection, number: void(server.over.wait(PATIENCE))

    server = start(make)
    for body in (b"", b"x" * 30_000_000):
        result, took = timed(http, HttpRequest("POST", server.url, body=body, deadline=0.5))
        assert isinstance(result, RequestTimeout), result
        assert took < PATIENCE / 2


def void(_: object) -> None:
    return None


def test_a_slow_reader_may_take_longer_than_the_connect_timeout(start: Start, http: RequestsHttp) -> None:
    def make(server: Server) -> Serve:
        def serve(connection: socket.socket, number: int) -> None:
            for _ in range(2):
                server.over.wait(0.6)
                server.read(connection)
                connection.sendall(OK)

        return serve

    server = start(make)
    request = HttpRequest("POST", server.url, body=b"x" * 10_000_000, connect_timeout=0.3, deadline=PATIENCE)
    assert [http.exchange(request).body for _ in range(2)] == [b"ok"] * 2
    assert server.connections == 1


def test_the_deadline_holds_over_tls(
    start: Start, http: RequestsHttp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    need(programs=("openssl",), install="apt-get install openssl")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True, timeout=60)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def make(server: Server) -> Serve:
        def serve(connection: socket.socket, number: int) -> None:
            with context.wrap_socket(connection, server_side=True) as secure:
                while request := server.read(secure):
                    secure.sendall(OK if b"/quick" in request else OK[:-1])

        return serve

    url = start(make).url.replace("http:", "https:")
    assert isinstance(timed(http, HttpRequest("GET", url))[0], ConnectFailed)  # nobody vouches for it
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    assert http.exchange(HttpRequest("GET", f"{url}/quick")).body == b"ok"
    result, took = timed(http, HttpRequest("GET", url, deadline=0.5))
    assert isinstance(result, RequestTimeout), result
    assert took < PATIENCE / 2


# --- broken servers ---


def test_nobody_listens(http: RequestsHttp) -> None:
    url = f"http://127.0.0.1:{free_port()}/v1/models"
    result, _ = timed(http, HttpRequest("GET", url))
    assert isinstance(result, ConnectFailed)
    assert str(result).startswith(f"GET {url}: ") and "refused" in str(result).lower()


def test_a_name_that_nobody_knows(http: RequestsHttp) -> None:
    result, _ = timed(http, HttpRequest("GET", "http://no-such-host.invalid/", deadline=5.0))
    assert isinstance(result, ConnectFailed)


@pytest.mark.parametrize("url", ["", "127.0.0.1:1234", "ftp://127.0.0.1/", "http://", "http://[::1/", "http://a b/"])
def test_an_address_that_is_none(http: RequestsHttp, url: str) -> None:
    result, _ = timed(http, HttpRequest("GET", url))
    assert isinstance(result, ConnectFailed), result


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfour",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA\r\nfour",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nfour",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 20\r\n\r\n"
        + gzip.compress(b"x" * 999, mtime=0)[:20],
        b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 4\r\n\r\nfour",
    ],
)
def test_replies_that_are_none(start: Start, http: RequestsHttp, reply: bytes) -> None:
    server = start(answering(reply, keep=False))
    result, took = timed(http, HttpRequest("GET", server.url, deadline=PATIENCE))
    assert isinstance(result, ConnectionBroken), result
    assert took < PATIENCE


def test_a_reset_in_the_middle(start: Start, http: RequestsHttp) -> None:
    def make(server: Server) -> Serve:
        def serve(connection: socket.socket, number: int) -> None:
            server.read(connection)
            connection.sendall(OK[:30])
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

        return serve

    result, _ = timed(http, HttpRequest("POST", start(make).url, body=b"x"))
    assert isinstance(result, ConnectionBroken), result


def bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join([packer.compress(bytes(1 << 20)) for _ in range(size >> 20)]) + packer.flush()


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000,
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5000,
        b"HTTP/1.1 302 Found\r\nLocation: /y\r\n\r\n" + b"x" * 5000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFF\r\n" + b"x" * 100_000,
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + bomb(64 << 20),
    ],
)
def test_a_reply_that_is_too_large(start: Start, http: RequestsHttp, reply: bytes) -> None:
    server = start(answering(reply, keep=False))
    result, _ = timed(http, HttpRequest("GET", server.url, max_reply=4999, deadline=PATIENCE))
    assert isinstance(result, ReplyTooLarge), result
    assert not result.retryable


# --- kept connections ---


def test_a_connection_that_the_server_closed_is_replaced_in_silence(start: Start, http: RequestsHttp) -> None:
    server = start(answering(OK, keep=False))
    for number in range(1, 4):
        assert http.exchange(HttpRequest("POST", server.url, body=b"x")).body == b"ok"
        eventually(lambda n=number: server.closed == n, PATIENCE, "the server's close")  # type: ignore[misc]
    assert len(server.requests) == server.connections == 3


def closing_on_the_second_request(server: Server) -> Serve:
    """The race: the server closes a kept connection just when the next request is on its way."""

    def serve(connection: socket.socket, number: int) -> None:
        server.read(connection)
        connection.sendall(OK)
        if number == 1:
            server.read(connection)
            return
        server.over.wait(PATIENCE)

    return serve


def test_a_get_that_crosses_the_close_is_sent_once_more(start: Start, http: RequestsHttp) -> None:
    server = start(closing_on_the_second_request)
    http.exchange(HttpRequest("GET", server.url))
    assert http.exchange(HttpRequest("GET", server.url)).body == b"ok"
    assert server.connections == 2


def test_a_get_on_a_new_connection_is_sent_once(start: Start, http: RequestsHttp) -> None:
    """The connection before was closed with its reply: the new one has no close to cross."""

    def closing_at_once(server: Server) -> Serve:
        def serve(connection: socket.socket, number: int) -> None:
            server.read(connection)
            if number == 1:
                connection.sendall(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))

        return serve

    server = start(closing_at_once)
    assert http.exchange(HttpRequest("GET", server.url)).body == b"ok"
    with pytest.raises(ConnectionBroken, match="without a reply"):
        http.exchange(HttpRequest("GET", server.url))
    assert server.connections == 2


def test_a_post_that_crosses_the_close_is_not(start: Start, http: RequestsHttp) -> None:
    """The server may have begun to load a model: a second one would be loaded beside it."""
    server = start(closing_on_the_second_request)
    http.exchange(HttpRequest("GET", server.url))
    with pytest.raises(ConnectionBroken, match="without a reply"):
        http.exchange(HttpRequest("POST", server.url, body=b"x"))
    assert server.connections == 1


def test_a_connection_that_was_idle_for_long_is_not_used(
    start: Start, http: RequestsHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start(answering(OK))
    http.exchange(HttpRequest("GET", server.url))
    monkeypatch.setattr(http_connection, "IDLE_LIMIT", -1.0)
    http.exchange(HttpRequest("POST", server.url, body=b"x"))
    assert server.connections == 2


def test_an_overdue_exchange_does_not_spoil_the_next(start: Start, http: RequestsHttp) -> None:
    def make(server: Server) -> Serve:
        def serve(connection: socket.socket, number: int) -> None:
            server.read(connection)
            if number == 1:
                server.over.wait(PATIENCE)
            connection.sendall(OK)

        return serve

    server = start(make)
    with pytest.raises(RequestTimeout):
        http.exchange(HttpRequest("GET", server.url, deadline=0.3))
    assert http.exchange(HttpRequest("GET", server.url)).body == b"ok"


# --- close ---


def test_close_ends_exchanges_in_flight(start: Start, http: RequestsHttp) -> None:
    server = start(drip(b"HTTP/1.1 200 OK\r\n\r\n", b"x"))
    results: list[object] = []

    def ask() -> None:
        results.append(timed(http, HttpRequest("GET", server.url, deadline=PATIENCE))[0])

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(server.requests) == 3, PATIENCE, "three exchanges in flight")
    http.close()
    for thread in threads:
        thread.join(PATIENCE / 2)
    assert [type(r) for r in results] == [ConnectionBroken] * 3
    assert "closed from this side" in str(results[0])
    assert not [t for t in threading.enumerate() if t.name == "http-deadlines"]


def test_it_can_be_used_again_after_close(start: Start, http: RequestsHttp) -> None:
    server = start(answering(OK))
    http.exchange(HttpRequest("GET", server.url))
    http.close()
    assert http.exchange(HttpRequest("GET", server.url)).body == b"ok"
    assert server.connections == 2


# --- secrets ---


def test_no_message_and_no_context_holds_a_secret(start: Start, http: RequestsHttp) -> None:
    server = start(answering(b"", keep=False))
    host = server.url.removeprefix("http://")
    headers = {"Authorization": f"Bearer {TOKEN}"}
    urls = [f"http://user:{TOKEN}@{host}/p?key={TOKEN}#{TOKEN}", f"http://user:{TOKEN}@127.0.0.1:9/p?key={TOKEN}"]
    requests_ = [HttpRequest("GET", url, headers) for url in urls]
    requests_.append(HttpRequest("GET", server.url, {"Authorization": f"Bearer {TOKEN}\nX: y"}))
    for request in requests_:
        result, _ = timed(http, request)
        assert isinstance(result, TransportError)
        assert TOKEN not in str(result) and "user" not in str(result)
        assert result.__context__ is None and result.__cause__ is None
