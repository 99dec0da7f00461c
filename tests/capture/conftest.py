"""Fixtures of the capture tests."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from tests.capture.scripted import Step
from tests.capture.stage import Capture, Make
from tests.support import eventually


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Capture] = []

    def build(steps: Iterable[Step], **keywords: Any) -> Capture:
        made.append(Capture(steps, **keywords))
        return made[-1]

    yield build
    for capture in made:
        capture.actor.on_stop()
    eventually(lambda: not [t for t in threading.enumerate() if t.name.endswith("-grab")], 20, "the threads ended")
