"""Where the program begins, as ``foureyes`` and as ``python run.py``: what a signal does is settled before the imports,
which take a second. So nothing but the standard library is imported here."""

from __future__ import annotations

import os
import signal
import sys

INTERRUPTED = 130  # as in exit_codes, which is not imported yet
SIGNALLED = 128  # and the signal's number
VERDICTS = ("doctor", "models", "bench")  # commands whose exit code 0 says that all is well


def main() -> None:
    _settle_signals()
    from foureyes_actors.program import main as program

    program()


def _settle_signals() -> None:
    signal.signal(signal.SIGINT, _interrupted)
    signal.signal(signal.SIGTERM, _ended)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup's wish stands
        signal.signal(signal.SIGHUP, _ended)


def _interrupted(_number: int, _frame: object) -> None:
    """Ctrl-C before a run has begun, or in the doctor: nothing is to be put in order."""
    os._exit(INTERRUPTED)


def _ended(_number: int, _frame: object) -> None:
    """Asked to end before a run has begun. A command that was to judge has not."""
    os._exit(SIGNALLED + _number if set(VERDICTS) & set(sys.argv) else 0)
