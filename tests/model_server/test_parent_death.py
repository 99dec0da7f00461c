"""A process that the system ends with the thread that started it."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

CHILD = """
import sys, time
from foureyes_actors.model_server.parent_death import die_with_parent
print(die_with_parent(), flush=True)
time.sleep(60)
"""

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has it")


def child() -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, text=True)


@linux
def test_a_halted_child_ends_with_the_thread_that_started_it() -> None:
    made: list[subprocess.Popen[str]] = []
    told, go = threading.Event(), threading.Event()

    def starter() -> None:
        made.append(child())
        told.set()
        go.wait(60)

    thread = threading.Thread(target=starter, name="starter")
    thread.start()
    assert told.wait(60)
    (process,) = made
    assert process.stdout is not None and process.stdout.readline() == "True\n"
    process.send_signal(signal.SIGSTOP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.2)  # while the thread lives it does
    go.set()
    thread.join(60)
    assert process.wait(60) == -signal.SIGKILL
    process.stdout.close()


def test_elsewhere_it_says_that_it_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    from foureyes_actors.model_server import parent_death

    class NotLinux:
        platform = "darwin"

    monkeypatch.setattr(parent_death, "sys", NotLinux)
    assert parent_death.die_with_parent() is False
