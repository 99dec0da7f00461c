"""An inference actor's polling fallback: which frame is read without the server, when, and in which thread."""

from __future__ import annotations

from dataclasses import dataclass

from foureyes_actors.errors import ConfigurationError
from foureyes_actors.inference.in_process import FallbackReader, OpenReader
from foureyes_actors.inference.pace import Due, Pace
from foureyes_actors.messages import Analysis, Frame
from foureyes_actors.ports.clock import Clock
from supervisors.actor import ActorContext
from supervisors.worker import Worker

STOP_WITHIN = 0.8  # seconds for the worker to end; a reading that lasts longer ends by itself, and the thread with it


@dataclass(frozen=True, slots=True)
class ReadAlone:
    """From the fallback's worker: how the reading of ``frame`` ended."""

    frame: Frame
    outcome: Analysis | Exception


def unavailable() -> FallbackReader:
    """The OpenReader of an actor that was given none."""
    raise ConfigurationError("nobody reads frames without the model server here")


class _Lazy:
    """Opens the reader when the first frame is there, in the thread that reads."""

    def __init__(self, open_reader: OpenReader) -> None:
        self._open = open_reader
        self._reader: FallbackReader | None = None

    def __call__(self, frame: Frame) -> Analysis:
        if self._reader is None:
            self._reader = self._open()
        return self._reader(frame)


class Fallback:
    """One actor's; used in its thread alone. ``every``: seconds from the start of a reading to the next one's.

    ``begin`` starts a thread, ``end`` ends it and drops the reader with all that it has loaded.
    """

    def __init__(self, context: ActorContext, *, open_reader: OpenReader, every: float, clock: Clock) -> None:
        self._context, self._open = context, open_reader
        self._pace = Pace(context, "fallback", every=every, clock=clock)
        self.active = False
        self.unable = False  # no reader can be opened, and none is tried again before the next fallback
        self._worker: Worker | None = None
        self._reader: _Lazy | None = None
        self._reading: Frame | None = None

    @property
    def busy(self) -> bool:
        return self._reading is not None

    def begin(self) -> None:
        self.active, self.unable = True, False
        self._pace.reset()
        self._reader = _Lazy(self._open)
        self._worker = Worker(f"{self._context.name}#{self._context.incarnation} fallback")

    def end(self) -> None:
        """What is being read is read to its end, and told."""
        self.active = False
        worker, self._worker, self._reader, self._reading = self._worker, None, None, None
        if worker is not None:
            worker.stop(STOP_WITHIN)

    def take(self, frame: Frame) -> bool:
        """True: ``frame`` is being read, or nothing can be. False: not now; a Due or a ReadAlone comes when it may
        be time."""
        if self.unable:
            return True
        if self._reading is not None:
            return False
        if not self._pace.may_begin():
            return False
        self._read(frame)
        return True

    def awake(self, due: Due) -> None:
        """A Due has come; one of an earlier fallback does no harm, it is only too early."""
        self._pace.awake(due)

    def finished(self, read: ReadAlone) -> None:
        if read.frame is self._reading:
            self._reading = None
            self.unable = isinstance(read.outcome, ConfigurationError)

    def _read(self, frame: Frame) -> None:
        assert self._worker is not None and self._reader is not None
        reader, context = self._reader, self._context
        self._reading = frame
        self._pace.begun()

        def done(outcome: Analysis | Exception) -> None:
            context.tell_self(ReadAlone(frame, outcome))

        if not self._worker.submit(lambda: reader(frame), done):
            raise RuntimeError("the fallback's worker is busy, and its owner does not know")
