"""Where recorded failures run: with no network but its own loopback, nothing to write but a folder in memory, nothing
to read but the code, its Python and the platform, limits on everything, and an end.

``bubblewrap`` is the sandbox. Where it does not work there are two weaker ones, which say so: namespaces for network
and processes (``unshare``), and limits alone. Only in the first may code run that is not FourEyes's own.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from foureyes_actors.errors import ProcessError
from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.process import ChildProcess, ProcessPort, ProcessResult
from foureyes_actors.replay.program import ROOT
from foureyes_actors.text import one_line
from t00l5et.sandbox_copy import readable

MB = 1024 * 1024
PACKAGES = ("foureyes_actors", "supervisors", "t00l5et")  # what of ROOT can be read inside
HOSTS = ROOT / "t00l5et" / "sandbox_hosts"  # "localhost", as everywhere
LAUNCHER = ROOT / "t00l5et" / "sandbox_launch.py"
OUT, PLATFORM, LAUNCH = "/out", "/platform", "/sandbox_launch.py"  # inside
TEMPORARY = "/tmp"  # inside, in memory too: X11 knows no other place
NOBODY = "65534"
# In place of root, another one in each run: the kernel counts a user's processes, not a sandbox's. The range is
# systemd's for users that exist for a moment.
OWN_USERS = range(61_184, 65_520)
PROBE_WITHIN = 20.0  # seconds
PROBE_TASKS = 12
POLL = 0.02
# Run inside, to find out whether it is what it should be: the code readable, the loopback there, the limits in force.
PROBE = """\
import json, os, resource, signal, socket, sys
open(sys.argv[1]).close()
with socket.create_server(("127.0.0.1", 0)) as server:
    socket.create_connection(server.getsockname(), 5).close()
children = []
try:
    while len(children) < 2 * int(sys.argv[2]):
        child = os.fork()
        if child == 0:
            signal.pause()
        children.append(child)
except BlockingIOError:
    pass
