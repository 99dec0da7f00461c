"""HTTP that fails on a wire: FourEyes's own client against servers that misbehave, inside FourEyes's own functions."""

from __future__ import annotations

import gzip
import socket
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, closing

from foureyes_actors.inference.client import ask
from foureyes_actors.inference.request import template
from foureyes_actors.inference.tasks import merge
from foureyes_actors.lm_studio.dialect import server_at
from foureyes_actors.lm_studio.dialects import LM_STUDIO
from foureyes_actors.lm_studio.server_calls import list_models
from foureyes_actors.messages import Task
from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.http_requests import RequestsHttp
from foureyes_actors.settings import InferenceSettings
from t00l5et.doubles.tcp_server import TcpServer, deaf, finish, hold, nobody, reset
from tests.inference.support import ENTRIES, MODEL, frame, good
from tests.replay.scenario import WIRE, Scenario

SHORT = 0.4  # seconds; a deadline that is meant to pass
LONG = 20.0  # any other
PAUSE = 0.02  # seconds between two drops
Serve = Callable[[socket.socket], None]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
BODY = good().body
TOKEN = "c4n4ry-of-the-wire"


def sized(body: bytes, size: int | None = None, head: bytes = HEAD) -> bytes:
    return head + b"Content-Length: %d\r\n\r\n" % (len(body) if size is None else size) + body


def chunked(body: bytes, size: int) -> bytes:
    """One chunk, which says that it has ``size`` bytes."""
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n" % size + body


