"""The commands that judge, as a user runs them: what their exit codes say when they are stopped or cannot print."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from t00l5et.doubles.lm_studio import LmStudioDouble
from tests.support import eventually, heard

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(180),
    pytest.mark.skipif(sys.platform == "win32", reason="POSIX's signals and devices"),
]

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 60.0
SHOWS_NOTHING = Path("/dev/full")


@contextmanager
def command(
    tmp_path: Path, *arguments: str, stdout: int = subprocess.PIPE, path: str = str(ROOT)
) -> Iterator[subprocess.Popen[str]]:
    tmp_path.mkdir(exist_ok=True)
    environment = {**os.environ, "FOUREYES_DATA_DIR": str(tmp_path), "TMPDIR": str(tmp_path), "PYTHONPATH": path}
    with heard(signal.SIGHUP):
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "run.py"), *arguments],
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=ROOT,
        )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("arguments", [("doctor",), ("models",), ("models", "--json")])
def test_a_result_that_cannot_be_printed_is_said_in_one_line(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    if not SHOWS_NOTHING.exists():
        pytest.skip("no /dev/full here")
    with SHOWS_NOTHING.open("w") as full, command(tmp_path, *arguments, stdout=full.fileno()) as process:
        _, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 74
        assert errors.splitlines()[-1] == "the result cannot be printed: No space left on device"
        assert "Traceback" not in errors


def test_a_reader_that_has_gone_is_no_error(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with command(tmp_path, "models", stdout=writing) as process:
        os.close(writing)
        _, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize(
    ("scenario", "code"), [({"token": "sk-lm-ab12cd34:0123456789"}, 78), ({"models": ["somebody/else"]}, 69)]
)
def test_a_run_and_the_commands_that_judge_agree_about_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scenario: dict[str, Any], code: int
) -> None:
    with LmStudioDouble({"models": ["qwen/qwen3-vl-8b"], **scenario}) as server:
        monkeypatch.setenv("FOUREYES_MODEL_SERVER__KIND", "lm_studio")
        monkeypatch.setenv("FOUREYES_MODEL_SERVER__BASE_URL", server.url)
        with (
            command(tmp_path / "a", "models") as models,
            command(tmp_path / "b", "doctor") as doctor,
            command(tmp_path / "c", "--seconds", "3") as run,
        ):
            for process in (models, doctor, run):
                out, errors = process.communicate(timeout=PATIENCE)
                assert process.returncode == code, (process.args, out, errors)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_targets_that_are_stopped_are_not_met_and_leave_nothing(tmp_path: Path, number: int) -> None:
    with command(tmp_path, "bench", "targets", "--frames", "300") as process:
        eventually(lambda: any(tmp_path.glob("foureyes-bench-*")), PATIENCE, "it has begun")
        process.send_signal(number)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert not list(tmp_path.glob("foureyes-bench-*"))


SIGNAL_AT_ONCE = """
import os, signal
make = os.mkdir
def mkdir(path, *arguments, **options):
    make(path, *arguments, **options)
    if "foureyes-bench-" in os.fspath(path):
        os.kill(os.getpid(), signal.SIGTERM)
os.mkdir = mkdir
"""


def test_targets_that_are_stopped_just_as_they_begin_leave_nothing(tmp_path: Path) -> None:
    """Their folder is there, and nothing else has happened."""
    (tmp_path / "sitecustomize.py").write_text(SIGNAL_AT_ONCE, encoding="utf-8")
    with command(tmp_path, "bench", "targets", path=f"{tmp_path}{os.pathsep}{ROOT}") as process:
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130 and "recording" not in errors
    assert not list(tmp_path.glob("foureyes-bench-*"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_doctor_that_is_stopped_does_not_say_that_all_is_well(tmp_path: Path, number: int) -> None:
    fifo = tmp_path / "config.yaml"
    os.mkfifo(fifo)  # the configuration is waited for, so that the moment is known
    with command(tmp_path, "doctor", "--config", str(fifo)) as process, fifo.open("w"):
        process.send_signal(number)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + number
