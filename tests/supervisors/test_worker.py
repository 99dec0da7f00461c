"""The worker: one job at a time, errors are results, stops when told."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator

import pytest

from supervisors.worker import Worker
from tests.support import eventually


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker("test worker")
    yield worker
    assert worker.stop(30)


def raising(error: BaseException) -> Callable[[], object]:
    def job() -> object:
        raise error

    return job


def test_a_job_runs_in_the_named_thread_and_its_result_is_told(worker: Worker) -> None:
    results: queue.Queue[object] = queue.Queue()
    assert worker.submit(lambda: threading.current_thread().name, results.put)
    assert results.get(timeout=30) == "test worker"


@pytest.mark.parametrize("error", [ValueError("bad"), SystemExit(1)], ids=["exception", "SystemExit"])
def test_an_error_is_a_result_and_the_thread_lives_on(worker: Worker, error: BaseException) -> None:
    results: queue.Queue[object] = queue.Queue()
    worker.submit(raising(error), results.put)
    result = results.get(timeout=30)
    assert isinstance(result, Exception) and str(error) in str(result)
    eventually(lambda: worker.submit(lambda: "again", results.put), 30, "it takes the next job")
    assert results.get(timeout=30) == "again"


def test_a_second_job_is_refused_while_one_is_in_work(worker: Worker) -> None:
    release, results = threading.Event(), queue.Queue[object]()
    assert worker.submit(lambda: release.wait(30), results.put)
    assert worker.busy
    assert not worker.submit(lambda: "too early", results.put)
    release.set()
    assert results.get(timeout=30) is True


def test_after_stop_nothing_is_taken() -> None:
    worker = Worker("stopped worker")
    assert worker.stop(30)
    assert not worker.submit(lambda: None, lambda result: None)
    assert all(thread.name != "stopped worker" for thread in threading.enumerate())
