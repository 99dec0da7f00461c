"""The sandbox, by what code inside it can do: nothing outside, nothing for long, and nothing is left of it."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from foureyes_actors.ports.clock import SystemClock
from foureyes_actors.ports.local_process import LocalProcesses
from foureyes_actors.ports.process import ProcessResult
from t00l5et.sandbox import (
    NOBODY,
    OWN_USERS,
    UNCOUNTED,
    Kind,
    Limits,
    Sandbox,
    _bubblewraps,
    _trouble,
    best_sandbox,
    may_run_foreign_code,
    run_inside,
)
from tests.support import eventually, need

LIMITS = Limits(seconds=40.0, cpu=20, processes=20)
CANARY = "c4n4ry-of-the-environment"
INSTALL = "apt-get install bubblewrap"


class Elsewhere(LocalProcesses):
    """A machine on which some programs are missing, or do not work."""

    def __init__(self, **programs: str | None) -> None:
        super().__init__()
        self._programs = programs

    def find_program(self, name: str) -> str | None:
        return self._programs[name] if name in self._programs else super().find_program(name)


@pytest.fixture(scope="module")
def strong() -> Sandbox:
    need(programs=("bwrap",), install=INSTALL)
    found = best_sandbox(LocalProcesses(), SystemClock())
    if found.kind is not Kind.BUBBLEWRAP:
        assert "bwrap: " in str(found), "it must say why"
        pytest.skip(f"bubblewrap does not work on this machine, and the fallback says so: {found}")
    return found


@pytest.fixture(params=["unshare", "limits alone"])
def weak(request: pytest.FixtureRequest) -> Sandbox:
    kinds = ("unshare",) if request.param == "unshare" else ()
    found = best_sandbox(LocalProcesses(), SystemClock(), kinds)
    if kinds and "no network" not in found.how:
        pytest.skip(f"namespaces are not for us here: {found}")
    return found


def inside(sandbox: Sandbox, code: str, *, folder: Path | None = None, limits: Limits = LIMITS) -> ProcessResult:
    command = [sys.executable, "-S", "-c", code]
    return run_inside(sandbox, lambda at: [*command, at], folder, LocalProcesses(), SystemClock(), limits)


def said(result: ProcessResult) -> str:
    assert result.exit_code == 0, result
    return "\n".join(result.lines)


def marked(mark: str) -> list[psutil.Process]:
    """The processes, on all of this machine, that have this word in their command. The lookout has it not."""
    found = []
    for process in psutil.process_iter():
        try:
            if any(mark in word for word in process.cmdline()) and process.pid != os.getpid():
                found.append(process)
        except psutil.Error:
            continue
    return found


# --- what cannot be reached ---


def test_only_the_loopback_is_there_and_it_works(strong: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as outside:
        code = f"""
import socket, sys
with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname(), 5) as line:
    server.accept()[0].sendall(b"hello")
    print(line.recv(5).decode())
for place in (("127.0.0.1", {outside.getsockname()[1]}), ("192.0.2.1", 80), ("1.1.1.1", 53)):
    try:
        socket.create_connection(place, 3)
        print("reached", place)
    except OSError as error:
        print(error.errno)
print([name for _, name in socket.if_nameindex()])
"""
        lines = said(inside(strong, code)).splitlines()
    assert lines[0] == "hello" and lines[-1] == "['lo']"
    assert all(line.isdigit() for line in lines[1:-1]) and len(lines) == 5, lines


def test_a_folder_of_ones_own_can_be_read_whole(strong: Sandbox, tmp_path: Path) -> None:
    """As the gate's, or a fixer's: code and records below it."""
    (tmp_path / "deep" / "er").mkdir(parents=True, mode=0o700)
    (tmp_path / "deep" / "er" / "code.py").write_text("WORDS = 'read inside'", encoding="utf-8")
    (tmp_path / "deep" / "er" / "code.py").chmod(0o600)
    code = "import sys; sys.path.insert(0, sys.argv[1] + '/deep/er'); import code; print(code.WORDS)"
    assert said(inside(strong, code, folder=tmp_path)) == "read inside"


def test_of_a_platform_a_run_reads_the_record_and_its_blobs(strong: Sandbox, tmp_path: Path) -> None:
    platform, blob = tmp_path / "repro_0123456789abcdef", "a" * 64
    (platform / "blobs").mkdir(parents=True)
    for name in ("record.json", f"blobs/{blob}"):
        (platform / name).write_text(name, encoding="utf-8")
    code = "import sys; print(*(open(f'{sys.argv[1]}/{name}').read() for name in ('record.json', 'blobs/' + 64 * 'a')))"
    assert said(inside(strong, code, folder=platform)) == f"record.json blobs/{blob}"


def test_nothing_can_be_written_but_the_out_folder(strong: Sandbox, tmp_path: Path) -> None:
    """And /tmp, in memory too: programs that know no other place (X11) work inside."""
    (tmp_path / "record.json").write_text("{}", encoding="utf-8")
    code = """
