"""FourEyes with an output that nobody reads any more (Ctrl-S, a pager): it reads on, and it still ends when asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.model_server.support import need_embedded
from tests.real.program import ALWAYS, ROOT, stored_readings
from tests.support import eventually, heard

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


def start(data: Path, output: int) -> subprocess.Popen[bytes]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("FOUREYES_")}
    return subprocess.Popen(
        [sys.executable, str(ROOT / "run.py")],
        env=clean | {"FOUREYES_DATA_DIR": str(data), "FOUREYES_LOG_LEVEL": "DEBUG"} | ALWAYS,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
    )


ENDS = {signal.SIGINT: 130, signal.SIGTERM: 0, getattr(signal, "SIGHUP", signal.SIGTERM): 0}


def test_it_reads_on_and_ends_when_asked(tmp_path: Path) -> None:
    """By Ctrl-C, SIGTERM or a hang-up: one program for each, side by side."""
    need_embedded()
    with ExitStack() as running:
        processes = {number: running.enter_context(halted(tmp_path / number.name, number)) for number in ENDS}
        for number in ENDS:
            data = tmp_path / number.name
            eventually(lambda data=data: stored_readings(data) > 3, 90, "readings are stored", every=0.2)  # type: ignore[misc]
        for number, process in processes.items():
            process.send_signal(number)
        assert {number: process.wait(60) for number, process in processes.items()} == ENDS


@contextmanager
def halted(data: Path, number: signal.Signals) -> Iterator[subprocess.Popen[bytes]]:
    """A run whose output nobody reads any more. It hears ``number``."""
    reading, writing = full_pipe()
    with heard(number):
        process = start(data, writing)
    os.close(writing)
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)
        os.close(reading)
