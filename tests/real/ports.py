"""Free ports for programs that cannot be told to take any."""

from __future__ import annotations

import socket


def free_port() -> int:
    """Free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        return int(holder.getsockname()[1])
