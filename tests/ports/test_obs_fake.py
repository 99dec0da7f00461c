"""ObsWebsocketPort against a server that speaks the real protocol and misbehaves on demand."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from foureyes_actors.errors import SourceRefused, SourceUnavailable
from foureyes_actors.ports.obs import ObsConnection, ScreenshotRequest
from foureyes_actors.ports.obs_websocket import ObsWebsocketPort
from t00l5et.doubles.obs import FakeObs, Stage, Vice
from tests.ports.obs_helpers import (
    BLUE,
    MAIN,
    PASSWORD,
    PATIENCE,
    PNG,
    RED,
    address,
    connected,
    dial,
    hurry,
)


@pytest.fixture
def obs() -> Iterator[FakeObs]:
    with FakeObs({"Main": RED, "Other": BLUE, "Lossless": PNG}, PASSWORD) as fake:
        yield fake


@pytest.fixture
def session(obs: FakeObs) -> Iterator[ObsConnection]:
    connection = connected(obs)
    yield connection
    connection.close()


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
