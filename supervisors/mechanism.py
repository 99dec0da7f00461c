"""How children are started and stopped: plans, carried out step by step. Knows nothing of failures or requests.

Children that have to come back travel in a *plan*: first the ones still alive are stopped, the last started first, one
after the other; then a pause, if one is due; then they are started in order, each after the one before is up. Nothing
ever waits inside: between two steps the supervisor can answer, stop a child, and end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from supervisors.children import ALIVE, Child, Plan, State
from supervisors.commands import Close, Command, End, Kill, Reply, Start, Stop, Timer, Token
from supervisors.errors import ShuttingDown, StartFailed, SupervisionError
from supervisors.policy import Restart
from supervisors.specs import ChildSpec

LAST_MOMENT = 0.05  # seconds; what a child gets to stop when the time for all of them is over


class Mechanism:
    """The children, the plans, and the commands they lead to."""

    def __init__(self, children: Sequence[ChildSpec], stop_together: bool) -> None:
        self.children = {spec.name: Child(spec) for spec in children}
        self.booting = False  # until each child has been up or has declined, or the supervisor has ended
        self.ended = False
        self._stop_together = stop_together
        self._plans: list[Plan] = []
        self._numbers = 0  # of plans and of changes of state: no two have the same, even if a name comes again
        self._out: list[Command] = []
        self._ending: Plan | None = None
        self._deadline = math.inf
        self._error: SupervisionError | None = None
        self._killed: list[str] = []

    @property
    def ending(self) -> bool:
        """It stops all children, or has; none is started any more."""
        return self._ending is not None

    # --- plans ---

    def _plan(self, stop: Sequence[str], start: Sequence[str], delay: float) -> Plan:
        plan = Plan(self._number(), list(stop), list(start), delay)
        self._plans.append(plan)
        return plan

    def _bring(self, names: Sequence[str], delay: float, now: float) -> None:
        """Bring a group back, and what the plans it touches had still to do."""
        halt, back = set(names), set[str]()
        for plan in [plan for plan in self._plans if plan.touches(names)]:
            halt.update(plan.stop)
            back.update(plan.start)
            self._plans.remove(plan)
        for name in names:
            self._include(self.children[name], back, now)
        start = [name for name in self.children if name in back]
        for name in start:
            if self.children[name].state is State.STOPPED:
                self._set(self.children[name], State.RESTARTING, now)
        alive = [name for name, child in self.children.items() if name in halt and child.state in ALIVE]
        self._plan(alive, start, delay)

    def _include(self, child: Child, back: set[str], now: float) -> None:
        """A temporary one is not brought back; one that waited for its first start still gets it."""
        name = child.spec.name
        if child.spec.restart is not Restart.TEMPORARY and not child.forget:
            back.add(name)
        elif child.state in ALIVE:
            child.forget = True
            back.discard(name)
        elif name not in back:
            child.forget = True
            self._down(child, now)

    def _end(self, error: SupervisionError | None, now: float) -> None:
        """Give up all plans but one: to stop everybody."""
        self._error = error
        self._killed.clear()
        for child in tuple(self.children.values()):
            self._answer(child, ShuttingDown())
            if child.state not in ALIVE and (child.state is State.RESTARTING or self._will_start(child.spec.name)):
                self._down(child, now)
        self._plans.clear()
        self._ending = self._plan(tuple(self.children), (), 0.0)

    def _go(self, now: float) -> list[Command]:
        """Let every plan go on as far as it can; the commands since the last call."""
        for plan in tuple(self._plans):
            if self._advance(plan, now):
                self._plans.remove(plan)
        if self.booting and self._ending is None:
            self.booting = self._first_starts_left()
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
            if child is None or child.state is State.RUNNING:
                plan.start.pop(0)
            elif child.state in ALIVE:
                return False
            else:
                self._start(child, now)
        return True

    def _leave_plans(self, name: str) -> None:
        """Nobody shall start it any more."""
        for plan in self._plans:
            plan.start = [each for each in plan.start if each != name]

    def _will_stop(self, name: str) -> bool:
        return any(name in plan.stop for plan in self._plans)

    def _will_start(self, name: str) -> bool:
        return any(name in plan.start for plan in self._plans)

    def _first_starts_left(self) -> bool:
        awaited = [self.children[name] for plan in self._plans for name in plan.start if name in self.children]
        return not all(child.was_up for child in awaited)

    # --- one child ---

    def _start(self, child: Child, now: float) -> None:
        self._set(child, State.STARTING, now)
        self._out.append(Start(child.spec.name))
        self._out.append(Timer(Token("start", child.spec.name, child.serial), child.spec.start_timeout))

    def _ask_to_stop(self, child: Child, now: float) -> None:
        """Does nothing while it is stopping already."""
        if child.state is State.STOPPING:
            return
        self._set(child, State.STOPPING, now)
        if child.spec.stop_timeout == 0:
            self._out.append(Kill(child.spec.name, ""))
            self._stopped(child, now)
        else:
            self._out.append(Stop(child.spec.name))
            self._limit_stop(child, now)

    def _limit_stop(self, child: Child, now: float) -> None:
        """Its own time, or what is left of everybody's."""
        own = math.inf if child.spec.stop_timeout is None else child.spec.stop_timeout
        timeout = min(own, max(LAST_MOMENT, self._deadline - now))
        if timeout < math.inf:
            self._out.append(Timer(Token("stop", child.spec.name, child.serial), timeout))

    def _stopped(self, child: Child, now: float) -> None:
        """It is down because it was to be stopped."""
        if self._will_start(child.spec.name):
            self._set(child, State.RESTARTING, now)
        else:
            self._down(child, now)
            self._answer(child, StartFailed(f"{child.spec.name} was stopped before it was up"))
        self._out += [Reply(request, None) for request in child.stoppers]
        child.stoppers.clear()

    def _down(self, child: Child, now: float) -> None:
        """It is down, and nobody is going to start it."""
        self._leave_plans(child.spec.name)
        self._set(child, State.STOPPED, now)
        self._out.append(Close(child.spec.name))
        if child.forget or child.new:
            del self.children[child.spec.name]

    def _set(self, child: Child, state: State, now: float) -> None:
        child.state, child.since, child.serial = state, now, self._number()

    def _state(self, name: str) -> State:
        child = self.children.get(name)
        return State.STOPPED if child is None else child.state

    def _answer(self, child: Child, answer: object) -> None:
        """To the one who waits for its start, if there is one."""
        if child.asker is not None:
            self._out.append(Reply(child.asker, answer))
            child.asker = None

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers
