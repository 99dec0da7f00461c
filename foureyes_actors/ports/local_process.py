"""The process port: psutil and subprocess."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

import psutil

from foureyes_actors.errors import ProcessError
from foureyes_actors.ports.child_output import ChildOutput
from foureyes_actors.ports.process import ProcessResult, ProcessUsage

T = TypeVar("T")

MARK = "FOUREYES_CHILD"  # environment: marks a child and all it starts, so that detached ones are found too
KILL_WAIT = 5.0  # seconds for the system to end a killed process
BACKGROUND = 10  # of niceness
TREE_EVERY = 30.0  # seconds between two scans of the system's processes for the descendants of one
LOOPBACK_OR_ANY = ("127.", "0.0.0.0", "::", "::1", "::ffff:127.")


def _own_group() -> dict[str, Any]:
    """Ctrl-C in the terminal must reach FourEyes alone, which then stops its children in order."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def _ask_to_end(process: psutil.Process) -> None:
    """Windows knows no SIGTERM: there Ctrl-Break goes to the process's group."""
    with contextlib.suppress(psutil.Error, OSError, ValueError):
        if sys.platform == "win32":
            process.send_signal(signal.CTRL_BREAK_EVENT)
        else:
            process.send_signal(signal.SIGTERM)


class LocalChild:
    """Implements ChildProcess. Any thread may call."""

    def __init__(self, process: subprocess.Popen[bytes], name: str, mark: str) -> None:
        assert process.stdout is not None
        self._process, self._mark = process, mark
        self._output = ChildOutput(os.dup(process.stdout.fileno()), f"output-{name}-{process.pid}")
        process.stdout.close()
        self._stopping = threading.Lock()

    @property
    def pid(self) -> int:
        return self._process.pid

    def exit_code(self) -> int | None:
        return self._process.poll()

    def tail(self) -> tuple[str, ...]:
        return self._output.tail()

    def wait_line(self, accept: Callable[[str], bool], timeout: float) -> str | None:
        return self._output.wait_line(accept, timeout)

    def stop(self, grace: float) -> None:
        """Any thread, any number of times. Raises ProcessError when something survives even that."""
        with self._stopping:
            tree = self._tree()
            self._close_stdin()
            for process in tree:
                _ask_to_end(process)
            self._wait_gone(time.monotonic() + grace)
            left = self._kill(time.monotonic() + KILL_WAIT)
            self._output.join(1.0)
        if left:
            raise ProcessError(f"processes {left} cannot be ended")

    def wait(self, timeout: float) -> int | None:
        """For a command that ends by itself; when it does not, it is killed with what it started, and None is
        answered."""
        try:
            code: int | None = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._kill_session(time.monotonic() + KILL_WAIT)
            code = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(KILL_WAIT)
        self._close_stdin()
        self._output.join(0.2)  # a daemon that it left behind may hold the pipe open for ever
        return code

    def _tree(self) -> list[psutil.Process]:
        """All that is left of the child and what it started, wherever that moved to."""
        found: set[psutil.Process] = set()
        with contextlib.suppress(psutil.Error):
            if self._process.poll() is None:
                root = psutil.Process(self._process.pid)
                found |= {root, *root.children(recursive=True)}
        if self._mark:
            found |= set(_marked(self._mark))
        return [p for p in found if _runs(p)]

    def _wait_gone(self, until: float) -> None:
        while (tree := self._tree()) and (left := until - time.monotonic()) > 0:
            if self._process.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(min(left, 0.5))
            else:  # psutil must not wait for our own child: it would take its exit code
                psutil.wait_procs([p for p in tree if p.pid != self.pid], timeout=min(left, 0.5))

    def _kill(self, until: float) -> list[int]:
        """Again and again, because what is being killed may start something new meanwhile."""
        while (tree := self._tree()) and time.monotonic() < until:
            for process in tree:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            self._wait_gone(min(until, time.monotonic() + 0.5))
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(KILL_WAIT)
        return [p.pid for p in tree]

    def _kill_session(self, until: float) -> None:
        """Its own process is reaped last: until then nobody else can get its number, nor the session's."""
        left = _session(self.pid)  # where there are no sessions: before its children lose their parent
        self._process.kill()
        while left and time.monotonic() < until:
            for process in left:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(left, timeout=0.5)
            left = [process for process in _session(self.pid) if _runs(process)]

    def _close_stdin(self) -> None:
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()


