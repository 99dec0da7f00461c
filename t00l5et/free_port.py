"""A port for a program that cannot be told to take any, and for an address at which nobody is to answer."""

from __future__ import annotations

import random
import socket

# Below those that Linux (32768), macOS and Windows (49152) hand to whoever binds port 0, so that none of these gets it
# before it is used, or while its program is away; and above what services are given by name.
PORTS = range(20_000, 32_000)
TRIES = 200


def free_port() -> int:
    """On the loopback, free a moment ago; another one for each who asks, as good as always. Raises OSError when none
    of many was free."""
    choice = random.SystemRandom()
    for _ in range(TRIES):
        port = choice.choice(PORTS)
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue
    raise OSError(f"no free port among {TRIES} of {PORTS.start} to {PORTS.stop - 1}")
