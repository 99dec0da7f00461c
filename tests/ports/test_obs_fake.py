"""ObsWebsocketPort against a server that speaks the real protocol and misbehaves on demand."""

from __future__ import annotations

import dataclasses
import io
import logging
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from foureyes_actors.errors import SourceRefused, SourceUnavailable
from foureyes_actors.ports.obs import ObsAddress, ObsConnection, ScreenshotRequest
from foureyes_actors.ports.obs_websocket import ObsWebsocketConnection, ObsWebsocketPort
from t00l5et.doubles.obs import FakeObs, Stage, Vice
from tests.support import eventually

PASSWORD = "correct-horse-7391"
DEADLINE = 0.3  # only where it is meant to pass
PATIENCE = 8.0  # far beyond the deadline, far below what a dripping server takes (30 s and more)


def picture(colour: str, kind: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (320, 180), colour).save(buffer, kind)
    return buffer.getvalue()


RED, BLUE, PNG = picture("red"), picture("blue"), picture("green", "PNG")
MAIN = ScreenshotRequest("Main")


@pytest.fixture
def obs() -> Iterator[FakeObs]:
    with FakeObs({"Main": RED, "Other": BLUE, "Lossless": PNG}, PASSWORD) as fake:
        yield fake


def address(obs: FakeObs, password: str = PASSWORD, deadline: float = 10.0) -> ObsAddress:
    return ObsAddress("127.0.0.1", obs.port, password, deadline)


@pytest.fixture
def session(obs: FakeObs) -> Iterator[ObsConnection]:
    connection = connected(obs)
    yield connection
    connection.close()


SLOW = {Vice.SILENT, Vice.DRIP, Vice.PINGS, Vice.LATE}  # these hold a reader until its deadline


def deadline_for(vice: Vice) -> float:
    return DEADLINE if vice in SLOW else 10.0


def connected(obs: FakeObs) -> ObsWebsocketConnection:
    return ObsWebsocketPort().connect(address(obs))


def hurry(connection: ObsWebsocketConnection, vice: Vice) -> None:
    """Only the request that is meant to fail has the short deadline: a loaded machine makes no other one fail."""
    connection._address = dataclasses.replace(connection._address, deadline=deadline_for(vice))


def dial(obs: FakeObs, vice: Vice) -> ObsConnection:
    return ObsWebsocketPort().connect(address(obs, deadline=deadline_for(vice)))


def test_a_picture_comes_as_obs_sent_it(obs: FakeObs, session: ObsConnection) -> None:
    assert session.screenshot(ScreenshotRequest("Main", "jpg", 1280, 720, 85)) == RED
    assert obs.requests[-1] == (
        "GetSourceScreenshot",
        {
            "sourceName": "Main",
            "imageFormat": "jpg",
            "imageWidth": 1280,
            "imageHeight": 720,
            "imageCompressionQuality": 85,
        },
    )
    assert session.screenshot(ScreenshotRequest("Lossless", "png")) == PNG
    assert "imageWidth" not in obs.requests[-1][1]


def test_program_scene_and_version(obs: FakeObs, session: ObsConnection) -> None:
    obs.program = "Other"
    assert session.program_scene() == "Other"
    assert session.version() == "OBS 29.0.2, obs-websocket 5.1.0"


def test_no_events_are_subscribed(obs: FakeObs, session: ObsConnection) -> None:
    assert [data["eventSubscriptions"] for data in obs.identified] == [0]


def test_request_ids_never_repeat(obs: FakeObs, session: ObsConnection) -> None:
    replies = [session._client.base_client.req("GetVersion")["requestId"] for _ in range(50)]  # type: ignore[attr-defined]
    assert len(set(replies)) == 50


@pytest.mark.parametrize(("password", "words"), [("wrong", "the password is wrong"), ("", "none is set")])
def test_a_bad_password_is_a_refusal(obs: FakeObs, password: str, words: str) -> None:
    for _ in range(20):  # the close frame and the end of the connection race each other
        with pytest.raises(SourceRefused, match=words):
            ObsWebsocketPort().connect(address(obs, password))


def test_a_server_without_a_password_takes_any(obs: FakeObs) -> None:
    obs.password = ""
    for password in ("", "needless"):
        connection = ObsWebsocketPort().connect(address(obs, password))
        assert connection.screenshot(MAIN) == RED
        connection.close()


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (ScreenshotRequest("Nobody"), "code 600.*No source was found by the name of `Nobody`"),
        (ScreenshotRequest("Main", width=4), "code 402.*imageWidth"),
        (ScreenshotRequest("Main", media="tiff"), "code 400.*format"),
    ],
)
def test_a_refused_request_says_why_and_leaves_the_session_usable(
    obs: FakeObs, session: ObsConnection, request_: ScreenshotRequest, words: str
) -> None:
    with pytest.raises(SourceRefused, match=words):
        session.screenshot(request_)
    assert session.screenshot(MAIN) == RED
    assert len(obs.identified) == 1


