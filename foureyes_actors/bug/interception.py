"""Interception: what no actor catches. The ends of threads and of the main program, errors in ``__del__``, asyncio
tasks, a native crash of the run before; and faults that nobody was there to take.

What leaves an actor is supervision's to tell (``ExitNotice``), what an actor catches is its own (``Teller``); this is
for the rest. A hook runs wherever something broke: in a collector's pause, with any lock held, at the end of the
process. So it only puts the exception into a queue that may be entered again (``SimpleQueue``), and a thread of its
own makes the fault and tells it. It never raises, waits, or calls itself; what it cannot take is counted.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Any

from foureyes_actors.bug.faults import fault_from_exception
from foureyes_actors.bug.leftovers import Leftovers
from foureyes_actors.bug.throttle import Throttle
from foureyes_actors.messages import EMPTY, Fault
from foureyes_actors.ports.clock import Clock
from supervisors.inbox import InboxFull

if TYPE_CHECKING:
    import asyncio

logger = logging.getLogger("foureyes.bug")

BOUND = 256  # exceptions that wait, with their frames; what comes beyond is counted
KNOWN_IDS = 64  # of the newest faults: one that ends a run passes here more than once
MAIN, THREAD, UNRAISABLE, TASK = "main", "thread", "unraisable", "asyncio task"
_WAKE_UP = 30.0  # seconds; no wait is endless
_Queued = tuple[BaseException, str, Mapping[str, str]] | threading.Event


@dataclass(frozen=True, slots=True)
class _Hooks:
    """Those that were there before."""

    main: Callable[..., Any]
    thread: Callable[..., Any]
    unraisable: Callable[..., Any]


class Interception:
    """For a process that belongs to the run alone: ``install``, ``open`` before the tree is built, ``begin``
    when it is up, ``close`` when it is down, ``remove``. Any thread may call any method.

    ``leftovers``: for what nobody takes; the next ``begin`` tells it. ``earlier``: faults of the run
    before, of a native crash. ``show`` gets the text of what ends the main program: the user's only word about it.
    ``at_end``: called by ``remove``.
    """

    def __init__(
        self,
        clock: Clock,
        leftovers: Leftovers | None = None,
        *,
        earlier: Sequence[Fault] = (),
        show: Callable[[str], object] = lambda text: None,
        at_end: Callable[[], object] = lambda: None,
        bound: int = BOUND,
    ) -> None:
        self._clock, self._leftovers, self._earlier, self._show = clock, leftovers, tuple(earlier), show
        self._bound, self._at_end = bound, at_end
        self._queue: SimpleQueue[_Queued | None] = SimpleQueue()
        self._guard = threading.RLock()  # a hook may interrupt a hook in the same thread
        self._waiting = 0
        self._tell: Callable[[Fault], bool] | None = None
        self._thread: threading.Thread | None = None
        self._before: _Hooks | None = None
        self._throttle = Throttle()
        self._ids: deque[str] = deque(maxlen=KNOWN_IDS)
        self._told = self._kept = self._dropped = self._failed = 0

    # --- hooks ---

    def install(self) -> None:
        self._before = _Hooks(sys.excepthook, threading.excepthook, sys.unraisablehook)
        sys.excepthook, threading.excepthook, sys.unraisablehook = self._on_main, self._on_thread, self._on_unraisable

    def remove(self) -> None:
        """The run has ended in order."""
        self._at_end()
        if self._before is not None:
            sys.excepthook, threading.excepthook = self._before.main, self._before.thread
            sys.unraisablehook, self._before = self._before.unraisable, None

    def on_task(self, loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        """For ``loop.set_exception_handler``, wherever a loop is made: FourEyes's own process has none today."""
        error = context.get("exception")
        self.caught(error if isinstance(error, BaseException) else RuntimeError(str(context.get("message"))), TASK)

    def _on_main(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """The program ends with this: what it was is shown, and told or kept at once."""
        self.caught(error, MAIN)
        with suppress(Exception):
            self._show("".join(_formatted(error)))
        with suppress(Exception):
            self.close(_WAKE_UP / 10)

    def _on_thread(self, args: threading.ExceptHookArgs) -> None:
        """As Python has it, a thread's SystemExit is no failure."""
        if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
            self.caught(args.exc_value, THREAD, {"thread": "" if args.thread is None else args.thread.name})

    def _on_unraisable(self, unraisable: sys.UnraisableHookArgs) -> None:
        if unraisable.exc_value is not None:
            where = getattr(unraisable.object, "__qualname__", type(unraisable.object).__qualname__)
            self.caught(unraisable.exc_value, UNRAISABLE, {"in": str(where)})

    def caught(self, error: BaseException, source: str, context: Mapping[str, str] = EMPTY) -> None:
        """One failure, to be told. At once back, whatever happens."""
        try:
            with self._guard:
                if threading.current_thread() is self._thread:
                    self._failed += 1  # of telling: telling it would go round in circles
                elif self._waiting >= self._bound:
                    self._dropped += 1
                else:
                    self._waiting += 1
                    self._queue.put((error, source, context))
        except BaseException:  # the last resort: nobody can be told any more
            self._failed += 1

    # --- the way to the bug actor ---

    def open(self, tell: Callable[[Fault], bool]) -> None:
        """From now on ``deliver`` tells ``tell``. It may raise InboxFull, and answers False where nobody is there; it
        runs in a thread of this one, and in those that call ``deliver``."""
        self._tell = tell

    def begin(self) -> None:
        """The bug actor is there: it is told of earlier runs, and of all that was caught since ``install``."""
        earlier = (*self._earlier, *(self._leftovers.take() if self._leftovers else ()))
        self._earlier = ()
        for fault in earlier:
            self.deliver(fault)
        self._thread = threading.Thread(target=self._run, name="interception", daemon=True)
        self._thread.start()

    def deliver(self, fault: Fault) -> None:
        """To the bug actor; where nobody is there it is kept for the next start. Never raises."""
        if fault.id in self._ids:
            return
        try:
            if self._tell is not None and self._tell(fault):
                self._told += 1
            elif self._leftovers is not None and self._leftovers.keep(fault):
                self._kept += 1
            else:
                self._dropped += 1
            self._ids.append(fault.id)
        except InboxFull:
            self._dropped += 1
        except Exception as error:
            self._failed += 1
            logger.error("a fault could not be told: %s", type(error).__name__)  # its text may hold a secret

    def settle(self, timeout: float) -> bool:
        """Wait until all that was caught before has been told; False when it takes longer."""
        if self._thread is None or not self._thread.is_alive():
            return False
        passed = threading.Event()
        self._queue.put(passed)
        return passed.wait(timeout)

    def close(self, timeout: float = 1.0) -> None:
        """What is caught from now on, or could not be told, is kept for the next start. May be called again."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(timeout)
        self._tell = None
        for fault in self._earlier:  # it never began
            self.deliver(fault)
        self._earlier = ()
        with suppress(Empty):
            while True:
                self._handle(self._queue.get_nowait())

    def status(self) -> dict[str, int]:
        """``told`` to the bug actor, ``kept`` for the next start, ``dropped`` (too many at once, no room),
        ``failed`` (in this handling itself), ``waiting``."""
        return {
            "told": self._told,
            "kept": self._kept,
            "dropped": self._dropped,
            "failed": self._failed,
            "waiting": self._waiting,
        }

    def _run(self) -> None:
        going_on = True
        while going_on:
            with suppress(Empty):
                going_on = self._handle(self._queue.get(timeout=_WAKE_UP))

    def _handle(self, queued: _Queued | None) -> bool:
        """False: it was the last one."""
        if isinstance(queued, threading.Event):
            queued.set()
        elif queued is not None:
            with self._guard:
                self._waiting -= 1
            try:
                error, source, context = queued
                if not self._throttle.admits(error, self._clock.monotonic()):
                    self._dropped += 1
                    return True
                self.deliver(fault_from_exception(error, source=source, clock=self._clock, context=context))
            except BaseException:  # a hostile exception must not end this thread
                self._failed += 1
        return queued is not None


def _formatted(error: BaseException) -> list[str]:
    import traceback

    return traceback.format_exception(error)
