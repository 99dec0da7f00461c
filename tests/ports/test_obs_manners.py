"""ObsWebsocketPort: names, threads, interrupts, and what it leaves alone."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from foureyes_actors.errors import SourceRefused, SourceUnavailable
from foureyes_actors.ports.obs import ObsAddress, ObsConnection, ScreenshotRequest
from foureyes_actors.ports.obs_websocket import ObsWebsocketPort
from t00l5et.doubles.obs import FakeObs, Vice
from t00l5et.free_port import free_port
from tests.ports.obs_helpers import (
    BLUE,
    MAIN,
    PASSWORD,
    PNG,
    RED,
    address,
    connected,
)
from tests.support import eventually


@pytest.fixture
def obs() -> Iterator[FakeObs]:
    with FakeObs({"Main": RED, "Other": BLUE, "Lossless": PNG}, PASSWORD) as fake:
        yield fake


@pytest.fixture
def session(obs: FakeObs) -> Iterator[ObsConnection]:
    connection = connected(obs)
    yield connection
    connection.close()


def test_nobody_listens() -> None:
    port = free_port()
    with pytest.raises(SourceUnavailable, match=f"OBS at 127.0.0.1:{port}.*nobody listens there"):
        ObsWebsocketPort().connect(ObsAddress(port=port, deadline=10.0))


def test_a_name_is_resolved_and_each_of_its_addresses_tried(obs: FakeObs) -> None:
    connection = ObsWebsocketPort().connect(ObsAddress("localhost", obs.port, PASSWORD, 5.0))
    assert connection.program_scene() == "Main"
    connection.close()


@pytest.mark.parametrize("host", ["no such host", "", "x" * 70 + ".example"])
def test_an_impossible_host_is_unavailable(host: str) -> None:
    with pytest.raises(SourceUnavailable):
        ObsWebsocketPort().connect(ObsAddress(host, 4455, deadline=2.0))


def test_a_slow_name_server_cannot_hold_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name resolution cannot be interrupted: it waits in a thread of its own, one at a time."""
    release, calls = threading.Event(), []
    real = socket.getaddrinfo

    def slow(host: str, *arguments: Any, **keywords: Any) -> Any:
        if keywords.get("flags"):
            return real(host, *arguments, **keywords)
        calls.append(host)
        release.wait(30)
        raise socket.gaierror("released")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    port = ObsWebsocketPort()
    try:
        for _ in range(3):
            with pytest.raises(SourceUnavailable, match=r"no complete answer within 0\.2 s"):
                port.connect(ObsAddress("slow.example", 4455, deadline=0.2))
        assert calls == ["slow.example"]
    finally:
        release.set()


def test_many_threads_get_each_their_own_reply(obs: FakeObs, session: ObsConnection) -> None:
    obs.program = "Other"

    def ask(number: int) -> bool:
        if number % 2:
            return session.program_scene() == "Other"
        return session.screenshot(ScreenshotRequest("Other" if number % 4 else "Main")) == (BLUE if number % 4 else RED)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(ask, range(80)))


def test_close_wakes_a_thread_that_waits_for_a_reply(obs: FakeObs) -> None:
    connection = ObsWebsocketPort().connect(address(obs, deadline=60.0))
    obs.misbehave(Vice.SILENT)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(connection.screenshot, MAIN)
        eventually(lambda: bool(obs.requests), 30, "the request has arrived")
        connection.close()
        with pytest.raises(SourceUnavailable, match="the connection is gone"):
            waiting.result(timeout=10)
    connection.close()
    with pytest.raises(SourceUnavailable):
        connection.program_scene()


def test_an_interrupt_in_the_middle_closes_the_session(
    obs: FakeObs, session: ObsConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(session._client.base_client.ws, "recv", interrupted)  # type: ignore[attr-defined]
        with pytest.raises(KeyboardInterrupt):
            session.screenshot(MAIN)
    with pytest.raises(SourceUnavailable):
        session.screenshot(MAIN)


def test_proxies_are_not_asked(obs: FakeObs, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    connection = connected(obs)
    assert connection.program_scene() == "Main"
    connection.close()


def test_no_configuration_file_is_read(obs: FakeObs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("this is no TOML")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    connection = connected(obs)
    assert connection.program_scene() == "Main"
    connection.close()


def test_the_password_is_nowhere_to_be_read(obs: FakeObs, caplog: pytest.LogCaptureFixture) -> None:
    for name in (None, "obsws_python", "websocket"):
        caplog.set_level(logging.DEBUG, logger=name)
    connection = connected(obs)
    with pytest.raises(SourceRefused):
        connection.screenshot(ScreenshotRequest("Nobody"))
    client = connection._client  # the third party's objects, too
    shown = [repr(thing) for thing in (connection, client, client.base_client, address(obs))]
    shown += [str(vars(thing)) for thing in (client, client.base_client)]
    obs.password = "changed"
    with pytest.raises(SourceRefused) as refusal:
        connected(obs)
    shown += [str(refusal.value), repr(refusal.value), caplog.text]
    assert not [text for text in shown if PASSWORD in text]
    assert not [record for record in caplog.records if record.name.startswith("obsws_python")]
    connection.close()