for child in children:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
cpu = resource.getrlimit(resource.RLIMIT_CPU)[0]
print("inside", json.dumps([cpu, sys.flags.hash_randomization, len(children) <= int(sys.argv[2])]))
"""
INSIDE = "inside "
UNCOUNTED = "no limit on how many processes"
NO_BWRAP = "no bwrap"


class Kind(StrEnum):
    BUBBLEWRAP = "bubblewrap"
    WEAK = "weak"


@dataclass(frozen=True, slots=True)
class Limits:
    """``seconds`` by the clock for everything; the others for each process, but for ``processes``. Bytes."""

    seconds: float = 60.0
    cpu: int = 30  # seconds
    memory: int = 2048 * MB
    processes: int = 64
    tasks: int = 256  # of the user: processes and threads
    file: int = 32 * MB
    files: int = 256
    out: int = 64 * MB


@dataclass(frozen=True, slots=True)
class Sandbox:
    """``how``: in words, when weak, and why it is no better one. ``wrapper``: the command that makes it, to be
    followed by what runs inside."""

    kind: Kind
    how: str = ""
    wrapper: tuple[str, ...] = ()
    namespaces: bool = False  # of its own for processes and network
    loopback_down: bool = False
    other_user: bool = False  # root becomes another one in it

    def __str__(self) -> str:
        return f"{self.kind} ({self.how})" if self.how else str(self.kind)


def may_run_foreign_code(sandbox: Sandbox) -> bool:
    """Code that is not FourEyes's own: a patch, above all. Limits alone keep nobody from reading a home directory, and
    where processes are not counted a few lines can stop the machine."""
    return sandbox.kind is Kind.BUBBLEWRAP and not sandbox.how


def advice(sandbox: Sandbox, system: str) -> str:
    """What there is to do for a better one, for people; empty: nothing. ``system``: as ``sys.platform`` has it."""
    if may_run_foreign_code(sandbox) or system != "linux":
        return ""
    if NO_BWRAP in sandbox.how:
        return "install bubblewrap: apt-get install bubblewrap, dnf install bubblewrap"
    if UNCOUNTED in sandbox.how:
        return "let the system count processes in user namespaces: Linux 5.14 or newer, and not as root"
    return (
        "bubblewrap is there and does not work: allow user namespaces (sysctl kernel.unprivileged_userns_clone, "
        "kernel.apparmor_restrict_unprivileged_userns; in a container its seccomp profile)"
    )


def best_sandbox(processes: ProcessPort, clock: Clock, kinds: Sequence[str] = ("bwrap", "unshare")) -> Sandbox:
    """The best one that works here, found by trying. ``kinds``: which to try before limits alone."""
    reasons: list[str] = []
    second: Sandbox | None = None
    for name in ("bwrap", "unshare"):
        program = processes.find_program(name) if name in kinds else None
        if program is None:
            reasons.append(f"no {name}")
            continue
        for sandbox in _made(name, program, processes, "; ".join(reasons)):
            trouble = _trouble(sandbox, processes, clock)
            if not trouble:
                return sandbox
            if trouble == UNCOUNTED:
                second = second or replace(sandbox, how="; ".join(filter(None, (sandbox.how, trouble))))
            else:
                reasons.append(f"{name}: {trouble}")
        if second is not None:
            return second
    return Sandbox(Kind.WEAK, f"{_limits_alone()}; {'; '.join(reasons)}")


def _limits_alone() -> str:
    return "an environment of its own, no limits on this system" if os.name == "nt" else "limits alone"


def run_inside(
    sandbox: Sandbox,
    command: Callable[[str], Sequence[str]],
    folder: Path | None,
    processes: ProcessPort,
    clock: Clock,
    limits: Limits | None = None,
    code: Mapping[str, Path] | None = None,
) -> ProcessResult:
    """``command`` gets the place at which ``folder`` is inside, where it can only be read in a strong sandbox.
    ``code``: what can be read below ROOT, by the names there, and where it lies outside; None: ROOT's own packages.
    Whatever it started has ended when this returns. Call it in a thread that lives as long: bubblewrap ends with the
    thread that started it. Raises ProcessError when it cannot be started."""
    limits = limits or Limits()
    strong = sandbox.kind is Kind.BUBBLEWRAP
    if code is not None and not strong:
        raise ProcessError("other code than FourEyes's own can be put into a strong sandbox alone")
    with ExitStack() as stack:
        out = OUT if strong else stack.enter_context(_scratch())
        if folder and sandbox.other_user:
            folder = readable(folder, stack.enter_context(_scratch()))
        inside = f"{PLATFORM}/{folder.name}" if folder and strong else str(folder or "")
        mounts = _mounts(sandbox, folder, limits, code) if strong else []
        launcher = LAUNCH if strong else str(LAUNCHER)
        launch = [sys.executable, "-I", "-S", "-B", launcher, _launch(sandbox, limits, out)]
        child = processes.start([*sandbox.wrapper, *mounts, *launch, *command(inside)])
        try:
            exit_code = _ended(child, clock, limits.seconds)
        finally:
            child.stop(0.0)
    return ProcessResult(exit_code, child.tail())


@contextmanager
def _scratch() -> Iterator[str]:
    """A folder for a moment. Raises ProcessError where none can be made."""
    try:
        made = tempfile.TemporaryDirectory(prefix="foureyes-out-", ignore_cleanup_errors=True)
    except OSError as error:
        raise ProcessError(f"no folder can be made for it: {error.strerror}") from error
    with made as name:
        yield name


def _ended(child: ChildProcess, clock: Clock, seconds: float) -> int | None:
    until, never = clock.monotonic() + seconds, threading.Event()
    while (code := child.exit_code()) is None and clock.monotonic() < until:
        clock.wait(never, POLL)
    return code


def _launch(sandbox: Sandbox, limits: Limits, out: str) -> str:
    """See ``sandbox_launch``. How many tasks a user may have counts those outside too before Linux 5.14."""
    own = {
        "RLIMIT_CPU": limits.cpu,
        "RLIMIT_AS": limits.memory,
        "RLIMIT_FSIZE": limits.file,
        "RLIMIT_NOFILE": limits.files,
        "RLIMIT_CORE": 0,
    }
    if sandbox.other_user or (sandbox.namespaces and _linux() >= (5, 14)):
        own["RLIMIT_NPROC"] = limits.tasks
    return json.dumps(
        {
            "limits": own,
            "environment": _environment(out),
            "processes": limits.processes,
            "alone": sandbox.namespaces,
            "loopback": sandbox.loopback_down,
            "user": secrets.choice(OWN_USERS) if sandbox.other_user else 0,
        }
    )


def _environment(out: str) -> dict[str, str]:
    fixed = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONSAFEPATH": "1", "PYTHONNOUSERSITE": "1"}
    places = {"HOME": out, "TMPDIR": out, "TEMP": out, "TMP": out, "PATH": os.defpath}
    quick = {"PYDANTIC_DISABLE_PLUGINS": "1"}  # looking for some takes a tenth of a run
    return {**fixed, **places, **quick, "TZ": "UTC", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}


def _linux() -> tuple[int, ...]:
    found = re.match(r"(\d+)\.(\d+)", os.uname().release) if sys.platform == "linux" else None
    return (int(found[1]), int(found[2])) if found else (0, 0)


# --- the kinds ---


def _made(name: str, program: str, processes: ProcessPort, reasons: str) -> list[Sandbox]:
    if name == "unshare":
        return [_unshared(program, reasons)]
    return _bubblewraps(program, processes)


def _bubblewraps(program: str, processes: ProcessPort) -> list[Sandbox]:
    """Root's processes are counted nowhere, in a user namespace neither: root becomes another user, if that works.
    By way of ``env -i``: bubblewrap's own environment could be read from inside."""
    said = " ".join(processes.run([program, "--help"], timeout=PROBE_WITHIN).lines)
    env = processes.find_program("env")
    command = [*((env, "-i") if env else ()), program, "--new-session", "--die-with-parent", "--clearenv"]
    command += ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    command += ["--hostname", "sandbox", "--cap-drop", "ALL"]
    sized = ("--size",) if "--size BYTES" in said else ()
    own_user = ["--unshare-user", "--uid", NOBODY, "--gid", NOBODY]
    own_user += ["--disable-userns"] if "--disable-userns" in said else []
    made = [Sandbox(Kind.BUBBLEWRAP, wrapper=(*command, *own_user, *sized), namespaces=True)]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        kept = ("--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID")
        made.insert(0, Sandbox(Kind.BUBBLEWRAP, wrapper=(*command, *kept, *sized), namespaces=True, other_user=True))
    return made


