"""LocalProcesses with real child processes, one vice each."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import psutil
import pytest

from foureyes_actors.errors import ProcessError
from foureyes_actors.ports.child_output import LINE_LENGTH, LINES
from foureyes_actors.ports.local_process import LocalChild, LocalProcesses
from tests.support import eventually

PATIENCE = 30.0  # for a loaded machine
posix = pytest.mark.skipif(sys.platform == "win32", reason="a signal of POSIX")
Run = Callable[..., LocalChild]

# One write a line: print() makes two where PYTHONUNBUFFERED is set, and lines of several processes would mix.
SLEEP = "import os, time\nos.write(1, b'up\\n')\nwhile True: time.sleep(0.05)"
DEAF = f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{SLEEP}"


@pytest.fixture
def run() -> Iterator[Run]:
    """Start a Python program; whatever a test leaves behind is killed."""
    started: list[LocalChild] = []

    def begin(program: str, *arguments: str, **options: dict[str, str]) -> LocalChild:
        started.append(LocalProcesses().start([sys.executable, "-c", program, *arguments], **options))
        return started[-1]

    yield begin
    for child in started:
        child.stop(0.0)


def up(child: LocalChild) -> LocalChild:
    assert child.wait_line(lambda line: line == "up", PATIENCE) == "up"
    return child


def numbers(child: LocalChild, count: int) -> list[int]:
    """So many process ids that its tree writes, some perhaps later than the youngest of it is up."""

    def written() -> list[int]:
        return [int(line) for line in child.tail() if line.isdigit()]

    eventually(lambda: len(written()) == count, PATIENCE, f"{count} process ids")
    return written()


def gone(*pids: int) -> bool:
    return not any(alive(pid) for pid in pids)


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def no_zombie(pid: int) -> bool:
    return all(child.pid != pid for child in psutil.Process().children())


# --- life and death ---


def test_a_child_that_ends_by_itself(run: Run) -> None:
    child = run("import sys; print('good'); print('bye', file=sys.stderr); sys.exit(3)")
    eventually(lambda: child.exit_code() == 3, PATIENCE, "the exit code")
    eventually(lambda: set(child.tail()) == {"good", "bye"}, PATIENCE, "all of its output")
    assert child.wait_line(lambda line: line == "never", PATIENCE) is None
    child.stop(1.0)
    assert no_zombie(child.pid)


@posix
def test_stop_asks_first_and_the_child_may_tidy_up(run: Run) -> None:
    child = up(run(f"import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n{SLEEP}"))
    child.stop(PATIENCE)
    assert child.exit_code() == 7
    assert no_zombie(child.pid)


@posix
def test_a_child_that_ignores_the_request_is_killed_after_the_grace(run: Run) -> None:
    child = up(run(DEAF))
    started = time.monotonic()
    child.stop(0.5)
    assert time.monotonic() - started >= 0.5
    assert child.exit_code() == -signal.SIGKILL
    assert no_zombie(child.pid)
    child.stop(0.5)  # once more does nothing


@posix
def test_a_stopped_child_is_killed(run: Run) -> None:
    child = up(run(SLEEP))
    os.kill(child.pid, signal.SIGSTOP)
    child.stop(0.2)
    assert child.exit_code() in (-signal.SIGKILL, -signal.SIGTERM)  # the request waits, and may be seen at the end
    assert gone(child.pid)


@posix
@pytest.mark.parametrize("program", [SLEEP, DEAF])
def test_the_whole_tree_ends(run: Run, program: str) -> None:
    tree = """
import subprocess, sys
middle = 'import subprocess, sys; p = subprocess.Popen([sys.executable, "-c", sys.argv[1]]); '
middle += 'sys.stdout.write(str(p.pid) + chr(10)); sys.stdout.flush(); p.wait()'
p = subprocess.Popen([sys.executable, '-c', middle, sys.argv[1]])
sys.stdout.write(str(p.pid) + chr(10))
sys.stdout.flush()
p.wait()
"""
    child = up(run(tree, program))
    pids = numbers(child, 2)
    assert all(alive(pid) for pid in pids)
    child.stop(0.3)
    eventually(lambda: gone(child.pid, *pids), PATIENCE, "no process of the tree is left")


@posix
def test_a_grandchild_that_left_its_session_and_lost_its_parent_is_found(run: Run) -> None:
    program = f"""
