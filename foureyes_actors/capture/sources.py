"""Which source the settings ask for."""

from __future__ import annotations

from foureyes_actors.capture.cabinet_source import CabinetSource
from foureyes_actors.capture.obs_source import ObsSource
from foureyes_actors.capture.pictures_source import PicturesSource
from foureyes_actors.capture.screen_source import ScreenSource
from foureyes_actors.capture.source import FrameSource
from foureyes_actors.capture.video_source import VideoSource
from foureyes_actors.errors import SourceRefused
from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.files import FilesPort
from foureyes_actors.ports.obs import ObsFactory
from foureyes_actors.ports.screen import MssScreen
from foureyes_actors.ports.video import PyAvVideo
from foureyes_actors.settings import SourceSettings


def open_source(settings: SourceSettings, clock: Clock, files: FilesPort, obs: ObsFactory) -> FrameSource:
    """Connects and reads nothing yet."""
    match settings.kind:
        case "cabinet":
            return CabinetSource(settings.cabinet, clock, files)
        case "obs":
            return ObsSource(obs(), settings.obs, clock)
        case "screen":
            return ScreenSource(settings.screen, MssScreen(), clock)
        case "video":
            return VideoSource(settings.video, settings.limits, PyAvVideo(), clock)
        case "pictures":
            return PicturesSource(settings.pictures, settings.limits, files)


def check_source(settings: SourceSettings, files: FilesPort) -> None:
    """Before a run: the file or folder that the source needs is there. Raises SourceRefused."""
    if settings.kind == "video" and not files.exists(settings.video.path):
        raise SourceRefused(f"source.video.path: {settings.video.path.absolute()}: there is no such file")
    if settings.kind == "pictures":
        PicturesSource(settings.pictures, settings.limits, files).listed()
