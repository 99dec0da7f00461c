"""Which command starts the server, and the process that came of it."""

from __future__ import annotations

import json
import os
import shlex
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import foureyes_actors
from foureyes_actors.errors import ConfigurationError, FourEyesError, ServerStartFailed
from foureyes_actors.lm_studio.dialects import DIALECTS
from foureyes_actors.lm_studio.installation import find_lms, how_to_get_lms
from foureyes_actors.ports.files import FilesPort
from foureyes_actors.ports.process import ChildProcess, ProcessPort, ProcessResult
from foureyes_actors.settings import ModelServerSettings

LM_STUDIO_URL = "http://127.0.0.1:1234"
LMS_STOP_TIME = 3.0  # seconds; with all the rest of the tree, stopping takes at most 5 s
BAD_CONFIGURATION = 78  # the embedded server's exit code when the user must change something
SHOWN_LINES = 3  # of the server's output, in a message; all of it is in ``ServerStartFailed.tail``
_LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Launch:
    """``resident``: the command's process is the server itself, not a helper that ends; ``may_hand_over``: it may turn
    out to be a helper, which ends with code 0. ``announces``: its first line of output says where it listens."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    resident: bool = True
    may_hand_over: bool = False
    announces: bool = False
    before: tuple[str, ...] = ()  # run first, whatever comes of it
    stop_command: tuple[str, ...] = ()
    state: tuple[str, ...] = ()  # tells whether it ran before; when not, ``end_command`` belongs to stopping
    end_command: tuple[str, ...] = ()


def known_url(settings: ModelServerSettings) -> str | None:
    """Where the server is; None: where it will say that it is."""
    if settings.base_url != "auto":
        return settings.base_url
    return DIALECTS[settings.kind].url if settings.kind != "auto" else None


def is_local(url: str) -> bool:
    return (urlsplit(url).hostname or "") in _LOCAL_HOSTS


def launch_for(settings: ModelServerSettings, processes: ProcessPort, files: FilesPort | None = None) -> Launch:
    """How to start it. ``files``: to look for LM Studio. Raises ServerStartFailed, saying what to do, when it can only
    be attached to."""
    url = known_url(settings)
    if not settings.manage:
        raise ServerStartFailed(f"nobody answers at {url}, and model_server.manage is false: start the server")
    if url is not None and not is_local(url):
        raise ServerStartFailed(f"nobody answers at {url}, which is another machine: start the server there")
    if settings.command:
        return Launch(settings.command, announces=url is None, may_hand_over=url is not None)
    if settings.kind == "embedded":
        return _embedded(url, settings)
    if settings.kind == "lm_studio":
        return _lm_studio(url or LM_STUDIO_URL, processes, files)
    raise ServerStartFailed(f"nobody answers at {url}: start the server, or say how in model_server.command")


def _embedded(url: str | None, settings: ModelServerSettings) -> Launch:
    parts = urlsplit(url or "//127.0.0.1:0")
    host = "127.0.0.1" if parts.hostname in (None, "localhost") else parts.hostname
    port = str(80 if parts.port is None else parts.port)
    command = (sys.executable, "-m", "foureyes_actors.model_server", "--port", port, "--exit-with-stdin")
    hosted = ("--models-dir", str(settings.models_dir), "--device", settings.device) if settings.models_dir else ()
    # The program must find the same packages as this one, wherever this one was started.
    root = str(Path(foureyes_actors.__file__).parent.parent)
    path = os.pathsep.join(dict.fromkeys([root, *(entry for entry in sys.path if entry)]))
    return Launch((*command, "--host", str(host), *hosted), {"PYTHONPATH": path}, announces=True)


def _lm_studio(url: str, processes: ProcessPort, files: FilesPort | None) -> Launch:
    """By LM Studio's own command line, which wakes its daemon or its app and ends."""
    home = Path.home()
    found = find_lms(processes, home, files)
    if found is None:
        raise ServerStartFailed(
            f"LM Studio does not answer at {url}, and the command that starts it, lms, is not found: "
            f"{how_to_get_lms(processes, home)}; or start its server by hand (Developer > Start server); or say how in "
            "model_server.command"
        )
    port = str(urlsplit(url).port or 80)
    return Launch(
        (found, "server", "start", "--port", port),
        resident=False,
        before=(found, "daemon", "up", "--json"),
        stop_command=(found, "server", "stop"),
        state=(found, "daemon", "status", "--json"),
        end_command=(found, "daemon", "down"),
    )


