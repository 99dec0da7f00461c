"""Frames from a video file, at the pace of the video's own timestamps."""

from __future__ import annotations

from contextlib import suppress

from foureyes_actors.capture.cabinet import encode_jpeg
from foureyes_actors.errors import BadPicture, SourceEnded
from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.video import VideoFrame, VideoPort, VideoStream
from foureyes_actors.settings import PictureLimits, VideoSettings

DEADLINE = 1.0  # seconds of decoding in one grab; what is due after that is given by a later one
SEEK_BEYOND = 5.0  # seconds behind the clock from which seeking is cheaper than decoding
MOST_BROKEN = 1000  # broken places that one grab passes over


class VideoSource:
    """A ``FrameSource``: the frame that is due now, counted from the first grab; those in between are skipped.

    A broken stretch raises one BadPicture with the file's name, and the next grab goes on after it. A file that
    cannot be opened as a video ends the source, after one BadPicture, unless it loops.
    """

    def __init__(self, settings: VideoSettings, limits: PictureLimits, port: VideoPort, clock: Clock) -> None:
        self._settings, self._limits, self._port, self._clock = settings, limits, port, clock
        self._stream: VideoStream | None = None
        self._began: float | None = None  # monotonic time of the video's start, in this round
        self._current: VideoFrame | None = None
        self._coming: VideoFrame | None = None
        self._exhausted = False
        self._end = 0.0  # of the last frame seen, in the video's time
        self._jpeg = b""  # of the current frame; empty: not encoded yet
        self._over = False

    @property
    def name(self) -> str:
        return f"video:{self._settings.path.name}"

    def grab(self) -> bytes:
        if self._over:
            raise SourceEnded(f"the end of {self._settings.path.name}")
        self._open()
        due = self._due()
        self._advance(due)
        if self._exhausted and due >= self._end:
            self._advance(self._again(due))
        return self._encoded()

    def close(self) -> None:
        """A later grab goes on at the clock's time."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
        self._current = self._coming = None
        self._jpeg = b""

    def _open(self) -> None:
        if self._stream is not None:
            return
        try:
            self._stream = self._port.open(self._settings.path, self._limits.max_pixels)
        except BadPicture:
            self._over = not self._settings.loop
            raise
        self._exhausted = False

    def _due(self) -> float:
        now = self._clock.monotonic()
        if self._began is None:
            self._began = now
        return now - self._began

    def _advance(self, due: float) -> None:
        """Make the frame that is due the current one, as far as the deadline allows."""
        assert self._stream is not None
        deadline = self._clock.monotonic() + DEADLINE
        self._read()
        if self._coming is not None and due - self._coming.time > SEEK_BEYOND:
            self._stream.seek(due)
            self._coming = None
            self._read()
        while self._coming is not None and self._due_now(self._coming, due):
            self._current, self._coming, self._jpeg = self._coming, None, b""
            self._read()
            if self._clock.monotonic() > deadline:
                return

    def _due_now(self, frame: VideoFrame, due: float) -> bool:
        return frame.time <= due or self._current is None  # the first one is due whatever its time says

    def _read(self) -> None:
        """Look one frame ahead. Raises BadPicture, once for a broken stretch; the next call goes on after it."""
        if self._coming is not None or self._exhausted:
            return
        error = None
        try:
            self._coming = self._next()
        except BadPicture as caught:
            error = caught
            self._skip_broken()
        if self._coming is not None:
            self._end = max(self._end, self._coming.time + self._coming.duration)
        if error is not None:
            raise error

    def _next(self) -> VideoFrame | None:
        assert self._stream is not None
        frame = self._stream.next()
        self._exhausted = frame is None
        return frame

    def _skip_broken(self) -> None:
        deadline = self._clock.monotonic() + DEADLINE
        for _ in range(MOST_BROKEN):
            with suppress(BadPicture):
                self._coming = self._next()
                return
            if self._clock.monotonic() > deadline:
                return

    def _again(self, due: float) -> float:
        """After the last frame: open the next round and tell the time within it. Raises SourceEnded without one."""
        assert self._began is not None
        if not self._settings.loop:
            self._over = True
            raise SourceEnded(f"the end of {self._settings.path.name}")
        rounds = due // self._end if self._end > 0 else 1
        self._began += rounds * self._end
        self.close()  # not every file can be wound back
        self._open()
        return due - rounds * self._end

    def _encoded(self) -> bytes:
        if self._current is None:
            raise BadPicture(f"{self._settings.path.name} has no frame here")
        if not self._jpeg:
            self._jpeg = encode_jpeg(self._current.image(), self._settings.jpeg_quality)
        return self._jpeg
