"""This machine's own screen, as a port (mss)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from foureyes_actors.errors import MissingExtraError, SourceUnavailable

if TYPE_CHECKING:
    import mss


@dataclass(frozen=True, slots=True)
class Area:
    """In the coordinates of the whole desktop, which may begin left of or above zero."""

    left: int
    top: int
    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width} x {self.height} at {self.left},{self.top}"


@dataclass(frozen=True, slots=True)
class Shot:
    """``bgrx``: four bytes a pixel, row by row. A high-density screen has more pixels than its area says."""

    width: int
    height: int
    bgrx: bytes = field(repr=False)


class ScreenPort(Protocol):
    """One thread uses it. All raise SourceUnavailable, after which the next call starts afresh."""

    def monitors(self) -> tuple[Area, ...]:
        """Looked up anew: first all together, then each one. Raises MissingExtraError, too."""

    def grab(self, area: Area) -> Shot: ...

    def close(self) -> None:
        """Idempotent."""


class MssScreen:
    """Implements ``ScreenPort``. mss is imported with the first call."""

    def __init__(self) -> None:
        self._session: mss.MSS | None = None

    def monitors(self) -> tuple[Area, ...]:
        with self._worded("looking for monitors"):
            before, self._session = self._session, _open()  # an X server may end with its last connection
            if before is not None:
                before.close()
            return tuple(Area(m["left"], m["top"], m["width"], m["height"]) for m in self._session.monitors)

    def grab(self, area: Area) -> Shot:
        with self._worded("taking a picture of the screen"):
            self._session = self._session or _open()
            shot = self._session.grab((area.left, area.top, area.left + area.width, area.top + area.height))
            return Shot(shot.size.width, shot.size.height, shot.bgra)

    def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with suppress(Exception):  # the display may be gone
                session.close()

    @contextmanager
    def _worded(self, what: str) -> Iterator[None]:
        try:
            yield
        except MissingExtraError:
            raise
        except Exception as error:  # mss talks to each platform in its own way; what it raises is not one family
            self.close()
            words = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise SourceUnavailable(
                f"{what}: {words}; FourEyes must run in a desktop session that it may record (Linux: X11 with DISPLAY "
                "set; macOS: the Screen Recording permission)"
            ) from error


def _open() -> mss.MSS:
    try:
        import mss
    except ImportError:
        raise MissingExtraError("mss", "screen", "source.kind screen") from None
    return mss.MSS()
