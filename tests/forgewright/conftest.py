"""A bench for decisions. No test leaves a worker behind, on which later ones would wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.forgewright.bench import Bench
from tests.support import eventually


@pytest.fixture(autouse=True)
def no_worker_left() -> Iterator[None]:
    yield
    Bench.ended()
    eventually(lambda: not any("decisions" in thread.name for thread in threading.enumerate()), 20.0, "workers end")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.workshop.may_end.set()
    made.forging.stop()
