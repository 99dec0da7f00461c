"""The last line of defence, in the whole program as a user runs it: a GIL that is held, threads that hang."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from tests.model_server.support import need_embedded

ROOT = Path(__file__).parents[2]
PROGRAM = """
import re, sys, threading, time
from pathlib import Path
from foureyes_actors import defence, headless, wiring
from foureyes_actors.model_table import group_by_model, load_models
from foureyes_actors.ports.files import LocalFiles
from foureyes_actors.settings import Settings

defence.NOTICE_AFTER = 5.0  # Cerberus beats once a second
settings = Settings.model_validate({"data_dir": sys.argv[1]})
models = group_by_model(load_models(settings, LocalFiles(), beside=None))
program = headless.Headless(
    settings, models, wiring.real_world(settings), headless.Request(), print, defence=defence.Defence(settings.data_dir)
)

def trouble():
    while program.tree.directory.inbox("console") is None:
        threading.Event().wait(0.1)
    threading.Event().wait(2)
    do(program)
    threading.Event().wait(2)
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
        timeout=90,
        check=False,
    )


def test_a_gil_that_is_held_is_a_fault_that_names_the_culprit(tmp_path: Path) -> None:
    need_embedded()
    ended = run(
        tmp_path,
        """
        def catastrophe():
            for letters in range(20, 99):  # each takes twice as long as the one before
                began = time.monotonic()
                re.match(r"(a+)+$", "a" * letters + "b")
                if time.monotonic() - began > 6:
                    break

        def do(program):
            catastrophe()
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
