"""What the tests of the OBS port share."""

from __future__ import annotations

import dataclasses
import io

from PIL import Image

from foureyes_actors.ports.obs import ObsAddress, ObsConnection, ScreenshotRequest
from foureyes_actors.ports.obs_websocket import ObsWebsocketConnection, ObsWebsocketPort
from t00l5et.doubles.obs import FakeObs, Vice

PASSWORD = "correct-horse-7391"
DEADLINE = 0.3  # only where it is meant to pass
PATIENCE = 8.0  # far beyond the deadline, far below what a dripping server takes (30 s and more)


def picture(colour: str, kind: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (320, 180), colour).save(buffer, kind)
    return buffer.getvalue()


RED, BLUE, PNG = picture("red"), picture("blue"), picture("green", "PNG")
MAIN = ScreenshotRequest("Main")


def address(obs: FakeObs, password: str = PASSWORD, deadline: float = 10.0) -> ObsAddress:
    return ObsAddress("127.0.0.1", obs.port, password, deadline)


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
