"""Host names to addresses: numbers at once, names in a thread, never past the deadline."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import pytest

from foureyes_actors.ports.names import Lookup
from tests.support import eventually

THREAD = "test-resolver"
SOON = 20.0  # seconds that a loaded machine may need


@pytest.mark.parametrize(("host", "address"), [("127.0.0.1", "127.0.0.1"), ("[::1]", "::1")])
def test_a_number_needs_no_thread(host: str, address: str) -> None:
    lookup = Lookup(host, 80, THREAD)
    assert not lookup.running
    assert [found[4][0] for found in lookup.result(time.monotonic())] == [address]


def test_a_name_is_looked_up() -> None:
    found = Lookup("localhost", 80, THREAD).result(time.monotonic() + SOON)
    assert {each[4][0] for each in found} <= {"127.0.0.1", "::1"}
    assert found


@pytest.mark.parametrize("host", ["no such host", "x" * 70 + ".example"])
def test_an_impossible_name_is_unknown(host: str) -> None:
    with pytest.raises(socket.gaierror):
        Lookup(host, 80, THREAD).result(time.monotonic() + SOON)


def test_a_slow_lookup_is_left_to_its_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def slow(*_: Any, flags: int, **__: Any) -> Any:
        if not flags:
            release.wait(SOON)
        raise socket.gaierror("not found")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    lookup = Lookup("slow.example", 80, THREAD)
    with pytest.raises(TimeoutError, match=r"'slow\.example' was not resolved in time"):
        lookup.result(time.monotonic())
    assert lookup.running
    release.set()
    eventually(lambda: not lookup.running, SOON, "the thread ends with its lookup")
