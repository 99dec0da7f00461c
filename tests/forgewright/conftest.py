"""No test of decisions leaves a worker behind, on which later ones would wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.forgewright.bench import Bench
from tests.support import eventually


@pytest.fixture(autouse=True)
def no_worker_left() -> Iterator[None]:
    yield
    Bench.ended()
    eventually(lambda: not any("decisions" in thread.name for thread in threading.enumerate()), 20.0, "workers end")