def announced_url(line: str) -> str | None:
    """The address in the embedded server's first line; None for any other line."""
    if not line.startswith('{"listening"'):
        return None
    try:
        where = json.loads(line)["listening"]
        host, port = str(where["host"]), int(where["port"])
    except (ValueError, TypeError, KeyError):
        return None
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class ServerProcess:
    """What was started, if anything. The worker starts it, the actor looks at it and stops it: any thread may call."""

    def __init__(self, processes: ProcessPort) -> None:
        self._processes = processes
        self._lock = threading.RLock()
        self._launch: Launch | None = None
        self._child: ChildProcess | None = None
        self._helper: ProcessResult | None = None
        self._timeout = 0.0  # of the helper
        self._ends_all = False
        self._closed = False

    def start(self, launch: Launch, timeout: float) -> None:
        """``timeout``: for a helper command to end. Raises ProcessError; ServerStartFailed after ``close``, and when a
        command hangs that comes before the one which starts the server. Whether that one did is seen by asking."""
        with self._lock:
            if self._closed:
                raise ServerStartFailed("it is being shut down")
            self._launch, self._timeout = launch, timeout
            if launch.resident:
                self._child = self._processes.start(launch.command, environment=launch.environment)
        if launch.resident:
            return
        self._ends_all = bool(launch.state) and self._not_running(launch.state, timeout)
        if launch.before:
            self._first(launch.before, timeout)
        self._helper = self._processes.run(launch.command, timeout=timeout)

    def _not_running(self, command: tuple[str, ...], timeout: float) -> bool:
        """LM Studio's daemon says so in JSON; no answer counts as running: it is not ours then."""
        return any('"not-running"' in line for line in self._first(command, timeout).lines)

    def _first(self, command: tuple[str, ...], timeout: float) -> ProcessResult:
        result = self._processes.run(command, timeout=timeout)
        if result.exit_code is None:
            self._launch = None  # nothing was started, so there is nothing to stop
            raise ServerStartFailed(how_it_ended(command, result, timeout), result.lines)
        return result

    def stop(self, grace: float) -> None:
        """Ends the tree that was started, or runs the command that does. Nothing when nothing was started."""
        with self._lock:
            launch, child = self._launch, self._child
            self._launch = self._child = self._helper = None
            if child is not None:
                child.stop(grace)
            elif launch is not None:
                self._run_stop(launch, end=self._ends_all)

    def stop_foreign(self, launch: Launch) -> bool:
        """Stop a server that somebody else has started; False when there is no command for it."""
        if not launch.stop_command:
            return False
        self._run_stop(launch, end=True)  # a wedged engine survives a new start of the server alone
        return True

    def _run_stop(self, launch: Launch, *, end: bool) -> None:
        """``end``: with all that belongs to it; what refuses that (the desktop app's daemon) is only stopped."""
        ended = end and launch.end_command and self._processes.run(launch.end_command, timeout=LMS_STOP_TIME)
        if launch.stop_command and (not ended or ended.exit_code == 1):
            self._processes.run(launch.stop_command, timeout=LMS_STOP_TIME)

    def close(self, grace: float) -> None:
        """``stop``, and nothing is started any more."""
        with self._lock:
            self._closed = True
            self.stop(grace)

    @property
    def pid(self) -> int | None:
        child = self._child
        return child.pid if child is not None and child.exit_code() is None else None

    def announced(self, timeout: float) -> str | None:
        """Where it says that it listens, waiting at most ``timeout`` seconds for it to say so."""
        child = self._child
        line = child.wait_line(lambda text: announced_url(text) is not None, timeout) if child is not None else None
        return None if line is None else announced_url(line)

    def exit_error(self) -> FourEyesError | None:
        """What to say when the server's own process has ended; None while it runs, or when there is none, or when it
        was a helper that has done its work: the server's answers tell then whether it is there."""
        child, launch = self._child, self._launch
        code = child.exit_code() if child is not None else None
        if child is None or code is None or (code == 0 and launch is not None and launch.may_hand_over):
            return None
        return ended(code, child.tail())

    def helper_ended(self) -> str:
        """How the command did that was to start the server and end, for people; empty when there was none."""
        launch, helper = self._launch, self._helper
        return "" if launch is None or helper is None else how_it_ended(launch.command, helper, self._timeout)

    def last_words(self) -> tuple[str, ...]:
        child, helper = self._child, self._helper
        if child is not None:
            return child.tail()
        return helper.lines if helper is not None else ()


def how_it_ended(command: tuple[str, ...], result: ProcessResult, timeout: float) -> str:
    """Of a helper command, for people."""
    name = shlex.join((Path(command[0]).name, *command[1:]))
    code = result.exit_code
    how = f"did not end within {timeout:g} s" if code is None else f"ended with code {code}"
    words = " | ".join([line.strip()[:200] for line in result.lines if line.strip()][-SHOWN_LINES:])
    return f"`{name}` {how}" + (f": {words}" if words else "")


def ended(code: int, tail: tuple[str, ...]) -> FourEyesError:
    """The error for a server that ended by itself. ``tail``: its last lines, untrusted."""
    lines = [line.strip()[:200] for line in tail if line.strip() and announced_url(line) is None]
    words = " | ".join(lines[-SHOWN_LINES:])
    if code == BAD_CONFIGURATION:
        return ConfigurationError(f"the model server cannot start: {words or 'its configuration is wrong'}")
    how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
    return ServerStartFailed(f"the model server's process {how}" + (f": {words}" if words else ""), tail)