def _mounts(sandbox: Sandbox, folder: Path | None, limits: Limits, code: Mapping[str, Path] | None) -> list[str]:
    """``--size`` stands last among the wrapper's options where bubblewrap knows it: it is of the next mount."""
    size = [str(limits.out)] if sandbox.wrapper[-1] == "--size" else []
    code = {name: ROOT / name for name in PACKAGES} if code is None else code
    bound = {str(ROOT / name): str(place) for name, place in code.items()}
    bound |= {LAUNCH: str(LAUNCHER), "/etc/hosts": str(HOSTS)} | {each: each for each in _python()}
    bound |= {f"{PLATFORM}/{folder.name}": str(folder)} if folder else {}
    anybody = ["--perms", "1777"] if sandbox.other_user else []
    temporary = [*anybody, *(["--size", *size] if size else []), "--tmpfs", TEMPORARY]
    mounts = [*size, "--tmpfs", OUT, *temporary, "--proc", "/proc", "--dev", "/dev"]
    if sandbox.other_user:  # bubblewrap makes the folders above for root alone
        for above in sorted(
            {str(above) for each in (*bound, *_system()) for above in Path(each).parents if above.name}
        ):
            mounts += ["--perms", "0755", "--dir", above]
    for place in map(Path, _system()):
        linked = ["--symlink", str(place.readlink())] if place.is_symlink() else ["--ro-bind", str(place)]
        mounts += [*linked, str(place)]
    for inside, outside in bound.items():
        mounts += ["--ro-bind", outside, inside]
    return [*mounts, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", OUT, "--"]


def _system() -> Iterator[str]:
    for name in (
        "usr",
        "bin",
        "sbin",
        "lib",
        "lib32",
        "lib64",
        "etc/ld.so.cache",
        "etc/alternatives",
        "etc/ssl/openssl.cnf",
        "etc/fonts",
    ):
        if Path("/", name).exists():
            yield f"/{name}"


def _python() -> Iterator[str]:
    """Where this Python and its libraries lie, but for what lies in /usr."""
    program = Path(sys.executable)
    found = [sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix, program.resolve().parents[1]]
    while program.is_symlink():
        program = program.parent / program.readlink()
        found.append(Path(os.path.normpath(program)).parents[1])
    found += [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    for place in dict.fromkeys(map(str, found)):
        if place not in ("/", "/usr") and not place.startswith("/usr/") and Path(place).is_dir():
            yield place


def _unshared(program: str, reasons: str) -> Sandbox:
    options = ("--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
    how = f"no network, processes of its own, limits; {reasons}"
    return Sandbox(Kind.WEAK, how, (program, *options), namespaces=True, loopback_down=True)


def _trouble(sandbox: Sandbox, processes: ProcessPort, clock: Clock) -> str:
    """Why it does not work here; empty when it does."""
    limits = Limits(seconds=PROBE_WITHIN, tasks=PROBE_TASKS)
    command = [sys.executable, "-S", "-c", PROBE, str(ROOT / PACKAGES[-1] / "__main__.py"), str(PROBE_TASKS)]
    try:
        result = run_inside(sandbox, lambda _: command, None, processes, clock, limits)
    except ProcessError as error:
        return one_line(str(error), 200)
    counted, uncounted = (f"{INSIDE}{json.dumps([limits.cpu, 0, held])}" for held in (True, False))
    if result.exit_code == 0 and counted in result.lines:
        return ""
    if result.exit_code == 0 and uncounted in result.lines:
        return UNCOUNTED
    return one_line(result.lines[-1] if result.lines else f"exit code {result.exit_code}", 200)
