"""The last line of defence against a C call that keeps the GIL: then no Python code runs, no watchdog of ours either.

Each beat arms two things that need no Python: ``faulthandler``'s C thread, which writes all stacks when the next beat
does not come, and, where there is one, the process's CPU timer, whose SIGPROF ends the process. CPU time is what makes
the difference between a held GIL and a process that was merely halted (SIGSTOP, Ctrl-Z, a suspended machine).

On Windows there is no such timer: a GIL held for ever is only written down. A call that keeps the GIL and *waits* uses
no CPU: it cannot be told from a halt, and is not ended.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from supervisors.stacks import WENT_ON, Stacks, cpu_of_threads, has_stacks, parse, suspects

logger = logging.getLogger("supervisors")

NOTICE_AFTER, GIVE_UP_AFTER = 5.0, 60.0  # seconds
LARGEST = 2**20  # bytes of stacks in the file before it is begun anew
DECAY = 0.9  # per beat


@dataclass(frozen=True, slots=True)
class Held:
    """For ``seconds`` no Python code ran but the call at the innermost frame of ``stacks``, one stack for each thread
    that may have been the one: one, where the system tells the CPU time of threads."""

    seconds: float
    stacks: Stacks

    def __str__(self) -> str:
        by = " or ".join(_by(name, frames) for name, frames in self.stacks.items())
        return f"GIL held for {self.seconds:.1f} s by {by or 'an unknown thread'}"


def _by(name: str, frames: tuple[str, ...]) -> str:
    return f"{name} in {' < '.join(frames[:4])}" if frames else name


def _log_held(held: Held) -> None:
    logger.error("%s", held)


def _log_halted(seconds: float) -> None:
    logger.warning("the process was halted for %.1f s", seconds)


class Lifeline:
    """``start``, ``beat`` at least five times within ``notice_after``, ``stop``: in one thread, Cerberus's.

    ``notice_after``: so many seconds of CPU without a beat (where there are no such timers: of the clock), after which
    all stacks are written to ``stacks`` (a file that is added
    to; None: a temporary one). At the next beat ``held`` or ``halted`` (with the seconds) is told, once, in the
    beating thread. ``give_up_after``: so many seconds at the process's usual CPU load without a beat end it, by SIGPROF
    (not on Windows, and not when somebody else uses that signal or its timer: see ``gives_up``).

    There is one such timer and one such C thread in a process, so only one Lifeline at a time.
    """

    def __init__(
        self,
        *,
        notice_after: float = NOTICE_AFTER,
        give_up_after: float = GIVE_UP_AFTER,
        stacks: Path | None = None,
        held: Callable[[Held], None] = _log_held,
        halted: Callable[[float], None] = _log_halted,
        monotonic: Callable[[], float] = time.monotonic,
        process_time: Callable[[], float] = time.process_time,
        thread_times: Callable[[], Mapping[int, float]] | None = None,
    ) -> None:
        self.notice_after, self._give_up_after, self._path = notice_after, give_up_after, stacks
        self._held, self._halted = held, halted
        self._monotonic, self._process_time = monotonic, process_time
        self._thread_times = thread_times or cpu_of_threads
        self._file: IO[bytes] | None = None
        self._last: _Moment | None = None
        self._witnessed: float | None = None
        self._blind = 0.0  # the longest time between two looks of the witness since the last beat
        self._cores = float(os.cpu_count() or 1)  # that the process keeps busy; the most, lately
        self._busy = 1.0  # the same, but nothing is assumed before it was seen
        self._usual = notice_after / 5  # seconds between two beats
        self._read = 0  # so many bytes of the file are known
        self.gives_up = self._by_cpu = False

    def start(self) -> None:
        """Opens the file; the first beat arms. Raises OSError."""
        self._file = _opened(self._path)
        self._read = self._file.seek(0, os.SEEK_END)
        self.gives_up = _timer_is_free("ITIMER_PROF", "SIGPROF")
        self._by_cpu = _timer_is_free("ITIMER_VIRTUAL", "SIGVTALRM") and hasattr(faulthandler, "register")
        if self._by_cpu:
            faulthandler.register(signal.SIGVTALRM, file=self._file, all_threads=True, chain=False)

    def stop(self) -> None:
        """Disarms. Harmless when it has not been started."""
        if self._file is None:
            return
        if self._by_cpu:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
            faulthandler.unregister(signal.SIGVTALRM)
        else:
            faulthandler.cancel_dump_traceback_later()
        if self.gives_up:
            signal.setitimer(signal.ITIMER_PROF, 0.0)
        self._dump()
        self._file.close()
        self._file, self._last, self.gives_up = None, None, False
        self._witnessed, self._blind = None, 0.0

    def witness(self, _number: int = 0) -> bool:
        """For the timer thread, a few times within ``notice_after``: when it comes too, it is only the beating thread
        that was late, and no GIL held. False after ``stop``, which ends it in a ``Schedule``."""
        now, before = self._monotonic(), self._witnessed
        self._blind = max(self._blind, now - before if before is not None else 0.0)
        self._witnessed = now
        return self._file is not None

    def beat(self) -> None:
        """Arm anew. When the beats have been away for too long, find out why, and tell."""
        last = self._last
        if self._file is None or (last is not None and self._monotonic() - last.at < self.notice_after / 10):
            return
        self._arm()  # first, as the GIL may be taken away in the middle of this, too
        now = self._moment()
        blind, self._blind, witnessed = self._blind, 0.0, self._witnessed
        self._last, dump = now, self._dump()
        if last is None:
            return
        gap = now.at - last.at
        blind = gap if witnessed is None else min(gap, max(blind, now.at - witnessed))
        if blind > self.notice_after:
            self._tell(now, last, blind, dump)
        elif 0.0 < gap <= self.notice_after:
            used = (now.cpu - last.cpu) / gap
            self._usual, self._cores = gap, max(1.0, self._cores * DECAY, used)
            self._busy = max(1.0, self._busy * DECAY, used)

    def _moment(self) -> _Moment:
        """What belongs together: read again when something came in between."""
        for _ in range(3):
            began = self._monotonic()
            now = _Moment(began, self._process_time(), self._thread_times())
            if self._monotonic() - began < self.notice_after / 10:
                break
        return now

    def _arm(self) -> None:
        assert self._file is not None
        if self._by_cpu:
            # By the CPU that was used, not by the clock: after a halt (SIGSTOP, a suspended machine) all threads run on
            # at once, and stacks that are written meanwhile without the GIL were seen to end the process (SIGSEGV).
            signal.setitimer(signal.ITIMER_VIRTUAL, self.notice_after * self._busy)
        else:
            faulthandler.dump_traceback_later(self.notice_after, repeat=False, exit=False, file=self._file)
        if self.gives_up:
            # The timer counts the CPU of all threads: a model that computes on eight cores must not make it run out
            # eight times as fast. A thread that keeps the GIL uses one core, and the others come to rest before long.
            signal.setitimer(signal.ITIMER_PROF, self._give_up_after * self._cores)

    def _tell(self, now: _Moment, last: _Moment, blind: float, dump: str) -> None:
        # A process that was halted used CPU until then: a thread no more than the time from one beat to the next. One
        # that was not may have had a small share of a busy machine, so there is no bound that grows with time.
        more = self.notice_after / 10
        culprit = now.busiest_since(last, at_least=self._usual + more)
        if culprit is None and now.cpu - last.cpu < self._cores * self._usual + more:
            self._halted(blind)
        else:
            self._held(Held(blind, suspects(parse(dump), culprit)))

    def _dump(self) -> str:
        """What has been written since the last beat. Stacks were no end then: who reads the file later is told."""
        assert self._file is not None
        self._file.seek(self._read)
        new = self._file.read()
        self._read += len(new)
        if has_stacks(new.decode("utf-8", "replace")):
            with suppress(OSError):
                self._file.write(f"{WENT_ON}\n".encode())
        if self._read > LARGEST:
            self._file.truncate(0)
            self._read = 0
        return new.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class _Moment:
    at: float
    cpu: float  # seconds, of the process
    threads: Mapping[int, float]  # ident -> CPU seconds

    def busiest_since(self, last: _Moment, at_least: float) -> int | None:
        """The thread that has used the most CPU since, if it was so many seconds."""
        used = {ident: cpu - last.threads.get(ident, 0.0) for ident, cpu in self.threads.items()}
        busiest = max(used, key=lambda ident: used[ident], default=None)
        return busiest if busiest is not None and used[busiest] >= at_least else None


def _opened(path: Path | None) -> IO[bytes]:
    """Unbuffered, as ``faulthandler`` writes to the descriptor itself."""
    return tempfile.TemporaryFile("a+b", buffering=0) if path is None else path.open("a+b", buffering=0)


def _timer_is_free(timer: str, number: str) -> bool:
    """Whether there is such a timer, and no profiler uses it or its signal."""
    which, sent = getattr(signal, timer, None), getattr(signal, number, None)
    if which is None or sent is None:
        return False
    return signal.getsignal(sent) is signal.SIG_DFL and signal.getitimer(which) == (0.0, 0.0)
