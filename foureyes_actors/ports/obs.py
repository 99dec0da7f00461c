"""OBS Studio, as a port: pictures of a scene or a source over obs-websocket."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ObsAddress:
    """``deadline``: seconds for connecting or for one whole request, however the bytes drip in."""

    host: str = "127.0.0.1"
    port: int = 4455
    password: str = field(default="", repr=False)
    deadline: float = 2.0


@dataclass(frozen=True, slots=True)
class ScreenshotRequest:
    """``source``: a scene or source by name. ``width``/``height`` None: native size. ``quality`` -1: OBS's default."""

    source: str
    media: str = "jpg"  # "jpg" or "png"
    width: int | None = None
    height: int | None = None
    quality: int = -1


class ObsConnection(Protocol):
    """One identified session. Any doubt about a reply closes it for good: open another."""

    def screenshot(self, request: ScreenshotRequest) -> bytes:
        """The picture's bytes. Raises SourceRefused when OBS has no such source or refuses the request (the
        session stays usable), SourceUnavailable after anything else (the session is closed)."""

    def program_scene(self) -> str:
        """The name of the scene on program. Raises as ``screenshot``."""

    def version(self) -> str:
        """OBS's and obs-websocket's version, for people."""

    def close(self) -> None: ...


class ObsPort(Protocol):
    def connect(self, address: ObsAddress) -> ObsConnection:
        """Raises SourceUnavailable (nobody there, silent, not OBS) or SourceRefused (password wrong or missing)."""


ObsFactory = Callable[[], ObsPort]
