"""Fixers with one vice each, as real programs: each has its own reason, and nothing of them is left."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil
import pytest

from t00l5et.fixing.command import ALWAYS, CommandFixer, NoSuchFixer, environment_of
from t00l5et.fixing.fixer import MAX_DIFF, Answer, Assignment
from tests.support import eventually
from tests.t00l5et.fixing.support import CLOCK, PROCESSES, printing, python_fixer

DIFF = b"--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a\n+b\n"


def asked(folder: Path, line: str, seconds: float = 30.0, **environment: str) -> Answer:
    task, prompt, tree, scratch = (folder / name for name in ("task.json", "task.md", "tree", "scratch"))
    task.write_text('{"id": "0123"}')
    prompt.write_text("# Task")
    for place in (tree, scratch):
        place.mkdir(exist_ok=True)
    fixer = CommandFixer(line, PROCESSES, CLOCK, {**environment_of(os.environ, ()), **environment})
    return fixer.propose(Assignment(task, prompt, tree, scratch, seconds))


def vicious(folder: Path, code: str, seconds: float = 30.0) -> Answer:
    return asked(folder, python_fixer(folder, code), seconds)


def with_word(word: str) -> list[int]:
    """The processes on this machine that have this word in their command."""
    running = psutil.process_iter(["cmdline"])
    return [process.pid for process in running if any(word in part for part in process.info["cmdline"] or ())]


def test_the_diff_and_nothing_but_the_output(tmp_path: Path) -> None:
    code = "import sys; assert '0123' in sys.stdin.read(); sys.stderr.write('thinking')"
    code += f"; sys.stdout.write({DIFF.decode()!r})"
    answer = vicious(tmp_path, code)
    assert answer == Answer(DIFF, "", "thinking")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("", "it printed nothing"),
        ("print('I am sorry, I cannot do that.')", "what it printed (30 bytes) is no unified diff"),
        ("import sys; sys.stdout.buffer.write(bytes(range(256)) * 9)", "(2304 bytes) is no unified diff"),
        (
            "import sys; sys.stderr.write('trace\\nno key\\n'); sys.exit(3)",
            "it ended with exit code 3; it said: no key",
        ),
        (f"print({DIFF.decode()!r}); raise SystemExit(1)", "it ended with exit code 1"),
        ("import os; os.abort()", "it ended with exit code -6"),
        ("print('x' * 2_000_000)", f"it printed more than {MAX_DIFF} bytes"),
    ],
)
def test_each_vice_has_its_reason(tmp_path: Path, code: str, reason: str) -> None:
    if "abort" in code and sys.platform == "win32":
        reason = "it ended with exit code"
    answer = vicious(tmp_path, code)
    assert answer.patch is None and reason in answer.reason, answer


def test_output_without_end_is_bounded_on_the_disk_too(tmp_path: Path) -> None:
    code = "import sys\nwhile True:\n    sys.stdout.write('x' * 65536); sys.stderr.write('y' * 65536)"
    answer = vicious(tmp_path, code)
    assert answer.patch is None and answer.reason == f"it printed more than {MAX_DIFF} bytes"
    assert (tmp_path / "scratch" / "out").stat().st_size <= MAX_DIFF
    assert (tmp_path / "scratch" / "err").stat().st_size <= 64 * 1024
    assert len(answer.said) < 20_000


def test_one_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    """A child that ignores every signal it can, in a session of its own, whose parent has gone."""
    word = f"hanging-{tmp_path.name}"
    code = (
        "import os, signal, subprocess, sys, time\n"
        "for number in (signal.SIGINT, signal.SIGTERM):\n"
        "    signal.signal(number, signal.SIG_IGN)\n"
        f"command = [sys.executable, '-c', 'import time; time.sleep(600)', {word!r}]\n"
        "subprocess.Popen(command, start_new_session=True)\n"
        "middle = 'import subprocess, sys; subprocess.Popen(sys.argv[1:], start_new_session=True)'\n"
        "subprocess.run([sys.executable, '-c', middle, *command])\n"
        "sys.stderr.write('started\\n'); sys.stderr.flush()\n"
        "time.sleep(600)\n"
    )
    answer = vicious(tmp_path, code, seconds=8.0)
    assert answer.patch is None
    assert answer.reason == "no end within 8 s: it was ended with all that it started; it said: started"
    assert with_word(word) == []


def test_what_a_good_one_leaves_running_is_ended(tmp_path: Path) -> None:
    word = f"left-{tmp_path.name}"
    code = (
        "import subprocess, sys\n"
        f"subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', {word!r}], start_new_session=True)\n"
        f"sys.stdout.write({DIFF.decode()!r})\n"
    )
    assert vicious(tmp_path, code).patch == DIFF
    assert with_word(word) == []


def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    """Also by SIGKILL: the launcher sees the end of its input."""
    word = f"orphan-{tmp_path.name}"
    ready = tmp_path / "ready"
    script = python_fixer(tmp_path, f"import time, pathlib; pathlib.Path({str(ready)!r}).touch(); time.sleep(600)")
    parent = (
        "import sys; from pathlib import Path; from tests.t00l5et.fixing.test_vices import asked\n"
        f"asked(Path({str(tmp_path)!r}), {f'{script} {word}'!r}, 500.0)\n"
    )
    child = PROCESSES.start([sys.executable, "-c", parent], environment={"PYTHONPATH": os.pathsep.join(sys.path)})
    try:
        eventually(ready.exists, 30, "the fixer runs")
        assert with_word(word)
        psutil.Process(child.pid).kill()
        eventually(lambda: not with_word(word), 30, "the fixer has ended")
    finally:
        child.stop(0.0)


def test_no_secret_of_ours_is_in_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOUREYES_OBS__PASSWORD", "c4n4ry-of-the-environment")
    monkeypatch.setenv("WANTED_KEY", "wanted")
    code = "import json, os, sys; sys.stderr.write(json.dumps(dict(os.environ)))"
    said = asked(tmp_path, python_fixer(tmp_path, code)).said
    assert "c4n4ry" not in said and "WANTED_KEY" not in said and "FORGE_TASK" in said and "FORGE_PROMPT" in said
    given = environment_of(os.environ, ("WANTED_KEY",))
    assert given["WANTED_KEY"] == "wanted" and "FOUREYES_OBS__PASSWORD" not in given
    assert set(environment_of({"PATH": "/bin", "OTHER": "x"}, ())) <= set(ALWAYS)


@pytest.mark.parametrize("line", ["", "   ", "no-such-program-anywhere --x", '"unclosed'])
def test_a_command_that_is_none(line: str) -> None:
    with pytest.raises(NoSuchFixer):
        CommandFixer(line, PROCESSES, CLOCK, {})


def test_no_shell_reads_the_command(tmp_path: Path) -> None:
    line = printing(tmp_path, DIFF) + f" ; touch {tmp_path / 'made'} $(touch {tmp_path / 'made'}) > {tmp_path / 'made'}"
    assert asked(tmp_path, line).patch == DIFF
    assert not (tmp_path / "made").exists()


def test_it_runs_in_the_worktree(tmp_path: Path) -> None:
    code = f"import os, sys; sys.stderr.write(os.getcwd()); sys.stdout.write({DIFF.decode()!r})"
    assert vicious(tmp_path, code).said == str(tmp_path / "tree")
