"""SupervisedActor: a Pykka actor whose end is always reported, exactly once, whatever ended it.

Pykka calls ``on_failure`` for one kind of death only, lets a ``SystemExit`` in one actor stop all of them, and
leaves zombies behind when ``on_start`` fails. So the loop is our own; refs, asks and futures are Pykka's. Proxies are
not supported: between supervised actors there are messages.
"""

from __future__ import annotations

import logging
import queue
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Protocol

import pykka
from pykka.messages import _ActorStop

from supervisors.inbox import Envelope, Inbox, id_of
from supervisors.messages import ExitNotice, Stage, said

logger = logging.getLogger("supervisors")

FENCED = "fenced: another incarnation has taken over"


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
        """Send to this incarnation alone; False once it has ended."""

    def every(self, seconds: float, name: str, *, early: float = 0.0) -> None:
        """A ``Tick(name, number)`` to self on absolute deadlines, or up to ``early`` seconds before, until this
        incarnation ends."""

    def after(self, seconds: float, message: object, *, early: float = 0.0) -> None:
        """``message`` to self once, up to ``early`` seconds before its time, unless this incarnation has ended."""

    def well(self) -> None:
        """Tell the supervisor that what this actor stands for works: a probe has passed. Counts when ``on_start`` has
        returned."""

    def unwell(self, error: BaseException) -> None:
        """Tell the supervisor that what this actor stands for has failed, though the actor itself lives: it decides
        whether to replace the actor, to reload all that depends on it, or to go on without. Counts when ``on_start``
        has returned (which may raise instead)."""


class Later:
    """Returned by ``on_receive``: the asker's answer comes when ``set`` or ``fail`` is called, in the actor's thread.

    One that has got no answer when its actor ends is answered with an ActorDeadError.
    """

    def __init__(self) -> None:
        self._question: tuple[Envelope, Inbox] | None = None
        self._answer: tuple[object, BaseException | None] | None = None

    def set(self, value: object) -> None:
        self._answer = (value, None)
        self._send()

    def fail(self, error: BaseException) -> None:
        self._answer = (None, error)
        self._send()

    def bind(self, envelope: Envelope, context: ActorContext) -> None:
        """``envelope``: the question."""
        self._question = envelope, context.inbox
        if self._answer is None:
            context.inbox.postpone(context.incarnation, envelope)
        self._send()

    def _send(self) -> None:
        if self._question is not None and self._answer is not None:
            envelope, inbox = self._question
            answer(envelope, *self._answer)
            inbox.answered(envelope)


def answer(envelope: Envelope, value: object, error: BaseException | None = None) -> None:
    """Answer the asker, if any, and if nobody has done it before (who asked a fenced one was told that it died)."""
    if envelope.reply_to is None:
        return
    with suppress(queue.Full):
        if error is None:
            envelope.reply_to.set(value)
        else:
            envelope.reply_to.set_exception((type(error), error, error.__traceback__))


