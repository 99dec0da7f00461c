"""A machine on which nothing answers but what a test starts."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest


@pytest.fixture(scope="module")
def nowhere() -> Iterator[int]:
    """A port where nobody listens: bound, so that nobody else takes it."""
    with closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture(autouse=True)
def quiet_neighbours(nowhere: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """An LM Studio that happens to run on this machine is not asked, and a busy machine gets its time."""
    for module in ("parts", "servers"):
        monkeypatch.setattr(f"foureyes_actors.doctor.{module}.PATIENCE", 30.0)
    monkeypatch.setattr("foureyes_actors.doctor.servers.LM_STUDIO_URL", f"http://127.0.0.1:{nowhere}")
