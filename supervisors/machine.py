"""What a supervisor does, as a state machine: events in, commands out. No threads, no clock, no actor.

``supervisor.py`` feeds it with what happens to live actors and carries its commands out; tests feed it by hand, with
a clock of their own. All times are seconds of one monotonic clock.

Here it is decided what an event leads to; ``mechanism.py`` starts and stops. Nothing ever waits inside: a restart that
goes on for ever leaves the supervisor able to answer, to stop a child, and to end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from supervisors.children import ALIVE, Child, State, not_found, start_failed, why_not_add, why_not_touch
from supervisors.commands import Close, Command, Kill, Reply, Timer, Token
from supervisors.decider import Bring, Decider, Failure, GiveUp, OtpDecider
from supervisors.errors import BootFailed, GaveUp, ShuttingDown, StartFailed, SupervisionError
from supervisors.mechanism import Mechanism
from supervisors.policy import AutoShutdown, Restart, comes_back
from supervisors.specs import ChildSpec, Flags, SpecError, check, check_unique


class Machine(Mechanism):
    """One supervisor's state. Every event returns the commands it leads to. Raises SpecError for bad specs.

    Events are those of the present incarnation of a child; whoever feeds the machine holds back what a fenced one
    still says. An event for a child that is not there any more, or not in a state for it, changes nothing.
    ``stop_together``: at the end all children get their time to stop at once, not one after the other.
    """

    def __init__(
        self,
        children: Sequence[ChildSpec],
        flags: Flags | None = None,
        *,
        decider: Decider | None = None,
        stop_together: bool = False,
    ) -> None:
        self.flags = flags or Flags()
        check(children, self.flags)
        super().__init__(children, stop_together)
        self._decider = decider or OtpDecider(self.flags)

    # --- events: what happened ---

    def boot(self, now: float) -> list[Command]:
        """Start all children in order. One that fails is a reason to end, with its cause."""
        if self._ending is None:
            self.booting = True
            self._plan((), tuple(self.children), 0.0)
        return self._go(now)

    def started(self, name: str, now: float) -> list[Command]:
        """Its ``on_start`` has returned."""
        child = self.children.get(name)
        if child is not None and child.state is State.STARTING:
            self._set(child, State.RUNNING, now)
            child.new, child.was_up = False, True
            self._answer(child, None)
            self._look_again(child, self._decider.up(name, now))
        return self._go(now)

    def declined(self, name: str, now: float) -> list[Command]:
        """It does not want to run now: no failure, and nobody waits for it."""
        child = self.children.get(name)
        if child is not None and child.state is State.STOPPING:
            self._stopped(child, now)
        elif child is not None and child.state in ALIVE:
            child.new, child.forget = False, child.spec.restart is Restart.TEMPORARY
            self._down(child, now)
            self._answer(child, None)
        return self._go(now)

    def exited(self, name: str, error: BaseException | None, why: str, now: float) -> list[Command]:
        """It is gone. ``error`` None: it ended by itself in order, or as it was asked to."""
        child = self.children.get(name)
        if child is not None and child.state is State.STOPPING:
            self._stopped(child, now)
        elif child is not None and child.state in ALIVE:
            self._ended_unasked(child, error, why, now)
        return self._go(now)

    def stuck(self, name: str, error: BaseException, why: str, now: float) -> list[Command]:
        """It has been in one message for too long: fenced, and a failure like any other."""
        child = self.children.get(name)
        if child is not None and child.state is State.RUNNING:
            self._out.append(Kill(name, why))
            self._ended_unasked(child, error, why, now)
        return self._go(now)

    def unwell(self, name: str, error: BaseException, why: str, now: float) -> list[Command]:
        """It lives, but what it stands for does not work: a failure; it is stopped before it is started again."""
        child = self.children.get(name)
        if child is None or child.state is not State.RUNNING or self._will_stop(name):
            return self._go(now)
        child.last_reason = why
        if comes_back(child.spec.restart, failed=True):
            self._failed(child, error, why, now - child.since, now)
        else:
            child.forget = True
            self._ask_to_stop(child, now)
        return self._go(now)

    def well(self, name: str, now: float) -> list[Command]:
        """It says that what it stands for works: the next failure is the first one of a row again. How often is too
        often is the decider's to say."""
        if self._state(name) is State.RUNNING:
            self.children[name].in_a_row = 0
            self._decider.well(name, now)
        return self._go(now)

    def fired(self, token: Token, now: float) -> list[Command]:
        """A timer is over."""
        child = self.children.get(token.name)
        if token.kind == "pause":
            self._pause_over(token.number)
        elif child is not None and child.serial == token.number:
            self._time_is_over(child, token.kind, now)
        return self._go(now)

    def _time_is_over(self, child: Child, kind: str, now: float) -> None:
        match kind:
            case "look":
                self._look_again(child, self._decider.still_up(child.spec.name, now))
            case "stop":
                self._killed.append(child.spec.name)
                self._out.append(Kill(child.spec.name, "it did not stop in time"))
                self._stopped(child, now)
            case "start":
                why = f"on_start did not return within {child.spec.start_timeout:g} s"
                self._out.append(Kill(child.spec.name, why))
                self._ended_unasked(child, TimeoutError(why), why, now)

    def shutdown(self, now: float, timeout: float = math.inf) -> list[Command]:
        """Stop all children in reverse order, within ``timeout`` seconds; then End. Said again, it can only shorten
        the time."""
        self._deadline = min(self._deadline, now + timeout)
        if self._ending is None:
            self._end(None, now)
        if self._deadline < math.inf:
            for child in self.children.values():
                if child.state is State.STOPPING:
                    self._limit_stop(child, now)
        return self._go(now)

    # --- requests; each is answered by exactly one Reply ---

    def add(self, request: int, spec: ChildSpec, now: float) -> list[Command]:
        """Start a new child as the last one. One that does not come up leaves no trace."""
        refusal = ShuttingDown() if self._ending else why_not_add(spec, self.children, self.flags)
        if refusal is not None:
            return [Reply(request, refusal)]
        self.children[spec.name] = child = Child(spec, asker=request, new=True)
        self._start(child, now)
        return self._go(now)

    def terminate(self, request: int, name: str, now: float) -> list[Command]:
        """Stop a child and leave it down; its spec stays (a temporary one's does not). Answered when it is down."""
        child = self.children.get(name)
        if child is None or self._ending is not None:
            return [Reply(request, not_found(name) if child is None else ShuttingDown())]
        self._leave_plans(name)
        child.forget = child.forget or child.new or child.spec.restart is Restart.TEMPORARY
        self._answer(child, StartFailed(f"{name} was told to stop while it started"))
        if child.state in ALIVE:
            child.stoppers.append(request)
            self._ask_to_stop(child, now)
        else:
            self._down(child, now)
            self._out.append(Reply(request, None))
        return self._go(now)

    def restart(self, request: int, name: str, now: float) -> list[Command]:
        """Start a child that is down. It does not count as a failure; one that does not come up stays down."""
        refusal = self._why_not_touch(name)
        if refusal is not None:
            return [Reply(request, refusal)]
        self.children[name].asker = request
        self._start(self.children[name], now)
        return self._go(now)

    def delete(self, request: int, name: str) -> list[Command]:
        """Forget the spec of a child that is down."""
        refusal = self._why_not_touch(name)
        if refusal is not None:
            return [Reply(request, refusal)]
        del self.children[name]
        return [Close(name), Reply(request, None)]

    def _why_not_touch(self, name: str) -> SupervisionError | None:
        return ShuttingDown() if self._ending else why_not_touch(name, self.children, self._will_start(name))

    def change(self, request: int, specs: Sequence[ChildSpec], flags: Flags | None = None) -> list[Command]:
        """Other specs and flags for a running supervisor: they hold from the next start on. Nothing is started or
        stopped; children that are not named keep theirs; one bad spec and nothing changes."""
        if self._ending is not None:
            return [Reply(request, ShuttingDown())]
        after = {name: child.spec for name, child in self.children.items()} | {spec.name: spec for spec in specs}
        try:
            check_unique(specs)
            check(tuple(after.values()), flags or self.flags)
        except SpecError as error:
            return [Reply(request, error)]
        self.flags = flags or self.flags
        self._decider.change(self.flags)
        for name, spec in after.items():
            self.children.setdefault(name, Child(spec)).spec = spec
        return [Reply(request, None)]

    # --- what a child's end leads to ---

    def _ended_unasked(self, child: Child, error: BaseException | None, why: str, now: float) -> None:
        name, spec = child.spec.name, child.spec
        was_starting, uptime = child.state is State.STARTING, now - child.since
        child.last_reason = why
        self._set(child, State.STOPPED, now)
        if self._will_stop(name):
            self._stopped(child, now)
        elif child.asker is not None:  # started by hand: no failure of the tree
            self._answer(child, start_failed(name, error, why))
            self._down(child, now)
        elif self.booting and was_starting and not child.was_up:
            self._down(child, now)
            self._end(BootFailed(name, error, why), now)
        elif comes_back(spec.restart, failed=error is not None or was_starting):
            self._failed(child, error, why, 0.0 if was_starting else uptime, now)
        else:
            child.forget = spec.restart is Restart.TEMPORARY
            self._down(child, now)
            self._auto_shutdown(spec, now)

    def _failed(self, child: Child, error: BaseException | None, why: str, uptime: float, now: float) -> None:
        spec = child.spec
        if uptime >= spec.backoff.stable_after:
            child.in_a_row = 0
        verdict = self._decider.failed(
            Failure(spec.name, error, why, now, child.in_a_row, spec.backoff, tuple(self.children))
        )
        child.in_a_row += 1
        if isinstance(verdict, Bring):
            self._bring(verdict.group, verdict.delay, now)
        elif child.state is State.STOPPED:
            self._down(child, now)
        if isinstance(verdict, GiveUp):
            self._end(GaveUp(verdict.why), now)

    def _auto_shutdown(self, spec: ChildSpec, now: float) -> None:
        """``spec``: of a child that has ended by itself and does not come back."""
        others = any(
            each.spec.significant and (each.state is not State.STOPPED or self._will_start(name))
            for name, each in self.children.items()
        )
        how = self.flags.auto_shutdown
        if spec.significant and (how is AutoShutdown.ANY_SIGNIFICANT or not others):
            self._end(None, now)

    def _look_again(self, child: Child, seconds: float | None) -> None:
        if seconds is not None:
            self._out.append(Timer(Token("look", child.spec.name, child.serial), seconds))
