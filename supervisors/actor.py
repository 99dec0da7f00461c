"""SupervisedActor: a Pykka actor whose end is always reported, exactly once, whatever ended it.

Pykka calls ``on_failure`` for one kind of death only, lets a ``SystemExit`` in one actor stop all of them, and
leaves zombies behind when ``on_start`` fails. So the loop is our own; refs, asks and futures are Pykka's.
"""

from __future__ import annotations

import logging
import threading
import traceback
from typing import Any, Protocol

import pykka
from pykka import messages as pykka_messages

from supervisors.inbox import Envelope, Inbox
from supervisors.messages import ExitNotice, Stage

logger = logging.getLogger("supervisors")


class ActorContext(Protocol):
    """What supervision gives to an actor. Every method may be called from any thread."""

    @property
    def name(self) -> str:
        """The actor's name in the directory."""

    @property
    def incarnation(self) -> int:
        """1 for the first, one more for each replacement."""

    @property
    def inbox(self) -> Inbox:
        """Kept over replacements."""

    def tell(self, name: str, message: object) -> bool:
        """Send to a sibling by name. False when nobody has it, or this incarnation has been fenced."""

    def tell_self(self, message: object) -> bool:
        """Send to this incarnation; False once it has ended."""

    def every(self, seconds: float, name: str) -> None:
        """A ``Tick(name, number)`` to self on absolute deadlines, until this incarnation ends."""

    def after(self, seconds: float, message: object) -> None:
        """``message`` to self once, unless this incarnation has ended by then."""


class SupervisedActor(pykka.ThreadingActor):
    """Override ``on_start``, ``on_receive``, ``on_stop`` and ``on_failure``; all run in the actor's own thread.

    An exception that leaves a hook ends this incarnation; an asker gets it too. An incarnation ends with exactly one
    of the last two: ``on_stop`` when it was asked to, ``on_failure`` after an exception of ``on_start`` or
    ``on_receive`` (a fenced one's too, when its thread comes back). What they raise themselves is reported.
    ``__init__`` runs in the supervisor's thread: only store arguments there. ``on_start`` must be
    short: the tree waits for it.
    """

    use_daemon_thread = True

    def __init__(self, context: ActorContext) -> None:
        self.context = context
        super().__init__()

    def _create_actor_inbox(self) -> Any:  # type: ignore[override]  # Pykka's is static; ours comes with the context
        return self.context.inbox

    def _start_actor_loop(self) -> None:
        name = f"{self.context.name}#{self.context.incarnation}"
        threading.Thread(target=self._actor_loop, name=name, daemon=self.use_daemon_thread).start()

    def _actor_loop(self) -> None:
        me, inbox = self.context.incarnation, self.context.inbox
        stage, handling = Stage.START, ""
        error: BaseException | None = None
        try:
            inbox.mark_busy(me, Stage.START)
            self.on_start()
            inbox.done(me)
            _report_start(self.context)
            stage = Stage.RECEIVE
            while (envelope := inbox.take(me)) is not None:
                handling = type(envelope.message).__name__
                if isinstance(envelope.message, pykka_messages._ActorStop):
                    stage = Stage.STOP
                    inbox.mark_busy(me, Stage.STOP)
                    self._run_on_stop(envelope)
                    break
                self._handle(envelope)
                envelope = None  # a frame must not stay alive while we wait for the next one
                inbox.done(me)
            if stage is not Stage.STOP:
                self._clean_up(TimeoutError("fenced: another incarnation has taken over"))
        except BaseException as caught:  # a KeyboardInterrupt or SystemExit here is this actor's end, nobody else's
            error = caught
            if stage is not Stage.STOP:
                self._clean_up(caught)
        finally:
            self._end(stage, handling, error)

    def _handle(self, envelope: Envelope) -> None:
        try:
            reply = self.on_receive(envelope.message)
        except BaseException:
            if envelope.reply_to is not None:
                envelope.reply_to.set_exception()
            raise
        if envelope.reply_to is not None:
            envelope.reply_to.set(reply)

    def _clean_up(self, error: BaseException) -> None:
        try:
            self.on_failure(type(error), error, error.__traceback__)
        except BaseException as another:  # the first error is the one that is reported
            error.add_note(f"on_failure then raised {type(another).__name__}: {another}")

    def _run_on_stop(self, envelope: Envelope) -> None:
        try:
            self.on_stop()
        finally:
            if envelope.reply_to is not None:
                envelope.reply_to.set(None)

    def _end(self, stage: Stage, handling: str, error: BaseException | None) -> None:
        self.actor_stopped.set()
        pykka.ActorRegistry.unregister(self.actor_ref)
        trace, frames = _taken_off(error) if error is not None else ("", ())
        notice = ExitNotice(self.context.name, self.context.incarnation, stage, error, trace, frames, handling)
        _report_exit(self.context, notice)


def _taken_off(error: BaseException) -> tuple[str, tuple[str, ...]]:
    """The traceback as text and as ``module:qualname``; the error and its chain lose theirs, which hold pictures."""
    text = "".join(traceback.format_exception(error))
    frames = tuple(
        f"{frame.f_globals.get('__name__')}:{frame.f_code.co_qualname}"
        for frame, _line in traceback.walk_tb(error.__traceback__)
    )
    seen: set[int] = set()
    chain = [error]
    while chain:
        link = chain.pop()
        if id(link) not in seen:
            seen.add(id(link))
            link.__traceback__ = None
            chain += [each for each in (link.__cause__, link.__context__) if each is not None]
    return text, frames


def _report_start(context: ActorContext) -> None:
    """To a context that wants to know (Cerberus's ``ChildContext``; a test's need not)."""
    started = getattr(context, "started", None)
    if started is not None:
        started()


def _report_exit(context: ActorContext, notice: ExitNotice) -> None:
    exited = getattr(context, "exited", None)
    if exited is not None:
        exited(notice)
    elif notice.error is not None:  # an actor that nobody supervises: at least say it
        logger.error("%s ended: %s", notice.child, notice.stack_trace)
