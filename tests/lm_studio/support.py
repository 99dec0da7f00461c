"""A model server made of a table of replies, and child processes made of nothing: for tests without a world."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from foureyes_actors.lm_studio.dialect import Server
from foureyes_actors.lm_studio.residency import Loading
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.ports.http import HttpPort, HttpReply, HttpRequest
from foureyes_actors.ports.process import ProcessResult, ProcessUsage

URL = "http://127.0.0.1:1234"
Scripted = HttpReply | Exception | Callable[[HttpRequest], HttpReply]


def loading(http: HttpPort, server: Server, **more: Any) -> Loading:
    return Loading(http, server, ManualClock(), threading.Event(), **{"seconds": 300.0, **more})


def reply(body: object, status: int = 200) -> HttpReply:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpReply(status, {"content-type": "application/json"}, data)


def unexpected(method: str, path: str) -> HttpReply:
    """What LM Studio answers for a route that it does not have."""
    return reply({"error": f"Unexpected endpoint or method. ({method} {path})"})


class ScriptedHttp:
    """``routes``: "GET /path" -> reply, error, or function. What is not there is answered as LM Studio does."""

    def __init__(self, routes: Mapping[str, Scripted] | None = None) -> None:
        self.routes: dict[str, Scripted] = dict(routes or {})
        self.requests: list[HttpRequest] = []
        self.closed = 0
        self.on_close: Callable[[], None] = lambda: None

    def exchange(self, request: HttpRequest) -> HttpReply:
        self.requests.append(request)
        path = urlsplit(request.url).path
        answer = self.routes.get(f"{request.method} {path}")
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, HttpReply):
            return answer
        return answer(request) if answer is not None else unexpected(request.method, path)

    def close(self) -> None:
        self.closed += 1
        self.on_close()

    def asked(self) -> list[str]:
        return [f"{r.method} {urlsplit(r.url).path}" for r in self.requests]


def chat_reply(model: str, content: object) -> HttpReply:
    text = content if isinstance(content, str) else json.dumps(content)
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return reply({"id": "x", "object": "chat.completion", "model": model, "choices": [choice]})


def amounts(grand: str | None = "$1,234.56") -> dict[str, Any]:
    rest = dict.fromkeys(("major", "minor", "mini", "balance"), None)
    return {"vision_ocr": {"grand": grand, **rest, "confidence": 0.9}}


class FakeChild:
    def __init__(self, lines: Sequence[str]) -> None:
        self.pid, self.lines = 4711, tuple(lines)
        self.code: int | None = None
        self.stopped: list[float] = []

    def exit_code(self) -> int | None:
        return self.code

    def tail(self) -> tuple[str, ...]:
        return self.lines

    def wait_line(self, accept: Callable[[str], bool], timeout: float) -> str | None:
        return next((line for line in self.lines if accept(line)), None)

    def stop(self, grace: float) -> None:
        self.stopped.append(grace)
        self.code = -15 if self.code is None else self.code


class FakeProcesses:
    """``lines``: what a started child says. ``programs``: what is on PATH."""

    def __init__(self, lines: Sequence[str] = (), programs: Mapping[str, str] | None = None) -> None:
        self.lines, self.programs = tuple(lines), dict(programs or {})
        self.children: list[FakeChild] = []
        self.commands: list[tuple[str, ...]] = []
        self.runs: list[tuple[str, ...]] = []
        self.started = threading.Event()
        self.held_by: str | None = None
        self.in_use: int | None = None
        self.listens: dict[int, int] = {}

    def start(self, command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> FakeChild:
        self.commands.append(tuple(command))
        self.children.append(FakeChild(self.lines))
        self.started.set()
        return self.children[-1]

    def run(self, command: Sequence[str], *, timeout: float) -> ProcessResult:
        self.runs.append(tuple(command))
        return ProcessResult(0, ("Success!",))

    def usage(self, pid: int, *, without: Collection[int] = ()) -> ProcessUsage | None:
        return None

    def memory(self, pid: int) -> int | None:
        return self.in_use

    def machine(self) -> tuple[float, int]:
        return 0.0, 0

    def listener(self, port: int) -> str | None:
        return self.held_by

    def listening(self, port: int) -> int | None:
        return self.listens.get(port)

    def find_program(self, name: str) -> str | None:
        return self.programs.get(name)
