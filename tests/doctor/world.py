"""Worlds for the doctor: scripted where a machine would have to be broken, real servers where one can be started."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from foureyes_actors.doctor.examination import examine
from foureyes_actors.doctor.findings import Finding
from foureyes_actors.doctor.parts import HttpFactory
from foureyes_actors.errors import ProcessError, SourceUnavailable, StoreUnavailable
from foureyes_actors.ports.files import FilesPort, LocalFiles
from foureyes_actors.ports.http_requests import RequestsHttp
from foureyes_actors.ports.inspection import LocalInspection
from foureyes_actors.ports.obs import ObsFactory
from foureyes_actors.ports.obs_websocket import ObsWebsocketPort
from foureyes_actors.ports.process import ProcessPort, ProcessResult
from foureyes_actors.settings import Settings
from tests.resource.scripted import ScriptedProcesses

SANDBOX = {"kind": "bubblewrap", "how": "", "foreign_code": True, "advice": ""}


class Programs(ScriptedProcesses):
    """Nothing is there; whoever asks for the sandbox is told ``sandbox``."""

    sandbox: ProcessResult | ProcessError = ProcessResult(0, (json.dumps(SANDBOX),))

    def run(self, command: Sequence[str], *, timeout: float) -> ProcessResult:  # type: ignore[override]
        assert command[-2:] == ["sandbox", "--json"] and timeout > 60
        if isinstance(self.sandbox, ProcessError):
            raise self.sandbox
        return self.sandbox


@dataclass
class TestWorld:
    """Real network, scripted processes."""

    __test__ = False

    files: FilesPort = field(default_factory=LocalFiles)
    processes: ProcessPort = field(default_factory=Programs)
    http: HttpFactory = RequestsHttp
    obs: ObsFactory = ObsWebsocketPort


@dataclass
class ScriptedInspection:
    """A machine to order."""

    version: tuple[int, int, int] = (3, 12, 1)
    broken: dict[str, Exception] = field(default_factory=dict)  # by module
    refusal: OSError | None = None
    holder_of: Callable[[Path], str | None] = lambda _lock: None
    free: int = 10_000_000_000
    screens: tuple[str, ...] = ("1920 x 1080 at 0,0",)
    mongo: str | Exception = field(default_factory=lambda: StoreUnavailable("the store: nobody answers"))
    asked_mongo: list[tuple[str, float]] = field(default_factory=list)

    def python(self) -> tuple[int, int, int]:
        return self.version

    def import_module(self, name: str) -> None:
        if name in self.broken:
            raise self.broken[name]

    def holder(self, lock: Path) -> str | None:
        return self.holder_of(lock)

    def writable(self, folder: Path) -> None:
        if self.refusal:
            raise self.refusal

    def open_store_file(self, path: Path) -> None:
        """The real look, in the folder of a test; the working directory's store is nobody's here."""
        if path.is_absolute():
            LocalInspection().open_store_file(path)

    def free_bytes(self, folder: Path) -> int:
        return self.free

    def home(self) -> Path:
        return Path("/home/somebody")

    def monitors(self) -> tuple[str, ...]:
        if not self.screens:
            raise SourceUnavailable("looking for monitors: no display")
        return self.screens

    def mongo_version(self, uri: str, timeout: float) -> str:
        self.asked_mongo.append((uri, timeout))
        if isinstance(self.mongo, Exception):
            raise self.mongo
        return self.mongo


Answers = Mapping[str, tuple[int, bytes]]


@dataclass
class Web:
    url: str
    seen: list[tuple[str, str | None]]  # path and Authorization of each request


@contextmanager
def web(answers: Answers) -> Iterator[Web]:
    """A loopback HTTP server that gives these answers by path, else LM Studio's 200 for what it does not know."""
    seen: list[tuple[str, str | None]] = []
    unknown = (200, b'{"error":"Unexpected endpoint or method."}')

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append((self.path, self.headers.get("Authorization")))
            status, body = answers.get(self.path, unknown)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="test-web")
    thread.start()
    try:
        yield Web(f"http://127.0.0.1:{server.server_address[1]}", seen)
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def settings(nowhere: int, **parts: dict[str, Any]) -> Settings:
    """As given; OBS where nobody listens, unless given."""
    source = {"obs": {"port": nowhere, "deadline": 10.0}, **parts.pop("source", {})}
    return Settings.model_validate({"source": source, **parts})


def look(
    wanted: Settings, world: TestWorld | None = None, inspection: ScriptedInspection | None = None
) -> Mapping[str, Finding]:
    found = examine(wanted, world or TestWorld(), inspection or ScriptedInspection())
    assert all("\n" not in f.detail + f.advice and f.detail for f in found)
    return {finding.part: finding for finding in found}
