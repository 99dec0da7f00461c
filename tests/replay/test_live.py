"""The whole program beside a stranger that holds the model server's place: what fails is recorded, and runs again."""

from __future__ import annotations

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOKEN = "c4n4ry-of-the-live-run"


class Stranger(http.server.BaseHTTPRequestHandler):
    """Answers every GET, repeating the caller's token, as no model server does."""

    def do_GET(self) -> None:
        body = f'{{"data": 3, "you": "{self.headers.get("Authorization")}"}}'.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def stranger() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stranger)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="stranger", daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join(10)


def run(data: Path, url: str, *arguments: str) -> str:
    """What it said."""
    own = {
        "FOUREYES_DATA_DIR": str(data),
        "FOUREYES_MODEL_SERVER__KIND": "openai",
        "FOUREYES_MODEL_SERVER__BASE_URL": url,
        "FOUREYES_MODEL_SERVER__API_TOKEN": TOKEN,
        "FOUREYES_INFERENCE__FALLBACK_EVERY": "1000",
    }
    command = [sys.executable, str(ROOT / "run.py"), *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **own}, capture_output=True, text=True, timeout=100, check=False
    )
    return done.stdout + done.stderr


def test_a_failure_of_a_real_run_is_recorded_and_confirmed(stranger: str, tmp_path: Path) -> None:
    said = run(tmp_path, stranger, "--seconds", "8")
    assert list((tmp_path / "records" / "errors").glob("*.json")), said
    listed = run(tmp_path, stranger, "errors", "list")
    group = next(line for line in listed.splitlines() if "PortTaken" in line)
    assert " yes " in group
    shown = run(tmp_path, stranger, "errors", "show", group[:12])
    assert "python run.py reproduce " in shown
    again = run(tmp_path, stranger, "reproduce", group[:12])
    assert "stand-in: foureyes_actors.errors.LMStudioError (3 of 3 runs" in again, again
    found = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert TOKEN.encode() not in found and TOKEN not in said + listed + again + shown
