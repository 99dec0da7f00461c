"""The program itself, as a user runs it on a machine with none of the real parts: the embedded default."""

from __future__ import annotations

import json
import signal
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from foureyes_actors.capture.cabinet import Cabinet, encode_jpeg
from t00l5et.free_port import free_port
from tests.real.program import program
from tests.support import eventually

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

READS = 90.0  # seconds that a loaded machine may need to the first reading


def no_process_left(children: list[psutil.Process]) -> None:
    eventually(lambda: not any(c.is_running() and c.status() != "zombie" for c in children), 30, "children ended")


def test_frames_are_read_stored_and_counted(tmp_path: Path) -> None:
    with program(tmp_path, None, "--frames", "9") as running:
        assert running.wait(READS) == 0, running.output
        documents = running.readings()
    assert len(documents) >= 9
    assert [d["sequence"] for d in documents] == sorted(d["sequence"] for d in documents)
    assert "9 frames read" in running.output
    accepted = {name for d in documents for name, f in d["fields"].items() if f["status"] == "accepted"}
    assert {"grand", "balance", "state", "motion"} <= accepted
    assert running.errors() == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)], ids=["Ctrl-C", "SIGTERM"])
def test_it_stops_in_order_and_leaves_no_process(tmp_path: Path, number: int, code: int) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has no signals to send to another process")
    with program(tmp_path) as running:
        running.says("#", READS)
        children = running.children()
        assert children, "the embedded model server is a child process"
        assert running.interrupt(number) == code, running.output
        no_process_left(children)
        assert "run_ended" in [e["kind"] for e in running.events()]