import os, subprocess, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.write(1, b'%d\\n' % os.getpid())
        exec(sys.argv[1])
    os._exit(0)
os.wait()
{SLEEP}
"""
    child = run(program, DEAF)
    line = child.wait_line(str.isdigit, PATIENCE)
    assert line is not None
    lost = int(line)
    eventually(
        lambda: psutil.Process(lost).ppid() != child.pid and len(child.tail()) == 3, PATIENCE, "it is on its own"
    )
    child.stop(0.3)
    eventually(lambda: gone(child.pid, lost), PATIENCE, "both are gone")


@posix
def test_the_tree_of_a_dead_child_ends_too(run: Run) -> None:
    """The server was killed; its worker lives on and would hold the memory."""
    program = """
import subprocess, sys
p = subprocess.Popen([sys.executable, '-c', sys.argv[1]])
sys.stdout.write(str(p.pid) + chr(10))
sys.stdout.flush()
p.wait()
"""
    child = up(run(program, SLEEP))
    (worker,) = numbers(child, 1)
    os.kill(child.pid, signal.SIGKILL)
    eventually(lambda: child.exit_code() is not None, PATIENCE, "the child is dead")
    assert alive(worker)
    child.stop(0.3)
    eventually(lambda: gone(worker), PATIENCE, "the worker is gone")


@posix
def test_nothing_survives_a_killed_foureyes() -> None:
    """The parent is killed in the hard way; its child sees its standard input close."""
    parent = f"""
