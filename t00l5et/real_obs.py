"""A real OBS Studio without a screen: started under Xvfb, with pictures for scenes, stopped, frozen and killed.

Linux only. Needs obs and Xvfb (INSTALL names the Debian packages). Everything it writes is in a temporary folder of
its own; port, display and password are its own, too.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import psutil
from obsws_python import ReqClient
from obsws_python.error import OBSSDKError

from t00l5et.free_port import free_port
from t00l5et.real_obs_files import ObsProfile, write_profile
from t00l5et.x11_windows import close_window

INSTALL = (
    "apt-get install obs-studio xvfb libgl1-mesa-dri libegl1 libgl1 fonts-dejavu-core qt5-image-formats-plugins procps"
)
SOCKETS = Path("/tmp/.X11-unix")  # X11 knows no other place
PROGRAMS = ("obs", "Xvfb")
_OPTIONS = (
    *("--multi", "--minimize-to-tray", "--disable-shutdown-check", "--disable-missing-files-check"),
    *("--disable-updater", "--unfiltered_log", "--verbose", "--profile", "Test", "--collection", "Test"),
)


class ObsFailed(Exception):
    """OBS or Xvfb did not start, or did not end; the message holds the log's end."""


class RealObs:
    """A context manager. ``pictures``: scene -> JPEG or PNG bytes; the first one is on program. One thread uses it."""

    def __init__(self, pictures: Mapping[str, bytes], *, width: int = 1280, height: int = 720, fps: int = 5) -> None:
        self.password = secrets.token_urlsafe(12)
        self.port = free_port()
        self._profile = ObsProfile(pictures, self.port, self.password, width, height, fps)
        self._folder = tempfile.TemporaryDirectory(prefix="real-obs-")
        self._base = Path(self._folder.name)
        self._display = ""
        self._xvfb: subprocess.Popen[bytes] | None = None
        self._obs: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._start_xvfb()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        if self._xvfb is not None:
            self._xvfb.terminate()
            self._xvfb.wait(10)
        self._folder.cleanup()

    @property
    def pid(self) -> int:
        return self._running().pid

    def start(self, timeout: float = 60.0) -> None:
        """Start OBS (again), with its first configuration, and wait until it answers. Raises ObsFailed.

        Some 1-3 s on a quiet machine."""
        write_profile(self._profile, self._base / "home", self._base / "media")
        with self._log_path().open("ab") as log:
            self._obs = subprocess.Popen(
                ["obs", *_OPTIONS],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C at the terminal is for the tests, not for OBS
            )
        self._wait(self._answers, timeout, "OBS does not answer")

    def alive(self) -> bool:
        return self._obs is not None and self._obs.poll() is None

    def freeze(self) -> None:
        """SIGSTOP: the port stays open, nobody answers."""
        self._running().send_signal(signal.SIGSTOP)
        process = psutil.Process(self.pid)
        self._wait(lambda: process.status() == psutil.STATUS_STOPPED, 10, "OBS did not stop")

    def thaw(self) -> None:
        self._running().send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, and wait for the end. Nothing happens when it does not run."""
        if self._obs is not None:
            self._obs.kill()
            self._obs.wait(20)
            self._obs = None

    def close_window(self, timeout: float = 30.0) -> None:
        """Close the main window as its user would: OBS ends cleanly. Raises ObsFailed."""
        process = self._running()
        close_window(self._display, "OBS ")
        self._wait(lambda: process.poll() is not None, timeout, "OBS did not end")
        self._obs = None

    @contextlib.contextmanager
    def client(self) -> Iterator[Any]:
        """The plain obsws-python client, so that tests do not drive OBS with what they test."""
        client = ReqClient(host="127.0.0.1", port=self.port, password=self.password, timeout=20)
        try:
            yield client
        finally:
            client.disconnect()

    def show(self, scene: str) -> None:
        """Put a scene on program; on return it is."""
        with self.client() as client:
            client.set_current_program_scene(scene)

    def log_tail(self, lines: int = 30) -> str:
        path = self._log_path()
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""

    # --- details ------------------------------------------------------------------------------------------------

    def _running(self) -> subprocess.Popen[bytes]:
        if self._obs is None:
            raise ObsFailed("OBS does not run")
        return self._obs

    def _log_path(self) -> Path:
        return self._base / "obs.log"

    def _start_xvfb(self) -> None:
        """Xvfb chooses a free display and writes its number to the pipe."""
        reading, writing = os.pipe()
        with contextlib.suppress(OSError):  # which Xvfb makes for root alone
            SOCKETS.mkdir(mode=0o1777)
            SOCKETS.chmod(0o1777)
        command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x720x24", "+extension", "GLX"]
        with self._log_path().open("ab") as log, os.fdopen(reading, "rb") as pipe:
            try:
                self._xvfb = subprocess.Popen(
                    [*command, "-nolisten", "tcp"],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(writing,),
                    start_new_session=True,
                )
            finally:
                os.close(writing)
            self._display = f":{pipe.readline().decode().strip()}"  # ends with Xvfb at the latest
        if self._display == ":":
            raise ObsFailed(f"Xvfb did not start\n{self.log_tail()}")

    def _environment(self) -> dict[str, str]:
        home, runtime = self._base / "home", self._base / "runtime"
        runtime.mkdir(mode=0o700, exist_ok=True)
        return {
            **os.environ,
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / ".config"),
            "XDG_RUNTIME_DIR": str(runtime),
            "DISPLAY": self._display,
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "GALLIUM_DRIVER": "llvmpipe",
            "QT_QPA_PLATFORM": "xcb",
            "LANG": "C.UTF-8",
            "DBUS_SESSION_BUS_ADDRESS": "disabled:",
            # A plugin fetches a file from the internet at start: a closed port answers it at once.
            **dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9"),
            "no_proxy": "127.0.0.1,localhost",
        }

    def _answers(self) -> bool:
        if self._running().poll() is not None:
            raise ObsFailed(f"OBS ended with {self._running().returncode}\n{self.log_tail()}")
        first = next(iter(self._profile.pictures))
        try:
            # obsws-python logs a traceback and leaks the socket when nobody listens.
            socket.create_connection(("127.0.0.1", self.port), 5).close()
            with self.client() as client:
                client.get_source_screenshot(first, "png", 8, 8, -1)
        except (OBSSDKError, OSError, ValueError, KeyError):
            return False
        return True

    def _wait(self, condition: Any, timeout: float, what: str) -> None:
        until, pause = time.monotonic() + timeout, threading.Event()
        while not condition():
            if time.monotonic() > until:
                raise ObsFailed(f"{what} within {timeout:g} s\n{self.log_tail()}")
            pause.wait(0.1)
