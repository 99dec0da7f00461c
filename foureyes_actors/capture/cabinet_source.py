"""Frames of the demo cabinet."""

from __future__ import annotations

import hashlib

from foureyes_actors.capture.cabinet import Cabinet, encode_jpeg
from foureyes_actors.capture.cabinet_ahead import StageAhead
from foureyes_actors.capture.truth_file import truth_line
from foureyes_actors.errors import SourceRefused
from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.files import FilesPort
from foureyes_actors.settings import CabinetSettings


class CabinetSource:
    """A ``FrameSource``: the cabinet's screen at the clock's time since the first grab, as JPEG.

    With ``truth_file`` what each picture really shows is written before the picture is given. The first stage is set
    here, so that no grab waits for it, the later ones in a thread of their own.
    """

    def __init__(self, settings: CabinetSettings, clock: Clock, files: FilesPort) -> None:
        self._settings, self._clock, self._files = settings, clock, files
        self._cabinet = Cabinet(settings.theme, settings.seed, (settings.width, settings.height))
        self._cabinet.set_stage(self._cabinet.make_stage(0.0))
        self._ahead = StageAhead(self._cabinet)
        self._began: float | None = None
        self._time = 0.0  # of the last picture

    @property
    def name(self) -> str:
        """Of the theme that is shown now: each is a machine of its own, with jackpots of its own."""
        return f"cabinet:{self._cabinet.theme(self._time)}"

    def grab(self) -> bytes:
        now = self._clock.monotonic()
        if self._began is None:
            self._began = now
        self._time = time = now - self._began
        self._ahead.look(time)
        picture = encode_jpeg(self._cabinet.draw(time), self._settings.jpeg_quality)
        self._tell_truth(picture, time)
        return picture

    def close(self) -> None:
        """A later grab sets its stages by itself."""
        self._ahead.close()

    def _tell_truth(self, picture: bytes, time: float) -> None:
        path = self._settings.truth_file
        if path is None:
            return
        line = truth_line(hashlib.sha256(picture).hexdigest(), self._cabinet.truth(time))
        try:
            self._files.append(path, line)
        except OSError as error:
            raise SourceRefused(
                f"source.cabinet.truth_file: {path.absolute()} cannot be written: {error.strerror or error}"
            ) from error
