"""OBS that fails on a wire: obsws-python's client against a stand-in for OBS, inside FourEyes's own functions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from foureyes_actors.capture.obs_source import connect, screenshot
from foureyes_actors.ports.obs import ObsAddress, ScreenshotRequest
from foureyes_actors.ports.obs_websocket import ObsWebsocketPort
from t00l5et.doubles.obs import FakeObs, Stage, Vice
from t00l5et.doubles.tcp_server import nobody
from tests.ports.obs_helpers import RED
from tests.replay.scenario import WIRE, Scenario

SHORT, LONG = 0.4, 20.0  # seconds: a deadline that is meant to pass, and any other
PASSWORD = "c4n4ry-of-the-password"
SLOW = (Vice.SILENT, Vice.DRIP, Vice.PINGS)
REPLIES = {
    Vice.SILENT: "no reply until the deadline",
    Vice.DRIP: "a drip, too slow for the deadline",
    Vice.PINGS: "pings until the deadline",
    Vice.CLOSE: "closed (1000)",
    Vice.KICK: "kicked (4011)",
    Vice.CUT: "dropped in the middle of a frame",
    Vice.RESET: "reset",
    Vice.JUNK: "a text that is no JSON",
    Vice.LIST: "JSON of another shape",
    Vice.BINARY: "a binary frame",
    Vice.WRONG_ID: "another request's reply",
    Vice.NOT_READY: "not ready (207)",
    Vice.NO_STATUS: "a reply without a status",
    Vice.NOT_BASE64: "a picture that is no base64",
    Vice.NOT_A_PICTURE: "base64 of no picture",
}
OPENINGS = {
    (Stage.UPGRADE, Vice.HTTP_404): "a web server, which says 404",
    (Stage.UPGRADE, Vice.SILENT): "silent at the upgrade",
    (Stage.UPGRADE, Vice.RESET): "reset at the upgrade",
    (Stage.HELLO, Vice.SILENT): "no Hello until the deadline",
    (Stage.HELLO, Vice.JUNK): "a Hello of something else",
    (Stage.IDENTIFIED, Vice.KICK): "kicked at Identify",
    (Stage.IDENTIFIED, Vice.CUT): "dropped at Identify",
}


def address(port: int, vice: Vice | None = None, password: str = "") -> ObsAddress:
    return ObsAddress("127.0.0.1", port, password, SHORT if vice in SLOW else LONG)


def replied(vice: Vice, source: str = "Main", pictures: int = 0) -> Callable[[], object]:
    """A screenshot that fails, after so many requests that did not."""

    def act() -> object:
        with FakeObs({"Main": RED}) as obs, closing(ObsWebsocketPort().connect(address(obs.port, vice))) as connection:
            for _ in range(pictures):
                screenshot(connection, ScreenshotRequest("Main"))
            obs.misbehave(vice, request="GetSourceScreenshot")
            return screenshot(connection, ScreenshotRequest(source))

    return act


def missing() -> object:
    with FakeObs({"Main": RED}) as obs, closing(ObsWebsocketPort().connect(address(obs.port))) as connection:
        return screenshot(connection, ScreenshotRequest("Nowhere"))


def opened(stage: Stage, vice: Vice) -> Callable[[], object]:
    def act() -> object:
        with FakeObs({"Main": RED}) as obs:
            obs.misbehave(vice, stage)
            return connect(ObsWebsocketPort(), address(obs.port, vice))

    return act


def refused() -> object:
    with nobody() as port:
        return connect(ObsWebsocketPort(), address(port))


def stranger() -> object:
    with FakeObs({"Main": RED}, PASSWORD) as obs:
        return connect(ObsWebsocketPort(), address(obs.port, password=f"not {PASSWORD}"))


def failures() -> list[Scenario]:
    named = [
        *((name, replied(vice)) for vice, name in REPLIES.items()),
        ("kicked, the scene on program was told before", replied(Vice.KICK, source="")),
        ("reset, after two pictures", replied(Vice.RESET, pictures=2)),
        ("no such source (600)", missing),
        *((name, opened(*where)) for where, name in OPENINGS.items()),
        ("refused", refused),
    ]
    return [
        *(Scenario("OBS, live", name, act, level=WIRE) for name, act in named),
        Scenario("OBS, live", "a wrong password (4009)", stranger, (PASSWORD, f"not {PASSWORD}"), WIRE),
    ]