import pathlib, sys
for place in ("/", "/etc", "/usr", "/tmp", "/dev", "/dev/shm", "/proc/sys/kernel", sys.prefix, sys.argv[1]):
    try:
        planted = pathlib.Path(place) / "planted"
        planted.write_text("x")
        print("written in", place)
        planted.unlink()
    except OSError:
        pass
try:
    (pathlib.Path(sys.argv[1]) / "record.json").write_text("x")
    print("the record was written")
except OSError:
    pass
print(pathlib.Path.cwd(), list(pathlib.Path().iterdir()))
pathlib.Path("mine").write_text("x")
print(pathlib.Path("/out/mine").read_text(), pathlib.Path(sys.argv[1], "record.json").read_text())
"""
    assert said(inside(strong, code, folder=tmp_path)) == "written in /tmp\n/out []\nx {}"
    assert not Path("/tmp/planted").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


def test_what_is_not_needed_cannot_be_read(strong: Sandbox, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(CANARY, encoding="utf-8")
    code = f"""
import os, pathlib
for place in ({str(secret)!r}, {str(Path.home() / ".bashrc")!r}, "/etc/passwd", "/etc/hostname", "/var/log", "/sys"):
    print(os.path.exists(place))
for folder, _, files in os.walk("/proc"):
    for name in files:
        if name in ("environ", "cmdline"):
            try:
                assert {CANARY!r} not in pathlib.Path(folder, name).read_text(errors="replace").replace("c4n4ry-of", "")
            except OSError:
                pass
print(os.listdir({str(Path.home())!r}) if os.path.exists({str(Path.home())!r}) else [])
"""
    lines = said(inside(strong, code)).splitlines()
    assert lines[:-1] == ["False"] * 6
    assert ".ssh" not in lines[-1] and ".bash" not in lines[-1]


def test_the_environment_is_clean(strong: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also that of the other processes that can be seen: bubblewrap's own first one is among them."""
    check_environment(strong, monkeypatch, 'Path("/proc").glob("[0-9]*/environ")')