def serving(data: bytes, end: Serve = hold) -> Serve:
    """Take a request, send ``data``, end so."""

    def serve(sock: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            request += sock.recv(65536)
        head, _, body = request.partition(b"\r\n\r\n")
        size = next((int(h[15:]) for h in head.lower().split(b"\r\n") if h.startswith(b"content-length:")), 0)
        while len(body) < size:
            body += sock.recv(65536)
        if data:
            sock.sendall(data)
        end(sock)

    return serve


def plain(sock: socket.socket) -> None:
    """A server that takes whatever comes for a bad request."""
    sock.recv(65536)
    sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    finish(sock)


def dripping(data: bytes, server: list[TcpServer]) -> Serve:
    def drops(sock: socket.socket) -> None:
        for byte in data:
            if server[0].stopping.wait(PAUSE):
                return
            sock.sendall(bytes((byte,)))
        hold(sock)

    return serving(b"", drops)


def analysed(url: str, deadline: float, token: str = "") -> object:
    """One attempt of one inference."""
    settings = InferenceSettings(deadline=deadline)
    with closing(RequestsHttp()) as http:
        return ask(
            frame(),
            model=MODEL,
            tasks=tuple(Task),
            http=http,
            clock=SystemClock(),
            settings=settings,
            base_url=url,
            token=token,
            shape=template(MODEL, merge(ENTRIES), settings),
        )


def at(place: Callable[[], AbstractContextManager[int]], deadline: float = LONG) -> Callable[[], object]:
    def act() -> object:
        with place() as port:
            return analysed(f"http://127.0.0.1:{port}", deadline)

    return act


def served(serve: Serve, deadline: float = LONG) -> Callable[[], object]:
    def act() -> object:
        with TcpServer(serve, "live-http") as server:
            return analysed(f"http://127.0.0.1:{server.port}", deadline)

    return act


def slow() -> object:
    own: list[TcpServer] = []
    with TcpServer(dripping(sized(BODY), own), "live-http") as server:
        own.append(server)
        return analysed(f"http://127.0.0.1:{server.port}", SHORT)


def listed() -> object:
    """The second of the exchanges of one function breaks: LM Studio's list of models is asked for at several routes."""
    missing = sized(b'{"error": "no"}', head=b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n")
    answers = iter((serving(missing, finish), serving(b"", reset)))
    with TcpServer(lambda sock: next(answers)(sock), "live-http") as server, closing(RequestsHttp()) as http:
        return list_models(http, server_at(f"http://127.0.0.1:{server.port}", LM_STUDIO))


def hangs() -> list[Scenario]:
    half = sized(BODY)[: len(HEAD) + 60]
    return [
        live("no answer until the deadline", served(serving(b""), SHORT)),
        live("silent within the head", served(serving(HEAD), SHORT)),
        live("silent within the body", served(serving(half), SHORT)),
        live("a drip, too slow for the deadline", slow),
        *(untaken() if sys.platform == "linux" else []),
    ]


def untaken() -> list[Scenario]:
    """The first time that is over decides what it is called: the one for connecting, or the one for it all."""

    return [
        live("nobody takes the connection until the deadline", at(deaf, SHORT)),
        live("nobody takes the connection in its time", at(deaf)),
    ]


def breaks() -> list[Scenario]:
    half, part = sized(BODY[:40], len(BODY)), chunked(BODY[:40], len(BODY))
    whole = gzip.compress(BODY)
    packed = sized(whole[:40], 40, HEAD + b"Content-Encoding: gzip\r\n")
    return [
        live("refused", at(nobody)),
        live("reset before the head", served(serving(b"", reset))),
        live("reset within the head", served(serving(HEAD, reset))),
        live("reset within the body", served(serving(half, reset))),
        live("closed before the head", served(serving(b"", finish))),
        live("closed within the head", served(serving(HEAD[:20], finish))),
        live("less than Content-Length", served(serving(half, finish))),
        live("a cut chunk", served(serving(part, finish))),
        live("a chunk of no size", served(serving(chunked(b"", 0).replace(b"0\r\n", b"zz\r\n"), finish))),
        live("gzip that ends too early", served(serving(packed, finish))),
        live("no HTTP at all", served(serving(b"SSH-2.0-OpenSSH_9.6\r\n", finish))),
        live("a list of models, the second exchange is reset", listed),
    ]


def answers() -> list[Scenario]:
    def status(line: bytes, body: bytes) -> Callable[[], object]:
        return served(serving(sized(body, head=b"HTTP/1.1 " + line + b"\r\n"), finish))

    return [
        live("500 with a text", status(b"500 Internal Server Error", b'{"error": {"message": "internal"}}')),
        live("503 with a page", status(b"503 Service Unavailable", b"<html>later</html>")),
        live("429", status(b"429 Too Many Requests", b'{"error": "slow down"}')),
        live("301, which is not followed", status(b"301 Moved", b"")),
        live("broken JSON", served(serving(sized(b'{"choices": ['), finish))),
        live("larger than allowed, by its length", served(serving(sized(b"x" * 1000, 1 << 40), finish))),
        live("larger than allowed, in chunks", served(serving(chunked(b"x" * (9 << 20), 9 << 20), finish))),
    ]


def echoed() -> object:
    """A reply that repeats the caller's token, and breaks off."""
    said = f'{{"error": "who is {TOKEN}?"}}'.encode()
    with TcpServer(serving(sized(said, 1000), finish), "live-http") as server:
        return analysed(f"http://127.0.0.1:{server.port}", LONG, TOKEN)


def strangers() -> list[Scenario]:
    """What is not played on a wire."""

    def tls() -> object:
        with TcpServer(plain, "live-http") as server:
            return analysed(f"https://127.0.0.1:{server.port}", LONG)

    named = [("a name without an address", lambda: analysed("http://no-such-host.invalid", LONG)), ("no TLS", tls)]
    return [Scenario("HTTP, live", name, act) for name, act in named]


def live(name: str, act: Callable[[], object]) -> Scenario:
    return Scenario("HTTP, live", name, act, level=WIRE)


def failures() -> list[Scenario]:
    canary = Scenario("HTTP, live", "breaks off, with the token in it", echoed, (TOKEN,), WIRE)
    return [*hangs(), *breaks(), *answers(), *strangers(), canary]
