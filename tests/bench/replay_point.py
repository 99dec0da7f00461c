"""What a replay point costs when nothing fails, beside the bare function in the same run, and what a failure costs.

python -m tests.bench.replay_point
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable

from foureyes_actors.inference.client import ask
from foureyes_actors.inference.request import template
from foureyes_actors.inference.tasks import merge
from foureyes_actors.messages import Task
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.ports.http import HttpPort, HttpReply, HttpRequest
from foureyes_actors.replay.codec import dumps
from foureyes_actors.replay.point import replay_point
from foureyes_actors.settings import InferenceSettings
from tests.bench.tables import table
from tests.inference.support import ENTRIES, MODEL, ScriptedHttp, frame, reply
from tests.replay.make import failure, record_of

ROUNDS, CALLS = 25, 20_000
REQUEST, REPLY = HttpRequest("GET", "http://h/"), HttpReply(200, {}, b"{}")


class Http:
    def exchange(self, request: HttpRequest) -> HttpReply:
        return REPLY

    def close(self) -> None: ...


def bare(http: HttpPort, request: HttpRequest) -> int:
    return http.exchange(request).status


def bare_without_port(request: HttpRequest) -> str:
    return request.url


point = replay_point(ports={"http": "http"})(bare)
point_without_port = replay_point()(bare_without_port)


def microseconds(job: Callable[[], object], calls: int = CALLS) -> float:
    began = time.perf_counter()
    for _ in range(calls):
        job()
    return (time.perf_counter() - began) / calls * 1e6


def compared(
    name: str, without: Callable[[], object], with_it: Callable[[], object]
) -> tuple[str, float, float, float]:
    """Medians of rounds that take turns, so that a slow moment of the machine falls on both."""
    rounds = [(microseconds(without), microseconds(with_it)) for _ in range(ROUNDS)]
    one, other = (statistics.median(values) for values in zip(*rounds, strict=True))
    return name, one, other, statistics.median(b - a for a, b in rounds)


def failing(size: int) -> Callable[[], object]:
    settings = InferenceSettings()
    picture = frame(data=b"\xff\xd8\xff" + random.Random(1).randbytes(size))  # as a JPEG is: no two parts are alike
    shape = template(MODEL, merge(ENTRIES), settings)
    return lambda: ask(
        picture,
        model=MODEL,
        tasks=tuple(Task),
        http=ScriptedHttp(reply({"error": "x"}, 500)),
        clock=ManualClock(),
        settings=settings,
        base_url="http://h",
        token="",
        shape=shape,
    )


def main() -> None:
    http = Http()
    rows = [
        compared("one port call", lambda: bare(http, REQUEST), lambda: point(http, REQUEST)),
        compared("no port", lambda: bare_without_port(REQUEST), lambda: point_without_port(REQUEST)),
    ]
    print(table("nothing fails, us a call", ("replay point with", "bare", "as a replay point", "added"), rows))
    act = failing(1_000_000)
    error = failure(act)
    failed = [
        ("fail and keep it, in the failing thread", microseconds(lambda: failure(act), 50) / 1000),
        ("make its record, in the bug actor's worker", microseconds(lambda: record_of(error), 10) / 1000),
        ("write it as JSON", microseconds(lambda: dumps(record_of(error).document), 10) / 1000),
    ]
    print()
    print(table("a failed inference with a picture of 1 MB", ("step", "ms"), failed))


if __name__ == "__main__":
    main()
