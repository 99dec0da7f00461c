"""What a request costs through FourEyes's client above ``requests.post`` of the same body: CPU of this process.

python -m tests.bench.overhead [--rounds 15] [--calls 20]

A JPEG of about 300 kB goes to a trivial server (a process of its own, which answers with a good analysis and counts the
connections that it accepts). The ways take turns within each round. FourEyes's is the whole of ``analyse``: base64,
the body, the exchange with its deadline, the checks of reply and answer; the others have their body ready and parse
nothing.
Aim: at most 3 ms above ``requests.post``.
"""

from __future__ import annotations

import argparse
import hashlib
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from itertools import count

import requests

from foureyes_actors.inference.client import analyse
from foureyes_actors.inference.request import chat_url, template
from foureyes_actors.inference.tasks import merge
from foureyes_actors.messages import Frame, FrameRef, Task
from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.http import HttpPort
from foureyes_actors.ports.http_requests import RequestsHttp
from foureyes_actors.settings import InferenceSettings
from tests.bench.own_cost import HEIGHT, WIDTH, jpeg
from tests.bench.tables import quantile, table
from tests.inference.support import ENTRIES, MODEL, good

PICTURE, AIM = 300_000, 3.0
ACCEPTED = "/accepted"
HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=20, help="of each way in a round")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve()
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.overhead", "--serve"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        return compare(f"http://127.0.0.1:{int(server.stdout.readline())}", arguments.rounds, arguments.calls)
    finally:
        server.kill()
        server.wait(10)


def compare(url: str, rounds: int, calls: int) -> int:
    picture, http, session = jpeg(PICTURE), RequestsHttp(), requests.Session()
    ours = client(url, picture, http)
    body = template(MODEL, merge(ENTRIES), InferenceSettings()).body(frame_of(picture, 0))
    ways: dict[str, Callable[[], object]] = {
        "requests.post": lambda: plain(requests.post(chat_url(url), data=body, headers=HEADERS, timeout=30)),
        "requests.Session().post": lambda: plain(session.post(chat_url(url), data=body, headers=HEADERS, timeout=30)),
        "FourEyes's client": ours,
    }
    spent, opened = {name: list[float]() for name in ways}, dict.fromkeys(ways, 0)
    for number in range(rounds + 1):
        for name, way in ways.items():
            before = accepted(url)
            cost = cpu_ms(way, calls)
            if number:  # the first round warms up
                spent[name].append(cost)
            opened[name] += accepted(url) - before - 1  # one is the question itself
    session.close()
    http.close()
    report(spent, opened, len(picture), (rounds + 1) * calls)
    return 0


def report(spent: dict[str, list[float]], opened: dict[str, int], size: int, calls: int) -> None:
    middle = {name: statistics.median(costs) for name, costs in spent.items()}
    rows = [(name, middle[name], quantile(costs, 0.95), opened[name], calls) for name, costs in spent.items()]
    heads = ("way", "CPU ms", "p95 ms", "connections", "requests")
    print(table(f"a request with a JPEG of {size / 1000:.0f} kB, means of a round's calls", heads, rows))
    for name in list(middle)[:2]:
        above = middle["FourEyes's client"] - middle[name]
        print(f"FourEyes's client above {name}: {above:+.2f} ms of CPU (aim: at most {AIM:g})")


def client(url: str, picture: bytes, http: HttpPort) -> Callable[[], object]:
    clock, settings, numbers = SystemClock(), InferenceSettings(), count(1)
    shape, cancelled = template(MODEL, merge(ENTRIES), settings), threading.Event()

    def ask() -> object:
        analysis = analyse(
            frame_of(picture, next(numbers)),
            model=MODEL,
            tasks=ENTRIES,
            http=http,
            clock=clock,
            random=lambda: 0.5,
            settings=settings,
            base_url=url,
            cancelled=cancelled,
            shape=shape,
        )
        assert len(analysis.answers) == len(Task)
        return analysis

    return ask


def frame_of(picture: bytes, number: int) -> Frame:
    now = SystemClock().utc_now()
    digest = hashlib.sha256(b"%d" % number).hexdigest()  # capture's share, and so not counted here
    return Frame(FrameRef("bench", number, now, float(number), digest, "image/jpeg", WIDTH, HEIGHT), picture)


def plain(reply: requests.Response) -> None:
    assert reply.status_code == 200 and reply.content


def cpu_ms(step: Callable[[], object], calls: int) -> float:
    """Of one call, all threads of this process."""
    began = time.process_time()
    for _ in range(calls):
        step()
    return (time.process_time() - began) / calls * 1000


# --- the server ---


def accepted(url: str) -> int:
    """Connections so far, the one of this question included."""
    return int(requests.get(url + ACCEPTED, timeout=30).text)


def serve() -> None:
    """Until it is killed. One thread a connection; nothing is parsed but the length."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        numbers = count(1)
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=converse, args=(connection, next(numbers)), daemon=True).start()


def converse(connection: socket.socket, number: int) -> None:
    answer = good().body
    with connection, connection.makefile("rb") as received:
        while first := received.readline():
            length = 0
            while (line := received.readline()) not in (b"\r\n", b""):
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            received.read(length)
            text = str(number).encode() if ACCEPTED.encode() in first else answer
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
            connection.sendall(head.encode() + text)


if __name__ == "__main__":
    sys.exit(main())
