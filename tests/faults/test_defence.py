"""The last line of defence, in the whole program as a user runs it: a GIL that is held, threads that hang."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.model_server.support import need_embedded

pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).parents[2]
PROGRAM = """
import math, re, sys, threading, time
from pathlib import Path
import pykka
from foureyes_actors import defence, headless, wiring
from foureyes_actors.model_table import group_by_model, load_models
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.settings import Settings
from supervisors.messages import WhichChildren

defence.NOTICE_AFTER = 5.0  # Cerberus beats once a second
settings = Settings.model_validate({"data_dir": sys.argv[1]})
models = group_by_model(load_models(settings, LocalFiles(), beside=None))
program = headless.Headless(
    settings, models, wiring.real_world(settings), headless.Request(), print, defence=defence.Defence(settings.data_dir)
)

def runs():
    # all have started: a start that takes too long is another trouble
    try:
        children = program.tree.directory.ask("cerberus", WhichChildren(), 60)
    except pykka.ActorDeadError:
        return False
    return program.tree.directory.inbox("capture") is not None and all(row.state == "running" for row in children)

def trouble():
    while not runs():
        threading.Event().wait(0.1)
    threading.Event().wait(2)
    do(program)
    threading.Event().wait(5)  # Cerberus beats again, and tells
    program.ending.set("the test is over")

"""


def run(folder: Path, trouble: str) -> subprocess.CompletedProcess[str]:
    code = (
        PROGRAM + textwrap.dedent(trouble) + "\nthreading.Thread(target=trouble, name='trouble', daemon=True).start()\n"
    )
    code += "sys.exit(program.run())\n"
    return subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_a_gil_that_is_held_is_a_fault_that_names_the_culprit(tmp_path: Path) -> None:
    need_embedded()
    ended = run(
        tmp_path,
        """
        def catastrophe(letters):
            re.match(r"(a+)+$", "a" * letters + "b")

        def do(program):
            def took():  # CPU, as that is what the notice counts: a busy machine gives little of it
                began = time.thread_time()
                catastrophe(20)
                return time.thread_time() - began

            quick = min(took() for _ in range(3))  # where nothing else was in the caches' way
            catastrophe(20 + math.ceil(math.log2(7 / quick)))  # one more letter doubles the time
        """,
    )
    assert ended.returncode == 0, ended.stderr
    assert "GIL held for" in ended.stderr and "catastrophe" in ended.stderr


def test_too_many_threads_that_hang_end_the_process_with_all_stacks(tmp_path: Path) -> None:
    need_embedded()
    ended = run(
        tmp_path,
        """
        def do(program):
            leaks = program._defence.leaks
            for _ in range(3):
                leaks.began("capture", threading.Event())
        """,
    )
    assert ended.returncode == 70
    assert "3 threads of capture hang and cannot be ended" in ended.stderr
    assert "in trouble" in (tmp_path / "stacks.log").read_text()