class SupervisedActor(pykka.ThreadingActor):
    """Override ``on_start``, ``on_receive``, ``on_stop`` and ``on_failure``; all run in the actor's own thread, as
    does ``__init__`` when a supervisor starts it.

    An exception that leaves a hook ends this incarnation; an asker gets it too. An incarnation ends with exactly one
    of the last two: ``on_stop`` when it was asked to, ``on_failure`` after an exception of ``on_start`` or
    ``on_receive`` (a fenced one's too, when its thread comes back). What they raise themselves is reported.
    ``on_start`` must be short: the tree waits for it.
    """

    use_daemon_thread = True

    def __init__(self, context: ActorContext) -> None:
        self.context = context
        super().__init__()

    def _create_actor_inbox(self) -> Any:  # type: ignore[override]  # Pykka's is static; ours comes with the context
        return self.context.inbox

    def _start_actor_loop(self) -> None:
        """For an actor that nobody supervises."""
        name = f"{self.context.name}#{self.context.incarnation}"
        threading.Thread(target=self._actor_loop, name=name, daemon=self.use_daemon_thread).start()

    def _actor_loop(self) -> None:
        me, inbox = self.context.incarnation, self.context.inbox
        stage, present = Stage.START, Envelope(None)
        end = _End()
        try:
            inbox.mark_busy(me, Stage.START)
            self.on_start()
            _report_start(self.context)
            stage = Stage.RECEIVE
            while (envelope := inbox.take(me)) is not None:
                present = envelope
                if isinstance(envelope.message, _ActorStop):
                    stage = Stage.STOP
                    inbox.mark_busy(me, Stage.STOP)
                    self.on_stop()
                    break
                self._handle(envelope, self.on_receive)
                present = envelope = Envelope(None)  # a frame must not stay alive while we wait for the next one
            if stage is not Stage.STOP:
                end = _End(text=self._clean_up(TimeoutError(FENCED), None))
        except BaseException as caught:  # a KeyboardInterrupt or SystemExit here is this actor's end, nobody else's
            trace = caught.__traceback__
            end = _End(caught, *taken_off(caught))  # before the asker, in his own thread, raises the same object
            answer(present, None, caught)
            if stage is not Stage.STOP:
                end = replace(end, text=end.text + self._clean_up(caught, trace))
            del trace
        finally:
            self._end(stage, present, end)

    def _handle(self, envelope: Envelope, receive: Callable[[Any], Any]) -> None:
        reply = receive(envelope.message)
        if isinstance(reply, Later):
            reply.bind(envelope, self.context)
        else:
            answer(envelope, reply)

    def _clean_up(self, error: BaseException, trace: TracebackType | None) -> str:
        """What went wrong with it, too; the first error is the one that is reported."""
        try:
            self.on_failure(type(error), error, trace)
        except BaseException as another:
            return f"on_failure then raised {said(another)}\n"
        return ""

    def _end(self, stage: Stage, present: Envelope, end: _End) -> None:
        self.actor_stopped.set()
        pykka.ActorRegistry.unregister(self.actor_ref)
        answer(present, None)  # who asked it to stop and waits for it
        _report_exit(self.context, exit_notice(self.context, stage, end.error, present.message, end.text, end.frames))


@dataclass(frozen=True, slots=True)
class _End:
    error: BaseException | None = None
    text: str = ""
    frames: tuple[str, ...] = ()


def exit_notice(
    context: ActorContext,
    stage: Stage,
    error: BaseException | None,
    message: object = None,
    text: str = "",
    frames: tuple[str, ...] = (),
) -> ExitNotice:
    """How an incarnation ended. ``message``: the one that was in work."""
    handling = "" if message is None else type(message).__name__
    return ExitNotice(context.name, context.incarnation, stage, error, text, frames, handling, id_of(message))


def taken_off(error: BaseException) -> tuple[str, tuple[str, ...]]:
    """The traceback as text and as ``module:qualname``; the error and its chain lose theirs, which hold pictures."""
    try:
        text = "".join(traceback.format_exception(error))
    except BaseException as another:  # an error with a hostile __str__; that it happened matters more
        text = f"{type(error).__name__}, whose text raised {type(another).__name__}"
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
            link.with_traceback(None)  # no assignment: an exception may refuse attributes
            chain += [each for each in (link.__cause__, link.__context__) if each is not None]
    return text, frames


def _report_start(context: ActorContext) -> None:
    """To a context that wants to know (a supervisor's ``ChildContext``; a test's need not)."""
    started = getattr(context, "started", None)
    if started is not None:
        started()


def _report_exit(context: ActorContext, exit_notice: ExitNotice) -> None:
    exited = getattr(context, "exited", None)
    if exited is not None:
        exited(exit_notice)
        return
    context.inbox.leave(context.incarnation)
    context.inbox.close()  # an actor that nobody supervises has no replacement that could answer
    if exit_notice.error is not None:
        logger.error("%s ended: %s", exit_notice.child, exit_notice.stack_trace)
