"""What a supervisor does, as a state machine: events in, commands out. No threads, no clock, no actor.

``supervisor.py`` feeds it with what happens to live actors and carries its commands out; tests feed it by hand, with
a clock of their own. All times are seconds of one monotonic clock.

Children that have to come back travel in a *plan*: first the ones still alive are stopped, the last started first, one
after the other; then a pause, if one is due; then they are started in order, each after the one before is up. A new
failure takes over what the plans it touches had not done yet. Nothing ever waits inside: a restart that goes on for
ever leaves the supervisor able to answer, to stop a child, and to end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from supervisors.children import ALIVE, Child, Plan, State, not_found, start_failed, why_not_add, why_not_touch
from supervisors.commands import Close, Command, End, Kill, Reply, Start, Stop, Timer, Token
from supervisors.decider import Bring, Decider, Failure, GiveUp, LeaveDown, OtpDecider
from supervisors.errors import BootFailed, GaveUp, ShuttingDown, StartFailed, SupervisionError
from supervisors.policy import AutoShutdown, Restart, comes_back
from supervisors.specs import ChildSpec, Flags, SpecError, check

LAST_MOMENT = 0.05  # seconds; what a child gets to stop when the time for all of them is over


class Machine:
    """One supervisor's state. Every event returns the commands it leads to. Raises SpecError for bad specs.

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
        self.children = {spec.name: Child(spec) for spec in children}
        self._decider = decider or OtpDecider(self.flags)
        self._stop_together = stop_together
        self._plans: list[Plan] = []
        self._numbers = 0
        self._out: list[Command] = []
        self._ending: Plan | None = None
        self._deadline = math.inf
        self._error: SupervisionError | None = None
        self._killed: list[str] = []
        self.booting = False
        self.ended = False

    # --- events: what happened ---

    def boot(self, now: float) -> list[Command]:
        """Start all children in order. One that fails is a reason to end, with its cause."""
        self.booting = True
        self._plan((), tuple(self.children), 0.0)
        return self._go(now)

    def started(self, name: str, now: float) -> list[Command]:
        """Its ``on_start`` has returned."""
        child = self.children[name]
        if child.state is State.STARTING:
            self._set(child, State.RUNNING, now)
            child.forget = False
            self._answer(child, None)
            self._look_again(child, self._decider.up(name, now))
        return self._go(now)

    def declined(self, name: str, now: float) -> list[Command]:
        """It does not want to run now: no failure, and nobody waits for it."""
        child = self.children[name]
        child.forget = child.spec.restart is Restart.TEMPORARY
        self._down(child, now)
        self._answer(child, None)
        return self._go(now)

    def exited(self, name: str, error: BaseException | None, why: str, now: float) -> list[Command]:
        """It is gone. ``error`` None: it ended by itself in order, or as it was asked to."""
        child = self.children[name]
        if child.state is State.STOPPING:
            self._stopped(child, now)
        elif child.state in ALIVE:
            self._ended_unasked(child, error, why, now)
        return self._go(now)

    def stuck(self, name: str, error: BaseException, why: str, now: float) -> list[Command]:
        """It has been in one message for too long: fenced, and a failure like any other."""
        child = self.children[name]
        if child.state is State.RUNNING:
            self._out.append(Kill(name, why))
            self._ended_unasked(child, error, why, now)
        return self._go(now)

    def unwell(self, name: str, error: BaseException, why: str, now: float) -> list[Command]:
        """It lives, but what it stands for does not work: a failure; it is stopped before it is started again."""
        child = self.children[name]
        if child.state is State.RUNNING and self._ending is None and not self._will_stop(name):
            child.last_reason = why
            self._failed(child, error, why, now - child.since, now)
        return self._go(now)

    def well(self, name: str, now: float) -> list[Command]:
        """It says that what it stands for works."""
        if self.children[name].state is State.RUNNING:
            self._decider.well(name, now)
        return self._go(now)

    def fired(self, token: Token, now: float) -> list[Command]:
        """A timer is over."""
        if token.kind == "pause":
            self._pause_over(token.number)
            return self._go(now)
        child = self.children.get(token.name)
        if child is None or child.serial != token.number:
            return []
        match token.kind:
            case "look":
                self._look_again(child, self._decider.still_up(child.spec.name, now))
            case "stop":
                self._kill(child, "it did not stop in time")
                self._stopped(child, now)
            case "start":
                why = f"on_start did not return within {child.spec.start_timeout:g} s"
                self._out.append(Kill(child.spec.name, why))
                self._ended_unasked(child, TimeoutError(why), why, now)
        return self._go(now)

    def shutdown(self, now: float, timeout: float = math.inf) -> list[Command]:
        """Stop all children in reverse order, within ``timeout`` seconds; then End."""
        if self._ending is None:
            self._deadline = now + timeout
            self._end(None, now)
        return self._go(now)

    # --- requests; each is answered by exactly one Reply ---

    def add(self, request: int, spec: ChildSpec, now: float) -> list[Command]:
        """Start a new child as the last one. One that does not come up leaves no trace."""
        refusal = ShuttingDown() if self._ending else why_not_add(spec, self.children, self.flags)
        if refusal is not None:
            return [Reply(request, refusal)]
        self.children[spec.name] = child = Child(spec, request=request, forget=True)
        self._start(child, now)
        return self._go(now)

    def terminate(self, request: int, name: str, now: float) -> list[Command]:
        """Stop a child and leave it down; its spec stays (a temporary one's does not). Answered when it is down."""
        child = self.children.get(name)
        if child is None or self._ending is not None:
            return [Reply(request, not_found(name) if child is None else ShuttingDown())]
        self._leave_plans(name)
        child.forget = child.forget or child.spec.restart is Restart.TEMPORARY
        if child.state not in ALIVE:
            self._down(child, now)
            self._out.append(Reply(request, None))
            return self._go(now)
        self._answer(child, StartFailed(f"{name} was told to stop while it started"))
        child.request = request
        self._ask_to_stop(child, now)
        return self._go(now)

    def restart(self, request: int, name: str, now: float) -> list[Command]:
        """Start a child that is down. It does not count as a failure; one that does not come up stays down."""
        refusal = ShuttingDown() if self._ending else why_not_touch(name, self.children)
        if refusal is not None:
            return [Reply(request, refusal)]
        self.children[name].request = request
        self._start(self.children[name], now)
        return self._go(now)

    def delete(self, request: int, name: str) -> list[Command]:
        """Forget the spec of a child that is down."""
        refusal = ShuttingDown() if self._ending else why_not_touch(name, self.children)
        if refusal is None:
            del self.children[name]
        return [Reply(request, refusal)]

    def change(self, request: int, specs: Sequence[ChildSpec], flags: Flags | None = None) -> list[Command]:
        """Other specs and flags for a running supervisor: they hold from the next start on. Nothing is started or
        stopped; children that are not named keep theirs; one bad spec and nothing changes."""
        after = {name: child.spec for name, child in self.children.items()} | {spec.name: spec for spec in specs}
        try:
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
        if self._ending is not None or self._will_stop(name):
            self._stopped(child, now)
        elif self.booting and was_starting and child.starts == 1:
            self._end(BootFailed(name, error, why), now)
        elif child.request is not None:  # started by hand: no failure of the tree
            self._answer(child, start_failed(name, error, why))
            self._down(child, now)
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
        match verdict:
            case Bring(group=names, delay=delay):
                self._bring(names, delay, now)
            case LeaveDown():
                if child.state is State.STOPPED:
                    self._down(child, now)
            case GiveUp(why=reason):
                self._end(GaveUp(reason), now)

    def _bring(self, names: Sequence[str], delay: float, now: float) -> None:
        """Bring a group back, and what the plans it touches had still to do."""
        halt, back = set(names), set(names)
        for plan in [plan for plan in self._plans if plan.touches(names)]:
            halt.update(plan.stop)
            back.update(plan.start)
            self._plans.remove(plan)
        for name in names:
            child = self.children[name]
            child.forget = child.forget or child.spec.restart is Restart.TEMPORARY
        start = [name for name, child in self.children.items() if name in back and not child.forget]
        for name in start:
            if self.children[name].state is State.STOPPED:
                self._set(self.children[name], State.RESTARTING, now)
        self._plan(
            [name for name, child in self.children.items() if name in halt and child.state in ALIVE], start, delay
        )

    def _auto_shutdown(self, spec: ChildSpec, now: float) -> None:
        """``spec``: of a child that has ended by itself and does not come back."""
        others = any(c.spec.significant and c.state is not State.STOPPED for c in self.children.values())
        how = self.flags.auto_shutdown
        if spec.significant and (how is AutoShutdown.ANY_SIGNIFICANT or not others):
            self._end(None, now)

    def _stopped(self, child: Child, now: float) -> None:
        """It is down because it was to be stopped."""
        if any(child.spec.name in plan.start for plan in self._plans) and not child.forget:
            self._set(child, State.RESTARTING, now)
        else:
            self._down(child, now)
        self._answer(child, None)

    def _down(self, child: Child, now: float) -> None:
        self._leave_plans(child.spec.name)
        self._set(child, State.STOPPED, now)
        self._out.append(Close(child.spec.name))
        if child.forget:
            del self.children[child.spec.name]

    def _end(self, error: SupervisionError | None, now: float) -> None:
        self._error = error
        self._plans.clear()
        for child in self.children.values():
            if child.state is State.STARTING:
                self._answer(child, ShuttingDown())
            elif child.state is State.RESTARTING:
                self._set(child, State.STOPPED, now)
        self._ending = self._plan(tuple(self.children), (), 0.0)

    # --- plans ---

    def _plan(self, stop: Sequence[str], start: Sequence[str], delay: float) -> Plan:
        self._numbers += 1
        plan = Plan(self._numbers, list(stop), list(start), delay)
        self._plans.append(plan)
        return plan

    def _go(self, now: float) -> list[Command]:
        """Let every plan go on as far as it can; the commands since the last call."""
        for plan in tuple(self._plans):
            if self._advance(plan, now):
                self._plans.remove(plan)
        if self.booting and not self._plans:
            self.booting = False
        if self._ending is not None and self._ending not in self._plans and not self.ended:
            self.booting, self.ended = False, True
            self._out.append(End(self._error, tuple(self._killed)))
        out, self._out = self._out, []
        return out

    def _advance(self, plan: Plan, now: float) -> bool:
        """True when it is done."""
        return self._stop_down(plan, now) and self._paused(plan) and self._start_up(plan, now)

    def _stop_down(self, plan: Plan, now: float) -> bool:
        while plan.stop:
            together = self._stop_together and plan is self._ending
            for name in tuple(reversed(plan.stop)) if together else plan.stop[-1:]:
                child = self.children.get(name)
                if child is None or child.state not in ALIVE:
                    plan.stop.remove(name)
                else:
                    self._ask_to_stop(child, now)
            if any(self._state(name) is State.STOPPING for name in plan.stop):
                return False
        return True

    def _leave_plans(self, name: str) -> None:
        """Nobody shall start it any more."""
        for plan in self._plans:
            plan.start = [each for each in plan.start if each != name]

    def _paused(self, plan: Plan) -> bool:
        if plan.delay > 0 and not plan.pausing:
            plan.pausing = True
            self._out.append(Timer(Token("pause", "", plan.number), plan.delay))
        return not plan.pausing

    def _pause_over(self, number: int) -> None:
        for plan in self._plans:
            if plan.number == number:
                plan.delay, plan.pausing = 0.0, False

    def _start_up(self, plan: Plan, now: float) -> bool:
        while plan.start:
            child = self.children.get(plan.start[0])
            if child is not None and child.state is State.STARTING:
                return False
            if child is None or child.state is State.RUNNING:
                plan.start.pop(0)
            else:
                self._start(child, now)
        return True

    # --- one child ---

    def _start(self, child: Child, now: float) -> None:
        child.starts += 1
        self._set(child, State.STARTING, now)
        self._out.append(Start(child.spec.name))
        self._out.append(Timer(Token("start", child.spec.name, child.serial), child.spec.start_timeout))

    def _ask_to_stop(self, child: Child, now: float) -> None:
        """Does nothing while it is stopping already."""
        if child.state is State.STOPPING:
            return
        timeout = math.inf if child.spec.stop_timeout is None else child.spec.stop_timeout
        if timeout > 0:
            timeout = min(timeout, max(LAST_MOMENT, self._deadline - now))
        self._set(child, State.STOPPING, now)
        if timeout <= 0:
            self._kill(child, "it was to be stopped at once")
            self._stopped(child, now)
            return
        self._out.append(Stop(child.spec.name))
        if timeout < math.inf:
            self._out.append(Timer(Token("stop", child.spec.name, child.serial), timeout))

    def _kill(self, child: Child, why: str) -> None:
        self._killed.append(child.spec.name)
        self._out.append(Kill(child.spec.name, why))

    def _set(self, child: Child, state: State, now: float) -> None:
        child.state, child.since = state, now
        child.serial += 1

    def _look_again(self, child: Child, seconds: float | None) -> None:
        if seconds is not None:
            self._out.append(Timer(Token("look", child.spec.name, child.serial), seconds))

    def _answer(self, child: Child, answer: object) -> None:
        if child.request is not None:
            self._out.append(Reply(child.request, answer))
            child.request = None

    def _state(self, name: str) -> State:
        child = self.children.get(name)
        return State.STOPPED if child is None else child.state

    def _will_stop(self, name: str) -> bool:
        return any(name in plan.stop for plan in self._plans)