def test_the_environment_is_clean_in_a_weak_one_too(weak: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    check_environment(weak, monkeypatch, 'Path("/proc/self").glob("environ")')


def check_environment(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, places: str) -> None:
    monkeypatch.setenv("FOUREYES_API_TOKEN", CANARY)
    monkeypatch.setenv("PYTHONPATH", "/" + CANARY)
    code = f"""
import json, os
from pathlib import Path
print(json.dumps(dict(os.environ)))
seen = []
for place in {places}:
    try:
        seen.append(place.read_bytes())
    except PermissionError:
        seen.append(b"")
print(len(seen), any(b"c4n4ry-of-the-" + b"environment" in each for each in seen))
"""
    first, last = said(inside(sandbox, code)).splitlines()
    environment = json.loads(first)
    assert CANARY not in first and set(environment) <= {
        *("PYTHONHASHSEED", "PYTHONDONTWRITEBYTECODE", "PYTHONSAFEPATH", "PYTHONNOUSERSITE", "HOME", "PATH", "PWD"),
        *("TMPDIR", "TEMP", "TMP", "TZ", "LANG", "LC_ALL", "FOUREYES_CHILD", "SYSTEMROOT", "WINDIR", "COMSPEC"),
        *("PATHEXT", "PYDANTIC_DISABLE_PLUGINS", "__CF_USER_TEXT_ENCODING"),
    }
    assert (environment["PYTHONHASHSEED"], environment["TZ"], environment["LANG"]) == ("0", "UTC", "C.UTF-8")
    assert last.endswith("False") and (last > "0" or sys.platform != "linux")


def test_it_has_no_rights_and_gets_none(strong: Sandbox) -> None:
    code = """
import os, subprocess
print(os.getuid(), [line.split()[1] for line in open("/proc/self/status") if line.startswith("CapEff")])
print(subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode != 0)
"""
    first, last = said(inside(strong, code)).splitlines()
    user, rights = first.split()
    assert int(user) in (OWN_USERS if strong.other_user else (int(NOBODY),)) and rights == "['0000000000000000']"
    if "--disable-userns" in strong.wrapper:
        assert last == "True"


# --- what ends ---

ENDLESS = "while True: pass"
OUTPUT = "while True: print('x' * 5000)"
UNENDING_LINE = "import sys\nwhile True: sys.stdout.write('x' * 65536)"
HOG = "held = []\nwhile True: held.append(bytearray(50_000_000))"
# Of at most 200 processes, all of which end: one without bounds outran the limit once, and took the machine with it.
BOMB = """
import os, time
for _ in range(200):
    try:
        child = os.fork()
    except OSError:
        break
    if child == 0:
        time.sleep(60)
        os._exit(0)
time.sleep(60)
"""
DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(1000)
    os._exit(0)
os.wait()
"""


def ends(sandbox: Sandbox, name: str, code: str, limits: Limits) -> ProcessResult:
    mark = f"foureyes-sandbox-test-{name}-{os.getpid()}"
    result = inside(sandbox, f"mark = {mark!r}\n{code}", limits=limits)
    eventually(lambda: not marked(mark), 10.0, f"nothing is left: {marked(mark)}")
    return result


@pytest.mark.parametrize(
    ("name", "code", "limits"),
    [
        ("loop", ENDLESS, replace(LIMITS, cpu=1)),
        ("sleep", "import time; time.sleep(1000)", replace(LIMITS, seconds=2.0)),
        ("output", OUTPUT, replace(LIMITS, seconds=4.0)),
        ("line", UNENDING_LINE, replace(LIMITS, seconds=4.0)),
        ("closed", "import os, time; os.close(1); os.close(2); time.sleep(1000)", replace(LIMITS, seconds=2.0)),
        ("hog", HOG, replace(LIMITS, memory=300 * 1024 * 1024)),
        ("bomb", BOMB, replace(LIMITS, seconds=20.0)),
        ("daemon", DAEMON, LIMITS),
        ("files", "held = [open('/dev/null') for _ in range(1000)]", replace(LIMITS, files=64)),
        ("disk", "open('big', 'wb').write(b'x' * 3_000_000)", replace(LIMITS, file=1_000_000)),
    ],
)
def test_it_ends_and_nothing_is_left(strong: Sandbox, name: str, code: str, limits: Limits) -> None:
    if name == "bomb" and not may_run_foreign_code(strong):
        pytest.skip(f"processes are not counted here, a bomb could stop this machine: {strong}")
    result = ends(strong, name, code, limits)
    if name == "daemon":
        assert result.exit_code == 0, result
    else:
        assert result.exit_code != 0, result
    assert name not in ("sleep", "closed", "output", "line") or result.exit_code is None
    if name == "bomb":
        assert "more than 20 processes: ended" in result.lines
    if name in ("hog", "files", "disk"):
        words = {"hog": "MemoryError", "files": "Too many open files", "disk": "File too large"}[name]
        assert any(words in line for line in result.lines), result
    assert sum(map(len, result.lines)) <= 100 * 1000


def test_what_is_written_in_many_files_is_bounded_too(strong: Sandbox) -> None:
    code = "for n in range(100): open(f'{n}', 'wb').write(b'x' * 1_000_000)"
    result = inside(strong, code, limits=replace(LIMITS, out=20_000_000))
    if "--size" in strong.wrapper:
        assert result.exit_code == 1 and "No space left on device" in result.lines[-1]


@pytest.mark.skipif(sys.platform == "win32", reason="no limits there")
@pytest.mark.parametrize(
    ("name", "code", "limits"),
    [
        ("loop", ENDLESS, replace(LIMITS, cpu=1)),
        ("late", "import time; time.sleep(1000)", replace(LIMITS, seconds=2.0)),
    ],
)
def test_a_weak_one_ends_too(weak: Sandbox, name: str, code: str, limits: Limits) -> None:
    assert ends(weak, f"weak-{name}", code, limits).exit_code != 0


@pytest.mark.skipif(sys.platform == "win32", reason="no fork there")
def test_what_a_weak_one_left_behind_is_ended(weak: Sandbox) -> None:
    assert ends(weak, "weak-daemon", DAEMON, LIMITS).exit_code == 0


# --- which one it is ---


def broken(tmp_path: Path, name: str, words: str) -> str:
    program = tmp_path / name
    program.write_text(f"#!/bin/sh\necho '{words}' >&2\nexit 1\n", encoding="utf-8")
    program.chmod(0o755)
    return str(program)


@pytest.mark.skipif(sys.platform == "win32", reason="shell scripts")
def test_a_bubblewrap_that_does_not_work_is_found_out_and_named(tmp_path: Path) -> None:
    words = "bwrap: No permissions to create new namespace"
    processes = Elsewhere(bwrap=broken(tmp_path, "bwrap", words))
    found = best_sandbox(processes, SystemClock())
    assert found.kind is Kind.WEAK and f"bwrap: {words}" in str(found)
    assert not may_run_foreign_code(found)


@pytest.mark.skipif(sys.platform == "win32", reason="shell scripts")
def test_without_any_namespaces_there_are_limits_alone(tmp_path: Path) -> None:
    processes = Elsewhere(bwrap=None, unshare=broken(tmp_path, "unshare", "unshare: Operation not permitted"))
    found = best_sandbox(processes, SystemClock())
    assert str(found) == "weak (limits alone; no bwrap; unshare: unshare: Operation not permitted)"
    assert not found.wrapper and not may_run_foreign_code(found)
    assert said(inside(found, "print('still')")) == "still"


@pytest.mark.skipif(sys.platform == "win32", reason="shell scripts")
def test_one_that_only_pretends_is_found_out(tmp_path: Path) -> None:
    """It ends well, and nothing was run inside."""
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    program.chmod(0o755)
    found = best_sandbox(Elsewhere(bwrap=str(program), unshare=None), SystemClock())
    assert found.kind is Kind.WEAK and "bwrap: exit code 0" in str(found)


def test_only_in_the_strong_one_foreign_code_may_run(strong: Sandbox) -> None:
    assert may_run_foreign_code(strong) == (str(strong) == "bubblewrap")
    assert may_run_foreign_code(Sandbox(Kind.BUBBLEWRAP))
    assert not may_run_foreign_code(Sandbox(Kind.BUBBLEWRAP, UNCOUNTED))
    assert not may_run_foreign_code(Sandbox(Kind.WEAK, "x"))


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="root's processes alone are not counted")
def test_root_in_a_user_namespace_is_not_counted_and_that_is_said(strong: Sandbox) -> None:
    """So root becomes another user where it can; where it cannot, foreign code does not run."""
    assert strong.other_user or UNCOUNTED in strong.how
    for sandbox in _bubblewraps("bwrap", LocalProcesses()):
        trouble = _trouble(sandbox, LocalProcesses(), SystemClock())
        assert trouble == "" if sandbox.other_user else trouble in ("", UNCOUNTED)


class EndedClock(SystemClock):
    """What runs in a sandbox has used up its time when ``over`` is set."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def monotonic(self) -> float:
        return super().monotonic() + (1e6 if self.over.is_set() else 0.0)


def test_one_does_not_use_up_the_processes_of_another_at_the_same_time(strong: Sandbox) -> None:
    """The test suite in the gate takes half an hour; meanwhile failures are reproduced."""
    code = "import os, signal\nfor _ in range(9):\n    os.fork() or signal.pause()\nsignal.pause()"
    clock, limits = EndedClock(), Limits(seconds=600.0, tasks=14, processes=14)
    command = ["sh", "-c", 'exec "$0" -S -c "$1" the-first-of-two-sandboxes', sys.executable, code]
    first = threading.Thread(
        target=lambda: run_inside(strong, lambda _: command, None, LocalProcesses(), clock, limits), name="first"
    )
    first.start()
    try:
        eventually(lambda: sum("the-first-of-two" in words for words in command_lines()) >= 10, 60, "it has its ten")
        assert best_sandbox(LocalProcesses(), SystemClock()) == strong
    finally:
        clock.over.set()
        first.join(60)
    assert not first.is_alive()


def command_lines() -> list[str]:
    return [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]


def test_a_name_that_every_machine_has_is_known(strong: Sandbox) -> None:
    """A model server at http://localhost:1234 is what most people have."""
    said_inside = said(inside(strong, "import socket\nprint(socket.gethostbyname('localhost'))"))
    assert said_inside.strip() == "127.0.0.1"


def test_ci_has_bubblewrap() -> None:
    """So that the tests above are not skipped for want of it, where somebody looks."""
    root = Path(__file__).parents[2]
    assert "bubblewrap" in (root / ".ci" / "run").read_text(encoding="utf-8").split()