import sys, time
from foureyes_actors.ports.local_process import LocalProcesses
program = 'import os, sys; print(os.getpid(), flush=True); sys.stdin.read()'
child = LocalProcesses().start([sys.executable, '-c', program])
print(child.wait_line(str.isdigit, {PATIENCE}), flush=True)
time.sleep(1000)
"""
    killed = LocalProcesses().start([sys.executable, "-c", parent])
    try:
        line = killed.wait_line(str.isdigit, PATIENCE)
        assert line is not None
        orphan = int(line)
        assert alive(orphan)
        os.kill(killed.pid, signal.SIGKILL)
        eventually(lambda: gone(orphan), PATIENCE, "the child ended by itself")
    finally:
        killed.stop(0.0)


@posix
def test_an_interrupt_from_the_terminal_does_not_reach_the_child(run: Run) -> None:
    child = up(run(SLEEP))
    assert os.getpgid(child.pid) != os.getpgid(0)
    assert os.getsid(child.pid) != os.getsid(0)


def test_a_program_that_is_not_there() -> None:
    for command in (["/no/such/program"], [], ["a\0b"]):
        with pytest.raises(ProcessError, match="cannot start"):
            LocalProcesses().start(command)


def test_the_environment_is_added_to_ours(run: Run) -> None:
    child = run("import os; print(os.environ['PATH'] != '', os.environ['SEAT'])", environment={"SEAT": "7"})
    assert child.wait_line(lambda line: line == "True 7", PATIENCE)


# --- output ---


def test_a_flood_never_blocks_the_child_and_the_end_is_kept(run: Run) -> None:
    child = run("for i in range(300000): print('line', i)")
    eventually(lambda: child.exit_code() == 0, PATIENCE, "it could write all of it")
    eventually(lambda: child.tail()[-1:] == ("line 299999",), PATIENCE, "the last line")
    assert child.tail() == tuple(f"line {i}" for i in range(300000 - LINES, 300000))


def test_a_line_in_the_middle_of_a_flood_is_not_missed(run: Run) -> None:
    program = "import sys\nsys.stdin.readline()\nfor i in range(100000): print('x' * 50 if i != 500 else 'here')"
    child = run(program)
    found: list[str | None] = []
    waiting = threading.Thread(target=lambda: found.append(child.wait_line(lambda line: line == "here", PATIENCE)))
    waiting.start()
    eventually(lambda: len(child._output._waiters) == 1, PATIENCE, "somebody waits")
    child._process.stdin.write(b"go\n")  # type: ignore[union-attr]
    child._process.stdin.flush()  # type: ignore[union-attr]
    waiting.join(PATIENCE)
    assert found == ["here"]


def test_wait_line_gives_up(run: Run) -> None:
    child = up(run(SLEEP))
    assert child.wait_line(lambda line: line == "never", 0.1) is None
    assert child.wait_line(lambda line: line == "up", 0.0) == "up"


def test_junk_and_endless_lines_are_bounded(run: Run) -> None:
    child = run("import os\nos.write(1, bytes(range(256)) + b'\\n' + b'a' * 5_000_000 + b'\\nlast\\nunfinished')")
    eventually(lambda: child.tail()[-1:] == ("unfinished",), PATIENCE, "the rest without a line's end")
    *_, endless, last, _ = child.tail()
    assert endless == "a" * LINE_LENGTH
    assert last == "last"
    assert all(c.isprintable() or c == "\t" for line in child.tail() for c in line)


# --- commands ---


def test_run_gives_code_and_output() -> None:
    result = LocalProcesses().run([sys.executable, "-c", "print('hello'); raise SystemExit(4)"], timeout=PATIENCE)
    assert result.exit_code == 4
    assert result.lines == ("hello",)


def test_run_ends_a_command_that_takes_too_long() -> None:
    result = LocalProcesses().run([sys.executable, "-c", SLEEP], timeout=2.0)
    assert result.exit_code is None


@posix
def test_run_ends_what_a_command_started_that_takes_too_long(tmp_path: Path) -> None:
    """A script: the shell would be killed, and what it waits for would live on and hold the pipe."""
    before = {thread.name for thread in threading.enumerate()}
    pids = tmp_path / "pids"
    script = f"sleep 1000 & echo $! > {pids}; (sleep 1000 & echo $! >> {pids}; wait); true"
    result = LocalProcesses().run(["/bin/sh", "-c", script], timeout=2.0)
    assert result.exit_code is None
    started = [int(line) for line in pids.read_text().split()]
    try:
        assert len(started) == 2
        eventually(lambda: gone(*started), PATIENCE, "its children are gone")
        eventually(lambda: {t.name for t in threading.enumerate()} <= before, PATIENCE, "nobody reads its output")
    finally:
        for pid in started:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)


@posix
def test_run_leaves_the_daemon_of_a_command_alone_that_takes_too_long() -> None:
    program = """
import subprocess, sys
p = subprocess.Popen([sys.executable, '-c', sys.argv[1]], start_new_session=True)
sys.stdout.write(str(p.pid) + chr(10))
sys.stdout.flush()
p.wait()
"""
    result = LocalProcesses().run([sys.executable, "-c", program, SLEEP], timeout=3.0)
    assert result.exit_code is None
    daemon = psutil.Process(int(result.lines[0]))
    assert daemon.is_running()
    daemon.kill()


@posix
def test_run_leaves_a_daemon_alone() -> None:
    program = """
import subprocess, sys
p = subprocess.Popen([sys.executable, '-c', sys.argv[1]], start_new_session=True)
sys.stdout.write(str(p.pid) + chr(10))
sys.stdout.flush()
"""
    result = LocalProcesses().run([sys.executable, "-c", program, SLEEP], timeout=PATIENCE)
    assert result.exit_code == 0
    daemon = psutil.Process(int(result.lines[0]))
    assert daemon.is_running()
    daemon.kill()


# --- looking around ---


def test_who_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        described = LocalProcesses().listener(port)
        assert described is not None
        assert str(os.getpid()) in described or described == "somebody"
        pid = LocalProcesses().listening(port)
        assert pid in (os.getpid(), None)  # macOS tells root alone
        own = LocalProcesses().memory(os.getpid())
        assert own is not None and own > 10_000_000
    assert LocalProcesses().listener(port) is None and LocalProcesses().listening(port) is None


def test_usage_counts_the_whole_tree(run: Run) -> None:
    processes = LocalProcesses()
    program = """
