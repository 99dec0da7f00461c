"""A double of LM Studio: a real HTTP server with its routes, its errors and its vices, for tests without LM Studio.

    python -m t00l5et.doubles.lm_studio --port 1234 --scenario scenario.json [--state wedge.json] [--log requests.jsonl]

``docs/lm_studio_double.md`` says what it does and how a scenario is written. In a test:

    with LmStudioDouble({"models": ["qwen/qwen3-vl-8b"], "rules": [...]}) as server: ... server.url ...
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import select
import socket
import struct
import sys
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from t00l5et.doubles import lm_studio_bodies as bodies
from t00l5et.doubles.lm_studio_bodies import Reply
from t00l5et.doubles.lm_studio_memory import Memory
from t00l5et.doubles.lm_studio_routes import Hang, Request, Routes
from t00l5et.doubles.lm_studio_scenario import (
    Deed,
    Engine,
    Rule,
    Scenario,
    ScenarioError,
    Then,
    read_scenario,
    scenario_of,
)

KEEP_ALIVE = 5.0  # seconds, as LM Studio's
LOOK_EVERY = 0.05  # seconds between two looks whether a client that waits has gone
WRONG_SCENARIO = 78  # exit code
EXITED = 137  # exit code of the deed "exit"
_NO_LINGER = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)  # close with a reset


class LmStudioDouble:
    """A context manager; any thread. ``scenario``: a Scenario, or a mapping as its file has it.

    ``requests``: what came, in order. ``memory``: its models; to be looked at, and changed, at any time.
    """

    def __init__(
        self,
        scenario: Scenario | Mapping[str, Any] | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        state: Path | None = None,
        log: Path | None = None,
        process: bool = False,
    ) -> None:
        """``state``: keeps what survives a restart. ``log``: a line of JSON for each request. ``process``: it is a
        process of its own, which the deed "exit" ends; else it only stops to listen. Raises ScenarioError, OSError."""
        self.scenario = scenario if isinstance(scenario, Scenario) else scenario_of(scenario or {})
        self.memory = Memory(self.scenario, state)
        self.requests: list[Request] = []
        self.stopping = threading.Event()
        self._rules = list(self.scenario.rules)
        self._seen: Counter[int] = Counter()  # rule -> requests that fitted it
        self._routes = Routes(self.scenario, self.memory, self.stopping.wait)
        self._lock, self._log, self._process = threading.Lock(), log, process
        self._server = _Server((host, port), _Handler)
        self._server.double = self
        self.url = f"http://{host}:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(LOOK_EVERY,), name="lm-studio-double", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Every connection is cut."""
        self.stopping.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._server.shutdown()
            self._thread.join(5)
        self._server.cut()
        self._server.server_close()

    def add_rule(self, rule: Mapping[str, Any]) -> None:
        """Before all others, from now on. Raises ScenarioError."""
        with self._lock:
            self._rules.insert(0, scenario_of({"rules": [rule]}).rules[0])
            self._seen = Counter({number + 1: count for number, count in self._seen.items()})

    def asked(self, route: str) -> list[Request]:
        """The requests of one route, such as ``POST /v1/chat/completions``."""
        with self._lock:
            return [request for request in self.requests if request.route == route]

    # --- in the connections' threads ---

    def then(self, request: Request) -> Then:
        """What is to happen with this request, which is noted."""
        with self._lock:
            self.requests.append(request)
            if self._log is not None:
                with self._log.open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps({"route": request.route, "model": request.model}) + "\n")
            due = [rule.then for number, rule in enumerate(self._rules) if self._is_due(number, rule, request)]
            return due[0] if due else Then()

    def _is_due(self, number: int, rule: Rule, request: Request) -> bool:
        if not rule.fits(request.route, request.model, bool(request.pictures)):
            return False
        self._seen[number] += 1
        return not rule.when.nth or self._seen[number] in rule.when.nth

    def reply(self, request: Request, then: Then) -> Reply:
        """Raises Hang."""
        if then.engine is not None:
            self._damage(request, then.engine)
        if then.error is not None:
            return bodies.error_reply(then.error, then.shape, status=then.status, type=then.type, code=then.code)
        if then.text is not None:
            return Reply(then.status or 200, then.text.encode(), then.content_type)
        if then.body is not None:
            return bodies.json_reply(then.body, then.status or 200)
        reply = self._routes.answer(request, then.reply)
        return Reply(then.status, reply.body, reply.content_type) if then.status else reply

    def _damage(self, request: Request, engine: Engine) -> None:
        instance = self.memory.instance(request.model)
        if instance is not None:
            self.memory.damage(instance, engine)

    def exit(self) -> None:
        if self._process:
            os._exit(EXITED)
        threading.Thread(target=self.stop, name="lm-studio-double-exit", daemon=True).start()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    double: LmStudioDouble

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._open: set[socket.socket] = set()

    def get_request(self) -> tuple[Any, Any]:
        sock, address = super().get_request()
        self._open.add(sock)
        return sock, address

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):  # the client has gone: that is what many tests are about
            super().handle_error(request, client_address)

    def cut(self) -> None:
        for sock in list(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = KEEP_ALIVE
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, *_: Any) -> None:
        """Nothing: requests are in ``LmStudioDouble.requests``."""

    def _serve(self) -> None:
        double = self.server.double
        request, problem = self._request()
        then = double.then(request)
        if double.stopping.wait(then.delay):
            self.close_connection = True
            return
        try:
            reply = problem or double.reply(request, then)
        except Hang:
            then = Then(do=Deed.HANG)
            reply = bodies.json_reply({})
        self._deliver(reply, then.do)

    def _request(self) -> tuple[Request, Reply | None]:
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        scheme, _, token = (self.headers.get("Authorization") or "").partition(" ")
        token = token.strip() if scheme.lower() == "bearer" else ""
        path, problem = urlsplit(self.path).path, None
        body: Any = {}
        try:
            body = json.loads(data) if data else {}
        except ValueError:
            problem = bodies.error_reply("Unexpected token in JSON", "b", type="invalid_request", code="invalid_json")
        return Request(self.command, path, body if isinstance(body, dict) else {}, token), problem

    def _deliver(self, reply: Reply, do: Deed | None) -> None:
        self.close_connection = self.close_connection or do is not None
        match do:
            case Deed.HANG:
                self._hang()
            case Deed.RESET:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
                self.connection.close()
            case Deed.HALF:
                self.wfile.write(self._head(reply) + reply.body[: len(reply.body) // 2])
            case Deed.EXIT:
                self.server.double.exit()
            case None:
                self.wfile.write(self._head(reply) + reply.body)

    def _hang(self) -> None:
        """Until the client has gone, or the server ends."""
        while not self.server.double.stopping.wait(LOOK_EVERY):
            readable, _, _ = select.select([self.connection], [], [], 0)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                return

    def _head(self, reply: Reply) -> bytes:
        lines = [
            f"HTTP/1.1 {reply.status} {self.responses.get(reply.status, ('', ''))[0]}".rstrip(),
            "X-Powered-By: Express",
            f"Content-Type: {reply.content_type}",
            f"Content-Length: {len(reply.body)}",
            f"Connection: {'close' if self.close_connection else 'keep-alive'}",
            f"Keep-Alive: timeout={KEEP_ALIVE:g}",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii", "replace")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs until it is ended. 78 for a wrong scenario."""
    options = _options(arguments)
    try:
        scenario = read_scenario(options.scenario) if options.scenario else Scenario()
        double = LmStudioDouble(
            scenario, host=options.host, port=options.port, state=options.state, log=options.log, process=True
        )
    except (ScenarioError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_SCENARIO if isinstance(error, ScenarioError) else 1
    with double:
        where = urlsplit(double.url)
        sys.stdout.write(json.dumps({"listening": {"host": where.hostname, "port": where.port}}) + "\n")
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            double.stopping.wait()
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m t00l5et.doubles.lm_studio", description="A double of LM Studio.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=1234, help="0: any free one; it is printed (default: 1234)")
    parser.add_argument("--scenario", type=Path, help="a JSON or YAML file: docs/lm_studio_double.md")
    parser.add_argument("--state", type=Path, help="a file that keeps what survives a restart: wedged engines")
    parser.add_argument("--log", type=Path, help="a file that gets a line of JSON for each request")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