def takes_signals(pid: int) -> bool:
    """run.py has said what becomes of them, which Python alone does not of SIGTERM."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(next(line for line in status.splitlines() if line.startswith("SigCgt")).split()[1], 16)
    return bool(caught >> (signal.SIGTERM - 1) & 1)


@pytest.mark.parametrize("after", [0.0, 0.3, 0.7])
def test_ctrl_c_while_it_is_still_importing_is_quiet(tmp_path: Path, after: float) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux tells which signals a process takes; before run.py begins they are Python's own")
    with program(tmp_path) as running:
        running.until(lambda: takes_signals(running.process.pid), READS, "run.py begins")
        threading.Event().wait(after)  # the moment does not matter: none may show a traceback
        assert running.interrupt(signal.SIGINT) == 130, running.output
    assert "Traceback" not in running.output and "KeyboardInterrupt" not in running.output


def test_a_second_wish_to_end_does_not_disturb_the_end(tmp_path: Path) -> None:
    """Ctrl-C while it ends for another reason: in order all the same, and whoever called it learns of the Ctrl-C."""
    if sys.platform == "win32":
        pytest.skip("Windows has no signals to send to another process")
    with program(tmp_path) as running:
        running.says("#", READS)
        running.process.send_signal(signal.SIGTERM)
        assert running.interrupt(signal.SIGINT) == 130, running.output
        assert "run_ended" in [e["kind"] for e in running.events()]
    assert "Traceback" not in running.output and "model server stopped" in running.output


def test_the_model_server_outlives_nobody(tmp_path: Path) -> None:
    """kill -9 of FourEyes: nothing can be stopped in order, and still no orphan stays."""
    with program(tmp_path) as running:
        running.says("#", READS)
        children = running.children()
        running.process.kill()
        running.process.wait(30)
        no_process_left(children)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a halted process with its parent")
def test_a_halted_model_server_outlives_nobody(tmp_path: Path) -> None:
    """It cannot see that its standard input is closed: the system ends it."""
    with program(tmp_path) as running:
        running.says("#", READS)
        children = running.children()
        for child in children:
            child.send_signal(signal.SIGSTOP)
        running.process.kill()
        running.process.wait(10)
        no_process_left(children)


def test_a_killed_model_server_comes_back_and_readings_go_on(tmp_path: Path) -> None:
    with program(tmp_path) as running:
        running.says("#", READS)
        before = len(running.lines)
        running.children()[0].kill()
        for words in ("model server failed", "model server ready", "#"):  # each after the one before
            running.says(words, READS, after=before)
            before = next(n for n, line in enumerate(running.lines) if n >= before and words in line)
        assert running.interrupt() == 130
        errors = running.errors()
    assert errors, "the loss is in ERR0R"


def test_two_at_once_are_refused_with_the_reason(tmp_path: Path) -> None:
    with program(tmp_path) as first:
        first.says("#", READS)
        with program(tmp_path, None, "--frames", "3") as second:
            assert second.wait(READS) == 69, second.output
            assert str(first.process.pid) in second.output
        assert not first.ended()


def test_a_wrong_configuration_ends_with_78_and_the_line(tmp_path: Path) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text("source:\n  kind: cabinet\n  rate: fast\n", encoding="utf-8")
    with program(tmp_path / "data", None, "--config", str(config)) as running:
        assert running.wait(60) == 78
    assert "mine.yaml:3: source.rate" in running.output


def test_an_unknown_option_ends_with_2(tmp_path: Path) -> None:
    with program(tmp_path, None, "--no-such-option") as running:
        assert running.wait(60) == 2


def test_pictures_end_by_themselves(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    cabinet = Cabinet("alpine", 3)
    for number in range(3):
        (folder / f"{number}.jpg").write_bytes(encode_jpeg(cabinet.draw(2 + number / 3), 90))
    environment = {
        "FOUREYES_SOURCE__KIND": "pictures",
        "FOUREYES_SOURCE__PICTURES__PATH": str(folder),
        "FOUREYES_SOURCE__RATE": "0.25",  # a busy machine reads one in four seconds
    }
    with program(tmp_path / "data", environment) as running:
        assert running.wait(READS) == 0, running.output
        documents = running.readings()
    assert "has no more frames (3 in all)" in running.output
    assert [d["sequence"] for d in documents] == [1, 2, 3], "none passes by while the models load"


def test_pictures_that_nobody_can_read_end_with_69(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(2):
        (folder / f"{number}.jpg").write_bytes(b"no picture")
    environment = {"FOUREYES_SOURCE__KIND": "pictures", "FOUREYES_SOURCE__PICTURES__PATH": str(folder)}
    with program(tmp_path / "data", environment) as running:
        assert running.wait(READS) == 69, running.output
    assert running.output.count("nothing was read: the source ended without a picture that can be read") == 1
    assert "2 without a picture (BadPicture)" in running.output, "the summary says why"


def test_nothing_to_attach_to_is_said_and_ends_with_69(tmp_path: Path) -> None:
    environment = {
        "FOUREYES_MODEL_SERVER__KIND": "openai",
        "FOUREYES_MODEL_SERVER__BASE_URL": "http://127.0.0.1:9",
    }
    with program(tmp_path, environment, "--seconds", "6") as running:
        assert running.wait(60) == 69, running.output
    assert "nothing was read" in running.output and "127.0.0.1:9" in running.output


AWAY = {"FOUREYES_MODEL_SERVER__KIND": "lm_studio", "FOUREYES_MODEL_SERVER__MANAGE": "false"}


def test_it_ends_in_order_while_its_own_reader_is_being_loaded(tmp_path: Path) -> None:
    """Nobody answers, it begins to read by itself, and the user has seen enough: an engine that is being loaded in a
    thread of its own must not abort the process. Ctrl-C and SIGTERM side by side: each is long in giving the server
    up."""
    if sys.platform == "win32":
        pytest.skip("Windows has no signals to send to another process")
    url = f"http://127.0.0.1:{free_port()}"
    settings = {"FOUREYES_MODEL_SERVER__BASE_URL": url, "FOUREYES_MODEL_SERVER__START_TIMEOUT": "1"}

    def ended(number: signal.Signals) -> tuple[int, str]:
        with program(tmp_path / number.name, AWAY | settings) as running:
            running.says("by itself", READS)
            return running.interrupt(number, within=60), running.output

    with ThreadPoolExecutor(2) as both:
        for code, output in both.map(ended, (signal.SIGINT, signal.SIGTERM)):
            assert code in (0, 130), output


HELPER = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-m", "t00l5et.doubles.lm_studio", "--port", sys.argv[1]], start_new_session=True)
print("Success! The server is now running", flush=True)
"""


def test_a_command_that_starts_the_server_and_ends_is_no_failure(tmp_path: Path) -> None:
    port = free_port()
    settings = {
        "FOUREYES_MODEL_SERVER__KIND": "lm_studio",
        "FOUREYES_MODEL_SERVER__BASE_URL": f"http://127.0.0.1:{port}",
        "FOUREYES_MODEL_SERVER__COMMAND": json.dumps([sys.executable, "-c", HELPER, str(port)]),
    }
    with program(tmp_path, settings) as running:
        running.says("model server ready", READS)
        assert running.interrupt() == 130, running.output
        assert "failed" not in running.output, running.output
    with pytest.raises(OSError, match=r".*"):
        socket.create_connection(("127.0.0.1", port), 5)
