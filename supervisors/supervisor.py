"""Supervisor: an actor that keeps other actors alive, as ``machine.py`` decides.

All of its state changes in its own thread; children report to it by urgent messages, timers come as messages too. So
it answers while a child starts, hangs, or is restarted again and again. Supervisors nest: one is a child like another.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pykka import ActorDeadError
from pykka.messages import _ActorStop

from supervisors import messages as m
from supervisors.actor import FENCED, ActorContext, Later, SupervisedActor, answer
from supervisors.children import State
from supervisors.commands import Close, Command, End, Kill, Reply, Start, Stop, Timer, Token
from supervisors.context import ChildContext, Tree
from supervisors.decider import Decider, OtpDecider
from supervisors.inbox import Inbox
from supervisors.leaks import Leaks
from supervisors.machine import Machine
from supervisors.specs import ChildSpec, Flags
from supervisors.status import status

logger = logging.getLogger("supervisors")

STOP_WITHIN = 5.0  # seconds for all children together
LONGEST_WATCH, SHORTEST_WATCH = 1.0, 0.02  # seconds between looks for a child that hangs


class _Watch:
    """Look for children that hang."""

    conflation_key = "watch"


@dataclass(frozen=True, slots=True)
class _NotStarted:
    """The child's name belongs to somebody else's."""

    name: str
    error: ValueError


class Supervisor(SupervisedActor):
    """``on_exit`` is told every end of a child that has an error (in this actor's thread). What it raises is logged.

    ``leaks``: counts threads that were fenced; shared by all supervisors of a tree.
    ``template``: builds the spec of a child that is added by name and argument (``AddFromTemplate``): OTP's
    simple_one_for_one. ``stop_together``: at the end all children get their time to stop at once.
    Ends with BootFailed when a child does not start the first time, with GaveUp when the window is exceeded.
    """

    def __init__(
        self,
        context: ActorContext,
        *,
        tree: Tree,
        children: Sequence[ChildSpec] = (),
        flags: Flags | None = None,
        decider: Decider | None = None,
        on_exit: Callable[[m.ExitNotice], None] = lambda notice: None,
        leaks: Leaks | None = None,
        stop_within: float = STOP_WITHIN,
        stop_together: bool = False,
        template: Callable[[str, Any], ChildSpec] | None = None,
    ) -> None:
        super().__init__(context)
        self._tree, self._on_exit, self._stop_within, self._template = tree, on_exit, stop_within, template
        self._decider = decider or OtpDecider(flags or Flags(), tree.random)
        self._machine = Machine(children, flags, decider=self._decider, stop_together=stop_together)
        self._leaks = leaks or Leaks()
        self._contexts: dict[str, ChildContext] = {}
        self._laters: dict[int, Later] = {}
        self._requests = 0
        self._outcome: End | None = None
        self._finished = False
        self.killed: tuple[str, ...] = ()

    # --- hooks ---

    def on_start(self) -> None:
        """Returns when all children are up. Raises BootFailed."""
        self._do(self._machine.boot(self._now()))
        self._pump(lambda: not self._machine.booting)
        self._finish_if_ended()
        self._watch_again()

    def on_receive(self, message: Any) -> Any:
        reply = self._receive(message)
        self._finish_if_ended()
        return reply

    def on_stop(self) -> None:
        """Stops the children in reverse order."""
        self._decider.close(self._now())  # while those whom it tells are still there
        self._do(self._machine.shutdown(self._now(), self._stop_within))
        self._pump(lambda: self._machine.ended)

    def on_failure(self, *_: Any) -> None:
        """After GaveUp all children are down. After an error of this class itself they are not: without it nobody
        would watch them, and its replacement starts them afresh. Their inboxes wait for it: whoever decides that it
        does not come back closes them."""
        for name in tuple(self._contexts):
            self._fence(name)

    # --- messages ---

    def _receive(self, message: Any) -> Any:
        machine, now = self._machine, self._now()
        match message:
            case m.ExitNotice():
                self._exited(message, now)
            case m.Fired(token=token):
                self._do(machine.fired(token, now))
            case _Watch():
                self._look_for_stuck(now)
            case m.Started() | m.Declined() | m.Well() | m.Unwell():
                self._reported(message, now)
            case _NotStarted(name=name, error=error):
                if name not in self._contexts:  # else it was tried again since, and the name was free
                    self._do(machine.exited(name, error, m.said(error), now))
            case m.WhichChildren():
                return tuple(self._status(name) for name in machine.children)
            case m.ShutDown(timeout=timeout):
                self._stop_within = timeout
                self.stop()
            case _:
                return self._requested(message, now)
        return None

    def _reported(self, message: m.Started | m.Declined | m.Well | m.Unwell, now: float) -> None:
        """News of a child; of its present incarnation alone."""
        context = self._contexts.get(message.child)
        if context is None or context.incarnation != message.incarnation:
            return
        match message:
            case m.Started():
                self._do(self._machine.started(message.child, now))
            case m.Declined():
                del self._contexts[message.child]
                self._do(self._machine.declined(message.child, now))
            case m.Well():
                self._do(self._machine.well(message.child, now))
            case m.Unwell(error=error):
                self._do(self._machine.unwell(message.child, error, m.said(error), now))

    def _requested(self, message: Any, now: float) -> Later:
        self._requests += 1
        number, machine = self._requests, self._machine
        later = self._laters[number] = Later()
        match message:
            case m.AddChild() | m.AddFromTemplate():
                self._add(number, message, now)
            case m.TerminateChild(name=name):
                self._do(machine.terminate(number, name, now))
            case m.RestartChild(name=name):
                self._do(machine.restart(number, name, now))
            case m.DeleteChild(name=name):
                self._do(machine.delete(number, name))
            case m.ChangeChildren(specs=specs, flags=flags):
                self._do(machine.change(number, specs, flags))
            case _:
                logger.warning("%s does not know the message %s", self.context.name, type(message).__name__)
                self._reply(number, TypeError(f"a supervisor does not know {type(message).__name__}"))
        return later

    def _add(self, number: int, message: m.AddChild | m.AddFromTemplate, now: float) -> None:
        """What is wrong with the request, or with the template, is the asker's affair."""
        try:
            spec = message.spec if isinstance(message, m.AddChild) else self._from_template(message)
            if not isinstance(spec, ChildSpec):
                raise TypeError(f"a child is described by a ChildSpec, not by {type(spec).__name__}")
        except Exception as error:
            self._reply(number, error)
        else:
            self._do(self._machine.add(number, spec, now))

    def _from_template(self, message: m.AddFromTemplate) -> ChildSpec:
        if self._template is None:
            raise TypeError(f"{self.context.name} has no template")
        return self._template(message.name, message.argument)

    # --- children's ends ---

    def _exited(self, notice: m.ExitNotice, now: float) -> None:
        context = self._contexts.get(notice.child)
        if context is None or context.incarnation != notice.incarnation:
            return  # of one that was fenced; its end has been told
        del self._contexts[notice.child]
        if notice.error is not None:
            self._tell(notice)
        self._do(self._machine.exited(notice.child, notice.error, notice.why, now))

    def _look_for_stuck(self, now: float) -> None:
        self._beat()
        for name, context in tuple(self._contexts.items()):
            if self._contexts.get(name) is not context:
                continue  # it went with one before it
            child, busy = self._machine.children[name], context.inbox.busy_for()
            if child.state is State.RUNNING and busy > child.spec.stuck_after:
                why = f"{context.inbox.handling} has been in work for {busy:.1f} s"
                self._do(self._machine.stuck(name, TimeoutError(why), why, now))
        self._watch_again()

    def _beat(self) -> None:
        """A sign of life at each look, at least once a second; for the root."""

    def _watch_again(self) -> None:
        shortest = min((child.spec.stuck_after for child in self._machine.children.values()), default=LONGEST_WATCH)
        pause = min(LONGEST_WATCH, max(SHORTEST_WATCH, shortest / 4))
        self.context.after(pause, _Watch(), early=pause / 3)

    def _tell(self, notice: m.ExitNotice) -> None:
        """A supervisor must not die of somebody who only listens."""
        try:
            self._on_exit(notice)
        except BaseException:  # its SystemExit would end this thread, not the process
            logger.exception("an end could not be told")

    # --- commands ---

    def _do(self, commands: Sequence[Command]) -> None:
        for command in commands:
            if self.context.inbox.owner != self.context.incarnation:
                raise TimeoutError(FENCED)  # the replacement has children of the same names
            match command:
                case Start(name=name):
                    self._start(name)
                case Stop(name=name) if name in self._contexts:  # else news is under way that it could not be started
                    self._contexts[name].stop()
                case Kill(name=name, why=why):
                    self._kill(name, why)
                case Close(name=name):
                    self._close(name)
                case Timer(token=token, delay=delay):
                    self._tree.schedule.after(delay, self._timer(token))
                case Reply(request=request, answer=value):
                    self._reply(request, value)
                case End():
                    self._outcome, self.killed = command, command.killed

    def _start(self, name: str) -> None:
        spec = self._machine.children[name].spec
        try:
            inbox = self._tree.directory.claim(name, self.context.name, self._new_inbox)
        except ValueError as error:
            self.context.inbox.put_urgent(_NotStarted(name, error), self.context.incarnation)
            return
        context = self._contexts[name] = ChildContext(name, inbox, self._tree, self.context.inbox)
        if isinstance(self.context, ChildContext):
            self.context.below(context)
        context.launch(spec.make)

    def _new_inbox(self, name: str) -> Inbox:
        return Inbox(name, monotonic=self._tree.monotonic)

    def _kill(self, name: str, why: str) -> None:
        """``why`` empty: its spec wants no other end, so there is nothing to tell unless it was busy. It may have ended
        by itself meanwhile: its own notice comes too late and is told now, unless it ended because of the fence."""
        context = self._contexts.get(name)
        if context is None:
            return
        busy_with, own = self._fence(name), context.notice
        if own is not None and (own.error is not None or own.stage is m.Stage.STOP):
            told = own
        elif why or any(busy_with):
            error = TimeoutError(why or "it was to be stopped at once")
            told = m.ExitNotice(name, context.incarnation, m.Stage.STUCK, error, str(error), (), *busy_with)
        else:
            return
        if told.error is not None:
            self._tell(told)

    def _fence(self, name: str) -> tuple[str, str]:
        context = self._contexts.pop(name)
        busy_with = context.fence()
        for each in context.unended():
            self._leaks.began(each.name, each.end)
        return busy_with

    def _close(self, name: str) -> None:
        """While this supervisor ends, whoever is above it closes: it may come back, and its children with it."""
        directory, me = self._tree.directory, self.context.name
        inbox = directory.owned(name, me)
        if inbox is None or name in self._contexts or (self._machine.ending and not self._is_root):
            return
        inbox.close()
        directory.let_go(name)
        if name not in self._machine.children:
            directory.release(name, me)

    def _timer(self, token: Token) -> Callable[[int], bool]:
        return lambda _number: self._fire(token)

    def _fire(self, token: Token) -> bool:
        """In the timer's thread. A replacement has timers of its own, and its own numbers."""
        with suppress(ActorDeadError):
            self.context.inbox.put_urgent(m.Fired(token), self.context.incarnation)
        return False

    def _reply(self, request: int, value: object) -> None:
        later = self._laters.pop(request)
        if isinstance(value, BaseException):
            later.fail(value)
        else:
            later.set(value)

    # --- the end ---

    def _finish_if_ended(self) -> None:
        """Not because it was asked to: it gave up, or all is done that it was there for (auto_shutdown)."""
        if self._outcome is None or self._finished:
            return
        self._finished = True
        if self._outcome.error is not None:
            raise self._outcome.error
        self.stop()

    def _pump(self, done: Callable[[], bool]) -> None:
        """Handle messages inside a hook until ``done``."""
        while not done():
            envelope = self.context.inbox.take(self.context.incarnation)
            if envelope is None:
                raise TimeoutError(FENCED)
            if isinstance(envelope.message, _ActorStop):  # while it boots
                self._do(self._machine.shutdown(self._now(), self._stop_within))
                answer(envelope, None)
            else:
                self._handle(envelope, self._receive)

    def _status(self, name: str) -> m.ChildStatus:
        child, inbox = self._machine.children[name], self._tree.directory.owned(name, self.context.name)
        return status(child, inbox, self._decider.shown(name), self._leaks.of(name))

    @property
    def _is_root(self) -> bool:
        return isinstance(self.context, ChildContext) and self.context.is_root

    def still_hanging(self) -> tuple[str, ...]:
        """Whose fenced threads have not ended, in the whole tree."""
        return self._leaks.names()

    def _now(self) -> float:
        return self._tree.monotonic()
