"""One named thread for work that would keep an actor from answering (an HTTP call, a model load)."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from supervisors.messages import said

T = TypeVar("T")
_WAKE_UP = 30.0  # seconds; no wait is endless


class Worker:
    """Does one job at a time. Owned by the actor that made it, which stops it in ``on_stop``.

    ``done`` runs in the worker's thread with the result or the exception; it should only tell the actor.
    """

    def __init__(self, name: str) -> None:
        # Never more than one job and the stop in it; it waits in C, which costs a wake-up half of what Queue does.
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], Callable[[Any], None]] | None] = queue.SimpleQueue()
        self._busy = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        return self._busy.locked()

    def submit(self, job: Callable[[], T], done: Callable[[T | Exception], None]) -> bool:
        """False, and nothing done, while a job is in work or after ``stop``."""
        if self._ended.is_set() or not self._busy.acquire(blocking=False):
            return False
        self._jobs.put((job, done))
        return True

    def stop(self, timeout: float) -> bool:
        """Take no more work and wait for the present job at most ``timeout`` seconds; True when the thread ended."""
        self._ended.set()
        self._jobs.put(None)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                task = self._jobs.get(timeout=_WAKE_UP)
            except queue.Empty:
                continue
            if task is not None:
                self._do(*task)
                task = None  # the job may hold a picture

    def _do(self, job: Callable[[], Any], done: Callable[[Any], None]) -> None:
        result: Any
        try:
            result = job()
        except Exception as error:
            result = error
        except BaseException as error:  # a SystemExit in a job must not end the thread in silence
            result = RuntimeError(f"the job ended with {said(error)}")
            result.__cause__ = error
        finally:
            self._busy.release()
        try:
            done(result)
        except BaseException as error:  # the thread goes on: the next job has a ``done`` of its own
            hook = threading.excepthook
            hook(threading.ExceptHookArgs((type(error), error, error.__traceback__, threading.current_thread())))