class LocalProcesses:
    """Implements ProcessPort on this machine. Any thread may call."""

    def __init__(self) -> None:
        self._seen: dict[int, psutil.Process] = {}  # psutil measures CPU between two calls on one object
        self._trees: dict[psutil.Process, tuple[float, list[psutil.Process]]] = {}  # when scanned, the descendants
        self._lock = threading.Lock()
        self._cpu_begun = False

    def start(self, command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> LocalChild:
        child = _spawn(command, environment or {}, uuid.uuid4().hex)
        with self._lock:
            self._trees.clear()
        return child

    def run(self, command: Sequence[str], *, timeout: float) -> ProcessResult:
        child = _spawn(command, {}, "")
        try:
            code = child.wait(timeout)
        except BaseException:  # a signal's, in the main thread: nothing may go on behind the caller's back
            child.wait(0.0)
            raise
        return ProcessResult(code, child.tail())

    def usage(self, pid: int, *, without: Collection[int] = ()) -> ProcessUsage | None:
        """Finding the descendants means reading every process of the system, so what they start themselves is seen
        up to TREE_EVERY seconds late; what ``start`` has started is seen at once."""
        with self._lock:
            left_out = {each for root in without for each in self._tree(root)}
            tree = [each for each in self._tree(pid) if each not in left_out]
            if not tree:
                self._seen.pop(pid, None)
                return None
            cpu, memory = 0.0, 0
            for process in tree:
                with contextlib.suppress(psutil.Error):
                    cpu += process.cpu_percent(None)
                    memory += process.memory_info().rss
            self._seen = {p: known for p, known in self._seen.items() if known.is_running()}
            return ProcessUsage(cpu, memory)

    def memory(self, pid: int) -> int | None:
        with self._lock:
            tree = self._tree(pid)
        total = 0
        for process in tree:
            with contextlib.suppress(psutil.Error):
                total += process.memory_info().rss
        return total or None

    def machine(self) -> tuple[float | None, int | None]:
        cpu, memory = _told(lambda: psutil.cpu_percent(None)), _told(lambda: psutil.virtual_memory().available)
        with self._lock:
            begun, self._cpu_begun = self._cpu_begun, True
        return cpu if begun else None, memory  # psutil's first percentage is a 0.0 that means nothing

    def listener(self, port: int) -> str | None:
        try:
            found = _holder(port)
        except psutil.Error:  # macOS: only for root
            return "somebody" if _answers(port) else None
        return None if found is None else _described(found.pid)

    def listening(self, port: int) -> int | None:
        try:
            found = _holder(port)
        except psutil.Error:
            return None
        return None if found is None else found.pid

    def find_program(self, name: str) -> str | None:
        found = shutil.which(name)
        if found is None or _is_placeholder(found):
            return None
        return os.path.abspath(found)  # noqa: PTH100 - links stay as they are

    def _tree(self, pid: int) -> list[psutil.Process]:
        """The process and its descendants; empty when there is none."""
        now = time.monotonic()
        try:
            root = self._known(pid)
            scanned, below = self._trees.get(root, (float("-inf"), []))
            if now - scanned >= TREE_EVERY:
                below = [self._known(each.pid) for each in root.children(recursive=True)]
                self._trees = {known: tree for known, tree in self._trees.items() if known.is_running()}
                self._trees[root] = now, below
        except psutil.Error:
            return []
        return [root, *(each for each in below if each.is_running())]

    def _known(self, pid: int) -> psutil.Process:
        known = self._seen.get(pid)
        if known is None or not known.is_running():
            known = self._seen[pid] = psutil.Process(pid)
        return known


def kill(pid: int) -> None:
    """This process alone, at once, and it cannot refuse (SIGKILL, TerminateProcess). Raises ProcessError."""
    try:
        psutil.Process(pid).kill()
    except psutil.Error as error:
        raise ProcessError(f"process {pid} cannot be killed: {error}") from error


def be_background() -> None:
    """This process, and what it starts from now on, leaves the machine to others."""
    nice = getattr(psutil, "BELOW_NORMAL_PRIORITY_CLASS", BACKGROUND)  # Windows has classes
    with contextlib.suppress(psutil.Error, OSError):
        psutil.Process().nice(nice)


def _told(read: Callable[[], T]) -> T | None:
    """None where the system does not tell (a container without /proc/stat, a sensor that psutil has not here)."""
    try:
        return read()
    except (psutil.Error, OSError, NotImplementedError, AttributeError, KeyError, ValueError):
        return None


def _spawn(command: Sequence[str], environment: Mapping[str, str], mark: str) -> LocalChild:
    variables = {**os.environ, **environment}
    variables.pop(MARK, None)
    if mark:
        variables[MARK] = mark
    try:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=variables,
            **_own_group(),
        )
    except (OSError, ValueError, IndexError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ProcessError(f"cannot start {command[0] if command else 'an empty command'!r}: {reason}") from error
    return LocalChild(process, os.path.basename(command[0]), mark)  # noqa: PTH119


def _is_placeholder(path: str) -> bool:
    """An empty file, which some packages have where a program should be. On Windows an alias of a program is empty."""
    try:
        return sys.platform != "win32" and os.path.getsize(path) == 0  # noqa: PTH202
    except OSError:
        return True


def _marked(mark: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == mark:
                found.append(process)
    return found


def _session(leader: int) -> list[psutil.Process]:
    """What a child started, without itself; where there are sessions without daemons, which have one of their own."""
    if sys.platform == "win32":
        with contextlib.suppress(psutil.Error):
            return psutil.Process(leader).children(recursive=True)
        return []
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != leader and os.getsid(process.pid) == leader:
                found.append(process)
    return found


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _holder(port: int) -> Any:
    """The connection, as psutil has it, that listens there; None when there is none. Raises psutil.Error."""
    for found in psutil.net_connections("tcp"):
        here = found.laddr and found.laddr.port == port and found.laddr.ip.startswith(LOOPBACK_OR_ANY)
        if found.status == psutil.CONN_LISTEN and here:
            return found
    return None


def _described(pid: int | None) -> str:
    if pid is None:
        return "somebody"
    try:
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.Error:
        return f"pid {pid}"


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
        return True
    return False
