"""Supervisor: an actor that keeps other actors alive, as ``machine.py`` decides.

All of its state changes in its own thread; children report to it by urgent messages, timers come as messages too. So
it answers while a child starts, hangs, or is restarted again and again. Supervisors nest: one is a child like another.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pykka.messages import _ActorStop

from supervisors import messages as m
from supervisors.actor import ActorContext, Later, SupervisedActor, answer
from supervisors.children import State
from supervisors.commands import Close, Command, End, Kill, Reply, Start, Stop, Timer, Token
from supervisors.context import ChildContext, Tree
from supervisors.decider import Decider, OtpDecider
from supervisors.inbox import Inbox
from supervisors.leaks import Leaks
from supervisors.machine import Machine
from supervisors.specs import ChildSpec, Flags

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
        self._do(self._machine.shutdown(self._now(), self._stop_within))
        self._pump(lambda: self._machine.ended)
        self._decider.close(self._now())
        self._let_go()

    def on_failure(self, *_: Any) -> None:
        """After GaveUp all children are down. After an error of this class itself they are not: without it nobody
        would watch them, and its replacement starts them afresh."""
        for name in tuple(self._contexts):
            self._fence(name)
        if self._outcome is not None:
            self._let_go()

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
            case m.AddChild(spec=spec):
                self._do(machine.add(number, spec, now))
            case m.AddFromTemplate(name=name, argument=argument) if self._template is not None:
                self._do(machine.add(number, self._template(name, argument), now))
            case m.TerminateChild(name=name):
                self._do(machine.terminate(number, name, now))
            case m.RestartChild(name=name):
                self._do(machine.restart(number, name, now))
            case m.DeleteChild(name=name):
                self._do(machine.delete(number, name))
            case m.ChangeChildren(specs=specs, flags=flags):
                self._do(machine.change(number, specs, flags))
            case _:
                del self._laters[number]
                logger.warning("%s does not know the message %s", self.context.name, type(message).__name__)
                later.fail(TypeError(f"a supervisor does not know {type(message).__name__}"))
        return later

    # --- children's ends ---

    def _exited(self, notice: m.ExitNotice, now: float) -> None:
        context = self._contexts.get(notice.child)
        if context is None or context.incarnation != notice.incarnation:
            self._leaks.ended(notice.child, notice.incarnation)  # a fenced thread came to its end after all
            return
        del self._contexts[notice.child]
        if notice.error is not None:
            self._tell(notice)
        self._do(self._machine.exited(notice.child, notice.error, notice.why, now))

    def _look_for_stuck(self, now: float) -> None:
        for name, context in tuple(self._contexts.items()):
            child, busy = self._machine.children[name], context.inbox.busy_for()
            if child.state is State.RUNNING and busy > child.spec.stuck_after:
                why = f"{context.inbox.handling} has been in work for {busy:.1f} s"
                self._do(self._machine.stuck(name, TimeoutError(why), why, now))
        self._watch_again()

    def _watch_again(self) -> None:
        shortest = min((child.spec.stuck_after for child in self._machine.children.values()), default=LONGEST_WATCH)
        self.context.after(min(LONGEST_WATCH, max(SHORTEST_WATCH, shortest / 4)), _Watch())

    def _tell(self, notice: m.ExitNotice) -> None:
        """A supervisor must not die of somebody who only listens."""
        try:
            self._on_exit(notice)
        except Exception:
            logger.exception("an end could not be told")

    # --- commands ---

    def _do(self, commands: Sequence[Command]) -> None:
        for command in commands:
            match command:
                case Start(name=name):
                    self._start(name)
                case Stop(name=name):
                    self._contexts[name].stop()
                case Kill(name=name, why=why):
                    self._kill(name, why)
                case Close(name=name):
                    self._close(name)
                case Timer(token=token, delay=delay):
                    self._tree.schedule.after(delay, self._timer(token))
                case Reply(request=request, answer=value):
                    self._reply(self._laters.pop(request), value)
                case End():
                    self._outcome, self.killed = command, command.killed

    def _start(self, name: str) -> None:
        spec = self._machine.children[name].spec
        try:
            inbox = self._tree.directory.claim(name, self.context.name, self._new_inbox)
        except ValueError as error:
            self._urgent(_NotStarted(name, error))
            return
        context = self._contexts[name] = ChildContext(name, inbox, self._tree, self.context.inbox)
        if isinstance(self.context, ChildContext):
            self.context.below(context)
        context.launch(spec.make)

    def _new_inbox(self, name: str) -> Inbox:
        return Inbox(name, monotonic=self._tree.monotonic)

    def _kill(self, name: str, why: str) -> None:
        """``why`` empty: its spec wants no other end, so there is nothing to tell."""
        inbox = self._contexts[name].inbox
        stuck = m.ExitNotice(
            name,
            self._contexts[name].incarnation,
            m.Stage.STUCK,
            TimeoutError(why),
            why,
            handling=inbox.handling,
            message_id=inbox.message_id,
        )
        self._fence(name)
        if why:
            self._tell(stuck)

    def _fence(self, name: str) -> None:
        context = self._contexts.pop(name)
        context.fence()
        if not context.end.is_set():
            self._leaks.began(name, context.incarnation)

    def _close(self, name: str) -> None:
        inbox = self._tree.directory.inbox(name)
        if inbox is not None and name not in self._contexts:
            inbox.close()
        if name not in self._machine.children:
            self._tree.directory.release(name, self.context.name)

    def _timer(self, token: Token) -> Callable[[int], bool]:
        return lambda _number: self._urgent(m.Fired(token))

    def _urgent(self, message: object) -> bool:
        """In the timer's thread."""
        if not self.context.inbox.closed:
            self.context.inbox.put_urgent(message)
        return False

    @staticmethod
    def _reply(later: Later, value: object) -> None:
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
                raise TimeoutError("fenced: another incarnation has taken over")
            if isinstance(envelope.message, _ActorStop):  # while it boots
                self._do(self._machine.shutdown(self._now(), self._stop_within))
                answer(envelope, None)
            else:
                self._handle(envelope, self._receive)

    def _status(self, name: str) -> m.ChildStatus:
        child, inbox = self._machine.children[name], self._tree.directory.inbox(name)
        head, bites = self._decider.shown(name)
        return m.ChildStatus(
            name=name,
            state=child.state.value,
            incarnation=0 if inbox is None else inbox.incarnations,
            restarts=0 if inbox is None else max(0, inbox.incarnations - 1),
            head=head,
            busy_for=0.0 if inbox is None else round(inbox.busy_for(), 3),
            handling="" if inbox is None else inbox.handling,
            waiting=0 if inbox is None else len(inbox),
            leaked=self._leaks.of(name),
            last_reason=child.last_reason,
            supervisor=child.spec.supervisor,
            replaced={} if inbox is None else dict(inbox.replaced),
            bites=bites,
        )

    def _let_go(self) -> None:
        for name in self._machine.children:
            inbox = self._tree.directory.inbox(name)
            if inbox is not None:
                inbox.close()
            self._tree.directory.release(name, self.context.name)

    def _now(self) -> float:
        return self._tree.monotonic()