DOUBTFUL = [
    Vice.SILENT,
    Vice.DRIP,
    Vice.CLOSE,
    Vice.KICK,
    Vice.CUT,
    Vice.RESET,
    Vice.JUNK,
    Vice.LIST,
    Vice.BINARY,
    Vice.PINGS,
    Vice.EVENT,
    Vice.WRONG_ID,
    Vice.WRONG_TYPE,
    Vice.STALE,
    Vice.LATE,
    Vice.NOT_READY,
    Vice.NO_STATUS,
    Vice.NOT_BASE64,
    Vice.WRONG_MEDIA,
    Vice.NOT_A_PICTURE,
]


@pytest.mark.parametrize("vice", DOUBTFUL)
def test_after_any_doubt_the_session_is_closed_for_good(obs: FakeObs, vice: Vice) -> None:
    connection = connected(obs)
    assert connection.screenshot(ScreenshotRequest("Other")) == BLUE
    hurry(connection, vice)
    obs.misbehave(vice)
    started = time.monotonic()
    with pytest.raises(SourceUnavailable):
        connection.screenshot(MAIN)
    assert time.monotonic() - started < PATIENCE
    asked = len(obs.requests)
    for _ in range(2):
        with pytest.raises(SourceUnavailable, match="the connection is gone"):
            connection.screenshot(MAIN)
    assert len(obs.requests) == asked
    again = connected(obs)
    assert again.screenshot(MAIN) == RED
    again.close()


@pytest.mark.parametrize(
    ("vice", "words"),
    [
        (Vice.SILENT, "no complete answer within 0.3 s"),
        (Vice.DRIP, "no complete answer within 0.3 s"),
        (Vice.PINGS, "no complete answer within 0.3 s"),
        (Vice.KICK, r"ended by its user \(kick\) \(code 4011 'Your session has been invalidated.'\)"),
        (Vice.CLOSE, "code 1000"),
        (Vice.CUT, "the connection is gone"),
        (Vice.RESET, "the connection is gone"),
        (Vice.JUNK, "not what obs-websocket sends"),
        (Vice.NOT_READY, "code 207.*NotReady"),
    ],
)
def test_the_reason_is_told(obs: FakeObs, vice: Vice, words: str) -> None:
    connection = connected(obs)
    hurry(connection, vice)
    obs.misbehave(vice)
    with pytest.raises(SourceUnavailable, match=words):
        connection.program_scene()


@pytest.mark.parametrize("stage", [Stage.HELLO, Stage.IDENTIFIED])
@pytest.mark.parametrize("vice", DOUBTFUL[:10])
def test_a_session_that_does_not_begin_well_does_not_begin(obs: FakeObs, vice: Vice, stage: Stage) -> None:
    obs.misbehave(vice, stage)
    started = time.monotonic()
    with pytest.raises(SourceUnavailable):
        dial(obs, vice)
    assert time.monotonic() - started < PATIENCE
    again = connected(obs)
    assert again.screenshot(MAIN) == RED
    again.close()


@pytest.mark.parametrize(
    ("vice", "words"),
    [
        (Vice.SILENT, "no complete answer within 0.3 s"),
        (Vice.DRIP, "no complete answer within 0.3 s"),
        (Vice.CUT, "the connection is gone"),
        (Vice.RESET, "the connection is gone"),
        (Vice.HTTP_404, "not OBS .HTTP status 404"),
        (Vice.REDIRECT, "not what obs-websocket sends"),
        (Vice.JUNK, "not what obs-websocket sends"),
    ],
)
def test_what_is_no_websocket_server_is_unavailable(obs: FakeObs, vice: Vice, words: str) -> None:
    obs.misbehave(vice, Stage.UPGRADE)
    started = time.monotonic()
    with pytest.raises(SourceUnavailable, match=words):
        dial(obs, vice)
    assert time.monotonic() - started < PATIENCE


def test_a_reply_in_fragments_with_a_ping_inside_is_legal(obs: FakeObs, session: ObsConnection) -> None:
    obs.misbehave(Vice.FRAGMENTS)
    assert session.screenshot(MAIN) == RED


@pytest.mark.parametrize("vice", [Vice.STALE, Vice.LATE, Vice.SILENT])
def test_no_picture_of_an_earlier_request_is_ever_returned(obs: FakeObs, vice: Vice) -> None:
    """The same source shows another picture by now; the old reply must not pass as the new one."""
    connection = connected(obs)
    assert connection.screenshot(MAIN) == RED
    hurry(connection, vice)
    obs.misbehave(vice)
    obs.scenes["Main"] = BLUE
    for _ in range(3):
        with pytest.raises(SourceUnavailable):
            connection.screenshot(MAIN)
    again = connected(obs)
    assert again.screenshot(MAIN) == BLUE
    again.close()


def test_a_reply_larger_than_allowed_is_not_read_to_its_end(obs: FakeObs) -> None:
    connection = ObsWebsocketPort(max_reply=1024 * 1024).connect(address(obs, deadline=10.0))
    obs.misbehave(Vice.HUGE)
    with pytest.raises(SourceUnavailable, match="larger than allowed"):
        connection.screenshot(MAIN)


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(SourceUnavailable, match=f"OBS at 127.0.0.1:{port}.*nobody listens there"):
        ObsWebsocketPort().connect(ObsAddress(port=port))


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
        eventually(lambda: bool(obs.requests), 10, "the request has arrived")
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
