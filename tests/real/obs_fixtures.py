"""What the tests with a real OBS share: starting one, pictures that can be told apart, and a source for it."""

from __future__ import annotations

import functools
import io
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat

from foureyes_actors.capture.obs_source import ObsSource
from foureyes_actors.errors import FourEyesError
from foureyes_actors.ports.clock import Clock, ManualClock
from foureyes_actors.ports.obs_websocket import ObsWebsocketPort
from foureyes_actors.settings import ObsSettings
from t00l5et.real_obs import INSTALL, PROGRAMS, RealObs
from tests.support import eventually, need


@contextmanager
def real_obs(pictures: Mapping[str, bytes], **canvas: int) -> Iterator[RealObs]:
    if not sys.platform.startswith("linux"):
        pytest.skip("a real OBS is started under Xvfb, on Linux only")
    need(programs=PROGRAMS, install=INSTALL)
    with RealObs(pictures, **canvas) as obs:
        yield obs


def encoded(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def flat(colour: str, size: tuple[int, int] = (1280, 720)) -> bytes:
    return encoded(Image.new("RGB", size, colour))


def likest(picture: bytes, candidates: Mapping[str, bytes]) -> str:
    """Which of the candidates the picture shows: the least mean difference, and that one small."""
    seen = _thumbnail(picture)
    distances = {name: _distance(seen, _thumbnail(data)) for name, data in candidates.items()}
    best = min(distances, key=lambda name: distances[name])
    assert distances[best] < 4.0, f"the picture is none of the candidates: {distances}"
    return best


@functools.lru_cache(maxsize=16)  # the candidates come again and again
def _thumbnail(picture: bytes) -> Image.Image:
    with Image.open(io.BytesIO(picture)) as image:
        return image.convert("RGB").resize((320, 180), Image.Resampling.BOX)


def _distance(one: Image.Image, other: Image.Image) -> float:
    return sum(ImageStat.Stat(ImageChops.difference(one, other)).mean) / 3


def source_for(obs: RealObs, clock: Clock, **settings: Any) -> ObsSource:
    """Small pictures, and a deadline that a loaded machine keeps; tests of the deadline set their own."""
    given = {"port": obs.port, "password": obs.password, "width": 320, "height": 180, "deadline": 15.0, **settings}
    return ObsSource(ObsWebsocketPort(), ObsSettings(**given), clock)


def recovered(source: ObsSource, clock: ManualClock, timeout: float = 45.0) -> bytes:
    """The first picture after trouble; the backoff is skipped by moving the clock."""
    pictures: list[bytes] = []

    def grabbed() -> bool:
        clock.advance(8.0)
        try:
            pictures.append(source.grab())
        except FourEyesError:
            return False
        return True

    eventually(grabbed, timeout, "a picture after the trouble is over", every=0.1)
    return pictures[0]
