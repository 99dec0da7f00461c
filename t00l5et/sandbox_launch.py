"""The first process inside a sandbox: limits itself, starts the command with a given environment, and ends with it.

A script for Python's standard library alone: ``python -I -S sandbox_launch.py SPECIFICATION COMMAND...``, with the
specification as JSON (``Limits.launch`` writes it). Limits and the network are POSIX's; elsewhere they are left out.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

TOO_MANY = 199  # exit code: more processes than allowed
LOOK = 0.05  # seconds between two looks at how many processes there are
KEPT = ("FOUREYES_CHILD",)  # marks what FourEyes started, so that it is found and ended
WINDOWS_NEEDS = ("SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT")
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def main() -> int:
    specification, command = json.loads(sys.argv[1]), sys.argv[2:]
    if os.name == "posix":
        prepare(specification)
    environment = {name: os.environ[name] for name in kept() if name in os.environ} | specification["environment"]
    child = subprocess.Popen(command, env=environment, cwd=environment["HOME"], stdin=subprocess.DEVNULL)
    most = specification["processes"] if specification["alone"] else None
    while (code := exit_code(child, LOOK if most else None)) is None:
        if most and processes() > most:
            end_all(child)
            sys.stdout.write(f"more than {most} processes: ended\n")
            return TOO_MANY
    return code if code >= 0 else 128 - code


def kept() -> tuple[str, ...]:
    return KEPT + (WINDOWS_NEEDS if os.name == "nt" else ())


def exit_code(child: subprocess.Popen[bytes], timeout: float | None) -> int | None:
    try:
        return child.wait(timeout)
    except subprocess.TimeoutExpired:
        return None


def prepare(specification: dict[str, Any]) -> None:
    if sys.platform != "win32":
        import resource

        if specification["loopback"]:
            loopback_up()
        for name, value in specification["limits"].items():
            limit(getattr(resource, name, None), value)
        if specification["user"]:
            become(specification["user"], specification["environment"]["HOME"])


def become(user: int, home: str) -> None:
    """From root, whose processes the kernel does not count, to a user that nobody else is."""
    if sys.platform != "win32":
        os.chmod(home, 0o777)  # noqa: PTH101 - nobody else sees it
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)


def limit(number: int | None, value: int) -> None:
    """Never more than there is already; a limit that this system does not have is left out."""
    if sys.platform != "win32" and number is not None:
        import resource

        hard = resource.getrlimit(number)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(number, (value, value))
        except (ValueError, OSError):
            return


def loopback_up() -> None:
    """Where whoever made the network namespace did not do it."""
    if sys.platform == "linux":
        import fcntl
        import socket
        import struct

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            request = struct.pack("16sh14x", b"lo", 0)
            flags = struct.unpack("16sh14x", fcntl.ioctl(line, SIOCGIFFLAGS, request))[1]
            fcntl.ioctl(line, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


def processes() -> int:
    """In this process namespace, which is ours alone."""
    return sum(name.isdigit() for name in os.listdir("/proc"))  # noqa: PTH208 - a quarter of the time


def end_all(child: subprocess.Popen[bytes]) -> None:
    """All at once, again and again: what is being ended may start something new meanwhile."""
    if sys.platform != "win32":
        until = time.monotonic() + 10.0
        while (processes() > 2 or child.poll() is None) and time.monotonic() < until:
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
            child.poll()  # else it stays in the list
            time.sleep(0.001)


if __name__ == "__main__":
    sys.exit(main())
