"""What ``faulthandler`` writes about the threads of a process, read again; and the CPU time that each has used."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

Stacks = Mapping[str, tuple[str, ...]]  # thread's name -> its frames, innermost first

_THREAD = re.compile(r"^(?:Current thread|Thread) 0x([0-9a-f]+)")
_FRAME = re.compile(r'^  File "(.*)", line (\d+|\?\?\?) in (.*)$')
_WAITING = ("threading.py", "queue.py", "selectors.py", "socket.py", "ssl.py", "subprocess.py", "inbox.py")
_TASKS = Path("/proc/self/task")
_DUMPED = re.compile(r"^(?:Current thread|Thread) 0x", re.MULTILINE)

ENDS_ITSELF = "The process ends itself"  # begins what the last resort writes, before the stacks
WENT_ON = "Python code runs again."  # a line after stacks that were no end


@dataclass(frozen=True, slots=True)
class Ending:
    """``reason``: as the last resort had it; empty: nothing was said after the stacks. ``text``: with the stacks."""

    reason: str
    text: str


def ending_of(text: str) -> Ending | None:
    """Of what the processes before this one wrote: how the last of them ended. None: nothing says that it was by
    itself. Where no Python code ran any more there are only stacks, and no word that it went on."""
    rest = text[text.rfind(WENT_ON) + len(WENT_ON) :] if WENT_ON in text else text
    at = rest.rfind(ENDS_ITSELF)
    if at < 0:
        return Ending("", rest.strip()) if has_stacks(rest) else None
    return Ending(rest[at:].partition("\n")[0].partition(": ")[2].strip(), rest[at:].strip())


def has_stacks(dump: str) -> bool:
    return _DUMPED.search(dump) is not None


def parse(dump: str) -> dict[int, tuple[str, ...]]:
    """Thread ident -> its frames as ``folder/file.py:line function``, innermost first. Of several dumps the last."""
    stacks: dict[int, list[str]] = {}
    present: list[str] = []
    for line in dump.splitlines():
        if thread := _THREAD.match(line):
            present = stacks[int(thread[1], 16)] = []
        elif frame := _FRAME.match(line):
            place = "/".join(re.split(r"[\\/]", frame[1])[-2:])
            present.append(f"{place}:{frame[2]} {frame[3]}")
    return {ident: tuple(frames) for ident, frames in stacks.items() if frames}


def suspects(stacks: Mapping[int, tuple[str, ...]], culprit: int | None) -> dict[str, tuple[str, ...]]:
    """The culprit's stack where it is known; else those of all threads that were not plainly waiting."""
    if culprit is not None:
        return {_name(culprit): stacks.get(culprit, ())}
    return {_name(ident): frames for ident, frames in stacks.items() if not _waits(frames[0])}


def _waits(frame: str) -> bool:
    return frame.split(":")[0].endswith(_WAITING)


def _name(ident: int) -> str:
    """A thread that has ended since has no name any more."""
    return next((thread.name for thread in threading.enumerate() if thread.ident == ident), f"thread {ident:#x}")


def cpu_of_threads() -> dict[int, float]:
    """Thread ident -> CPU seconds of Python's threads; empty where the system does not tell (Linux does)."""
    if not _TASKS.is_dir():
        return {}
    second = os.sysconf("SC_CLK_TCK")
    times = {}
    for thread in threading.enumerate():
        try:
            stat = (_TASKS / str(thread.native_id) / "stat").read_bytes()
        except OSError:  # it has ended meanwhile
            continue
        fields = stat[stat.rindex(b")") :].split()  # a thread's name may have spaces; see proc(5), fields 14 and 15
        times[thread.ident or 0] = (int(fields[12]) + int(fields[13])) / second
    return times
