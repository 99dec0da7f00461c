"""FourEyes with an output that nobody reads any more (Ctrl-S, a pager): it reads on, and it still ends when asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.model_server.support import need_embedded
from tests.real.program import ROOT, stored_readings
from tests.support import eventually

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(180),
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send to another process"),
]


def full_pipe() -> tuple[int, int]:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b"." * 512)
    except BlockingIOError:
        os.set_blocking(writing, True)
    return reading, writing


@contextmanager
def heard(number: int) -> Iterator[None]:
    """What is started meanwhile hears this signal, though the tests themselves be run by nohup or in the background."""
    before = signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(number, before)


def start(data: Path, output: int) -> subprocess.Popen[bytes]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("FOUREYES_")}
    return subprocess.Popen(
        [sys.executable, str(ROOT / "run.py")],
        env=clean | {"FOUREYES_DATA_DIR": str(data), "FOUREYES_LOG_LEVEL": "DEBUG"},
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
    )


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 0), (getattr(signal, "SIGHUP", 1), 0)],
    ids=["Ctrl-C", "SIGTERM", "SIGHUP"],
)
def test_it_reads_on_and_ends_when_asked(tmp_path: Path, number: int, code: int) -> None:
    need_embedded()
    reading, writing = full_pipe()
    with heard(number):
        process = start(tmp_path, writing)
    os.close(writing)
    try:
        eventually(lambda: stored_readings(tmp_path) > 3, 90, "readings are stored", every=0.2)
        process.send_signal(number)
        assert process.wait(60) == code
    finally:
        process.kill()
        process.wait(30)
        os.close(reading)
