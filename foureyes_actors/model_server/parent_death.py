"""No orphan, also where nothing of this process can run any more: the system ends it when its parent is gone."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent() -> bool:
    """True: from now on the system kills this process when the thread that started it ends, halted (SIGSTOP) or not.
    In FourEyes that thread is LMStudioActor's worker, which lives until the actor has ended its server. Only Linux has
    this; elsewhere, and where it is refused, False: a closed standard input ends a process that runs, as ever.

    Ends this process at once when the parent has gone meanwhile. Before any thread is started.
    """
    if sys.platform != "linux":
        return False
    parent = os.getppid()
    try:
        prctl = ctypes.CDLL(None, use_errno=True).prctl
    except (OSError, AttributeError):
        return False
    if prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        return False
    if os.getppid() != parent:  # it ended before the system knew
        os._exit(0)
    return True