import subprocess, sys
p = subprocess.Popen([sys.executable, '-c', "print('up', flush=True)\\nwhile True: pass"])
p.wait()
"""
    child = up(run(program))
    first = processes.usage(child.pid)
    assert first is not None
    assert first.memory > psutil.Process(child.pid).memory_info().rss
    eventually(lambda: (processes.usage(child.pid) or first).cpu > 1.0, PATIENCE, "the busy grandchild is seen")
    child.stop(0.5)
    assert processes.usage(child.pid) is None


def test_the_system_is_not_scanned_at_each_look_but_what_was_started_is_seen_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    processes, scans = LocalProcesses(), list[int]()
    children = psutil.Process.children

    def counted(self: psutil.Process, recursive: bool = False) -> list[psutil.Process]:
        scans.append(self.pid)
        return children(self, recursive=recursive)

    monkeypatch.setattr(psutil.Process, "children", counted)
    for _ in range(3):
        alone = processes.usage(os.getpid())
    assert alone is not None and scans == [os.getpid()]
    child = processes.start([sys.executable, "-c", "print('up', flush=True); import time; time.sleep(60)"])
    try:
        up(child)
        both, without = processes.usage(os.getpid()), processes.usage(os.getpid(), without=[child.pid])
        assert both is not None and without is not None
        assert both.memory > without.memory
        assert sorted(scans) == sorted([os.getpid(), os.getpid(), child.pid])
    finally:
        child.stop(0.5)
    assert processes.usage(child.pid) is None


def test_the_machine() -> None:
    processes = LocalProcesses()
    cpu, memory = processes.machine()
    assert cpu is None, "it is measured between two looks: the first one knows nothing"
    assert memory is not None and memory > 1_000_000
    cpu, _ = processes.machine()
    assert cpu is not None and cpu >= 0


def test_a_sensor_that_the_system_has_not_is_unknown_and_not_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_such_file() -> NoReturn:
        raise FileNotFoundError("/proc/meminfo")

    monkeypatch.setattr(psutil, "virtual_memory", no_such_file)
    processes = LocalProcesses()
    processes.machine()
    cpu, memory = processes.machine()
    assert memory is None and cpu is not None


def test_programs_are_found_by_name_and_path(tmp_path: Path) -> None:
    processes = LocalProcesses()
    assert processes.find_program(sys.executable) == sys.executable
    assert processes.find_program("no-such-program-anywhere") is None
    assert processes.find_program(str(tmp_path)) is None


@pytest.mark.skipif(sys.platform == "win32", reason="an alias of a program is an empty file on Windows")
def test_an_empty_file_is_no_program(tmp_path: Path) -> None:
    """As some AppImages of LM Studio have in the place of lms."""
    (tmp_path / "lms").touch(mode=0o755)
    assert LocalProcesses().find_program(str(tmp_path / "lms")) is None
    (tmp_path / "lms").write_text("#!/bin/sh\n")
    assert LocalProcesses().find_program(str(tmp_path / "lms")) == str(tmp_path / "lms")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_what_runs_ends_with_who_waits_for_it(tmp_path: Path) -> None:
    """A signal's exception comes out of ``run``: its command must not go on behind the caller's back."""
    word = f"interrupted-{tmp_path.name}"
    waiting = (
        "import signal, sys\n"
        "from foureyes_actors.ports.local_process import LocalChild, LocalProcesses\n"
        "wait = LocalChild.wait\n"
        "def with_a_signal(child, timeout):\n"  # not before: what a machine does in a second nobody knows
        "    if timeout:\n"
        "        signal.setitimer(signal.ITIMER_REAL, 0.3)\n"
        "    return wait(child, timeout)\n"
        "LocalChild.wait = with_a_signal\n"
        "signal.signal(signal.SIGALRM, lambda *_: sys.exit(7))\n"
        f"LocalProcesses().run([sys.executable, '-c', 'import time; time.sleep(600)', {word!r}], timeout=500)\n"
    )
    result = LocalProcesses().run([sys.executable, "-c", waiting], timeout=60)
    assert result.exit_code == 7, result
    assert not [each for each in psutil.process_iter(["cmdline"]) if word in (each.info["cmdline"] or ())]
