"""Video files, as a port (PyAV)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from PIL import Image

from foureyes_actors.errors import BadPicture, MissingExtraError, SourceRefused

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

OPEN_TIMEOUT = 2.0  # seconds


@dataclass(frozen=True, slots=True)
class VideoFrame:
    """``time`` and ``duration``: seconds, from the video's own start. ``image``: decodes the colours (RGB)."""

    time: float
    duration: float
    image: Callable[[], Image.Image]


class VideoStream(Protocol):
    """One thread uses it."""

    def next(self) -> VideoFrame | None:
        """None at the end. Raises BadPicture for a broken place; the next call goes on after it."""

    def seek(self, time: float) -> None:
        """To a place at or before ``time`` from which decoding can begin; without effect where that is impossible."""

    def close(self) -> None:
        """Idempotent."""


class VideoPort(Protocol):
    def open(self, path: Path, max_pixels: int) -> VideoStream:
        """Raises SourceRefused (no such file, no video in it, too large), BadPicture (not readable as a video),
        MissingExtraError."""


class PyAvVideo:
    """Implements ``VideoPort``. PyAV is imported with the first call."""

    def open(self, path: Path, max_pixels: int) -> PyAvStream:
        if not path.is_file():  # a pipe would block for ever
            raise SourceRefused(f"source.video.path: {path.absolute()} is not there, or not a file")
        container = _container(path)
        try:
            return PyAvStream(path, container, max_pixels)
        except BaseException:
            container.close()
            raise


class PyAvStream:
    """Implements ``VideoStream``: the container's first video stream."""

    def __init__(self, path: Path, container: InputContainer, max_pixels: int) -> None:
        if not container.streams.video:
            raise SourceRefused(f"source.video.path: there is no video in {path.absolute()}")
        self._path, self._container, self._max_pixels = path, container, max_pixels
        self._stream = container.streams.video[0]
        self._check_size(self._stream.codec_context)
        self._period = 1 / float(self._stream.average_rate or 25)
        self._start = (self._stream.start_time or 0) * float(self._stream.time_base or 0)
        self._frames: Iterator[av.VideoFrame] = container.decode(self._stream)
        self._position = 0.0

    def next(self) -> VideoFrame | None:
        from av.error import EOFError as EndOfFile
        from av.error import FFmpegError

        try:
            frame = next(self._frames, None)
        except EndOfFile:  # asked again after the end
            return None
        except FFmpegError as error:
            self._frames = self._container.decode(self._stream)
            raise BadPicture(
                f"{self._path.name}: a broken place near {self._position:.1f} s: {error.strerror}"
            ) from error
        return None if frame is None else self._described(frame)

    def seek(self, time: float) -> None:
        from av.error import FFmpegError

        base = float(self._stream.time_base or 0)
        if base > 0:
            with suppress(FFmpegError):
                self._container.seek(int((time + self._start) / base), stream=self._stream)
        self._frames = self._container.decode(self._stream)
        self._position = time

    def close(self) -> None:
        self._frames = iter(())
        self._container.close()

    def _described(self, frame: av.VideoFrame) -> VideoFrame:
        self._check_size(frame)
        # A frame without a time of its own follows the one before it.
        time = self._position if frame.time is None else frame.time - self._start
        duration = frame.duration * float(frame.time_base) if frame.duration and frame.time_base else self._period
        self._position = time + duration
        return VideoFrame(time, duration, frame.to_image)

    def _check_size(self, sized: Any) -> None:
        if sized.width * sized.height > self._max_pixels:
            raise SourceRefused(
                f"source.video.path: {self._path.absolute()} has {sized.width} x {sized.height} pixels; "
                f"source.limits.max_pixels allows {self._max_pixels} in all"
            )


def _container(path: Path) -> InputContainer:
    try:
        import av
    except ImportError:
        raise MissingExtraError("av", "video", "source.kind video") from None
    try:
        # An absolute path is never taken for a URL; a playlist inside the file may not lead anywhere else.
        return av.open(str(path.absolute()), options={"protocol_whitelist": "file"}, timeout=OPEN_TIMEOUT)
    except PermissionError as error:
        raise SourceRefused(f"source.video.path: {path.absolute()} cannot be read: {error.strerror}") from error
    except av.FFmpegError as error:
        raise BadPicture(f"{path.absolute()} is not a video that can be read: {error.strerror}") from error
