"""Cerberus: the root of the tree, a supervisor whose failures are answered by three heads (``heads.py``)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import pykka

from supervisors.actor import ActorContext
from supervisors.context import ChildContext, Tree
from supervisors.errors import BootFailed
from supervisors.heads import Heads
from supervisors.heads_decider import HeadsDecider, Listeners
from supervisors.inbox import Inbox
from supervisors.leaks import Leaks
from supervisors.lifeline import Lifeline
from supervisors.messages import ChildStatus, ExitNotice, ShutDown, WhichChildren, said
from supervisors.specs import ChildSpec
from supervisors.supervisor import Supervisor

logger = logging.getLogger("supervisors")

CERBERUS = "cerberus"
ASK = 2.0  # seconds for a status


class Cerberus(Supervisor):
    """``fatal``: an error of these types restarts nothing; ``listeners.fatal`` is told, and the run should end.
    ``lifeline``: started before the children and stopped after them; gets a beat at least once a second while all are
    up, and a witness in the timer thread."""

    def __init__(
        self,
        context: ActorContext,
        *,
        tree: Tree,
        children: Sequence[ChildSpec],
        heads: Heads | None = None,
        listeners: Listeners | None = None,
        fatal: tuple[type[BaseException], ...] = (),
        on_exit: Callable[[ExitNotice], None] = lambda notice: None,
        leaks: Leaks | None = None,
        lifeline: Lifeline | None = None,
    ) -> None:
        decider = HeadsDecider(children, heads, listeners, fatal=fatal, random=tree.random)
        super().__init__(context, tree=tree, children=children, decider=decider, on_exit=on_exit, leaks=leaks)
        decider.spec_of = self._spec_of
        self._lifeline, self._beats = lifeline, True

    def on_start(self) -> None:
        """Raises BootFailed, and OSError when the lifeline's file cannot be opened."""
        if self._lifeline is not None:
            self._lifeline.start()
            self._lifeline.witness()
            pause = self._lifeline.notice_after / 10
            self._tree.schedule.every(pause, self._lifeline.witness, early=pause / 2)
        super().on_start()
        self._beat()

    def on_stop(self) -> None:
        try:
            super().on_stop()
        finally:
            self.cut()

    def on_failure(self, *exc_info: Any) -> None:
        self.cut()
        super().on_failure(*exc_info)

    def _beat(self) -> None:
        if self._lifeline is not None:
            try:
                self._lifeline.beat()
                self._beats = True
            except Exception as error:  # no thread to be had, a full disk: the tree lives on without it
                if self._beats:  # told once, not at each beat
                    logger.warning("the lifeline cannot be renewed: %s", said(error))
                self._beats = False

    def cut(self) -> None:
        """The end of the lifeline. Any thread; harmless when it has been cut."""
        if self._lifeline is not None:
            self._lifeline.stop()

    def _spec_of(self, name: str) -> ChildSpec | None:
        child = self._machine.children.get(name)
        return None if child is None else child.spec


class Root:
    """A running tree, as seen from the thread that started it. Any thread may call."""

    def __init__(self, context: ChildContext, tree: Tree, made: list[Supervisor]) -> None:
        self._context, self.tree, self._made = context, tree, made

    @property
    def ended(self) -> bool:
        """The root itself has ended, asked to or not."""
        return self._context.end.is_set()

    def busy_for(self) -> float:
        """Seconds in its present message; 0.0 when idle."""
        return self._context.inbox.busy_for()

    def status(self) -> tuple[ChildStatus, ...]:
        """All children, those of nested supervisors behind their supervisor; without those of one that does not answer.
        Raises pykka.Timeout, ActorDeadError."""
        return tuple(self._below(self._context.name))

    def _below(self, name: str) -> list[ChildStatus]:
        rows: list[ChildStatus] = []
        for row in self.tree.directory.ask(name, WhichChildren(), ASK):
            rows.append(row)
            if row.supervisor and row.state == "running":
                with suppress(pykka.Timeout, pykka.ActorDeadError):
                    rows += self._below(row.name)
        return rows

    def stop(self, timeout: float) -> tuple[str, ...]:
        """Stop all children in reverse order within ``timeout`` seconds, then the root and the timer. Harmless when it
        has ended already. The names of those that had to be fenced for it, and of those whose fenced threads still
        hang."""
        name = self._context.name
        with suppress(pykka.ActorDeadError):
            self._context.inbox.put_urgent(ShutDown(timeout))
        ended = self._context.end.wait(timeout + 1.0)
        if not ended:
            self._context.fence()
        for root in self._made:
            if isinstance(root, Cerberus):
                root.cut()
        self.tree.directory.let_go(name)
        self.tree.directory.release(name, name)
        self._context.inbox.close()
        self.tree.schedule.stop()
        fenced = [each for root in self._made for each in (*root.killed, *root.still_hanging())]
        return tuple(dict.fromkeys(fenced if ended else [*fenced, *(each.name for each in self._context.unended())]))


def start_root(make: Callable[[ActorContext, Tree], Supervisor], tree: Tree, timeout: float = 60.0) -> Root:
    """Start the timer, the root, and all its children, in order.

    Raises BootFailed (all that had been started is stopped again), or what ``make`` raised.
    """
    inbox = tree.directory.claim(CERBERUS, CERBERUS, lambda name: Inbox(name, monotonic=tree.monotonic))
    context = ChildContext(CERBERUS, inbox, tree, None)
    made: list[Supervisor] = []

    def build(given: ActorContext) -> Supervisor:
        made.append(make(given, tree))
        return made[0]

    tree.schedule.start()
    context.launch(build)
    root = Root(context, tree, made)
    if context.start_done.wait(timeout) and context.notice is None:
        return root
    notice = context.notice
    root.stop(5.0)
    if notice is None or notice.error is None:
        raise BootFailed(CERBERUS, None, f"not started within {timeout:g} s")
    raise notice.error
