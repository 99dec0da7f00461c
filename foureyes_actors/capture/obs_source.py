"""Frames from OBS, with connecting again."""

from __future__ import annotations

from dataclasses import replace

from foureyes_actors.errors import FourEyesError, FrameError, SourceRefused, SourceUnavailable
from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.obs import ObsAddress, ObsConnection, ObsPort, ScreenshotRequest
from foureyes_actors.replay.point import replay_point
from foureyes_actors.settings import ObsSettings

BACKOFF = (0.5, 1.0, 2.0, 4.0, 8.0)  # seconds after the 1st, 2nd, ... failure in a row; the last one repeats


def backoff_after(failures: int) -> float:
    """Seconds to leave OBS alone after so many failures in a row (1 or more)."""
    return BACKOFF[min(failures, len(BACKOFF)) - 1]


class ObsSource:
    """A ``FrameSource``: a scene or source of OBS by name, or whatever scene is on program.

    A grab makes at most three exchanges (connect, ask for the scene, screenshot), each with the settings' deadline.
    It never sleeps: until the next attempt is due, ``grab`` raises SourceUnavailable at once.

    With no name given, OBS is asked before every picture which scene is on program. That is about a millisecond on
    top of the picture's tens; a cached name would show a scene that nobody sees any more, without any error.

    A refusal (wrong password, no such source) is tried again too, since people mend OBS while we run; SourceRefused
    is raised once for each new reason, in between it is SourceUnavailable.
    """

    def __init__(self, port: ObsPort, settings: ObsSettings, clock: Clock) -> None:
        self._port, self._settings, self._clock = port, settings, clock
        self._connection: ObsConnection | None = None
        self._failures = 0
        self._due = clock.monotonic()
        self._reason = ""  # of the last failure
        self._told = ""  # the refusal that was last raised as SourceRefused
        self._closed = False

    @property
    def name(self) -> str:
        return f"obs:{self._settings.source or 'program'}"

    def grab(self) -> bytes:
        self._refuse_early()
        try:
            picture = screenshot(self._open(), _request(self._settings))
        except SourceRefused as error:
            self._failed(error)
            if self._told != self._reason:
                self._told = self._reason
                raise
            raise SourceUnavailable(f"still refused: {self._reason}; {self._next()}") from None
        except FrameError as error:
            self._drop()
            self._failed(error)
            raise SourceUnavailable(f"{self._reason}; {self._next()}") from error
        self._failures, self._reason, self._told = 0, "", ""
        return picture

    def close(self) -> None:
        self._closed = True
        self._drop()

    def _refuse_early(self) -> None:
        if self._closed:
            raise SourceUnavailable("the source is closed")
        if self._failures and self._clock.monotonic() < self._due:
            raise SourceUnavailable(f"{self._reason}; {self._next()}")

    def _open(self) -> ObsConnection:
        if self._connection is None:
            self._connection = connect(self._port, _address(self._settings))
        return self._connection

    def _failed(self, error: FourEyesError) -> None:
        self._failures += 1
        self._reason = str(error)
        self._due = self._clock.monotonic() + backoff_after(self._failures)

    def _next(self) -> str:
        return f"next attempt in {max(0.0, self._due - self._clock.monotonic()):.1f} s"

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


@replay_point(ports={"port": "obs_port"}, raises=(FrameError, SourceRefused))
def connect(port: ObsPort, address: ObsAddress) -> ObsConnection:
    return port.connect(address)


@replay_point(ports={"connection": "obs"}, raises=(FrameError, SourceRefused))
def screenshot(connection: ObsConnection, request: ScreenshotRequest) -> bytes:
    """Of the request's source, or, when it names none, of the scene on program."""
    source = request.source or connection.program_scene()
    return connection.screenshot(replace(request, source=source))


def _address(settings: ObsSettings) -> ObsAddress:
    return ObsAddress(settings.host, settings.port, settings.password.get_secret_value(), settings.deadline)


def _request(settings: ObsSettings) -> ScreenshotRequest:
    return ScreenshotRequest(settings.source, settings.media, settings.width, settings.height, settings.quality)
