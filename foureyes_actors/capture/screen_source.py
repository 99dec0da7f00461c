"""Frames from this machine's own screen."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image

from foureyes_actors.capture.cabinet import encode_jpeg
from foureyes_actors.errors import SourceRefused
from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.screen import Area, ScreenPort, Shot
from foureyes_actors.settings import ScreenSettings

LOOK_AGAIN = 10.0  # seconds after which a changed resolution or monitor is noticed


class ScreenSource:
    """A ``FrameSource``: one monitor, or a region of it, as JPEG."""

    def __init__(self, settings: ScreenSettings, port: ScreenPort, clock: Clock) -> None:
        self._settings, self._port, self._clock = settings, port, clock
        self._area: Area | None = None
        self._looked_at = 0.0

    @property
    def name(self) -> str:
        return f"screen:{self._settings.monitor}"

    def grab(self) -> bytes:
        now = self._clock.monotonic()
        if self._area is None or now - self._looked_at > LOOK_AGAIN:
            self._area = None
            self._area = choose(self._port.monitors(), self._settings)
            self._looked_at = now
        try:
            return encode_jpeg(as_image(self._port.grab(self._area)), self._settings.jpeg_quality)
        except BaseException:
            self._area = None  # a monitor may have gone
            raise

    def close(self) -> None:
        self._area = None
        self._port.close()


def choose(monitors: Sequence[Area], settings: ScreenSettings) -> Area:
    """The wanted part of the desktop. Raises SourceRefused when there is no such monitor, listing what there is."""
    if settings.monitor >= len(monitors):
        listed = "; ".join(f"{number}: {area}" for number, area in enumerate(monitors))
        raise SourceRefused(f"source.screen.monitor is {settings.monitor}; there are {listed} (0 is all together)")
    monitor = monitors[settings.monitor]
    return monitor if settings.region is None else part_of(monitor, settings.region)


def part_of(monitor: Area, region: tuple[float, float, float, float]) -> Area:
    """``region``: x1, y1, x2, y2 as parts of the monitor. Rounded outwards, so that nothing of it is cut off."""
    x1, y1, x2, y2 = region
    left, top = math.floor(x1 * monitor.width), math.floor(y1 * monitor.height)
    right, bottom = math.ceil(x2 * monitor.width), math.ceil(y2 * monitor.height)
    return Area(monitor.left + left, monitor.top + top, right - left, bottom - top)


def as_image(shot: Shot) -> Image.Image:
    return Image.frombytes("RGB", (shot.width, shot.height), shot.bgrx, "raw", "BGRX")
