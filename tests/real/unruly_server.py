"""The embedded model server with one vice each, for tests of who starts it.

    python -m tests.real.unruly_server VICE [SECONDS or FILE]

slow SECONDS: starts so much later. deaf: does not end when it is asked to. grow FILE: uses 400 MB more, once: FILE says
that it has. Its first line of output is the embedded server's.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from foureyes_actors.model_server.__main__ import main

GROWTH = 400 * 1024 * 1024  # bytes
ARGUMENTS = ["--port", "0"]


def slow(seconds: str) -> None:
    time.sleep(float(seconds))  # the vice itself
    main([*ARGUMENTS, "--exit-with-stdin"])


def deaf() -> None:
    """Outside the main thread the server leaves the signals alone."""
    serving = threading.Thread(target=main, args=(ARGUMENTS,), name="serving")
    serving.start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    serving.join()


def grow(path: str) -> None:
    mark, kept = Path(path), bytearray()
    if not mark.exists():
        mark.write_text(str(os.getpid()))
        kept = bytearray(os.urandom(1024) * (GROWTH // 1024))
    try:
        main([*ARGUMENTS, "--exit-with-stdin"])
    finally:
        del kept


if __name__ == "__main__":
    vices: dict[str, Callable[..., None]] = {"slow": slow, "deaf": deaf, "grow": grow}
    vices[sys.argv[1]](*sys.argv[2:])
